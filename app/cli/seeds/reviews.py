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
    pairs = {(row[0], row[1]) for row in db.execute(select(Review.product_id, Review.user_id))}
    while len(pairs) < len(product_ids) * len(user_ids):
        # Some products are talked about more than others.
        place = int(len(product_ids) * chance.random() ** 2)
        pair = (product_ids[place], chance.choice(user_ids))
        rating = chance.choice(RATINGS)
        review = Review(
            product_id=pair[0],
            user_id=pair[1],
            rating=rating,
            comment=chance.choice([*words[str(rating)], None]),
            created_at=chance.moment(365, plan.today),
        )
        if pair not in pairs:
            pairs.add(pair)
            yield review
