"""``python -m benchmarks [NAME [arguments]]``."""

from __future__ import annotations

import importlib
import importlib.util
import sys

from benchmarks import PROGRAMS
from benchmarks.tables import machine


def main(argv: list[str]) -> int:
    if argv and argv[0] not in PROGRAMS:
        print(f"benchmarks: '{argv[0]}' is none of {', '.join(PROGRAMS)}", file=sys.stderr)
        return 2
    print(machine())
    for name in argv[:1] or PROGRAMS:
        if importlib.util.find_spec(PROGRAMS[name]) is None:
            print(f"\n{name}: not part of this version, skipped")
            continue
        importlib.import_module(PROGRAMS[name]).run(argv[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
