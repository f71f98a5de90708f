"""What people think of the products."""

from typing import Annotated

from fastapi import Query

from app.api.deps import CurrentUser, IfMatch, SessionDep
from app.core.routing import APIRouter
from app.models.review import Review
from app.schemas.base import Id, Page
from app.schemas.review import ReviewCreate, ReviewParams, ReviewRead, ReviewUpdate
from app.services.review_service import ReviewService

router = APIRouter(tags=["reviews"])


@router.get("/products/{product_id}/reviews")
def list_reviews(
    db: SessionDep, product_id: Id, params: Annotated[ReviewParams, Query()]
) -> Page[ReviewRead]:
    """List the reviews of a product, filtered and sorted; the newest first."""
    return ReviewService.list_reviews(db, product_id, params)


@router.post("/products/{product_id}/reviews", status_code=201, response_model=ReviewRead)
def create_review(db: SessionDep, user: CurrentUser, product_id: Id, data: ReviewCreate) -> Review:
    """Review a product; once, and changed as often as you like."""
    return ReviewService.create_review(db, user, product_id, data)


@router.patch("/reviews/{review_id}", response_model=ReviewRead)
def update_review(
    db: SessionDep, user: CurrentUser, review_id: Id, data: ReviewUpdate, if_match: IfMatch
) -> Review:
    """Change a review of your own."""
    return ReviewService.update_review(db, user, review_id, data, if_match)


@router.delete("/reviews/{review_id}", status_code=204)
def delete_review(db: SessionDep, user: CurrentUser, review_id: Id, if_match: IfMatch) -> None:
    """Delete a review of your own."""
    ReviewService.delete_review(db, user, review_id, if_match)
