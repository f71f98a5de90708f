"""FastAPI's own handler of a request, run from beginning to end in the thread that asks for it.

The handler is a coroutine that is suspended only where it calls `run_in_threadpool`: to enter and
leave a dependency, to call the endpoint, to validate the answer. While a thread runs a request,
that call is answered at once, in the same thread (`_replace`, at the end of this file); so the
coroutine never waits, and needs no event loop. Nothing of FastAPI is written again.
"""

import functools
import inspect
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from typing import Any

import fastapi.dependencies.utils
import fastapi.routing
import starlette.datastructures
from fastapi import Request, Response
from fastapi._compat import field_annotation_is_sequence
from fastapi.concurrency import contextmanager_in_threadpool
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import StreamingResponse

from app.core.hop import ContextHere, hop
from app.core.retries import run_with_retries

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

STACKS = ("fastapi_inner_astack", "fastapi_function_astack")


def run_request(handle: Handler, request: Request) -> Response:
    """The request, and once more as a whole when the database chose it as the victim."""
    return run_with_retries(
        functools.partial(_run_once, handle, request),
        before_next=functools.partial(_rewind_files, request),
    )


def _rewind_files(request: Request) -> None:
    """The endpoint has read them: another attempt would find them empty."""
    files = request._form.multi_items() if request._form else ()
    for _, value in files:
        if isinstance(value, UploadFile):
            value.file.seek(0)


def _run_once(handle: Handler, request: Request) -> Response:
    scope, stack = request.scope, AsyncExitStack()
    outer = {name: scope[name] for name in STACKS}

    async def finish() -> Response:
        async with stack:
            response = await handle(request)
            if isinstance(response, StreamingResponse):
                # Its body is still to be made, and may read from the session.
                outer["fastapi_inner_astack"].push_async_exit(stack.pop_all())
            return response
        raise RuntimeError("A dependency with `yield` kept an exception: it has to raise it again.")

    scope.update(dict.fromkeys(STACKS, stack))
    hop.active, hop.returned = True, None
    try:
        response = _drive(finish())
        _set_etag(response, hop.returned)
        return response
    finally:
        hop.active, hop.returned = False, None
        scope.update(outer)


def _drive(coroutine: Coroutine[Any, Any, Response]) -> Response:
    """Run a coroutine that never has to wait."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: Response = done.value
        return result
    coroutine.close()
    raise RuntimeError(
        "A synchronous route waited for something: declare its endpoint `async def`."
    )


def _set_etag(response: Response, returned: object) -> None:
    """The version of the row that the endpoint returned, for `If-Match`."""
    if hasattr(type(returned), "__mapper__") and response.status_code < 300:
        version = getattr(returned, "version", None)
        if version is not None:
            response.headers["ETag"] = f'"{version}"'


def returns_at_once(endpoint: Callable[..., Any]) -> bool:
    """Whether calling it gives what it answers: no coroutine, and nothing that yields."""
    streams = inspect.isgeneratorfunction(endpoint) or inspect.isasyncgenfunction(endpoint)
    waits = inspect.iscoroutinefunction(endpoint)
    return inspect.isfunction(endpoint) and not streams and not waits


def remember_result(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Let `run_request` see what the endpoint returns, before it becomes an answer."""
    if not returns_at_once(endpoint):
        return endpoint

    @functools.wraps(endpoint)
    def remember(*args: Any, **kwargs: Any) -> Any:
        returned = endpoint(*args, **kwargs)
        if hop.active:
            hop.returned = returned
        return returned

    return remember


# --- What FastAPI finds in the place of its own ----------------------------------------------


async def _run_here(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if hop.active:
        return func(*args, **kwargs)
    return await run_in_threadpool(func, *args, **kwargs)


def _context_here(context: AbstractContextManager[Any]) -> AbstractAsyncContextManager[Any]:
    return ContextHere(context) if hop.active else contextmanager_in_threadpool(context)


_sequences: dict[int, tuple[object, bool]] = {}  # by id: not every annotation can be hashed


def _is_sequence(annotation: Any) -> bool:
    """FastAPI finds it out anew for each parameter of each request, which is a tenth of a list."""
    known = _sequences.get(id(annotation))
    if known is None:
        known = _sequences[id(annotation)] = annotation, field_annotation_is_sequence(annotation)
    return known[1]


def _replace(module: Any, name: str, ours: Any) -> None:
    if not callable(getattr(module, name, None)):
        raise ImportError(
            f"{module.__name__} has no {name} any more, which app/core/one_hop.py replaces. "
            "Install the FastAPI of constraints.txt, or use its own APIRoute as route_class."
        )
    setattr(module, name, ours)


_replace(fastapi.routing, "run_in_threadpool", _run_here)
_replace(starlette.datastructures, "run_in_threadpool", _run_here)  # of uploaded files
_replace(fastapi.dependencies.utils, "run_in_threadpool", _run_here)
_replace(fastapi.dependencies.utils, "contextmanager_in_threadpool", _context_here)
_replace(fastapi.dependencies.utils, "field_annotation_is_sequence", _is_sequence)
