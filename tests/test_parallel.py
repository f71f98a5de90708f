"""The whole suite, and only that, runs in a process for each core."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import parallel
from tests.beside import beside
from tests.parallel import LOOKS_BACK, MOST, cores, start
from tests.servers import copy_tree, run

WHERE = """
import os
from pathlib import Path

def test_where() -> None:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0]
    said = [os.environ.get("PYTEST_XDIST_WORKER", "here"), str(len(cores))]
    Path(__file__).with_name("where").write_text(" ".join(said), "utf-8")
"""


def config(
    args: tuple[str, ...] = (), paths: tuple[str, ...] = ("tests",), **options: Any
) -> SimpleNamespace:
    """As pytest makes it of what is typed."""
    defaults = {"thorough": False, "slow": False, "numprocesses": None, "dist": "no"}
    return SimpleNamespace(
        option=SimpleNamespace(**defaults | options),
        args=list(paths),
        getini=lambda _: ["tests"],
        invocation_params=SimpleNamespace(args=args, plugins=None),
    )


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """With four cores, and an environment that says nothing."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setattr(parallel, "DATABASE_URL", "sqlite://")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    return monkeypatch


def started(given: Any) -> int | None:
    start(given)
    processes: int | None = given.option.numprocesses
    return processes


def test_the_whole_suite_has_a_process_for_each_core(machine: pytest.MonkeyPatch) -> None:
    assert started(whole := config()) == 4
    assert whole.option.dist == "worksteal"
    machine.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert started(config()) == MOST


@pytest.mark.parametrize(
    ("given", "processes"),
    [
        (config(args=("-x",)), None),
        (config(args=("tests/test_users.py",), paths=("tests/test_users.py",)), None),
        (config(paths=("/elsewhere",)), None),
        # Of pyproject.toml:
        (config(thorough=True), None),
        (config(slow=True), None),
        (config(numprocesses=0), 0),
        (config(numprocesses=3), 3),
    ],
)
def test_what_is_asked_for_otherwise_is_let_be(given: Any, processes: int | None) -> None:
    assert started(given) == processes
    assert given.option.dist == "no"


def test_what_is_around_it_counts(machine: pytest.MonkeyPatch) -> None:
    worker = config()
    worker.workerinput = {}
    assert started(worker) is None  # or it would start others, and they would
    with machine.context() as it:
        it.setattr(os, "sched_getaffinity", lambda _: {3})
        assert started(config()) is None
    with machine.context() as it:
        it.setattr(parallel, "DATABASE_URL", "sqlite:///./app_test.db")
        assert started(config()) is None
    machine.setenv("PYTEST_ADDOPTS", "-x")
    assert started(config()) is None


@pytest.mark.skipif(len(cores()) == 1, reason="this machine has one core")
@beside
def test_each_process_has_a_core_and_one_looks_back_at_all(folder: Path) -> None:
    tree = copy_tree(folder / "tree")
    for module in (tree / "tests").glob("test_*.py"):
        module.unlink()
    (tree / "tests/test_where.py").write_text(WHERE, "utf-8")
    with run(tree, "test") as process:
        assert process.end() == 1  # nothing was called
        assert LOOKS_BACK.partition("::")[2] in process.output, process.output
        assert "1 failed, 1 passed" in process.output, process.output
    worker, number = (tree / "tests/where").read_text("utf-8").split()
    assert worker in {f"gw{each}" for each in range(MOST)}
    is_alone = hasattr(os, "sched_setaffinity") and len(cores()) <= MOST
    assert int(number) == (1 if is_alone else len(cores()))
