from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.errors import ConflictError, FieldErrors, InvalidError
from app.models.category import Category
from app.models.product import Product
from app.schemas.base import INT32, Page
from app.schemas.product import (
    ProductBulk,
    ProductBulkResult,
    ProductCreate,
    ProductFilters,
    ProductParams,
    ProductRead,
    ProductUpdate,
)
from app.services.base import (
    Versions,
    change_rows,
    create_many,
    get_or_404,
    paginate,
    remove,
    restore,
    save,
)


class ProductService:
    @staticmethod
    def list_products(db: Session, params: ProductParams) -> Page[ProductRead]:
        return paginate(db, select(Product), params, ProductRead)

    @staticmethod
    def list_category_products(
        db: Session, category_id: int, params: ProductFilters
    ) -> Page[ProductRead]:
        category = get_or_404(db, Category, category_id)
        products = select(Product).where(Product.category_id == category.id)
        return paginate(db, products, params, ProductRead)

    @staticmethod
    def get_product(db: Session, product_id: int) -> Product:
        return get_or_404(db, Product, product_id)

    @staticmethod
    def create_product(db: Session, data: ProductCreate) -> Product:
        return save(db, Product(**data.model_dump()))

    @staticmethod
    def create_products(db: Session, data: ProductBulk) -> ProductBulkResult:
        """Make many at once: all of them or none. What is wrong is named by its index."""
        products = [Product(**item.model_dump()) for item in data.items]
        try:
            created = create_many(db, products)
        except IntegrityError:
            db.rollback()
            _refuse_bad_items(db, products)
            raise
        return ProductBulkResult(created=created, ids=[product.id for product in products])

    @staticmethod
    def replace_product(
        db: Session, product_id: int, data: ProductCreate, if_match: Versions
    ) -> Product:
        product = get_or_404(db, Product, product_id, if_match=if_match)
        return save(db, product, **data.model_dump())

    @staticmethod
    def update_product(
        db: Session, product_id: int, data: ProductUpdate, if_match: Versions
    ) -> Product:
        product = get_or_404(db, Product, product_id, if_match=if_match)
        return save(db, product, **data.changes())

    @staticmethod
    def adjust_stock(db: Session, product_id: int, quantity: int) -> Product:
        """Add to the stock, or take from it.

        One statement decides: of any number at once, none takes what is not there.
        """
        changed = change_rows(
            db,
            update(Product)
            .where(
                Product.id == product_id,
                Product.deleted_at.is_(None),
                # + 0: not by the index of `stock`, in which MariaDB would miss a row that a rival
                # moves meanwhile.
                (Product.stock + 0).between(-quantity, INT32 - max(quantity, 0)),
            )
            .values(stock=Product.stock + quantity, version=Product.version + 1),
        )
        product = get_or_404(db, Product, product_id)
        if not changed:
            raise ConflictError(f"There are {product.stock} in stock: {quantity:+} is too much.")
        db.commit()
        return product

    @staticmethod
    def delete_product(db: Session, product_id: int, if_match: Versions) -> None:
        remove(db, get_or_404(db, Product, product_id, if_match=if_match))

    @staticmethod
    def restore_product(db: Session, product_id: int) -> Product:
        return restore(db, get_or_404(db, Product, product_id, include_deleted=True))


def _refuse_bad_items(db: Session, products: list[Product]) -> None:
    """Say which of the products the database refused."""
    names = {product.name_key for product in products}
    taken = set(db.scalars(select(Product.name_key).where(Product.name_key.in_(names))))
    categories = {product.category_id for product in products}
    known = set(db.scalars(select(Category.id).where(Category.id.in_(categories))))
    twins: FieldErrors = []
    orphans: FieldErrors = []
    for index, product in enumerate(products):
        if product.name_key in taken:
            twins.append((("items", index, "name"), "is already taken"))
        if product.category_id not in known | {None}:
            orphans.append((("items", index, "category_id"), "does not exist"))
        taken.add(product.name_key)
    if orphans:
        raise InvalidError("Some categories do not exist.", errors=orphans + twins)
    if twins:
        raise ConflictError("Some names are already taken.", errors=twins)
