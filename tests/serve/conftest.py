"""A server on the toy, in a process of its own as a user starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Served:
    """A server and how to talk to it."""

    address: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1].rstrip("/"))

    def call(
        self, path: str, body: Any = None, method: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON (or text) of a request."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address.rstrip("/") + path,
            data,
            {"content-type": "application/json", **(headers or {})},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status, text = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question, waited for."""
        status, job = self.call("/questions", asked)
        assert status == 202, job
        deadline = time.monotonic() + 300
        while job["state"] in ("waiting", "solving"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
            status, job = self.call(f"/questions/{job['id']}")
            assert status == 200
        return dict(job)


def serve(instance: Path, *words: str) -> Served:
    process = subprocess.Popen(
        [sys.executable, "-m", "optimizer.cli", "serve", str(instance), "--port", "0", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(r"http://\S+", line):
            return Served(found.group(), process)
    raise AssertionError(f"the server did not start: {said}")


@pytest.fixture(scope="session")
def served(instances_dir: Path) -> Iterator[Served]:
    """The toy, served."""
    server = serve(instances_dir / "toy-port-choice")
    yield server
    server.process.send_signal(signal.SIGINT)
    server.process.wait(20)
