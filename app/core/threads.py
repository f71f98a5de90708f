"""Threads that run whole synchronous requests.

A lane is a queue with a fixed number of threads behind it. It replaces the thread pool of anyio,
whose hop costs ten times as much, and whose forty threads fight for one interpreter. There are
three, so that nothing stands in the way of reads: neither those who write, and wait for a lock that
somebody else holds, nor a stream of logins, each of which hashes for 25 ms of a core.
"""

import asyncio
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from app.core.config import get_settings
from app.core.errors import UnavailableError

T = TypeVar("T")
Job: TypeAlias = tuple[
    float, asyncio.AbstractEventLoop, asyncio.Future[Any], Context, Callable[[], Any]
]


class Lane:
    """Runs callables on `threads` threads of its own, which start with the first one.

    patience: seconds after which what still waits for a thread is refused. While a database is
    silent, the threads are stuck for as long as a statement may take, and each of them would else
    go on to be stuck for somebody who waited all the time and may be gone.
    nice: by how much its threads let others go first when the cores are busy (Linux only, where a
    thread has a priority of its own).
    """

    def __init__(
        self, name: str, threads: int, patience: float = math.inf, *, nice: int = 0
    ) -> None:
        self.name = name
        self.threads = threads
        self.patience = patience
        self.nice = nice
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._start = threading.Lock()
        self._started = False

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. It sees the context variables of the caller."""
        if not self._started:
            self._start_threads()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((time.monotonic(), loop, future, copy_context(), work))
        return await future

    def _start_threads(self) -> None:
        with self._start:
            if self._started:
                return
            for number in range(self.threads):
                # Daemons: a stuck query must not keep a process from ending.
                threading.Thread(
                    target=self._work, name=f"{self.name}-{number}", daemon=True
                ).start()
            self._started = True

    def _work(self) -> None:
        if self.nice and sys.platform == "linux":
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), own + self.nice)
        while True:
            since, loop, future, context, work = self._jobs.get()
            result: Any = None
            error: BaseException | None = None
            try:
                if time.monotonic() - since > self.patience:
                    raise UnavailableError("Too many wait for the database.")
                result = context.run(work)
            except BaseException as raised:
                error = raised
            try:
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                pass  # the loop was closed: nobody waits for the answer any more
            # Nothing of a request may live on in an idle thread until the next one comes.
            del loop, future, context, work, result, error


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():  # cancelled by a shutdown
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


_settings = get_settings()
READS = Lane("reading", _settings.request_threads, _settings.db_pool_timeout)
WRITES = Lane("writing", _settings.request_threads, _settings.db_pool_timeout)
HASHING = Lane("hashing", _settings.hash_threads, _settings.db_pool_timeout, nice=5)
