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
from app.models.category import Category
from app.models.idempotency_key import IdempotencyKey
from app.models.product import Product
from app.models.user import User
from app.schemas.base import ReadSchema
from app.schemas.category import CategoryRead
from app.services.base import create_many, get_or_create, save
from tests.databases import BACKEND, failing, serve
from tests.factories import PASSWORD, make_user, sign_in
from tests.support import at_once, stored, writing
from tests.test_categories import make_category
from tests.test_products import make_product, new_product

Headers = dict[str, str]

NEW_USER = {"username": "ana_souza", "email": "ana@example.com", "password": PASSWORD}
BULK = {"items": [new_product(name="Iracema"), new_product(name="Quincas Borba")]}
CREATIONS: list[Any] = [
    ("/categories", {"name": "Novels"}, Category, 1),
    ("/products", new_product(), Product, 1),
    ("/products/bulk", BULK, Product, 2),
    ("/users", NEW_USER, User, 2),
]


def keyed(headers: Headers, key: str | None = None) -> Headers:
    return headers | {"Idempotency-Key": key or str(uuid.uuid4())}


# --- Sent again ------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "body", "model", "rows"), CREATIONS)
def test_the_same_again_makes_nothing_new(
    client: TestClient, admin_headers: Headers, path: str, body: Any, model: Any, rows: int
) -> None:
    headers = keyed(admin_headers)
    first = client.post(path, json=body, headers=headers)
    again = client.post(path, json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201), again.text
    assert again.json() == first.json()
    assert again.headers.get("etag") == first.headers.get("etag")
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(stored(model)) == rows


def test_the_row_is_answered_as_it_is_now(client: TestClient, staff_headers: Headers) -> None:
    headers = keyed(staff_headers)
    path = f"/products/{client.post('/products', json=new_product(), headers=headers).json()['id']}"
    client.patch(path, json={"stock": 0}, headers=staff_headers)
    again = client.post("/products", json=new_product(), headers=headers)
    assert (again.json()["stock"], again.headers["etag"]) == (0, '"2"')
    client.delete(path, headers=staff_headers)
    gone = client.post("/products", json=new_product(), headers=headers)
    assert gone.status_code == 409
    assert gone.json()["detail"] == "What this Idempotency-Key made was deleted since."


def test_another_request_with_the_same_key_is_422(
    client: TestClient, staff_headers: Headers
) -> None:
    headers = keyed(staff_headers)
    assert client.post("/categories", json={"name": "A"}, headers=headers).status_code == 201
    for path, body in (
        ("/categories", {"name": "B"}),
        ("/categories?x=1", {"name": "A"}),
        ("/products", new_product()),
    ):
        refused = client.post(path, json=body, headers=headers)
        assert refused.status_code == 422
        assert refused.json()["detail"] == "This Idempotency-Key was used for another request."
    assert (len(stored(Category)), len(stored(Product))) == (1, 0)


def test_a_key_belongs_to_its_user(client: TestClient, staff_headers: Headers) -> None:
    other = make_user(role="admin")
    for name, headers in (("A", staff_headers), ("B", sign_in(other))):
        made = client.post("/categories", json={"name": name}, headers=keyed(headers, "1"))
        assert made.status_code == 201
    with writing() as db:
        db.execute(delete(User).where(User.id == other.id))
        db.commit()
    assert [key.user_id == other.id for key in stored(IdempotencyKey)] == [False]


def test_a_request_that_failed_can_be_sent_again(
    client: TestClient, staff_headers: Headers
) -> None:
    make_product(name="Dom Casmurro")
    headers = keyed(staff_headers)
    for path, body in (
        ("/products", new_product()),
        ("/products/bulk", {"items": [new_product()]}),
    ):
        assert client.post(path, json=body, headers=headers).status_code == 409
    assert client.post("/products", json={}, headers=headers).status_code == 422
    assert stored(IdempotencyKey) == []
    with writing() as db:
        db.execute(delete(Product))
        db.commit()
    assert client.post("/products", json=new_product(), headers=headers).status_code == 201


def test_a_key_is_kept_for_a_day(client: TestClient, staff_headers: Headers) -> None:
    def age(hours: int) -> None:
        with writing() as db:
            db.execute(update(IdempotencyKey).values(created_at=utcnow() - timedelta(hours=hours)))
            db.commit()

    def create(name: str, key: str) -> int:
        body, headers = {"name": name}, keyed(staff_headers, key)
        return client.post("/categories", json=body, headers=headers).status_code

    assert create("A", "1") == 201
    age(hours=23)
    assert create("B", "1") == 422
    assert create("B", "2") == 201
    age(hours=25)
    assert create("C", "1") == 201
    assert [key.key for key in stored(IdempotencyKey)] == ["1"]


@pytest.mark.parametrize("key", ["", "two words", "\x7f", "é", "x" * 256])
def test_an_unreadable_key_is_400(client: TestClient, staff_headers: Headers, key: str) -> None:
    headers: Any = staff_headers | {"Idempotency-Key": key.encode("latin-1")}
    refused = client.post("/categories", json={"name": "A"}, headers=headers)
    assert refused.status_code == 400
    assert stored(Category) == []


def test_two_keys_are_400(client: TestClient, staff_headers: Headers) -> None:
    headers = [*staff_headers.items(), ("Idempotency-Key", "1"), ("Idempotency-Key", "2")]
    assert client.post("/categories", json={"name": "A"}, headers=headers).status_code == 400


def test_the_longest_key(client: TestClient, staff_headers: Headers) -> None:
    headers = keyed(staff_headers, "~" * 255)
    for _ in range(2):
        assert client.post("/categories", json={"name": "A"}, headers=headers).is_success


def test_without_a_key_nothing_is_stored_or_asked(
    client: TestClient, staff_headers: Headers, count_statements: Any
) -> None:
    with count_statements() as statements:
        client.post("/categories", json={"name": "A"}, headers=staff_headers)
    assert len(statements) == 2  # who asks, and the row
    assert stored(IdempotencyKey) == []


def test_the_hash_of_a_body_helps_nobody_to_guess_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All else in a body may be known, so that its plain hash would be one of the password."""
    hashes = {sign(b"a", b"bc"), sign(b"ab", b"c")}
    monkeypatch.setattr(get_settings(), "secret_key", "another secret")
    assert len({*hashes, sign(b"a", b"bc")}) == 3


# --- At once ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "body", "model", "rows"), CREATIONS)
def test_of_five_at_once_one_makes_it(
    client: TestClient,
    admin_headers: Headers,
    threaded: Database,
    path: str,
    body: Any,
    model: Any,
    rows: int,
) -> None:
    headers = keyed(admin_headers)
    answers = at_once(5, lambda _: client.post(path, json=body, headers=headers))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = [answer for answer in answers if answer.status_code == 201]
    assert all(answer.json() == made[0].json() for answer in made)
    assert sum("idempotency-replayed" not in answer.headers for answer in made) == 1
    assert len(stored(model)) == rows


@pytest.mark.skipif(BACKEND == "sqlite", reason="one writes at a time, and the others wait")
@pytest.mark.parametrize(("path", "body"), [("/categories", {"name": "A"}), ("/users", NEW_USER)])
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
        another = client.post("/categories", json={"name": "B"}, headers=keyed(admin_headers))
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


def test_a_deadlock_is_tried_again_with_the_key(client: TestClient, staff_headers: Headers) -> None:
    for table, name in (("idempotency_keys", "A"), ("categories", "B")):
        headers = keyed(staff_headers)
        with failing(database, f"INSERT INTO {table}", times=1):
            made = client.post("/categories", json={"name": name}, headers=headers)
        assert made.status_code == 201
        again = client.post("/categories", json={"name": name}, headers=headers)
        assert again.json() == made.json()


# --- By form ---------------------------------------------------------------------------------


class Shelf(ReadSchema):
    id: int
    name: str
    products: list["Shown"]


class Shown(ReadSchema):
    name: str
    category: CategoryRead | None


def post_twice(create: Callable[..., Any], headers: Headers, **route: Any) -> tuple[Any, Any]:
    router = APIRouter()
    router.post("/made", status_code=201, **route)(create)
    client, headers = serve(router), keyed(headers)
    return client.post("/made", headers=headers), client.post("/made", headers=headers)


def test_what_the_answer_shows_of_other_tables_is_loaded(auth_headers: Headers) -> None:
    def create(db: SessionDep, _: CurrentUser) -> Category:
        products = [Product(name=name, price=1) for name in ("A", "B")]
        return save(db, Category(name="Novels", products=products))

    first, again = post_twice(create, auth_headers, response_model=Shelf)
    assert again.json() == first.json()
    assert [each["category"]["name"] for each in again.json()["products"]] == ["Novels"] * 2


def test_several_flushes_and_savepoints_are_one_transaction(auth_headers: Headers) -> None:
    def create(db: SessionDep, _: CurrentUser) -> Product:
        for name in ("A", "B", "A"):
            category = get_or_create(db, Category, name=name, defaults={"description": "x"})
        db.execute(update(Category).values(description="y"))
        return save(db, Product(name="C", price=1, category=category))

    make_category(name="A")
    first, again = post_twice(create, auth_headers, response_model=Shown)
    assert (first.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert [category.name for category in stored(Category)] == ["A", "B"]


def test_what_a_service_commits_before_it_fails_stays(auth_headers: Headers) -> None:
    """Such as a count of wrong tries: else a key would make them free."""

    def create(db: SessionDep, _: CurrentUser) -> None:
        save(db, Category(name=f"Try {len(stored(Category)) + 1}"))
        raise BadRequestError("Wrong.")

    first, again = post_twice(create, auth_headers)
    assert (first.status_code, again.status_code) == (400, 400)
    assert (len(stored(Category)), stored(IdempotencyKey)) == (2, [])


def test_what_is_not_committed_is_not_kept(auth_headers: Headers) -> None:
    def create(db: SessionDep, _: CurrentUser) -> str:
        db.add(Category(name="A"))
        db.flush()
        return "nothing"

    first, again = post_twice(create, auth_headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (stored(Category), stored(IdempotencyKey)) == ([], [])


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
        made = create_many(db, [Category(name="A")])
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
    assert taking >= 4


def test_a_route_that_waits_is_left_as_it_is(auth_headers: Headers) -> None:
    async def create(_: CurrentUser) -> str:
        return "made"

    first, again = post_twice(create, auth_headers)
    assert (first.json(), again.status_code) == ("made", 201)
    assert "idempotency-replayed" not in again.headers
