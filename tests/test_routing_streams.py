"""Streams in the one-hop route: sent piece by piece, their dependencies alive until the end."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import Depends
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel

from app.core.routing import APIRouter
from tests.databases import serve


class Part(BaseModel):
    name: str
    price: int = 1


def test_streams_are_sent_and_their_dependencies_live_until_the_end() -> None:
    router, events = APIRouter(), list[str]()

    def resource() -> Iterator[list[str]]:
        yield events
        events.append("released")

    Resource = Annotated[list[str], Depends(resource)]  # noqa: N806

    def body(events: list[str]) -> Iterator[str]:
        for number in range(3):
            events.append(f"sent {number}")
            yield f"{number};"

    @router.get("/stream")
    def stream(events: Resource) -> StreamingResponse:
        return StreamingResponse(body(events))

    @router.get("/lines")
    def lines(events: Resource) -> Iterator[Part]:
        for chunk in body(events):
            yield Part(name=chunk)

    @router.get("/events", response_class=EventSourceResponse)
    def sse(events: Resource) -> Iterator[Part]:
        for chunk in body(events):
            yield Part(name=chunk)

    client = serve(router)
    expected = ["sent 0", "sent 1", "sent 2", "released"]
    assert client.get("/stream").text == "0;1;2;"
    assert events == expected
    lines_sent = client.get("/lines").text.splitlines()
    assert lines_sent[0] == '{"name":"0;","price":1}'
    assert len(lines_sent) == 3
    assert events == expected * 2
    assert client.get("/events").text.count("data: ") == 3
    assert events == expected * 3


def test_a_stream_that_fails_releases_its_dependencies() -> None:
    router, events = APIRouter(), list[str]()

    def resource() -> Iterator[None]:
        try:
            yield
        finally:
            events.append("released")

    def body() -> Iterator[str]:
        yield "some"
        raise ZeroDivisionError

    @router.get("/broken-stream", dependencies=[Depends(resource)])
    def stream() -> StreamingResponse:
        return StreamingResponse(body())

    with pytest.raises(ZeroDivisionError):
        serve(router).get("/broken-stream")
    assert events == ["released"]
