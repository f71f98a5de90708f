"""Threads that run whole synchronous requests.

A lane is a queue with a fixed number of threads behind it. It replaces the thread pool of anyio,
whose hop costs ten times as much, and whose forty threads fight for one interpreter. There are two:
hashing a password takes 25 ms of a core, and a stream of logins must not stand in the way of reads.
"""

import asyncio
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from app.core.config import get_settings

T = TypeVar("T")
Job: TypeAlias = tuple[asyncio.AbstractEventLoop, asyncio.Future[Any], Context, Callable[[], Any]]


class Lane:
    """Runs callables on `threads` threads of its own, which start with the first one."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.threads = threads
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._start = threading.Lock()
        self._started = False

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. It sees the context variables of the caller."""
        if not self._started:
            self._start_threads()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, future, copy_context(), work))
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
        while True:
            loop, future, context, work = self._jobs.get()
            result: Any = None
            error: BaseException | None = None
            try:
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


REQUESTS = Lane("request", get_settings().request_threads)
HASHING = Lane("hashing", get_settings().hash_threads)
