from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cli.planting import Plan
from app.models.product import Product
from app.models.review import Review
from app.models.user import User

MODEL = Review
AFTER = ("products", "users")

RATINGS = [1, 2, 3, 3, 4, 4, 4, 5, 5, 5]


def number(plan: Plan) -> int:
    return min(plan.rows * 2, 200_000)


def make(db: Session, plan: Plan) -> Iterator[Review]:
    chance, words = plan.chance("reviews"), plan.words["reviews"]
    product_ids = db.scalars(select(Product.id).order_by(Product.id)).all()
    user_ids = db.scalars(select(User.id).order_by(User.id)).all()
    while product_ids:
        # Some products are talked about more than others.
        place = int(len(product_ids) * chance.random() ** 2)
        rating = chance.choice(RATINGS)
        yield Review(
            product_id=product_ids[place],
            user_id=chance.choice(user_ids),
            rating=rating,
            comment=chance.choice([*words[str(rating)], None]),
            created_at=chance.moment(365, plan.today),
        )
