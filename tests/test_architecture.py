"""The rules of ``docs/architecture.md`` that can be read off the source."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "optimizer").rglob("*.py"))
# Imports point down: a module may import its own layer and lower ones.
LAYERS = {
    "cli": 5,
    "__init__": 4,
    "serve": 4,
    "report": 4,
    "api": 4,
    "families": 4,
    "checks": 4,
    "models": 3,
    "flows": 2,
    "scheduling": 2,
    "choice": 2,
    "circulation": 2,
    "solvers": 2,
    "network": 2,
    "verification": 2,
    "data": 2,
    "results": 4,
    "result": 1,
    "errors": 0,
    "display": 0,
}
FAMILY_NAMES = ("port_choice", "transshipment", "rolling_stock", "gauge_choice")


def module_of(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts


def imports_of(path: Path, types: bool = False) -> set[tuple[str, ...]]:
    """Modules of the package that a file imports, anywhere in it; with or without type-checking blocks."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for child in ast.walk(node)
    }
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only and not types:
            continue
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = tuple((node.module or "").split("."))
            for alias in node.names:
                deeper = ROOT.joinpath(*base, alias.name)
                is_module = deeper.with_suffix(".py").exists() or deeper.is_dir()
                found.add((*base, alias.name) if is_module else base)
    return {name for name in found if name[0] == "optimizer"}


def layer_of(module: tuple[str, ...]) -> int:
    if module[:3] == ("optimizer", "models", "family"):
        return 2  # the contract itself: types only, known to solvers as well
    return LAYERS[module[1] if len(module) > 1 else "__init__"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    own = module_of(path)
    upward = {".".join(name) for name in imports_of(path) if layer_of(name) > layer_of(own)}
    assert not upward


def test_no_module_needs_itself() -> None:
    """Nowhere a circle of imports, those of types included; ``__init__`` files only hand names on."""
    modules = {module_of(path): path for path in SOURCES if path.name != "__init__.py"}
    needs = {own: imports_of(path, types=True) & modules.keys() for own, path in modules.items()}
    order = list(graphlib.TopologicalSorter(needs).static_order())  # raises CycleError
    assert len(order) == len(modules)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_families_do_not_know_each_other(path: Path) -> None:
    own = module_of(path)
    if len(own) > 2 and own[1] == "models" and own[2] in FAMILY_NAMES:
        others = {name for name in imports_of(path) if name[1] == "models" and len(name) > 2} - {
            name for name in imports_of(path) if name[:3] == own[:3]
        }
        assert {name[2] for name in others} <= {"family"}


VERIFIERS = sorted((ROOT / "optimizer" / "models").rglob("verify*.py"))
SHARED_RULES = sorted((ROOT / "optimizer" / "verification").glob("*.py"))


def family_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[2]


def test_there_are_verifiers() -> None:
    assert {family_of(path) for path in VERIFIERS} == set(FAMILY_NAMES)


@pytest.mark.parametrize("path", VERIFIERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_verifiers_share_no_code_with_the_models(path: Path) -> None:
    family = ("optimizer", "models", family_of(path))
    for name in imports_of(path):
        allowed = name[1] in ("data", "result", "errors", "verification") or (
            name[:3] == family and name[3:] and (name[3] == "problem" or name[-1].startswith("verify"))
        )
        assert allowed, f"{'.'.join(name)} must not be used by a verifier"


@pytest.mark.parametrize("path", SHARED_RULES, ids=lambda path: path.name)
def test_rules_of_several_verifiers_know_no_model(path: Path) -> None:
    assert {name[1] for name in imports_of(path)} <= {"data", "result", "errors", "verification"}


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if path.relative_to(ROOT).parts[1] != "cli"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_only_the_command_prints(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    printed = [
        ast.unparse(call.func)
        for call in calls
        if ast.unparse(call.func) in ("print", "logging.basicConfig", "click.echo")
    ]
    assert not printed


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_input_is_never_run(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not names & {"eval", "exec", "pickle.load", "pickle.loads", "np.load", "pd.read_pickle", "os.system"}


def test_importing_the_package_stays_light() -> None:
    heavy = ("pulp", "ortools", "numba", "scipy", "openpyxl", "pyarrow", "rich", "pandas")
    script = f"import sys, optimizer, optimizer.cli; print([name for name in {heavy!r} if name in sys.modules])"
    seen = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
