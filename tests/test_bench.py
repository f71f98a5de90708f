"""`python run.py bench`: what it refuses, and what it makes of what was measured.

The run itself starts four servers and takes minutes: a contributor's job, and no test's.
"""

import json
import re
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.cli.bench import PARTS, check_needs, server_url
from app.cli.console import CommandError
from app.cli.main import cli
from app.cli.scaffold.timing import STEPS


@pytest.fixture
def modules() -> Any:
    """`tests.bench`, which stands on requirements-dev.txt; so not at import."""
    pytest.importorskip("psutil", reason="requirements-dev.txt is not installed")
    return SimpleNamespace(
        **{name: import_module(f"tests.bench.{name}") for name in ("load", "report", "running")}
    )


def outcome(modules: Any, rate: int, cpu: float, errors: int = 0) -> Any:
    """Of a second; each answer a millisecond later than the one before."""
    return modules.load.Outcome(1.0, cpu, errors, [(n + 1) / 1000 for n in range(rate)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "reed"], "--only reed: there are read, list"),
        (["--only", ","], "--only nothing"),
        (["--plot", "nowhere/out.png"], "there is no such folder"),
        (["--plot", "out.png", "--only", "depth"], "only read, list, create, page are plotted"),
        (["--rounds", "0"], "--rounds"),
    ],
)
def test_what_means_nothing_is_told_in_a_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["bench", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_it_measures_on_postgresql_or_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATABASE_URL", "postgres://ana@db/shop")
    assert server_url() == "postgresql+psycopg://ana@db/shop"
    monkeypatch.setenv("BENCH_DATABASE_URL", "sqlite:///./other.db")
    assert server_url() is None
    for url, said in (("mysql://root@db/shop", "PostgreSQL and SQLite only"), ("x", "no")):
        monkeypatch.setenv("BENCH_DATABASE_URL", url)
        with pytest.raises(CommandError, match=said):
            server_url()


@pytest.mark.slow
def test_new_and_remove_are_timed_in_a_copy(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["bench", "scaffold", "--rounds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "round 1 of 1"
    for line, step in zip(lines[1:], STEPS, strict=True):
        assert re.match(rf"{step} +\d+\.\d\d s  .* s of CPU", line)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name != "matplotlib" or None)
    check_needs(None)
    with pytest.raises(CommandError, match=r"matplotlib .*requirements-dev.txt"):
        check_needs(Path("out.png"))


def test_ratios_are_medians_of_what_they_were_round_by_round(modules: Any) -> None:
    of = partial(outcome, modules)
    tried = {
        "textbook": [of(100, 0.1)] * 3 + [of(10, 0.1)] * 3 + [of(50, 0.1)] * 3,
        "app": [of(400, 0.1), of(20, 0.1), of(150, 0.1, errors=2)],
    }
    found = modules.running._compared(tried, rounds=3)
    assert found["textbook"]["times"] is None
    assert found["app"]["times"] == 3  # of 4, 2 and 3
    assert found["app"]["rate"] == 150
    assert found["app"]["errors"] == 2
    assert found["app"]["cpu_times"] == pytest.approx(3)
    assert found["app"]["p99"] == pytest.approx(149)


def test_a_report_shows_all_that_was_measured(
    modules: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    running, report = modules.running, modules.report
    figures = running._figures([outcome(modules, 100, 0.1)])
    stopped = running._figures([outcome(modules, 0, 0.1, errors=128)])
    rows = {"textbook": figures, "app": figures | {"times": 4.25, "cpu_times": 3.5}}
    results = {
        **dict.fromkeys(report.COMPARED, rows),
        "depth": {"first": figures, "deep": figures},
        "workers": {"1": figures, "2": figures},
        "crowd": {"textbook": {"16": figures, "128": stopped}},
        "logins": {"app": {"alone": figures, "beside": figures}},
        "start": {"app": {"seconds": 1.5, "memory": 90.0}},
        "memory": {"textbook": 95.0, "app": 100.0},
    }
    found = {
        "database": "sqlite",
        "rows": 1000,
        "rounds": 1,
        "seconds": 1.0,
        "pinned": True,
        "load": 0.5,
        "skipped": {"bare": "not on sqlite"},
        "results": results,
        "titles": {"textbook": "textbook", "app": "this project"},
    }
    assert set(running.PARTS) == set(PARTS)
    report.show(json.loads(json.dumps(found)))
    shown = capsys.readouterr().out
    for said in ("Skipped bare", "4.25", "3.50", "0 (128 failed)", "100 (100%)", "1.50"):
        assert said in shown, said
