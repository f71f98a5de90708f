"""The one-hop route: a synchronous request in one thread, in which FastAPI works as always."""

import asyncio
import threading
import time
import types
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, Response
from fastapi.security.base import SecurityBase
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.api.deps import LaterDep, Writes
from app.core.config import get_settings
from app.core.errors import UnavailableError
from app.core.one_hop import _replace
from app.core.problems import add_error_handlers
from app.core.routing import APIRouter, hashes_passwords
from app.core.threads import Lane

PATIENCE = 10.0  # seconds; only what is broken takes as long

asked_by: ContextVar[str] = ContextVar("asked_by", default="nobody")


class Part(BaseModel):
    name: str
    price: int = 1


def here() -> tuple[str, int]:
    return threading.current_thread().name, threading.get_ident()


def serve(router: APIRouter, **options: Any) -> TestClient:
    app = FastAPI(**options)
    add_error_handlers(app)
    app.include_router(router, prefix="/hop")

    @app.middleware("http")
    async def introduce(request: Request, call_next: Callable[..., Any]) -> Any:
        asked_by.set(request.headers.get("x-asked-by", "nobody"))
        request.state.loop_thread = threading.get_ident()
        return await call_next(request)

    return TestClient(app, base_url="http://testserver/hop")


def test_the_whole_request_runs_in_one_thread_that_is_not_the_event_loops() -> None:
    router, places = APIRouter(), {}

    def plain(request: Request) -> None:
        places["loop"] = ("", request.state.loop_thread)
        places["plain"] = here()

    def nested(_: Annotated[None, Depends(plain)]) -> Iterator[None]:
        places["before"] = here()
        yield
        places["after"] = here()

    @router.get("/threads")
    def read(_: Annotated[None, Depends(nested)]) -> None:
        places["endpoint"] = here()

    assert serve(router).get("/threads").status_code == 200
    loop = places.pop("loop")
    assert set(places) == {"plain", "before", "endpoint", "after"}
    assert len(set(places.values())) == 1
    assert places["endpoint"][0].startswith("reading-")
    assert places["endpoint"][1] != loop[1]


def test_who_waits_too_long_for_a_thread_is_refused_and_not_run() -> None:
    lane, ran = Lane("test", threads=1, patience=0.05), []

    async def two() -> list[Any]:
        first, second = lane.run(lambda: time.sleep(0.2)), lane.run(lambda: ran.append(2))
        return await asyncio.gather(first, second, return_exceptions=True)

    _, refused = asyncio.run(two())
    assert isinstance(refused, UnavailableError)
    assert not ran
    assert asyncio.run(lane.run(lambda: 3)) == 3


@pytest.mark.parametrize(("method", "dependencies"), [("POST", []), ("GET", [Writes])])
def test_who_reads_does_not_wait_behind_those_who_write(
    method: str, dependencies: list[Any]
) -> None:
    router, stuck, free = APIRouter(), threading.Semaphore(0), threading.Event()

    @router.api_route("/locked", methods=[method], dependencies=dependencies)
    def wait() -> bool:
        stuck.release()
        return free.wait(PATIENCE)

    @router.get("/open")
    def read() -> str:
        return "read"

    client, threads = serve(router), get_settings().request_threads
    with client, ThreadPoolExecutor(threads) as writers:
        waiting = [writers.submit(client.request, method, "/locked") for _ in range(threads)]
        assert all(stuck.acquire(timeout=PATIENCE) for _ in range(threads))
        assert client.get("/open").json() == "read"
        free.set()
        assert all(answer.result().json() is True for answer in waiting)


def test_a_route_that_hashes_passwords_runs_on_the_threads_kept_for_it() -> None:
    router = APIRouter()

    @router.post("/hash")
    @hashes_passwords
    def hash_it() -> str:
        return here()[0]

    assert serve(router).post("/hash").json().startswith("hashing-")


def test_headers_cookies_and_status_of_an_injected_response_are_sent() -> None:
    router = APIRouter()

    def stamp(response: Response) -> None:
        response.headers["X-From"] = "dependency"

    @router.get("/headers", dependencies=[Depends(stamp)])
    def read(response: Response) -> dict[str, bool]:
        response.headers["X-Also"] = "endpoint"
        response.set_cookie("flavour", "vanilla")
        response.status_code = 202
        return {"ok": True}

    response = serve(router).get("/headers")
    assert response.status_code == 202
    assert response.headers["x-from"] == "dependency"
    assert response.headers["x-also"] == "endpoint"
    assert response.cookies["flavour"] == "vanilla"


def test_the_options_of_a_response_model_hold() -> None:
    router = APIRouter()

    @router.get("/model", response_model=Part, response_model_exclude={"price"})
    def read() -> Part:
        return Part(name="bolt")

    assert serve(router).get("/model").json() == {"name": "bolt"}


def test_background_tasks_run_after_the_answer_and_their_failures_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router, done = APIRouter(), list[str]()

    @router.get("/background")
    def read(background: BackgroundTasks, later: LaterDep) -> str:
        background.add_task(done.append, "plain")
        later(int, "not a number")
        later(done.append, "later")
        return ",".join(done)

    response = serve(router).get("/background")
    assert response.json() == ""
    assert done == ["plain", "later"]
    assert "Failed after the answer was sent: int" in caplog.text


def test_async_endpoints_and_dependencies_still_run_on_the_event_loop() -> None:
    async def wait(request: Request) -> AsyncIterator[bool]:
        yield threading.get_ident() == request.state.loop_thread

    async def guard() -> None:
        asked_by.set("the guard")

    Waited = Annotated[bool, Depends(wait)]  # noqa: N806
    router, guarded = APIRouter(), APIRouter(dependencies=[Depends(guard)])

    @router.get("/async")
    async def endpoint(on_loop: Waited) -> bool:
        return on_loop

    @router.get("/mixed")
    def mixed(on_loop: Waited) -> bool:
        return on_loop

    @guarded.get("/guarded")
    def read() -> str:
        return asked_by.get()

    router.include_router(guarded)
    client = serve(router)
    assert client.get("/async").json() is True
    assert client.get("/mixed").json() is True
    assert client.get("/guarded").json() == "the guard"


def test_dependencies_can_be_overridden_by_any_kind_of_function() -> None:
    router = APIRouter()

    def original() -> str:
        return "original"

    @router.get("/overridden")
    def read(value: Annotated[str, Depends(original)]) -> str:
        return f"{value} on {here()[0].split('-')[0]}"

    def plain() -> str:
        return "plain"

    def generator() -> Iterator[str]:
        yield "generator"

    async def coroutine() -> str:
        await asyncio.sleep(0.001)
        return "coroutine"

    async def async_generator() -> AsyncIterator[str]:
        await asyncio.sleep(0.001)
        yield "async generator"

    def nested(value: Annotated[str, Depends(coroutine)]) -> str:
        return f"nested {value}"

    client = serve(router)
    app: Any = client.app
    for override, said in (
        (plain, "plain on reading"),
        (generator, "generator on reading"),
        (coroutine, "coroutine on AnyIO worker thread"),
        (async_generator, "async generator on AnyIO worker thread"),
        (nested, "nested coroutine on AnyIO worker thread"),
    ):
        app.dependency_overrides = {original: override}
        assert client.get("/overridden").json() == said


def test_context_variables_reach_the_endpoint_from_middleware_and_dependencies() -> None:
    router = APIRouter()
    role: ContextVar[str] = ContextVar("role", default="none")

    def set_role() -> None:
        role.set("cook")

    @router.get("/context", dependencies=[Depends(set_role)])
    def read() -> str:
        return f"{asked_by.get()}, {role.get()}"

    assert serve(router).get("/context", headers={"X-Asked-By": "Ana"}).json() == "Ana, cook"
    assert role.get() == "none"


def test_a_yield_dependency_sees_the_exception_of_the_endpoint() -> None:
    router, seen = APIRouter(), list[type[BaseException]]()

    def watch() -> Iterator[None]:
        try:
            yield
        except ZeroDivisionError as error:
            seen.append(type(error))
            raise

    def swallow() -> Iterator[None]:
        try:
            yield
        except ZeroDivisionError:
            pass

    @router.get("/raises", dependencies=[Depends(watch)])
    def read() -> None:
        raise ZeroDivisionError

    @router.get("/swallowed", dependencies=[Depends(swallow)])
    def read_on() -> None:
        raise ZeroDivisionError

    client = serve(router)
    with pytest.raises(ZeroDivisionError):
        client.get("/raises")
    assert seen == [ZeroDivisionError]
    with pytest.raises(RuntimeError, match="kept an exception"):
        client.get("/swallowed")


def test_a_synchronous_route_that_waits_is_told_what_to_do() -> None:
    class Waits(SecurityBase):
        scheme_name = "waits"

        async def __call__(self) -> None:
            await asyncio.sleep(0)

    router = APIRouter()

    @router.get("/waits", dependencies=[Depends(Waits())])
    def read() -> None: ...

    with pytest.raises(RuntimeError, match="declare its endpoint `async def`"):
        serve(router).get("/waits")


def test_a_fastapi_without_one_of_the_replaced_names_is_refused() -> None:
    with pytest.raises(ImportError, match=r"newer has no run_in_threadpool any more.*constraints"):
        _replace(types.ModuleType("newer"), "run_in_threadpool", print)
