"""The route class behind every feature: a whole synchronous request in one thread hop.

FastAPI sends each synchronous dependency, the endpoint and the validation of the answer to a thread
of their own, one after the other, while the request holds a database connection all the way. That
costs more than the query, and with more requests in flight than connections it locks up: threads
wait for connections, and the requests that hold those wait for threads.

Here the body is read on the event loop, and the rest happens in one thread (`app.core.one_hop`):
dependencies, endpoint, serialisation, release of the session. A route with an `async def` endpoint
or dependency is left to FastAPI as it is.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from email.message import Message
from typing import Annotated, Any, TypeAlias, TypeVar

import fastapi
import fastapi.routing
from fastapi import Depends, Request, Response, params
from fastapi.dependencies.models import _is_async_gen_callable, _is_coroutine_callable
from fastapi.dependencies.utils import get_dependant
from fastapi.params import Form
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Scope

from app.core.config import get_settings
from app.core.errors import UnsupportedMediaTypeError
from app.core.one_hop import Handler, remember_result, returns_at_once, run_request
from app.core.strict import (
    StrictRequest,
    check_query,
    known_parameters,
    single_fields,
    takes_others,
)
from app.core.threads import HASHING, READS, WRITES, Lane

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Runner: TypeAlias = Callable[[Callable[[], Any]], Any]  # calls an endpoint and gives its result

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_literal_paths: set[str] = set()  # those without parameters, with the prefix of their router


def hashes_passwords(endpoint: Endpoint) -> Endpoint:
    """Run this route on the threads kept for hashing, out of the way of all others."""
    endpoint.lane = HASHING  # type: ignore[attr-defined]
    return endpoint


def waits_for_locks(dependency: Endpoint) -> Endpoint:
    """Run each route that depends on it with those that write, out of the way of reads."""
    dependency.lane = WRITES  # type: ignore[attr-defined]
    return dependency


def runs_creations(by: Callable[..., Runner | None]) -> Callable[[Endpoint], Endpoint]:
    """Mark a dependency. Each POST that depends on it and answers 201 also depends on `by`.

    What that gives, if not None, calls the endpoint.
    """

    def mark(dependency: Endpoint) -> Endpoint:
        dependency.creations_run_by = by  # type: ignore[attr-defined]
        return dependency

    return mark


class OneHopRoute(APIRoute):
    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        methods = set(options.get("methods") or ("GET",))
        self.lane: Lane | None = getattr(endpoint, "lane", None)
        self.usual_lane = READS if methods <= {"GET", "HEAD"} else WRITES
        if "POST" in methods and options.get("status_code") == 201:
            endpoint = _with_runner(path, endpoint, options.get("dependencies") or ())
        super().__init__(path, remember_result(endpoint), **options)

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
        lane = self.lane or _lane_of(route.dependant) or self.usual_lane
        body = route.body_field
        wants_form = body is not None and isinstance(body.field_info, Form)
        parameters = known_parameters(route.dependant)
        others = takes_others(route.dependant)
        fields = single_fields(body) if body is not None and wants_form else frozenset()

        async def handler(request: Request) -> Response:
            if request.scope["query_string"]:
                check_query(request, parameters, others=others)
            if body is not None:
                _refuse_other_media_types(request, wants_form)
                request = StrictRequest(request, fields)
            if not one_hop or _is_overridden(request, route.path_format):
                return await handle(request)
            if body is not None:
                try:
                    request.state.body = await request.body()
                except ClientDisconnect:
                    raise HTTPException(400, "The body ended too early.") from None
            return await lane.run(functools.partial(run_request, handle, request))

        return handler


class APIRouter(fastapi.APIRouter):
    """FastAPI's router, with routes that run in one hop."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"route_class": OneHopRoute, **options})
        self._beginning = self.prefix.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Another feature's path is told by its beginning, and not compared with each route."""
        if self._beginning not in scope["path"]:
            return Match.NONE, {}
        return super().matches(scope)


def _suspends(call: Callable[..., Any]) -> bool:
    if isinstance(call, SecurityBase):
        return False  # `async def` in name: FastAPI's schemes read a header
    return _is_coroutine_callable(call) or _is_async_gen_callable(call)


def _is_async(dependant: Any) -> bool:
    return _suspends(dependant.call) or any(_is_async(each) for each in dependant.dependencies)


def _with_runner(
    path: str, endpoint: Callable[..., Any], dependencies: Iterable[params.Depends]
) -> Callable[..., Any]:
    """The endpoint, with one parameter more: see `runs_creations`."""
    calls = [endpoint, *(each.dependency for each in dependencies if each.dependency)]
    dependants = [get_dependant(path=path, call=call) for call in calls]
    found = [
        getattr(call, "creations_run_by", None) for each in dependants for call in _calls(each)
    ]
    by = next(filter(None, found), None)
    if by is None or not returns_at_once(endpoint) or any(map(_is_async, dependants)):
        return endpoint

    @functools.wraps(endpoint)
    def run(*, runner: Runner | None, **arguments: Any) -> Any:
        call = functools.partial(endpoint, **arguments)
        return runner(call) if runner else call()

    signature = inspect.signature(endpoint)
    runner = inspect.Parameter(
        "runner", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Any, Depends(by)]
    )
    parameters = [*signature.parameters.values(), runner]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return run


def _calls(dependant: Any) -> Iterator[Any]:
    yield dependant.call
    for each in dependant.dependencies:
        yield from _calls(each)


def _lane_of(dependant: Any) -> Lane | None:
    """What one of its dependencies asks for."""
    lanes = (getattr(call, "lane", None) for call in _calls(dependant))
    return next((lane for lane in lanes if isinstance(lane, Lane)), None)


def _is_overridden(request: Request, path: str) -> bool:
    """Whether a test put an `async def` in the place of a dependency."""
    overrides = request.app.dependency_overrides.values()
    return any(_is_async(get_dependant(path=path, call=each)) for each in overrides)


def _refuse_other_media_types(request: Request, wants_form: bool) -> None:
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return  # no body: what is missing is said by field
    if {*", ".join(headers.getlist("content-encoding")).lower().split(", ")} - {"", "identity"}:
        raise UnsupportedMediaTypeError("Send the body as it is, without Content-Encoding.")
    types = headers.getlist("content-type")
    if types == ["application/json"] and not wants_form:
        return  # as nearly everybody says it
    header = Message()
    header["content-type"] = types[0] if len(types) == 1 else "none/none"
    media_type = header.get_content_type()
    if header.get_content_charset("utf-8") not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise UnsupportedMediaTypeError("Send the body in UTF-8.")
    if wants_form:
        if media_type not in FORMS:
            raise UnsupportedMediaTypeError("Send a form (application/x-www-form-urlencoded).")
    elif media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaTypeError(
            "Send JSON, with the header Content-Type: application/json."
        )
