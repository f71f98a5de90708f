"""The route class behind every feature: a whole synchronous request in one thread hop.

FastAPI sends each synchronous dependency, the endpoint and the validation of the answer to a thread
of their own, one after the other, while the request holds a database connection all the way. That
costs more than the query, and with more requests in flight than connections it locks up: threads
wait for connections, and the requests that hold those wait for threads.

Here the body is read on the event loop and then FastAPI's own handler runs to its end in one
thread: dependencies, endpoint, serialisation, release of the session. Nothing of it is written
again. The handler is a coroutine that is suspended only where it calls `run_in_threadpool`, and in
a thread of a `Lane` that call is answered at once, in the same thread (`_replace`, at the end of
this file). A route with an `async def` endpoint or dependency is left to FastAPI as it is.
"""

import functools
import inspect
import random
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from email.message import Message
from typing import Any, TypeVar

import anyio
import fastapi
import fastapi.dependencies.utils
import fastapi.routing
import starlette.datastructures
from fastapi import Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from fastapi.dependencies.models import _is_async_gen_callable, _is_coroutine_callable
from fastapi.dependencies.utils import get_dependant
from fastapi.params import Form
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette._utils import get_route_path
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.routing import Match
from starlette.types import Scope

from app.core.config import get_settings
from app.core.database import has_committed
from app.core.db_errors import is_transient
from app.core.errors import UnsupportedMediaTypeError
from app.core.threads import HASHING, REQUESTS, Lane

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

ATTEMPTS = 3  # of a request that the database refused with a deadlock or the like
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
STACKS = ("fastapi_inner_astack", "fastapi_function_astack")


class _Hop(threading.local):
    """What the thread is doing. `returned`: what the endpoint gave back, before serialisation."""

    active = False
    returned: object = None


_hop = _Hop()
_literal_paths: set[str] = set()  # those without parameters, with the prefix of their router


def hashes_passwords(endpoint: Endpoint) -> Endpoint:
    """Run this route on the threads kept for hashing, out of the way of all others."""
    endpoint.lane = HASHING  # type: ignore[attr-defined]
    return endpoint


class OneHopRoute(APIRoute):
    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.lane: Lane = getattr(endpoint, "lane", REQUESTS)
        super().__init__(path, _remember_result(endpoint), **options)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """`/posts/{slug}` is not `/posts/trending`, whichever of the two was declared first."""
        match, child_scope = super().matches(scope)
        if match is not Match.NONE and self.param_convertors:
            path = get_route_path(scope)
            if not _literal_paths.isdisjoint((path, path.removeprefix(get_settings().api_prefix))):
                return Match.NONE, {}
        return match, child_scope

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        # A router that is included elsewhere can bring dependencies of its own.
        route = fastapi.routing._effective_route_context_var.get() or self
        if not route.param_convertors:
            _literal_paths.add(route.path)
        # Events are sent by tasks of the event loop.
        one_hop = not _is_async(route.dependant) and not route.is_sse_stream
        body = route.body_field
        wants_form = body is not None and isinstance(body.field_info, Form)

        async def handler(request: Request) -> Response:
            media_type = _media_type(request)
            if body is not None:
                _refuse_other_media_types(request, media_type, wants_form)
            if not one_hop or _is_overridden(request, route.path_format):
                return await handle(request)
            if body is not None:
                await self._read(request, media_type)
            return await self.lane.run(functools.partial(_run, handle, request))

        return handler

    async def _read(self, request: Request, media_type: str) -> None:
        """Receive the body, so that nothing has to wait for it in the thread."""
        try:
            if media_type == "multipart/form-data":
                # Large files go to disk meanwhile, in threads of Starlette's own.
                inherited = request.scope.get(fastapi.routing._FASTAPI_SCOPE_KEY, {})
                await request.form(
                    **fastapi.routing._resolve_form_limits(inherited, self.form_limits)
                )
            else:
                await request.body()
        except ClientDisconnect:
            raise HTTPException(400, "The body ended too early.") from None


class APIRouter(fastapi.APIRouter):
    """FastAPI's router, with routes that run in one hop."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"route_class": OneHopRoute, **options})


# --- In the thread ---------------------------------------------------------------------------


def _run(handle: Handler, request: Request) -> Response:
    """The request, and once more as a whole when the database chose it as the victim."""
    for attempt in range(1, ATTEMPTS + 1):
        has_committed.set(False)
        try:
            return _run_once(handle, request)
        except Exception as error:
            if attempt == ATTEMPTS or has_committed.get() or not is_transient(error):
                raise
        _rewind_files(request)
        time.sleep(random.uniform(0.005, 0.03) * attempt)  # noqa: S311 - to part two rivals
    raise AssertionError("unreachable")


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
    _hop.active, _hop.returned = True, None
    try:
        response = _drive(finish())
        _set_etag(response, _hop.returned)
        return response
    finally:
        _hop.active, _hop.returned = False, None
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


def _remember_result(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    streams = inspect.isgeneratorfunction(endpoint)
    if not inspect.isfunction(endpoint) or streams or _suspends(endpoint):
        return endpoint

    @functools.wraps(endpoint)
    def remember(*args: Any, **kwargs: Any) -> Any:
        returned = endpoint(*args, **kwargs)
        if _hop.active:
            _hop.returned = returned
        return returned

    return remember


# --- Which requests ----------------------------------------------------------------------------


def _suspends(call: Callable[..., Any]) -> bool:
    if isinstance(call, SecurityBase):
        return False  # `async def` in name: FastAPI's schemes read a header
    return _is_coroutine_callable(call) or _is_async_gen_callable(call)


def _is_async(dependant: Any) -> bool:
    return _suspends(dependant.call) or any(_is_async(each) for each in dependant.dependencies)


def _is_overridden(request: Request, path: str) -> bool:
    """Whether a test put an `async def` in the place of a dependency."""
    overrides = request.app.dependency_overrides.values()
    return any(_is_async(get_dependant(path=path, call=each)) for each in overrides)


def _media_type(request: Request) -> str:
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    return header.get_content_type() if request.headers.get("content-type") else ""


def _refuse_other_media_types(request: Request, media_type: str, wants_form: bool) -> None:
    has_body = request.headers.get("content-length", "0") != "0" or (
        "transfer-encoding" in request.headers
    )
    if not has_body:
        return
    if wants_form:
        if media_type not in FORMS:
            raise UnsupportedMediaTypeError("Send a form (application/x-www-form-urlencoded).")
    elif media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaTypeError(
            "Send JSON, with the header Content-Type: application/json."
        )


# --- What FastAPI finds in the place of its own ----------------------------------------------


async def _run_here(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if _hop.active:
        return func(*args, **kwargs)
    return await run_in_threadpool(func, *args, **kwargs)


class _ContextHere(AbstractAsyncContextManager[Any]):
    """A `yield` dependency, entered and left in the thread; after a stream, left in another."""

    def __init__(self, context: AbstractContextManager[Any]) -> None:
        self.context = context

    async def __aenter__(self) -> Any:
        return self.context.__enter__()

    async def __aexit__(self, *error: Any) -> bool | None:
        if _hop.active:
            return self.context.__exit__(*error)
        # Never cancelled, and never behind those who wait for what it gives back.
        leave = functools.partial(self.context.__exit__, *error)
        with anyio.CancelScope(shield=True):
            left: bool | None = await anyio.to_thread.run_sync(
                leave, limiter=anyio.CapacityLimiter(1)
            )
        return left


def _context_here(context: AbstractContextManager[Any]) -> AbstractAsyncContextManager[Any]:
    return _ContextHere(context) if _hop.active else contextmanager_in_threadpool(context)


def _replace(module: Any, name: str, ours: Any) -> None:
    if not callable(getattr(module, name, None)):
        raise ImportError(
            f"{module.__name__} has no {name} any more, which app/core/routing.py replaces. "
            "Install the FastAPI of constraints.txt, or use its own APIRoute as route_class."
        )
    setattr(module, name, ours)


_replace(fastapi.routing, "run_in_threadpool", _run_here)
_replace(starlette.datastructures, "run_in_threadpool", _run_here)  # of uploaded files
_replace(fastapi.dependencies.utils, "run_in_threadpool", _run_here)
_replace(fastapi.dependencies.utils, "contextmanager_in_threadpool", _context_here)
