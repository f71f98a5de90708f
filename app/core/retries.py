"""Deadlocks, serialisation failures and lock timeouts: the whole use case runs again."""

import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from app.core.config import get_settings
from app.core.db_errors import is_transient

T = TypeVar("T")

ATTEMPTS = 3

# Whether what runs has committed: from then on it must not be run again.
has_committed: ContextVar[bool] = ContextVar("has_committed", default=False)


def run_with_retries(work: Callable[[], T], *, before_next: Callable[[], None] | None = None) -> T:
    """What `work` returns, which opens a session of its own each time that it is called.

    It is not run again once it has committed: then a part of it is done. Requests and what is done
    after them come through here; a script calls it around its `session_scope()`. Nor is it run
    again once it has taken as long as all attempts may wait for a lock.
    """
    deadline = time.monotonic() + ATTEMPTS * get_settings().db_lock_timeout
    for attempt in range(1, ATTEMPTS + 1):
        has_committed.set(False)
        try:
            return work()
        except Exception as error:
            over = attempt == ATTEMPTS or time.monotonic() > deadline
            if over or has_committed.get() or not is_transient(error):
                raise
        if before_next is not None:
            before_next()
        time.sleep(random.uniform(0.005, 0.03) * attempt)  # noqa: S311 - to part two rivals
    raise AssertionError("unreachable")
