"""The session of a request: read or write, released in time, and run again after a deadlock."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, UploadFile
from fastapi.responses import StreamingResponse
from sqlalchemy import insert, select, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from app.api.deps import SessionDep, Writes
from app.core.columns import utcnow
from app.core.config import get_settings
from app.core.database import Database, ReadSession, database
from app.core.routing import APIRouter
from app.models.token import Token, TokenKind
from app.models.user import User
from tests.databases import failing, serve
from tests.factories import make_user, sign_in
from tests.support import stored


def new_user(name: str = "written") -> User:
    return User(username=name, email=f"{name}@example.com", hashed_password="-")


def flush(db: Session) -> None:
    db.add(new_user())
    db.commit()


def orm_insert(db: Session) -> None:
    db.execute(insert(Token).values(user_id=1, kind=TokenKind.REFRESH, token_hash="x"))


def orm_update(db: Session) -> None:
    db.execute(User.__table__.update().values(bio="x"))


def written_sql(db: Session) -> None:
    db.execute(text("UPDATE users SET bio = 'x'"))


@pytest.mark.parametrize("write", [flush, orm_insert, orm_update, written_sql])
def test_a_get_cannot_write(write: Callable[[Session], None], threaded: Database) -> None:
    make_user(username="reader")
    router = APIRouter()

    @router.get("/reads")
    def read(db: SessionDep) -> None:
        write(db)

    with pytest.raises(InvalidRequestError, match=r"dependencies=\[Writes\]"):
        serve(router).get("/reads")
    assert [(user.username, user.bio) for user in stored(User)] == [("reader", None)]


def test_a_get_that_writes_says_so_at_its_route() -> None:
    router, sessions = APIRouter(), list[bool]()

    @router.get("/counts", dependencies=[Writes])
    def count(db: SessionDep) -> None:
        sessions.append(isinstance(db, ReadSession))
        flush(db)

    assert serve(router).get("/counts").status_code == 200
    assert sessions == [False]
    assert len(stored(User)) == 1


def test_what_was_not_committed_is_rolled_back() -> None:
    router = APIRouter()

    @router.post("/forgets")
    def forget(db: SessionDep) -> None:
        db.add(new_user())
        db.flush()

    assert serve(router).post("/forgets").status_code == 200
    assert stored(User) == []


def test_a_session_is_closed_for_good_after_its_request() -> None:
    router, kept = APIRouter(), list[Session]()

    @router.get("/keeps")
    def keep(db: SessionDep) -> None:
        kept.append(db)

    serve(router).get("/keeps")
    with pytest.raises(InvalidRequestError, match="closed"):
        kept[0].scalar(select(1))


def test_a_stream_reads_from_its_session_and_then_gives_it_back(threaded: Database) -> None:
    names = sorted(make_user().username for _ in range(3))
    router, in_use = APIRouter(), list[int]()

    def read(db: Session) -> Iterator[str]:
        for name in db.scalars(select(User.username).order_by(User.username)):
            in_use.append(threaded.read_engine.pool.checkedout())  # type: ignore[attr-defined]
            yield name

    @router.get("/stream")
    def stream(db: SessionDep) -> StreamingResponse:
        return StreamingResponse(f"{name};" for name in read(db))

    @router.get("/lines")
    def lines(db: SessionDep) -> Iterator[str]:
        yield from read(db)

    client = serve(router)
    assert client.get("/stream").text.split(";")[:-1] == names
    assert client.get("/lines").text.split() == [f'"{name}"' for name in names]
    assert in_use == [1] * 6
    assert checked_out(threaded) == 0


def test_a_request_that_lost_a_deadlock_runs_again_as_a_whole() -> None:
    router, calls = APIRouter(), list[bytes]()

    @router.post("/retried", status_code=201)
    def create(db: SessionDep, file: UploadFile) -> None:
        calls.append(file.file.read())
        db.add(new_user())
        db.commit()

    with failing(database, "INSERT INTO users", times=2) as attempts:
        response = serve(router).post("/retried", files={"file": b"content"})
    assert response.status_code == 201
    assert len(attempts) == 3
    assert calls == [b"content"] * 3
    assert len(stored(User)) == 1


def test_three_lost_deadlocks_are_503_with_retry_after() -> None:
    router = APIRouter()

    @router.post("/unlucky")
    def create(db: SessionDep) -> None:
        flush(db)

    with failing(database, "INSERT INTO users", times=9) as attempts:
        response = serve(router).post("/unlucky")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.headers["content-type"] == "application/problem+json"
    assert len(attempts) == 3
    assert stored(User) == []


def test_what_has_waited_as_long_as_all_attempts_may_is_not_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = APIRouter()

    @router.post("/late")
    def create(db: SessionDep) -> None:
        flush(db)

    monkeypatch.setattr(get_settings(), "db_lock_timeout", 0)
    with failing(database, "INSERT INTO users", times=9) as attempts:
        assert serve(router).post("/late").status_code == 503
    assert len(attempts) == 1


def test_what_has_committed_is_not_run_again() -> None:
    router, calls = APIRouter(), list[int]()

    @router.post("/twice")
    def create(db: SessionDep) -> None:
        calls.append(1)
        flush(db)
        db.add(Token(user_id=0, kind=TokenKind.REFRESH, token_hash="x", expires_at=utcnow()))
        db.commit()

    with failing(database, "INSERT INTO tokens", times=1):
        assert serve(router).post("/twice").status_code == 503
    assert calls == [1]
    assert len(stored(User)) == 1


def test_256_simultaneous_requests_are_all_answered(app: FastAPI, threaded: Database) -> None:
    headers = [sign_in(make_user()) for _ in range(64)]

    profile = "/api/v1/users/me"

    async def ask() -> list[int]:
        transport: Any = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            bio = {"bio": "busy"}
            requests = [client.patch(profile, headers=each, json=bio) for each in headers]
            requests += [client.get(profile, headers=each) for each in headers * 3]
            return [response.status_code for response in await asyncio.gather(*requests)]

    assert set(asyncio.run(ask())) == {200}
    assert checked_out(threaded) == 0


def checked_out(database: Database) -> int:
    pools = {database.engine.pool, database.read_engine.pool}
    return sum(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))
