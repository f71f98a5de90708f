"""Bring every table to a number of believable rows, from the modules of `app/cli/seeds`."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from graphlib import TopologicalSorter
from importlib import import_module
from itertools import islice
from pathlib import Path
from pkgutil import iter_modules
from random import Random
from typing import Any, Protocol, cast

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import Column, Table, UniqueConstraint, select
from sqlalchemy.orm import Session

from app.cli import seeds
from app.cli.console import console
from app.core import database
from app.core.columns import utcnow
from app.models.base import Base
from app.services.base import CHUNK, count, create_many

WORDS = Path(seeds.__path__[0]) / "words"


def locales() -> list[str]:
    return sorted(path.stem for path in WORDS.glob("*.toml"))


class Chance(Random):
    """Random, by moments as well."""

    def moment(self, days: int, until: datetime) -> datetime:
        """Some moment of the `days` before."""
        return until - timedelta(seconds=self.randrange(1, days * 86_400))


@dataclass(frozen=True)
class Plan:
    """rows: how many products; the other tables follow. seed: the same one gives the same rows."""

    rows: int
    seed: int
    locale: str

    @cached_property
    def words(self) -> dict[str, Any]:
        return tomllib.loads((WORDS / f"{self.locale}.toml").read_text("utf-8"))

    @cached_property
    def today(self) -> datetime:
        """The last midnight, so that two runs of a day make the same rows."""
        return utcnow().replace(hour=0, minute=0, second=0, microsecond=0)

    def chance(self, table: str) -> Chance:
        """Each table has its own, so that more rows of one leave the others as they are."""
        return Chance(f"{self.seed}/{table}")


class Seed(Protocol):
    """MODEL's rows, made behind the seeds that AFTER names.

    Where `number` is not about all rows of the table, `counted(plan)` says about which.
    """

    MODEL: type[Base]
    AFTER: tuple[str, ...]

    def number(self, plan: Plan) -> int: ...

    def make(self, db: Session, plan: Plan) -> Iterator[Base]: ...


def find_seeds() -> dict[str, Seed]:
    """By name, each behind those that it needs."""
    names = [module.name for module in iter_modules(seeds.__path__)]
    found = {name: cast(Seed, import_module(f"{seeds.__name__}.{name}")) for name in names}
    order = TopologicalSorter({name: found[name].AFTER for name in names})
    return {name: found[name] for name in order.static_order()}


def count_stored(db: Session, seed: Seed, plan: Plan) -> int:
    conditions = seed.counted(plan) if hasattr(seed, "counted") else ()
    return count(db, seed.MODEL, *conditions)


def plant(plan: Plan) -> int:
    """Add what is missing; how many rows. A second run adds none."""
    bar = Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:
        return sum(add_rows(name, seed, plan, bar) for name, seed in find_seeds().items())


def add_rows(name: str, seed: Seed, plan: Plan, bar: Progress) -> int:
    """Add what is missing of one seed."""
    with database.database.writing() as db:
        wanted, there = seed.number(plan), count_stored(db, seed, plan)
        task = bar.add_task(name, total=max(wanted, there), completed=there)
        rows = islice(_missing(db, seed, plan, there), max(0, wanted - there))
        added = 0
        # A commit for each chunk: a server on the same database can write meanwhile.
        while batch := list(islice(rows, CHUNK)):
            added += create_many(db, batch)
            bar.update(task, completed=there + added)
        bar.update(task, total=there + added)
        return added


def _missing(db: Session, seed: Seed, plan: Plan, there: int) -> Iterator[Base]:
    """The rows that are not stored yet, nor anything in the way of them, such as a like name.

    Rows with nothing unique are told by their number: a run that was stopped goes on behind it.
    """
    rows = seed.make(db, plan)
    uniques = _uniques(seed.MODEL)
    if not uniques:
        yield from islice(rows, there, None)
        return
    stored = [{tuple(row) for row in db.execute(select(*columns))} for columns in uniques]
    for row in rows:
        values = [tuple(_value(row, column) for column in columns) for columns in uniques]
        pairs = [
            (value, taken)
            for value, taken in zip(values, stored, strict=True)
            if None not in value  # NULL is like no other
        ]
        if not any(value in taken for value, taken in pairs):
            for value, taken in pairs:
                taken.add(value)
            yield row


def _uniques(model: type[Base]) -> list[list[Column[Any]]]:
    """The columns that are unique, alone or together."""
    table = cast(Table, model.__table__)
    return [list(each.columns) for each in table.constraints if isinstance(each, UniqueConstraint)]


def _value(row: Base, column: Column[Any]) -> Any:
    """What will be stored. Keys are derived at the flush, which is too late here."""
    derive = column.info.get("derive")
    return derive(row) if derive else getattr(row, column.key)
