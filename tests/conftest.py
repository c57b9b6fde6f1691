"""Fixtures and paths shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def instances_dir(root: Path) -> Path:
    """The committed instances."""
    return root / "instances"


@pytest.fixture(scope="session")
def corridor_facts(root: Path) -> Path:
    """The sourced facts the reference instance is built from; they lie beside the checkout."""
    path = root.parent / "shared" / "corridor-facts"
    if not path.is_dir():
        pytest.skip("the corridor facts are not beside this checkout")
    return path
