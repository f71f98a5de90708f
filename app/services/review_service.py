from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.models.product import Product
from app.models.review import Review
from app.models.user import User
from app.schemas.base import Page
from app.schemas.review import ReviewCreate, ReviewParams, ReviewRead, ReviewUpdate
from app.services.base import Versions, get_or_404, paginate, remove, save

WITH_AUTHOR = joinedload(Review.user).load_only(User.username, User.display_name)


class ReviewService:
    @staticmethod
    def list_reviews(db: Session, product_id: int, params: ReviewParams) -> Page[ReviewRead]:
        product = get_or_404(db, Product, product_id)
        reviews = select(Review).where(Review.product_id == product.id).options(WITH_AUTHOR)
        return paginate(db, reviews, params, ReviewRead)

    @staticmethod
    def create_review(db: Session, user: User, product_id: int, data: ReviewCreate) -> Review:
        """Review a product, which may be one that is not sold any more. Twice is a conflict."""
        product = get_or_404(db, Product, product_id)
        return save(db, Review(product=product, user=user, **data.model_dump()))

    @staticmethod
    def update_review(
        db: Session, user: User, review_id: int, data: ReviewUpdate, if_match: Versions
    ) -> Review:
        return save(db, _get_own(db, user, review_id, if_match), **data.changes())

    @staticmethod
    def delete_review(db: Session, user: User, review_id: int, if_match: Versions) -> None:
        remove(db, _get_own(db, user, review_id, if_match))


def _get_own(db: Session, user: User, review_id: int, if_match: Versions) -> Review:
    # The answer shows the author: it is who asks, and needs no loading.
    own = Review.user_id == user.id, Review.product.has(Product.deleted_at.is_(None))
    return get_or_404(db, Review, review_id, *own, if_match=if_match)
