"""Tests that drive processes of their own run beside the others, three at a time, in threads.

They are of a thorough run: who runs the suite after each change, or on a stage, should need no
port and no browser. They wait most of the time, for a server, a browser or a tool, and so would
everything behind them: one after the other, they were two thirds of the time of the suite. Several
pytest processes (see `parallel.py`) would not help those that wait: they are as many as the cores.

All of them begin with the first test of the run, and are reported in their turn, after the others.
"""

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import Process

Body = Callable[[Path], None]
Test = Callable[[], None]

_bodies: dict[Test, Body] = {}
_results: dict[Test, "Future[None]"] = {}


def beside(body: Body) -> Test:
    """For a test that needs an empty folder and nothing else.

    No fixture reaches it, nor may it read what other tests change meanwhile: the environment, the
    app, the database. What it starts, it starts as a `Process`.
    """

    @functools.wraps(body)
    def test() -> None:
        _results[test].result()

    del test.__wrapped__  # type: ignore[attr-defined] - pytest would ask for its arguments
    _bodies[test] = body
    return pytest.mark.thorough(test)


def is_beside(item: pytest.Item) -> bool:
    return getattr(item, "obj", None) in _bodies


@contextmanager
def running(items: list[pytest.Item], folders: pytest.TempPathFactory) -> Iterator[None]:
    """Start the tests among these. At the end of the block, all that still runs is ended."""
    threads = ThreadPoolExecutor(3, "beside")
    for item in filter(is_beside, items):
        skipped = any(mark.args[0] for mark in item.iter_markers("skipif"))
        if not skipped and not item.get_closest_marker("skip"):
            test: Test = item.obj  # type: ignore[attr-defined]
            _results[test] = threads.submit(_bodies[test], folders.mktemp(item.name))
    try:
        yield
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        Process.end_all()  # a test whose processes have ended fails, and nobody asks
        threads.shutdown()
