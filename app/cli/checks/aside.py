"""Half of the rules in a second process, while this one imports the app.

To import FastAPI and the app and to write the document takes longer than all rules, and half of
the rules need none of it. A fork has everything that this process has made so far, at no cost;
where there is no safe one (Windows, macOS) a new process would import SQLAlchemy a second time, so
there all is done here, one thing after the other.
"""

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection

from app.cli.checks.rules import Fault

Judge = Callable[[], list[Fault]]


def start(judge: Judge) -> Judge:
    """What waits for the answer of `judge`, which is under way."""
    if sys.platform != "linux":
        return judge
    fork = multiprocessing.get_context("fork")
    answers, there = fork.Pipe(duplex=False)
    process = fork.Process(target=_answer, args=(judge, there), daemon=True)
    process.start()
    there.close()

    def wait() -> list[Fault]:
        try:
            found: list[Fault] = answers.recv()
        except EOFError:
            return judge()  # what went wrong there is to be seen here
        process.join()
        return found

    return wait


def _answer(judge: Judge, there: Connection) -> None:
    try:
        there.send(judge())
    except (Exception, KeyboardInterrupt):
        there.close()
