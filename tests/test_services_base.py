"""The verbs that services share: one row, many rows, and none twice."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.core import database as database_module
from app.core.columns import utcnow
from app.core.database import Database
from app.core.db_errors import to_app_error
from app.core.errors import AppError, NotFoundError, PreconditionFailedError
from app.models.token import Token, TokenKind
from app.models.user import User
from app.services.base import (
    count,
    create_many,
    exists,
    get_or_404,
    get_or_create,
    remove,
    restore,
    save,
)
from tests.databases import BACKEND
from tests.factories import add, make_user
from tests.support import Counter, at_once, stored, writing


def new_user(name: str, **values: Any) -> User:
    return User(
        **{"username": name, "email": f"{name}@example.com", "hashed_password": "-"} | values
    )


def new_token(user: User, secret: str) -> Token:
    return Token(user_id=user.id, kind=TokenKind.REFRESH, token_hash=secret, expires_at=utcnow())


def test_a_missing_deleted_or_foreign_row_is_not_found_in_the_same_words() -> None:
    here, deleted = make_user(), make_user(deleted_at=utcnow())
    with writing() as db:
        assert get_or_404(db, User, here.id, User.is_active.is_(True)).id == here.id
        assert get_or_404(db, User, deleted.id, include_deleted=True).id == deleted.id
        for row_id, condition in ((0, None), (deleted.id, None), (here.id, User.id == 0)):
            where = [] if condition is None else [condition]
            with pytest.raises(NotFoundError) as caught:
                get_or_404(db, User, row_id, *where)
            assert caught.value.detail == "User not found."


def test_a_row_is_found_only_in_a_version_that_the_client_has_seen() -> None:
    user = make_user()
    with writing() as db:
        assert get_or_404(db, User, user.id, if_match=(7, 1)).id == user.id
        with pytest.raises(PreconditionFailedError, match="User has changed since you read it"):
            get_or_404(db, User, user.id, if_match=(2,))


def test_save_adds_or_changes_and_commits() -> None:
    with writing() as db:
        user = save(db, new_user("ana"))
        assert user.id
        save(db, user, bio="Hello", full_name="Ana")
    assert [(u.bio, u.full_name, u.version) for u in stored(User)] == [("Hello", "Ana", 2)]


def test_remove_marks_where_rows_are_kept_and_deletes_elsewhere() -> None:
    user = make_user()
    token = add(new_token(user, "x"))
    with writing() as db:
        remove(db, get_or_404(db, Token, token.id))
        remove(db, get_or_404(db, User, user.id))
    assert stored(Token) == []
    assert stored(User)[0].is_deleted


def test_restore_undoes_remove_unless_its_name_is_taken() -> None:
    user = make_user(username="ana", deleted_at=utcnow())
    with writing() as db:
        restored = restore(db, get_or_404(db, User, user.id, include_deleted=True))
        assert not restored.is_deleted
        remove(db, restored)
    make_user(username="ANA")
    with writing() as db, pytest.raises(IntegrityError) as caught:
        restore(db, get_or_404(db, User, user.id, include_deleted=True))
    answer = to_app_error(caught.value)
    assert isinstance(answer, AppError)
    assert (answer.status, answer.detail) == (409, "This username is already taken.")


def test_exists_and_count_leave_out_deleted_rows() -> None:
    make_user(username="ana")
    make_user(username="eva", is_active=False)
    make_user(username="old", deleted_at=utcnow())
    with writing() as db:
        assert exists(db, User, User.username == "ana") is True
        assert exists(db, User, User.username == "old") is False
        assert count(db, User) == 2
        assert count(db, User, User.is_active.is_(True)) == 1
        assert count(db, Token) == 0


# --- Get or create ---------------------------------------------------------------------------


def ana(db: Session, **defaults: Any) -> User:
    values = {"username": "Ana", "email": "ana@example.com", "hashed_password": "-"}
    return get_or_create(db, User, values | defaults, username_key="ana")


def test_get_or_create_makes_a_row_once(count_statements: Callable[[], Counter]) -> None:
    with writing() as db:
        made = ana(db)
        db.commit()
        with count_statements() as statements:
            found = ana(db, email="other@example.com")
        assert len(statements) == 1
        assert found is made
    assert [user.email for user in stored(User)] == ["ana@example.com"]


def test_of_twenty_at_once_one_makes_the_row_and_all_get_it(threaded: Database) -> None:
    def ask(_: int) -> int:
        with database_module.database.writing() as db:
            row_id = ana(db).id
            db.commit()
            return row_id

    ids = at_once(20, ask)
    assert len(set(ids)) == 1
    assert [user.id for user in stored(User)] == [ids[0]]


def test_get_or_create_does_not_hide_what_else_is_wrong() -> None:
    make_user(email="taken@example.com")
    with writing() as db:
        save(db, new_user("kept"))
        with pytest.raises(IntegrityError):
            ana(db, email="taken@example.com")
        # The savepoint alone was rolled back: the session goes on.
        save(db, new_user("after"))
    assert {"kept", "after"} < {user.username for user in stored(User)}


# --- Many ------------------------------------------------------------------------------------


def test_many_rows_are_written_a_thousand_at_a_time(
    count_statements: Callable[[], Counter],
) -> None:
    with writing() as db, count_statements() as statements:
        assert create_many(db, (new_user(f"user{number}") for number in range(2500))) == 2500
    # SQLite gives each new id to its own statement, and answers 2,500 of them in a moment.
    expected = 2500 if BACKEND == "sqlite" else 3
    assert [statement.split()[0] for statement in statements] == ["INSERT"] * expected
    with writing() as db:
        assert count(db, User) == 2500
        assert exists(db, User, User.username_key == "user2499", User.version == 1)


def test_many_rows_are_written_all_or_none() -> None:
    names = [f"user{number}" for number in range(1200)]
    with writing() as db, pytest.raises(IntegrityError):
        create_many(db, (new_user(name) for name in [*names, "user0"]))
    assert stored(User) == []


def test_many_rows_leave_the_others_of_the_session_alone() -> None:
    user = make_user()
    with writing() as db:
        owner = get_or_404(db, User, user.id)
        rows = [new_token(owner, str(number)) for number in range(3)]
        create_many(db, rows)
        assert list(db) == [owner]
        assert all(row.id for row in rows)
        save(db, owner, bio="still here")
        assert len(stored(Token)) == 3
    assert stored(User)[0].bio == "still here"
    with writing() as db:
        assert create_many(db, []) == 0


# --- What SQLAlchemy offers besides -----------------------------------------------------------


def test_a_row_of_an_ended_session_is_merged_into_another_one_unless_it_changed() -> None:
    """`merge` takes a row along, with its changes; the version still tells who came second."""
    user = make_user()
    user.bio = "Merged"
    with writing() as db:
        db.merge(user)
        db.commit()
    assert [(row.bio, row.version) for row in stored(User)] == [("Merged", 2)]
    user.bio = "Too late"  # it is still version 1
    with writing() as db, pytest.raises(StaleDataError):
        db.merge(user)
    assert stored(User)[0].bio == "Merged"


def test_an_index_is_named_where_the_planner_takes_the_wrong_one(
    count_statements: Callable[[], Counter],
) -> None:
    """A hint is for the databases that have them: of these three, for MySQL and MariaDB."""
    statement = select(User.id).where(User.created_at < utcnow())
    for dialect in ("mysql", "mariadb"):
        statement = statement.with_hint(User, "FORCE INDEX (ix_users_created_at)", dialect)
    with writing() as db, count_statements() as statements:
        assert db.scalars(statement).all() == []
    assert ("FORCE INDEX (ix_users_created_at)" in statements[0]) == (BACKEND == "mysql")
