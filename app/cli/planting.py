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
from sqlalchemy.orm import Session

from app.cli import seeds
from app.cli.console import console
from app.core import database
from app.core.columns import utcnow
from app.models.base import Base
from app.services.base import count, create_many

WORDS = Path(seeds.__path__[0]) / "words"
BATCH = 2000  # rows between two commits: a server on the same database can write meanwhile


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
        return sum(_plant(name, seed, plan, bar) for name, seed in find_seeds().items())


def _plant(name: str, seed: Seed, plan: Plan, bar: Progress) -> int:
    with database.database.writing() as db:
        wanted, there = seed.number(plan), count(db, seed.MODEL)
        task = bar.add_task(name, total=max(wanted, there), completed=there)
        rows = islice(seed.make(db, plan), max(0, wanted - there))
        added = 0
        while batch := list(islice(rows, BATCH)):
            added += create_many(db, batch)
            bar.update(task, completed=there + added)
        bar.update(task, total=there + added)
        return added
