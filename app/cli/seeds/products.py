from collections.abc import Iterator
from decimal import Decimal
from itertools import count

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cli.planting import Plan
from app.core.text import key_of
from app.models.category import Category
from app.models.product import Product

MODEL = Product
AFTER = ("categories",)


def number(plan: Plan) -> int:
    return plan.rows


def make(db: Session, plan: Plan) -> Iterator[Product]:
    chance, words = plan.chance("products"), plan.words
    category_ids = dict(db.execute(select(Category.name_key, Category.id)).all())
    shelves = [
        (category_ids.get(key_of(name)), low, high, thing)
        for place in range(3)
        for name, (low, high, *things) in words["categories"].items()
        for thing in things[place : place + 1]
    ]
    for index in count():
        round_, place = divmod(index, len(shelves))
        category_id, low, high, thing = shelves[place]
        series, maker = divmod(round_, len(words["brands"]))
        name = f"{thing} {words['brands'][maker]}" + (f" {series + 1}" if series else "")
        yield Product(
            name=name,
            description=chance.choice(words["descriptions"]),
            price=Decimal(chance.randint(low * 10, high * 10)) / 10,
            # The first one is there: it is what the examples of /docs order.
            stock=0 if index and chance.random() < 0.08 else chance.randint(1, 200),
            is_active=index == 0 or chance.random() < 0.95,
            category_id=category_id,
            created_at=chance.moment(700, plan.today),
        )
