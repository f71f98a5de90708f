"""The suite in several processes (pytest-xdist), as `pytest` and `python run.py test` alone run it.

Each has a database in memory and an app of its own, and so sees a part of what was asked. What they
saw is sent to the process that started them, and judged and kept there.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple
from typing import Any

import pytest

from app.cli.checks.record import KEY, Record
from tests import DATABASE_URL
from tests.recording import faults_of, is_whole, merged, names_all, save

LOOKS_BACK = "tests/test_check.py::test_every_operation_was_called_well_and_badly"
MOST = 8  # processes: each more would take a second to start, and memory, for less than it saves


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def cores() -> list[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))  # Windows, macOS


def start(config: pytest.Config) -> None:
    """A process for each core, for the whole suite only: a part of it is done sooner in one, and
    who names an option may want to see it at work.
    """
    options, processes = config.option, min(MOST, len(cores()))
    given = config.invocation_params
    if given.args or given.plugins or os.environ.get("PYTEST_ADDOPTS"):
        return
    if options.thorough or options.slow or DATABASE_URL != "sqlite://" or is_worker(config):
        return
    # Without pytest-xdist there is no such option.
    if names_all(config) and processes > 1 and getattr(options, "numprocesses", 0) is None:
        options.numprocesses, options.dist = processes, "worksteal"


def send(record: Record, config: pytest.Config) -> None:
    output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined]
    output[KEY] = astuple(record)


class Together:
    """In the process that starts the others. It runs no test but the one that looks back."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.is_complete = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {})
        if KEY in output:
            self.records.append(Record(*output[KEY]))
        elif output.get("exitstatus") != pytest.ExitCode.OK:
            self.is_complete = False  # it died, or could not begin; else there was no test for it

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        done = yield
        if self.records and self.is_complete:
            record = merged(self.records)
            save(record, session)
            if is_whole(session):
                report = look_back(record)
                session.config.hook.pytest_runtest_logreport(report=report)
        return done


def look_back(record: Record) -> pytest.TestReport:
    """What the test would have reported."""
    call = pytest.CallInfo.from_call(lambda: faults_of(record), when="call")
    said = str(call.excinfo.getrepr()) if call.excinfo else call.result
    place = LOOKS_BACK.partition("::")
    return pytest.TestReport(
        nodeid=LOOKS_BACK,
        location=(place[0], None, place[2]),
        keywords={},
        outcome="failed" if said else "passed",
        longrepr=said or None,
        when="call",
        duration=call.duration,
    )


def stay_on_one_core() -> None:
    """A request of the test client goes through three threads, of which one at a time can run.

    Left to the system they wake each other up on other cores, which takes as long as the request.
    Where there are fewer processes than cores, the system knows better which are free.
    """
    here, number = cores(), os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")
    taken = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    if taken >= len(here) > 1 and number.isdigit() and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setaffinity(0, {here[int(number) % len(here)]})


def configure(config: pytest.Config) -> None:
    if is_worker(config):
        stay_on_one_core()
    if config.getoption("dist", "no") == "no":
        return
    if DATABASE_URL != "sqlite://" or config.getoption("thorough") or config.getoption("slow"):
        raise pytest.UsageError(
            "Several processes are for the plain suite on SQLite in memory: the others share a "
            "database or ports."
        )
    config.pluginmanager.register(Together())
