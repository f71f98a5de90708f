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
from tests.recording import faults_of, is_whole, merged, save

LOOKS_BACK = "tests/test_check.py::test_every_operation_was_called_well_and_badly"
# Of processes: each more would take a second to start, and memory, for less than it saves.
MOST = 8


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def start(config: pytest.Config) -> None:
    """As with `-n auto`, but for the whole suite only: a part of it is done sooner in one process,
    and who names an option may want to see it at work.
    """
    options = config.invocation_params.args or os.environ.get("PYTEST_ADDOPTS")
    if options or DATABASE_URL != "sqlite://" or is_worker(config):
        return
    if config.pluginmanager.hasplugin("xdist"):
        config.option.numprocesses = "auto"
        config.option.maxprocesses = MOST
        config.option.dist = "worksteal"


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
        sent = getattr(node, "workeroutput", {}).get(KEY)
        if sent:
            self.records.append(Record(*sent))
        else:
            self.is_complete = False  # it died

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


def stay_on_one_core(worker: str) -> None:
    """A request of the test client goes through three threads, of which one at a time can run.

    Left to the system they wake each other up on other cores, which takes as long as the request.
    """
    if not hasattr(os, "sched_setaffinity"):
        return  # Windows, macOS
    cores = sorted(os.sched_getaffinity(0))
    with suppress(OSError):  # a sandbox may forbid it
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def configure(config: pytest.Config) -> None:
    if is_worker(config):
        stay_on_one_core(os.environ["PYTEST_XDIST_WORKER"])
    if config.getoption("dist", "no") == "no":
        return
    if DATABASE_URL != "sqlite://" or config.getoption("thorough") or config.getoption("slow"):
        raise pytest.UsageError(
            "Several processes are for the plain suite on SQLite in memory: the others share a "
            "database or ports."
        )
    config.pluginmanager.register(Together())
