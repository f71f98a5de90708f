"""What reaches a route: which one a path names, and the body that it takes."""

import threading
from typing import Annotated

import pytest
from fastapi import Depends, File, Form, Query, Request, UploadFile
from fastapi.security import APIKeyQuery
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection

from app.core.routing import APIRouter
from tests.databases import serve


class Item(BaseModel):
    name: str


@pytest.mark.parametrize("literal_first", [True, False])
@pytest.mark.parametrize("prefix", ["", "/api/v1", "/shelf"])
def test_a_literal_path_wins_over_a_parameter(literal_first: bool, prefix: str) -> None:
    router = APIRouter(prefix=f"/books-{literal_first}")

    def newest() -> str:
        return "newest"

    def by_slug(slug: str) -> str:
        return slug

    def replace(slug: str) -> str:
        return f"replaced {slug}"

    if literal_first:
        router.get("/newest")(newest)
    router.get("/{slug}")(by_slug)
    router.put("/{slug}")(replace)
    if not literal_first:
        router.get("/newest")(newest)

    client = serve(router, prefix)
    base = f"{prefix}/books-{literal_first}"
    assert client.get(f"{base}/dune").json() == "dune"
    assert client.get(f"{base}/newest").json() == "newest"
    assert client.put(f"{base}/dune").json() == "replaced dune"
    refused = client.put(f"{base}/newest")
    assert refused.status_code == 405


def test_a_method_that_the_literal_lacks_is_405_with_the_whole_allow() -> None:
    router = APIRouter(prefix="/films")
    router.put("/{slug}")(lambda slug: slug)
    router.get("/newest")(lambda: "newest")
    router.delete("/newest")(lambda: "gone")
    response = serve(router).post("/films/newest")
    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET"


def test_what_a_route_does_not_know_is_refused() -> None:
    router = APIRouter()

    def find_more(more: int = 0) -> int:
        return more

    @router.get("/span")
    def span(
        more: Annotated[int, Depends(find_more)],
        first: Annotated[int, Query(validation_alias="1st")] = 0,
        last: Annotated[int, Query(alias="nth")] = 0,
        only: Annotated[list[int] | None, Query()] = None,
    ) -> list[int]:
        return [more, first, last, *(only or ())]

    client = serve(router)
    assert client.get("/span?more=1&1st=2&nth=3&only=4&only=5").json() == [1, 2, 3, 4, 5]
    for unknown in ("first", "last", "x"):
        refused = client.get(f"/span?{unknown}=2")
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["loc"] == ["query", unknown]


def test_what_may_mean_something_is_let_pass() -> None:
    """To a route that reads the request itself, or has a model of its own mind."""
    router = APIRouter()

    class Loose(BaseModel):
        start: int = Field(1, validation_alias=AliasChoices("from", "since"))
        page_size: int = Field(9, alias="pageSize")
        model_config = ConfigDict(extra="allow", populate_by_name=True)

    def read_query(request: Request) -> str:
        return str(request.query_params)

    def read_connection(connection: HTTPConnection) -> str:
        return str(connection.query_params)

    @router.get("/endpoint")
    def read_any(request: Request) -> str:
        return str(request.query_params)

    @router.get("/dependency")
    def read_dependency(query: Annotated[str, Depends(read_query)]) -> str:
        return query

    @router.get("/connection")
    def read_of_connection(query: Annotated[str, Depends(read_connection)]) -> str:
        return query

    @router.get("/key")
    def read_key(key: Annotated[str, Depends(APIKeyQuery(name="api_key"))]) -> str:
        return f"api_key={key}"

    @router.get("/loose")
    def read_loose(params: Annotated[Loose, Query()]) -> list[int]:
        return [params.start, params.page_size]

    client = serve(router)
    for path in ("endpoint", "dependency", "connection"):
        assert client.get(f"/{path}?x=1&x=2").json() == "x=1&x=2"
    assert client.get("/key?api_key=s").json() == "api_key=s"
    assert client.get("/loose?since=2&pageSize=3&more=4").json() == [2, 3]


def test_an_attribute_called_lane_is_no_lane() -> None:
    class Race:
        lane = 3

    router = APIRouter()

    @router.get("/race")
    def read(race: Annotated[Race, Depends()]) -> int:
        return race.lane

    assert serve(router).get("/race").json() == 3


def test_an_upload_larger_than_memory_takes_runs_in_one_hop_as_well() -> None:
    router = APIRouter()

    @router.post("/upload")
    def upload(file: UploadFile, title: Annotated[str, Form()]) -> dict[str, str | int]:
        content = file.file.read()
        on_disk = getattr(file.file, "_rolled", False)
        return {
            "title": title,
            "size": len(content),
            "sum": sum(content[:10]),
            "on_disk": on_disk,
            "thread": threading.current_thread().name,
        }

    @router.post("/bytes")
    def take(file: Annotated[bytes, File()]) -> int:
        return len(file)

    content = bytes(range(10)) + b"x" * 1_500_000
    client = serve(router)
    response = client.post("/upload", files={"file": ("a.bin", content)}, data={"title": "big"})
    answer = response.json()
    assert answer.pop("thread").startswith("writing-")
    assert answer == {"title": "big", "size": len(content), "sum": 45, "on_disk": True}
    assert client.post("/bytes", files={"file": ("a.bin", content)}).json() == len(content)
    broken = client.post(
        "/upload", content=b"--x\r\nbroken", headers={"Content-Type": "multipart/form-data"}
    )
    assert broken.status_code == 400


def test_the_limits_of_a_form_hold() -> None:
    router = APIRouter()

    @router.post("/limited", form_limits={"max_files": 1})
    def upload(files: list[UploadFile]) -> int:
        return len(files)

    client = serve(router)
    file = ("files", ("a.txt", b"a"))
    assert client.post("/limited", files=[file]).json() == 1
    assert client.post("/limited", files=[file, file]).status_code == 400


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 200),
        ("application/vnd.items+json; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
def test_a_body_of_another_media_type_is_415_and_not_read(media_type: str, status: int) -> None:
    router, called = APIRouter(), list[str]()

    @router.post("/items")
    def create(item: Item) -> str:
        called.append(item.name)
        return item.name

    response = serve(router).post(
        "/items", content=b'{"name": "bolt"}', headers={"Content-Type": media_type}
    )
    assert response.status_code == status
    assert called == (["bolt"] if status == 200 else [])


def test_a_form_route_takes_forms_alone() -> None:
    router = APIRouter()

    @router.post("/form")
    def submit(name: Annotated[str, Form()]) -> str:
        return name

    client = serve(router)
    assert client.post("/form", data={"name": "bolt"}).json() == "bolt"
    assert client.post("/form", files={"name": (None, "bolt")}).json() == "bolt"
    assert client.post("/form", json={"name": "bolt"}).status_code == 415
    assert client.post("/form").status_code == 422
