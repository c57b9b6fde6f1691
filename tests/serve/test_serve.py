"""``corridor serve``: right answers, refusals in words, users beside each other, slow and many clients."""

from __future__ import annotations

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import optimizer as opt
from optimizer.cli import cli
from optimizer.errors import UsageError
from optimizer.serve.answers import Answers
from optimizer.serve.levers import WhatIf, apply_what_if

from .conftest import Served, serve


@pytest.mark.parametrize(
    ("asked", "cost"),
    [
        ({}, 31_120.0),
        ({"scenarios": ["east-shut"]}, 31_840.0),
        ({"close_places": ["east"]}, 31_840.0),
        # East Port with room for all but the background: 1,000 t at 26.80, the mill at 9.20, the lease
        ({"turns": [{"kind": "capacity", "target": "east", "value": 10}]}, 26_800 + 1_840 + 2_000),
        # half the tonnes miss the lease's volume: 500 t shovelled to East Port, the mill left behind
        ({"demand": 0.5}, 500 * 31.20 + 100 * 12),
    ],
)
def test_answers_are_those_of_the_readme(served: Served, asked: dict[str, Any], cost: float) -> None:
    job = served.answer(asked)
    assert job["state"] == "done"
    assert job["status"] == "OPTIMAL"
    assert job["cost"] == pytest.approx(cost, rel=1e-6)
    assert job["bound"] == pytest.approx(cost, rel=1e-5)
    assert job["difference"] == pytest.approx(cost - 31_120, abs=0.05)
    status, page = served.call(job["page"])
    assert status == 200
    assert "What moved, and why" in page


def test_levers_are_those_of_switch_points(instances_dir: Path) -> None:
    """A premium of 2 on East Port: 1,000 t through West Port at 28.00 beat 600 at 28.80."""
    corridor = opt.read(instances_dir / "toy-port-choice")
    asked = WhatIf.model_validate({"turns": [{"kind": "premium", "target": "east", "value": 2}]})
    assert opt.solve(apply_what_if(corridor, asked)).cost == pytest.approx(31_840.0)
    assert asked.words == "premium of east at 2"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"close_links": ["bv"]}, "unknown link 'bv'"),
        ({"close_places": ["nroth"]}, "unknown place 'nroth'; did you mean 'north'?"),
        ({"scenarios": ["east-shot"]}, "unknown scenario 'east-shot'; did you mean 'east-shut'?"),
        ({"turns": [{"kind": "haul", "target": "ZZ", "value": 1}]}, "unknown country 'ZZ'"),
        ({"turns": [{"kind": "haul", "target": "KZ", "value": -1}]}, "expected a factor of 0 or more"),
        ({"turns": [{"kind": "capacity", "target": "eastt", "value": 1}]}, "did you mean 'east'?"),
        ({"turns": [{"kind": "premium", "target": "east", "value": -99}]}, "expected a cost not below zero"),
        ({"gauge_variant": "Z"}, "unknown gauge variant 'Z', expected one of none"),
        ({"demand_year": 2050}, "no demand of 2050, expected one of none"),
    ],
)
def test_what_there_is_not_is_refused_in_words(served: Served, asked: dict[str, Any], words: str) -> None:
    job = served.answer(asked)
    assert job["state"] == "refused"
    assert words in job["words"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "Invalid JSON"),
        ({"demand": "much"}, 400, "demand"),
        ({"demand": 1e9}, 400, "demand"),
        ({"turns": [{"kind": "haul", "target": "x" * 200, "value": 1}]}, 400, "turns.0.target"),
        ({"__class__": 1}, 400, "Extra inputs"),
        (b'{"close_links": ["' + b"x" * 100_000 + b'"]}', 413, "at most 64,000 bytes"),
    ],
)
def test_hostile_questions(served: Served, body: Any, status: int, words: str) -> None:
    got, told = served.call("/questions", body)
    assert got == status
    assert words in told["error"]


def test_other_sites_and_names_are_refused(served: Served) -> None:
    assert served.call("/questions", {}, headers={"origin": "http://evil.example"})[0] == 403
    assert served.call("/questions", {}, headers={"content-type": "text/plain"})[0] == 415
    assert served.call("/", headers={"host": "evil.example"})[0] == 400
    assert served.call("/assets/../app.py")[0] == 404
    assert served.call("/assets/%2e%2e/app.py")[0] == 404
    assert served.call("/questions/none")[0] == 404
    assert served.call("/answers/none")[0] == 404
    assert served.call("/questions/none", method="DELETE")[0] == 404


def test_fifty_at_once_each_get_their_own_answer(served: Served) -> None:
    """Costs rise with the tonnes, so a mixed-up answer would show."""
    factors = [1 + number / 25 for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        jobs = list(pool.map(lambda factor: served.answer({"demand": factor}), factors))
    assert [job["state"] for job in jobs] == ["done"] * 50
    costs = [job["cost"] for job in jobs]
    assert costs == sorted(costs)
    assert all(job["asked"] in ("nothing changed", f"demand times {f:g}") for job, f in zip(jobs, factors, strict=True))


def test_slow_clients_hold_nobody_up(served: Served) -> None:
    """Sockets that send a header by the byte, or a body never: others are answered meanwhile, and they are cut off."""
    slow = []
    for number in range(20):
        connection = socket.create_connection(("127.0.0.1", served.port), timeout=30)
        head = (
            b"POST /questions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n"
        )
        connection.sendall(head[: 10 + number] if number % 2 else head + b"\r\n{")
        slow.append(connection)
    started = time.monotonic()
    assert served.answer({"demand": 1.01})["state"] == "done"
    assert time.monotonic() - started < 20
    reply = slow[0].recv(200)  # the body that never came
    assert b"408" in reply
    for connection in slow:
        connection.close()


def test_a_question_can_be_cancelled(instances_dir: Path) -> None:
    """One that waits never runs; one that runs ends with what it has."""
    answers = Answers(opt.read(instances_dir / "toy-port-choice"))
    jobs = [answers.ask(WhatIf(demand=1 + number / 100)) for number in range(12)]
    last = answers.cancel(jobs[-1].job_id)
    assert last is jobs[-1]
    answers.close()
    assert jobs[-1].state == "stopped"
    assert jobs[-1].result is None
    assert all(job.state in ("done", "stopped", "waiting") for job in jobs)


def test_interrupt_ends_the_server(instances_dir: Path) -> None:
    server = serve(instances_dir / "toy-port-choice")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) in (0, -signal.SIGTERM, 143)


def test_only_loopback_unless_said(instances_dir: Path) -> None:
    done = CliRunner().invoke(cli, ["serve", str(instances_dir / "toy-port-choice"), "--host", "0.0.0.0"])
    assert done.exit_code == 2
    assert "add --open-to-others" in done.output


def test_an_instance_without_lanes_is_refused(instances_dir: Path) -> None:
    done = CliRunner().invoke(cli, ["serve", str(instances_dir / "toy-transshipment")])
    assert done.exit_code == 2
    assert "needs at least one row of lanes" in done.output


def test_unknown_scenario(instances_dir: Path) -> None:
    corridor = opt.read(instances_dir / "toy-port-choice")
    with pytest.raises(UsageError, match="did you mean 'east-shut'"):
        apply_what_if(corridor, WhatIf(scenarios=("east-shute",)))


def test_the_page_in_a_browser(served: Served, browser: Any) -> None:
    """A lever turned: the answer comes by itself, the console stays empty, the frame shows the answer."""
    from selenium.webdriver.common.by import By

    browser.get_log("browser")
    browser.get(served.address)
    shut = browser.find_element(By.CSS_SELECTOR, "input[name=scenarios][value=east-shut]")
    browser.execute_script("arguments[0].click()", shut)
    told = browser.find_element(By.ID, "told")
    deadline = time.monotonic() + 60
    while "than as it stands" not in told.text:
        assert time.monotonic() < deadline, told.text
        time.sleep(0.1)
    assert "31,840 USD a year, 720 USD a year more than as it stands" in told.text
    frame = browser.find_element(By.ID, "page")
    assert "/answers/" in frame.get_attribute("src")
    browser.switch_to.frame(frame)
    while "720 USD a year more" not in browser.find_element(By.TAG_NAME, "body").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    browser.switch_to.default_content()
    assert browser.get_log("browser") == []
