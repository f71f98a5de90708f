"""Sessions and their lifetime. `DATABASE_URL` alone decides which database it is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker
from sqlalchemy.pool import QueuePool, StaticPool
from starlette.requests import Request

from app.core.config import Settings, get_settings
from app.core.db_errors import READ_ONLY, code_of
from app.core.engines import make_engine
from app.core.hop import close_at_end
from app.core.retries import has_committed

READING = ("GET", "HEAD", "OPTIONS")


class ReadSession(Session):
    """A session of requests that only read: each statement by itself, no BEGIN and no ROLLBACK."""


MUST_NOT_WRITE = "A GET has a session for reading. Declare the route with dependencies=[Writes]."


@event.listens_for(ReadSession, "before_flush")
def _refuse_flush(session: Session, *_: Any) -> None:
    raise InvalidRequestError(MUST_NOT_WRITE)


def _refuse_dml(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        raise InvalidRequestError(MUST_NOT_WRITE)


def _explain_refused_write(context: ExceptionContext) -> None:
    """Written SQL is refused by the database itself, which cannot say what to do."""
    error = context.sqlalchemy_exception
    if isinstance(error, DBAPIError) and code_of(error) in READ_ONLY:
        raise InvalidRequestError(MUST_NOT_WRITE) from error.orig


def _note_commit(session: Session) -> None:
    if not session.in_nested_transaction():
        has_committed.set(True)


class Database:
    """One database: an engine for writing, one for reading, and sessions over both.

    The two have pools of their own, because a connection is set to one of the modes when it is
    made and not at every use: changing the mode costs MySQL three round trips. Connections are
    opened when needed, so a small service does not hold twice as many.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        self.engine = make_engine(url, settings)
        in_memory = isinstance(self.engine.pool, StaticPool)
        # A database in memory lives in its one connection, so reading has to share it.
        self.read_engine = (
            self.engine.execution_options(read_only=True)
            if in_memory
            else make_engine(url, settings, read_only=True)
        )
        if not in_memory:
            event.listen(self.read_engine, "handle_error", _explain_refused_write)
        # A session that was closed stays closed: used after its request, it would open a
        # connection that nobody returns.
        options: dict[str, Any] = {
            "autoflush": False,
            "expire_on_commit": False,
            "close_resets_only": False,
        }
        self.writing = sessionmaker(self.engine, **options)
        # Not of the engine: one listener on that costs every statement as much as its driver.
        event.listen(self.writing, "after_commit", _note_commit)
        self.reading = sessionmaker(self.read_engine, class_=ReadSession, **options)
        if in_memory:  # the others refuse it themselves, and listening costs each statement
            event.listen(self.reading, "do_orm_execute", _refuse_dml)

    def check(self) -> None:
        """Raise a DBAPIError when the database does not answer."""
        with self.read_engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def connections_in_use(self) -> int:
        pools = {self.engine.pool, self.read_engine.pool}
        return sum(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))

    def dispose(self) -> None:
        self.engine.dispose()
        self.read_engine.dispose()


database = Database(get_settings().database_url, get_settings())


def get_db(request: Request) -> Session:
    """The session of one request. What the service did not commit is rolled back.

    Without `yield`, which costs a synchronous request as much as its query: the route closes it.
    """
    reads = request.method in READING and not getattr(request.state, "writes", False)
    session: Session = database.reading() if reads else database.writing()
    close_at_end(request, session)
    return session


@contextmanager
def session_scope() -> Iterator[Session]:
    """The session of a script or a background task: committed at the end, or rolled back."""
    with database.writing() as session:
        yield session
        session.commit()


def wait_for_database(seconds: float) -> None:
    """Wait until the database answers; raise its last error when it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return database.check()
        except Exception:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)
