"""Job shops from the text files of the public collections.

Line 1: jobs and machines (more may follow and is ignored). Then a line per job. Flexible: the number of operations, and
for each the number of its machines and as many pairs ``machine duration``. Classical: one pair per operation. Machines
count from 0.
"""

from __future__ import annotations

from pathlib import Path

from optimizer.errors import Fault, InstanceError
from optimizer.scheduling.problem import FlexibleJobShop

Job = list[list[tuple[int, int]]]
"""Operations of options ``(machine, duration)``."""


def read_job_shop(path: Path | str, flexible: bool) -> FlexibleJobShop:
    """
    The problem of a file.

    Raises
    ------
    InstanceError
        With every line that is not as described.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InstanceError(str(path), [Fault(path.name, f"cannot be read as text: {error}")]) from None
    lines = [(at, line.split()) for at, line in enumerate(text.splitlines(), 1) if line.strip()]
    faults: list[Fault] = []
    jobs: list[Job] = []
    head = lines[0][1] if lines else []
    if len(head) < 2 or not all(word.isdecimal() for word in head[:2]):
        found = " ".join(head[:4]) or "nothing"
        raise InstanceError(str(path), [Fault(path.name, f"is '{found}', expected numbers of jobs and machines", 1)])
    num_jobs, num_machines = int(head[0]), int(head[1])
    for at, words in lines[1:]:
        try:
            jobs.append(_job([int(word) for word in words], flexible, num_machines))
        except ValueError as error:
            faults.append(Fault(path.name, str(error), at))
    if len(lines) - 1 != num_jobs:
        faults.append(Fault(path.name, f"says {num_jobs} jobs, but {len(lines) - 1} lines of jobs follow", 1))
    if faults:
        raise InstanceError(str(path), faults)
    return FlexibleJobShop.from_jobs(jobs, num_machines)


def _job(values: list[int], flexible: bool, num_machines: int) -> Job:
    """The operations of a line; ValueError in words when it does not add up."""
    if not flexible:
        if len(values) % 2:
            raise ValueError(f"has {len(values)} numbers, expected pairs of machine and duration")
        job = [[pair] for pair in zip(values[::2], values[1::2], strict=True)]
    else:
        job, at = [], 1
        for operation in range(values[0]):
            if at >= len(values) or values[at] < 1:
                count = values[at] if at < len(values) else "missing"
                raise ValueError(f"operation {operation}: number of machines is {count}, expected at least 1")
            pairs = values[at + 1 : at + 1 + 2 * values[at]]
            if len(pairs) < 2 * values[at]:
                raise ValueError(f"operation {operation}: ends after {len(pairs)} numbers, expected {2 * values[at]}")
            job.append(list(zip(pairs[::2], pairs[1::2], strict=True)))
            at += 1 + 2 * values[at]
        if at != len(values):
            raise ValueError(f"has {len(values) - at} numbers more than its {values[0]} operations take")
    for operation, options in enumerate(job):
        for machine, duration in options:
            if not 0 <= machine < num_machines:
                raise ValueError(f"operation {operation}: machine is {machine}, expected 0 to {num_machines - 1}")
            if duration < 0:
                raise ValueError(f"operation {operation}: duration is {duration}, expected at least 0")
    return job
