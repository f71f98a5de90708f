"""What a thread knows of the request that it runs (`app.core.one_hop`), and what ends with that.

By itself, and without FastAPI: the sessions need it, and with them each command that asks the
database; to import FastAPI takes them a quarter of a second.
"""

import functools
import threading
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    closing,
)
from typing import Any

import anyio
from starlette.requests import Request


class _Hop(threading.local):
    """What the thread is doing. `returned`: what the endpoint gave back, before serialisation."""

    active = False
    returned: object = None


hop = _Hop()


def close_at_end(request: Request, resource: Any) -> None:
    """Call `close()` of it when the request has ended; of a stream, when that was sent."""
    stack: AsyncExitStack = request.scope["fastapi_inner_astack"]
    stack.push_async_exit(ContextHere(closing(resource)))


class ContextHere(AbstractAsyncContextManager[Any]):
    """A `yield` dependency, entered and left in the thread; after a stream, left in another."""

    def __init__(self, context: AbstractContextManager[Any]) -> None:
        self.context = context

    async def __aenter__(self) -> Any:
        return self.context.__enter__()

    async def __aexit__(self, *error: Any) -> bool | None:
        if hop.active:
            return self.context.__exit__(*error)
        # Never cancelled, and never behind those who wait for what it gives back.
        leave = functools.partial(self.context.__exit__, *error)
        with anyio.CancelScope(shield=True):
            left: bool | None = await anyio.to_thread.run_sync(
                leave, limiter=anyio.CapacityLimiter(1)
            )
        return left
