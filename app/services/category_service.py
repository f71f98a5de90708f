from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.category import Category
from app.schemas.base import Page
from app.schemas.category import CategoryCreate, CategoryParams, CategoryRead, CategoryUpdate
from app.services.base import Versions, get_or_404, paginate, remove, save


class CategoryService:
    @staticmethod
    def list_categories(db: Session, params: CategoryParams) -> Page[CategoryRead]:
        return paginate(db, select(Category), params, CategoryRead)

    @staticmethod
    def get_category(db: Session, category_id: int) -> Category:
        return get_or_404(db, Category, category_id)

    @staticmethod
    def create_category(db: Session, data: CategoryCreate) -> Category:
        return save(db, Category(**data.model_dump()))

    @staticmethod
    def replace_category(
        db: Session, category_id: int, data: CategoryCreate, if_match: Versions
    ) -> Category:
        category = get_or_404(db, Category, category_id, if_match=if_match)
        return save(db, category, **data.model_dump())

    @staticmethod
    def update_category(
        db: Session, category_id: int, data: CategoryUpdate, if_match: Versions
    ) -> Category:
        category = get_or_404(db, Category, category_id, if_match=if_match)
        return save(db, category, **data.changes())

    @staticmethod
    def delete_category(db: Session, category_id: int, if_match: Versions) -> None:
        remove(db, get_or_404(db, Category, category_id, if_match=if_match))
