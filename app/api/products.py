"""What the shop sells."""

from typing import Annotated

from fastapi import Query

from app.api.deps import Admin, IfMatch, SessionDep, Staff
from app.core.routing import APIRouter
from app.models.product import Product
from app.schemas.base import Id, Page
from app.schemas.product import (
    ProductBulk,
    ProductBulkResult,
    ProductCreate,
    ProductFilters,
    ProductParams,
    ProductRead,
    ProductSearch,
    ProductUpdate,
    Quantity,
)
from app.services.product_service import ProductService

router = APIRouter(prefix="/products", tags=["products"])


@router.get("")
def list_products(db: SessionDep, params: Annotated[ProductParams, Query()]) -> Page[ProductRead]:
    """List products, filtered, searched and sorted; the newest first."""
    return ProductService.list_products(db, params)


@router.get("/search")
def search_products(db: SessionDep, params: Annotated[ProductSearch, Query()]) -> Page[ProductRead]:
    """Search names and descriptions, without regard to case and accents."""
    return ProductService.list_products(db, params)


@router.get("/category/{category_id}")
def list_category_products(
    db: SessionDep, category_id: Id, params: Annotated[ProductFilters, Query()]
) -> Page[ProductRead]:
    """List the products of one category."""
    return ProductService.list_category_products(db, category_id, params)


@router.get("/{product_id}", response_model=ProductRead)
def get_product(db: SessionDep, product_id: Id) -> Product:
    """One product."""
    return ProductService.get_product(db, product_id)


@router.post("", status_code=201, response_model=ProductRead)
def create_product(db: SessionDep, _: Staff, data: ProductCreate) -> Product:
    """Make a product. Its name is its own, without regard to case."""
    return ProductService.create_product(db, data)


@router.post("/bulk", status_code=201)
def create_products(db: SessionDep, _: Staff, data: ProductBulk) -> ProductBulkResult:
    """Make up to 1,000 products at once: all of them or, if one is refused, none.

    The body is at most 1 MiB, as everywhere (setting `MAX_BODY_BYTES`).
    """
    return ProductService.create_products(db, data)


@router.put("/{product_id}", response_model=ProductRead)
def replace_product(
    db: SessionDep, _: Staff, product_id: Id, data: ProductCreate, if_match: IfMatch
) -> Product:
    """Replace a product as a whole. What is left out goes back to its default."""
    return ProductService.replace_product(db, product_id, data, if_match)


@router.patch("/{product_id}", response_model=ProductRead)
def update_product(
    db: SessionDep, _: Staff, product_id: Id, data: ProductUpdate, if_match: IfMatch
) -> Product:
    """Change some of a product's data."""
    return ProductService.update_product(db, product_id, data, if_match)


@router.patch("/{product_id}/stock", response_model=ProductRead)
def adjust_stock(db: SessionDep, _: Staff, product_id: Id, quantity: Quantity) -> Product:
    """Add to the stock, or take from it; 409 when there is too little."""
    return ProductService.adjust_stock(db, product_id, quantity)


@router.delete("/{product_id}", status_code=204)
def delete_product(db: SessionDep, _: Staff, product_id: Id, if_match: IfMatch) -> None:
    """Delete a product. It can be restored while nobody took its name."""
    ProductService.delete_product(db, product_id, if_match)


@router.post("/{product_id}/restore", response_model=ProductRead)
def restore_product(db: SessionDep, _: Admin, product_id: Id) -> Product:
    """Bring a deleted product back. 409 when its name is taken by now."""
    return ProductService.restore_product(db, product_id)
