"""Categories."""

from typing import Annotated

from fastapi import Query

from app.api.deps import IfMatch, SessionDep, Staff
from app.core.routing import APIRouter
from app.models.category import Category
from app.schemas.base import Id, Page
from app.schemas.category import CategoryCreate, CategoryParams, CategoryRead, CategoryUpdate
from app.services.category_service import CategoryService

router = APIRouter(prefix="/categories", tags=["categories"])


@router.get("")
def list_categories(
    db: SessionDep, params: Annotated[CategoryParams, Query()]
) -> Page[CategoryRead]:
    """List categories, searched and sorted; the newest first."""
    return CategoryService.list_categories(db, params)


@router.get("/{category_id}", response_model=CategoryRead)
def get_category(db: SessionDep, category_id: Id) -> Category:
    """One category."""
    return CategoryService.get_category(db, category_id)


@router.post("", status_code=201, response_model=CategoryRead)
def create_category(db: SessionDep, _: Staff, data: CategoryCreate) -> Category:
    """Make a category. Its name is its own, without regard to case."""
    return CategoryService.create_category(db, data)


@router.put("/{category_id}", response_model=CategoryRead)
def replace_category(
    db: SessionDep, _: Staff, category_id: Id, data: CategoryCreate, if_match: IfMatch
) -> Category:
    """Replace a category as a whole. What is left out goes back to its default."""
    return CategoryService.replace_category(db, category_id, data, if_match)


@router.patch("/{category_id}", response_model=CategoryRead)
def update_category(
    db: SessionDep, _: Staff, category_id: Id, data: CategoryUpdate, if_match: IfMatch
) -> Category:
    """Change some of a category. What is left out stays as it is."""
    return CategoryService.update_category(db, category_id, data, if_match)


@router.delete("/{category_id}", status_code=204)
def delete_category(db: SessionDep, _: Staff, category_id: Id, if_match: IfMatch) -> None:
    """Delete a category."""
    CategoryService.delete_category(db, category_id, if_match)
