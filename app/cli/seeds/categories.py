from collections.abc import Iterator

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.cli.planting import Plan
from app.core.text import key_of
from app.models.category import Category

MODEL = Category
AFTER: tuple[str, ...] = ()


def number(plan: Plan) -> int:
    return len(plan.words["categories"])


def counted(plan: Plan) -> list[ColumnElement[bool]]:
    """Those of this language: the products of another one stand on other shelves."""
    return [Category.name_key.in_(map(key_of, plan.words["categories"]))]


def make(db: Session, plan: Plan) -> Iterator[Category]:
    taken = set(db.scalars(select(Category.name)))
    for name, (_, _, *things) in plan.words["categories"].items():
        if name not in taken:
            yield Category(name=name, description=", ".join(things))
