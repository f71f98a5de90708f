"""Idempotency-Key: a POST that is sent again makes nothing twice."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.orm import Session

from app.api.deps import CurrentUser, SessionDep
from app.core.columns import utcnow
from app.core.config import get_settings
from app.core.database import Database, database
from app.core.errors import BadRequestError
from app.core.routing import APIRouter
from app.core.security import sign
from app.main import create_app
from app.models.idempotency_key import IdempotencyKey
from app.models.token import Token, TokenKind
from app.models.user import User
from app.schemas.base import InputSchema, ReadSchema
from app.schemas.user import Username, UserRead
from app.services.base import create_many, get_or_create, save
from tests.databases import BACKEND, failing, serve
from tests.factories import PASSWORD, make_user, sign_in
from tests.support import at_once, stored, writing

Headers = dict[str, str]

# --- Creations: of an account, and two that any user may ask for -----------------------------


class NewMember(InputSchema):
    username: Username


class NewMembers(InputSchema):
    items: list[NewMember]


class MembersMade(ReadSchema):
    ids: list[int]


router = APIRouter()


@router.post("/members", status_code=201, response_model=UserRead)
def create_member(db: SessionDep, _: CurrentUser, data: NewMember, why: str = "") -> User:
    return save(db, new_user(data.username))


@router.post("/members/bulk", status_code=201)
def create_members(db: SessionDep, _: CurrentUser, data: NewMembers) -> MembersMade:
    """Its answer is no row."""
    users = [new_user(item.username) for item in data.items]
    create_many(db, users)
    return MembersMade(ids=[user.id for user in users])


def new_user(username: str, **values: Any) -> User:
    email = f"{username}@example.com"
    return User(username=username, email=email, hashed_password="-", **values)


@pytest.fixture(scope="module")
def client() -> TestClient:
    """Talks to the app, which has these routes as well."""
    app, prefix = create_app(), get_settings().api_prefix
    app.include_router(router, prefix=prefix)
    return TestClient(app, base_url=f"http://testserver{prefix}")


NEW_USER = {"username": "ana_souza", "email": "ana@example.com", "password": PASSWORD}
ANA, BEA, EVA = ({"username": name} for name in ("ana", "bea", "eva"))
CREATIONS: list[Any] = [  # and how many rows each one makes
    ("/users", NEW_USER, 1),
    ("/members", ANA, 1),
    ("/members/bulk", {"items": [ANA, BEA]}, 2),
]


def members() -> list[str]:
    """Who was made by a test, without those who ask: these have a password."""
    return [user.username for user in stored(User, User.hashed_password == "-")]


def keyed(headers: Headers, key: str | None = None) -> Headers:
    return headers | {"Idempotency-Key": key or str(uuid.uuid4())}


# --- Sent again ------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "body", "rows"), CREATIONS)
def test_the_same_again_makes_nothing_new(
    client: TestClient, admin_headers: Headers, path: str, body: Any, rows: int
) -> None:
    headers = keyed(admin_headers)
    first = client.post(path, json=body, headers=headers)
    again = client.post(path, json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201), again.text
    assert again.json() == first.json()
    assert again.headers.get("etag") == first.headers.get("etag")
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(stored(User)) == 1 + rows


def test_the_row_is_answered_as_it_is_now(client: TestClient, admin_headers: Headers) -> None:
    headers = keyed(admin_headers)
    path = f"/users/{client.post('/users', json=NEW_USER, headers=headers).json()['id']}"
    client.patch(path, json={"bio": "Hello"}, headers=admin_headers)
    again = client.post("/users", json=NEW_USER, headers=headers)
    assert (again.json()["bio"], again.headers["etag"]) == ("Hello", '"2"')
    for hard in (False, True):
        client.delete(path, params={"hard": hard}, headers=admin_headers)
        gone = client.post("/users", json=NEW_USER, headers=headers)
        assert gone.status_code == 409
        assert gone.json()["detail"] == "What this Idempotency-Key made was deleted since."
    # SQLite by itself would give the id again, and the next one would be taken for it.
    other = client.post("/users", json=NEW_USER, headers=admin_headers)
    assert other.status_code == 201
    assert client.post("/users", json=NEW_USER, headers=headers).status_code == 409
    assert other.json()["id"] > int(path.rpartition("/")[2])


def test_another_request_with_the_same_key_is_422(
    client: TestClient, admin_headers: Headers
) -> None:
    headers = keyed(admin_headers)
    assert client.post("/members", json=ANA, headers=headers).status_code == 201
    for path, body in (
        ("/members", BEA),
        ("/members?why=x", ANA),
        ("/members/bulk", {"items": [BEA]}),
        ("/users", NEW_USER),
    ):
        refused = client.post(path, json=body, headers=headers)
        assert refused.status_code == 422
        assert refused.json()["detail"] == "This Idempotency-Key was used for another request."
    assert len(stored(User)) == 2


def test_a_key_belongs_to_its_user(client: TestClient, auth_headers: Headers) -> None:
    other = make_user()
    for body, headers in ((ANA, auth_headers), (BEA, sign_in(other))):
        made = client.post("/members", json=body, headers=keyed(headers, "1"))
        assert made.status_code == 201
    with writing() as db:
        db.execute(delete(User).where(User.id == other.id))
        db.commit()
    assert [key.user_id == other.id for key in stored(IdempotencyKey)] == [False]


def test_a_request_that_failed_can_be_sent_again(client: TestClient, auth_headers: Headers) -> None:
    taken = make_user(username="Ana")
    headers = keyed(auth_headers)
    for path, body in (("/members", ANA), ("/members/bulk", {"items": [BEA, ANA]})):
        assert client.post(path, json=body, headers=headers).status_code == 409
    assert client.post("/members", json={}, headers=headers).status_code == 422
    assert (stored(IdempotencyKey), members()) == ([], [])
    with writing() as db:
        db.execute(delete(User).where(User.id == taken.id))
        db.commit()
    assert client.post("/members", json=ANA, headers=headers).status_code == 201


def test_a_key_is_kept_for_a_day(client: TestClient, auth_headers: Headers) -> None:
    def age(hours: int) -> None:
        with writing() as db:
            db.execute(update(IdempotencyKey).values(created_at=utcnow() - timedelta(hours=hours)))
            db.commit()

    def create(body: Any, key: str) -> int:
        return client.post("/members", json=body, headers=keyed(auth_headers, key)).status_code

    assert create(ANA, "1") == 201
    age(hours=23)
    assert create(BEA, "1") == 422
    assert create(BEA, "2") == 201
    age(hours=25)
    assert create(EVA, "1") == 201
    assert [key.key for key in stored(IdempotencyKey)] == ["1"]


@pytest.mark.parametrize("key", ["", "two words", "\x7f", "é", "x" * 256])
def test_an_unreadable_key_is_400(client: TestClient, auth_headers: Headers, key: str) -> None:
    headers: Any = auth_headers | {"Idempotency-Key": key.encode("latin-1")}
    assert client.post("/members", json=ANA, headers=headers).status_code == 400
    assert members() == []


def test_two_keys_are_400(client: TestClient, auth_headers: Headers) -> None:
    headers = [*auth_headers.items(), ("Idempotency-Key", "1"), ("Idempotency-Key", "2")]
    assert client.post("/members", json=ANA, headers=headers).status_code == 400
    assert members() == []


def test_the_longest_key(client: TestClient, auth_headers: Headers) -> None:
    headers = keyed(auth_headers, "~" * 255)
    for _ in range(2):
        assert client.post("/members", json=ANA, headers=headers).is_success


def test_without_a_key_nothing_is_stored_or_asked(
    client: TestClient, auth_headers: Headers, count_statements: Any
) -> None:
    with count_statements() as statements:
        client.post("/members", json=ANA, headers=auth_headers)
    assert len(statements) == 2  # who asks, and the row
    assert (members(), stored(IdempotencyKey)) == (["ana"], [])


def test_the_hash_of_a_body_helps_nobody_to_guess_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All else in a body may be known, so that its plain hash would be one of the password."""
    hashes = {sign(b"a", b"bc"), sign(b"ab", b"c")}
    monkeypatch.setattr(get_settings(), "secret_key", "another secret")
    assert len({*hashes, sign(b"a", b"bc")}) == 3


# --- At once ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "body", "rows"), CREATIONS)
def test_of_five_at_once_one_makes_it(
    client: TestClient,
    admin_headers: Headers,
    threaded: Database,
    path: str,
    body: Any,
    rows: int,
) -> None:
    headers = keyed(admin_headers)
    answers = at_once(5, lambda _: client.post(path, json=body, headers=headers))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = [answer for answer in answers if answer.status_code == 201]
    assert all(answer.json() == made[0].json() for answer in made)
    assert sum("idempotency-replayed" not in answer.headers for answer in made) == 1
    assert len(stored(User)) == 1 + rows


@pytest.mark.skipif(BACKEND == "sqlite", reason="one writes at a time, and the others wait")
@pytest.mark.parametrize(("path", "body"), [("/members", ANA), ("/users", NEW_USER)])
def test_one_in_flight_is_409(
    client: TestClient, admin: User, admin_headers: Headers, path: str, body: Any
) -> None:
    headers = keyed(admin_headers)
    values = {"user_id": admin.id, "key": headers["Idempotency-Key"]}
    with writing() as other:
        other.execute(insert(IdempotencyKey).values(**values, route="x", request_hash="x"))
        started = utcnow()
        refused = client.post(path, json=body, headers=headers)
        assert utcnow() - started < timedelta(seconds=3)
        another = client.post("/members", json=BEA, headers=keyed(admin_headers))
        assert another.status_code == 201
    assert refused.status_code == 409
    assert "still running" in refused.json()["detail"]
    assert client.post(path, json=body, headers=headers).status_code == 201  # it was rolled back


@pytest.mark.skipif(BACKEND == "sqlite", reason="its patience is the connection's")
def test_only_the_key_is_waited_for_so_shortly(auth_headers: Headers) -> None:
    show = "SHOW lock_timeout" if BACKEND == "postgresql" else "SELECT @@innodb_lock_wait_timeout"
    seen = list[str]()

    def create(db: SessionDep, _: CurrentUser) -> None:
        seen.append(str(db.scalar(text(show))).rstrip("s"))

    post_twice(create, auth_headers)
    assert seen == [str(get_settings().db_lock_timeout)] * 2


def test_a_deadlock_is_tried_again_with_the_key(client: TestClient, auth_headers: Headers) -> None:
    for table, body in (("idempotency_keys", ANA), ("users", BEA)):
        headers = keyed(auth_headers)
        with failing(database, f"INSERT INTO {table}", times=1):
            made = client.post("/members", json=body, headers=headers)
        assert made.status_code == 201
        again = client.post("/members", json=body, headers=headers)
        assert again.json() == made.json()


# --- By form ---------------------------------------------------------------------------------


class Owner(ReadSchema):
    id: int
    username: str
    tokens: list["Owned"]


class Owned(ReadSchema):
    kind: TokenKind
    user: UserRead


def new_token(**values: Any) -> Token:
    return Token(kind=TokenKind.REFRESH, token_hash=uuid.uuid4().hex, expires_at=utcnow(), **values)


def post_twice(create: Callable[..., Any], headers: Headers, **route: Any) -> tuple[Any, Any]:
    router = APIRouter()
    router.post("/made", status_code=201, **route)(create)
    client, headers = serve(router), keyed(headers)
    return client.post("/made", headers=headers), client.post("/made", headers=headers)


def test_what_the_answer_shows_of_other_tables_is_loaded(auth_headers: Headers) -> None:
    def create(db: SessionDep, _: CurrentUser) -> User:
        return save(db, new_user("ana", tokens=[new_token(), new_token()]))

    first, again = post_twice(create, auth_headers, response_model=Owner)
    assert again.json() == first.json()
    assert [each["user"]["username"] for each in again.json()["tokens"]] == ["ana"] * 2


def test_several_flushes_and_savepoints_are_one_transaction(auth_headers: Headers) -> None:
    def create(db: SessionDep, _: CurrentUser) -> Token:
        for name in ("ana", "bea", "ana"):
            values = {"username": name, "email": f"{name}@example.com", "hashed_password": "-"}
            user = get_or_create(db, User, values, username_key=name)
        db.execute(update(User).values(bio="Hello"))
        return save(db, new_token(user=user))

    make_user(username="Ana")
    first, again = post_twice(create, auth_headers, response_model=Owned)
    assert (first.status_code, again.json()) == (201, first.json())
    assert (again.json()["user"]["username"], again.json()["user"]["bio"]) == ("Ana", "Hello")
    assert again.headers["idempotency-replayed"] == "true"
    assert members() == ["bea"]


def test_what_a_service_commits_before_it_fails_stays(auth_headers: Headers) -> None:
    """Such as a count of wrong tries: else a key would make them free."""

    def create(db: SessionDep, _: CurrentUser) -> None:
        save(db, new_user(f"try{len(members()) + 1}"))
        raise BadRequestError("Wrong.")

    first, again = post_twice(create, auth_headers)
    assert (first.status_code, again.status_code) == (400, 400)
    assert (members(), stored(IdempotencyKey)) == (["try1", "try2"], [])


def test_what_is_not_committed_is_not_kept(auth_headers: Headers) -> None:
    def create(db: SessionDep, _: CurrentUser) -> str:
        db.add(new_user("ana"))
        db.flush()
        return "nothing"

    first, again = post_twice(create, auth_headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (members(), stored(IdempotencyKey)) == ([], [])


def roll_back(db: Session) -> None:
    db.rollback()


def begin_another(db: Session) -> None:
    db.rollback()
    db.scalar(select(1))


@pytest.mark.parametrize("then", [roll_back, begin_another])
def test_a_service_that_rolls_back_what_it_committed_is_told(
    auth_headers: Headers, then: Callable[[Session], None]
) -> None:
    def create(db: SessionDep, _: CurrentUser) -> int:
        made = create_many(db, [new_user("ana")])
        then(db)
        return made

    with pytest.raises(RuntimeError, match="commits once, at its end"):
        post_twice(create, auth_headers)
    assert stored(IdempotencyKey) == []


def test_every_creation_by_a_user_takes_a_key_and_no_other_route(app: FastAPI) -> None:
    taking = 0
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            creates = method == "post" and "201" in operation["responses"]
            names = [each["name"] for each in operation.get("parameters", [])]
            wanted = creates and {} not in operation.get("security", [{}])
            assert ("Idempotency-Key" in names) == wanted, path
            if wanted:
                taking += 1
                assert {"400", "409", "422"} <= operation["responses"].keys()
                assert "Idempotency-Replayed" in operation["responses"]["201"]["headers"]
    assert taking


def test_a_route_that_waits_is_left_as_it_is(auth_headers: Headers) -> None:
    async def create(_: CurrentUser) -> str:
        return "made"

    first, again = post_twice(create, auth_headers)
    assert (first.json(), again.status_code) == ("made", 201)
    assert "idempotency-replayed" not in again.headers
