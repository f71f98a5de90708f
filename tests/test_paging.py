"""Lists: filters, search, order and pages; a walk by cursor meets each row once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, select
from sqlalchemy.orm import selectinload

from app.core.columns import utcnow
from app.core.errors import InvalidError
from app.models.user import Role, User
from app.schemas.base import Page, SearchParams, sortable
from app.schemas.user import UserRead
from app.services.base import create_many, paginate
from app.services.page_queries import key_of_statement
from app.services.paging import _write_cursor
from tests.conftest import Headers
from tests.factories import make_user
from tests.support import Counter, writing

START = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = ("username", "role", "is_active", "created_at", "id")


class Params(SearchParams):
    role: Role | None = None
    is_active: bool | None = None
    min_created_at: datetime | None = None
    max_created_at: datetime | None = None
    sort: str = sortable(*COLUMNS, default="id")


def page(**params: Any) -> Page[UserRead]:
    with writing() as db:
        return paginate(db, select(User), Params(**params), UserRead)


def names(**params: Any) -> list[str]:
    return [user.username for user in page(**params).items]


def make_users(number: int) -> list[User]:
    """Rows with ties in every column but name and id, in no order of their names."""
    users = [
        User(
            username=f"user{(11 * index) % number:03}",
            email=f"row{index}@example.com",
            hashed_password="-",
            role=list(Role)[index % 3],
            is_active=index % 2 == 0,
            created_at=START + timedelta(microseconds=index // 6),
        )
        for index in range(number)
    ]
    with writing() as db:
        create_many(db, users)
    return users


def ordered(users: list[User], sort: str) -> list[int]:
    """The ids as Python sorts them."""
    keys = sort.split(",")
    rows = sorted(users, key=lambda user: user.id, reverse=keys[0].startswith("-"))
    for key in reversed(keys):
        rows.sort(key=attrgetter(key.lstrip("-")), reverse=key.startswith("-"))
    return [user.id for user in rows]


def walk(**params: Any) -> list[int]:
    """The ids of all pages, by cursor."""
    ids, cursor = list[int](), None
    while True:
        found = page(**params, **({"cursor": cursor} if cursor else {}))
        ids += [user.id for user in found.items]
        cursor = found.next_cursor
        if cursor is None:
            return ids
        assert len(found.items) == found.limit


# --- Pages -----------------------------------------------------------------------------------


def test_skip_and_limit_cut_a_page_and_total_counts_all() -> None:
    ids = [user.id for user in make_users(7)]
    for skip, limit, expected, more in ((0, 3, 3, True), (3, 3, 3, True), (6, 3, 1, False)):
        found = page(skip=skip, limit=limit)
        assert [user.id for user in found.items] == ids[skip : skip + expected]
        assert (found.total, found.skip, found.limit) == (7, skip, limit)
        assert (found.next_cursor is not None) is more
    beyond = page(skip=50)
    assert (beyond.items, beyond.total, beyond.next_cursor) == ([], 7, None)


@pytest.mark.parametrize(
    "sort",
    [
        *COLUMNS,
        *(f"-{column}" for column in COLUMNS),
        "role,-created_at",
        "-role,created_at,-is_active",
        "is_active,-username",
        "-created_at,role,is_active,username",
        "role,-role",
    ],
)
def test_a_walk_by_cursor_meets_each_row_once_and_in_order(sort: str) -> None:
    users = make_users(30)
    expected = ordered(users, sort)
    assert walk(sort=sort, limit=7) == expected
    assert walk(sort=sort, limit=10) == expected
    assert [user.id for user in page(sort=sort, limit=30).items] == expected


def test_a_page_by_cursor_has_neither_total_nor_skip() -> None:
    make_users(3)
    second = page(cursor=page(limit=2).next_cursor, limit=2)
    assert (second.total, second.skip, second.limit, second.next_cursor) == (None, None, 2, None)


def test_rows_that_come_and_go_move_no_other_across_pages() -> None:
    ids = [user.id for user in make_users(20)]
    first = page(sort="created_at", limit=10)
    make_user(created_at=START - timedelta(days=1))
    with writing() as db:
        db.execute(delete(User).where(User.id == first.items[-1].id))
        db.commit()
    rest = page(sort="created_at", limit=50, cursor=first.next_cursor)
    assert [user.id for user in rest.items] == ids[10:]


def test_deleted_rows_are_in_no_list() -> None:
    make_user(username="gone", deleted_at=utcnow())
    make_user(username="here")
    assert names() == ["here"]
    assert page().total == 1


def test_filters_keep_what_is_equal_or_in_range() -> None:
    users = make_users(30)
    admins = [user.id for user in users if user.role is Role.ADMIN and not user.is_active]
    assert [user.id for user in page(role="admin", is_active=False).items] == admins
    low, high = START + timedelta(microseconds=1), START + timedelta(microseconds=2)
    found = page(min_created_at=low, max_created_at=high)
    assert [user.id for user in found.items] == [user.id for user in users[6:18]]
    assert walk(role="admin", limit=3) == [user.id for user in users if user.role is Role.ADMIN]


# --- Cursors ---------------------------------------------------------------------------------


def test_a_cursor_of_the_longest_columns_is_taken() -> None:
    """The generator sorts by texts of up to 768 characters, and a list by four columns."""
    longest = ["\U0001f600" * 768] * 4
    cursor = _write_cursor([*longest, 2**31 - 1], b"users")
    assert Params(cursor=cursor).cursor == cursor


def test_a_cursor_works_only_in_the_list_that_gave_it() -> None:
    make_users(10)
    cursor = page(sort="role", limit=3).next_cursor
    assert cursor
    assert page(sort="role", limit=5, cursor=cursor).items
    changed = cursor[:20] + ("A" if cursor[20] != "A" else "B") + cursor[21:]
    for params in (
        {"sort": "-role", "cursor": cursor},
        {"sort": "role,created_at", "cursor": cursor},
        {"sort": "role", "role": "admin", "cursor": cursor},
        {"sort": "role", "q": "user", "cursor": cursor},
        *({"sort": "role", "cursor": bad} for bad in ("", "x", "é", "====", "A" * 99, changed)),
    ):
        with pytest.raises(InvalidError) as caught:
            page(**params)
        assert caught.value.field == "cursor"


def test_a_list_refuses_what_it_does_not_know(client: TestClient, admin_headers: Headers) -> None:
    make_users(3)
    cursor = client.get("/users?limit=2", headers=admin_headers).json()["next_cursor"]
    assert client.get(f"/users?cursor={cursor}", headers=admin_headers).status_code == 200
    for query, field in (
        (f"skip=0&cursor={cursor}", None),
        (f"sort=username&cursor={cursor}", "cursor"),
        ("sort=hashed_password", "sort"),
        ("sort=", "sort"),
        ("sort=username,", "sort"),
        ("colour=red", "colour"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("skip=-1", "skip"),
        ("skip=1_0", "skip"),
    ):
        response = client.get(f"/users?{query}", headers=admin_headers)
        assert response.status_code == 422, query
        assert response.json()["errors"][0]["loc"] == ["query", *([field] if field else [])]


# --- Search ----------------------------------------------------------------------------------


def test_search_takes_every_character_as_itself() -> None:
    texts = ("100% wool", "100 wool", "a_b", "axb", "a\\b", "a/b", "it's", 'the "best"', "[x]")
    for number, full_name in enumerate(texts):
        make_user(username=f"user-{number}", email=f"{number}@x.com", full_name=full_name)
    for q, expected in (
        ("%", ["100% wool"]),
        ("0%", ["100% wool"]),
        ("_", ["a_b"]),
        ("a_b", ["a_b"]),
        ("\\", ["a\\b"]),
        ("a/b", ["a/b"]),
        ("'", ["it's"]),
        ('"', ['the "best"']),
        ("[x]", ["[x]"]),
        ("*", []),
    ):
        assert [user.full_name for user in page(q=q).items] == expected, q


@pytest.mark.parametrize("q", ["árvore", "ÁRVORE", "arvore", "Arvore  ", "vor"])
def test_search_ignores_case_and_accents(q: str) -> None:
    make_user(username="tree", full_name="Uma Árvore")
    make_user(username="bush", full_name="Um arbusto")
    assert names(q=q) == ["tree"]


# --- Cost ------------------------------------------------------------------------------------


def test_a_list_costs_two_statements_at_most(count_statements: Callable[[], Counter]) -> None:
    make_users(5)
    cursor = page(limit=2).next_cursor
    for params, expected in (
        ({"limit": 2}, 2),
        ({"limit": 5}, 1),
        ({"limit": 2, "skip": 4}, 1),
        ({"limit": 2, "skip": 9}, 2),
        ({"limit": 2, "cursor": cursor}, 1),
    ):
        with count_statements() as statements:
            page(**params)
        assert len(statements) == expected, params


def test_a_list_fetches_the_columns_that_it_answers_with(
    count_statements: Callable[[], Counter],
) -> None:
    make_users(2)
    with count_statements() as statements:
        page(sort="-created_at", limit=1)
    listing, counting = statements
    fetched = listing.split("FROM")[0]
    assert all(f"users.{name}" in fetched for name in UserRead.model_fields)
    for name in ("hashed_password", "search_text", "username_key", "deleted_at"):
        assert name not in fetched
    assert "ORDER BY" not in counting
    assert "hashed_password" not in counting


# --- Statements, built once ------------------------------------------------------------------


def test_statements_in_which_there_is_no_value_are_told_apart_by_how_they_are_written() -> None:
    """By a method of SQLAlchemy's that is not public: without it, lists are slower and no more."""
    plain = key_of_statement(select(User))
    assert plain is not None
    assert plain == key_of_statement(select(User))
    assert plain != key_of_statement(select(User).options(selectinload(User.tokens)))
    assert plain != key_of_statement(select(User).where(User.bio.is_(None)))
    assert key_of_statement(select(User).where(User.id == 1)) is None
