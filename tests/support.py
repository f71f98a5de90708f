"""What tests need besides rows: statements counted, requests at once, operations recorded."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from alembic.config import Config
from sqlalchemy import event, select

from app.cli.scaffold.features import NUMBERED
from app.core import database as database_module
from app.core.config import ROOT
from app.core.database import Database

Result = TypeVar("Result")


class Counter(list[str]):
    """The SQL that a block sent to the database, without what only sets the connection up."""

    def __init__(self, database: Database) -> None:
        self.engines = [database.engine]
        if database.read_engine.pool is not database.engine.pool:
            self.engines.append(database.read_engine)

    def __enter__(self) -> Self:
        for engine in self.engines:
            event.listen(engine, "before_cursor_execute", self.note)
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self.engines:
            event.remove(engine, "before_cursor_execute", self.note)

    def note(self, _c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            self.append(statement)


def at_once(times: int, call: Callable[[int], Result]) -> list[Result]:
    """`call(0)`, `call(1)`, ... in as many threads, released together."""
    barrier = threading.Barrier(times)

    def start(number: int) -> Result:
        barrier.wait(timeout=30)
        return call(number)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(start, range(times)))


def stored(model: type[Any], *where: Any) -> list[Any]:
    """The rows as they are in the database now."""
    with database_module.database.reading() as db:
        return list(db.scalars(select(model).where(*where).order_by(model.id)))


@contextmanager
def writing() -> Iterator[Any]:
    """A session for the services under test."""
    with database_module.database.writing() as db:
        yield db


def has_grown(*tables: str) -> bool:
    """Whether migrations of your own speak of these tables: then they are not as shipped."""
    texts = [path.read_text("utf-8") for path in (ROOT / "alembic/versions").glob("*.py")]
    own = "".join(text for text in texts if not NUMBERED.search(text))
    return any(re.search(rf'"{table}["\.]', own) for table in tables)


def alembic_config(**attributes: Any) -> Config:
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes.update(attributes)
    return config
