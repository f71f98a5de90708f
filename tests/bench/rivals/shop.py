"""What the rivals with an ORM share: the tables and what goes in and out, as in any tutorial.

Tables and JSON are the project's own. The rules of the input are fewer than its own, and nobody
asks whether the session of a token still lives: the rivals do a little less.
"""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from jose import jwt
from passlib.context import CryptContext
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import Double, ForeignKey, Numeric, cast, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, declared_attr, mapped_column

from app.core.columns import UtcDateTime
from app.core.text import fold, key_of

DATABASE_URL = os.environ["DATABASE_URL"]
SECRET_KEY = os.environ["SECRET_KEY"]
AUDIENCE = os.environ["APP_NAME"]

passwords = CryptContext(schemes=["argon2"])


def utcnow() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcDateTime(), Decimal: Numeric(10, 2)}


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    email: Mapped[str]
    hashed_password: Mapped[str]
    role: Mapped[str]
    is_active: Mapped[bool]


class Review(Base):
    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    rating: Mapped[int]


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]
    price: Mapped[Decimal]
    stock: Mapped[int]
    is_active: Mapped[bool]
    category_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow)
    version: Mapped[int] = mapped_column(default=1)
    deleted_at: Mapped[datetime | None]
    search_text: Mapped[str]
    name_key: Mapped[str | None]

    @declared_attr
    def review_count(cls) -> Mapped[int]:
        query = select(func.count()).where(Review.product_id == cls.id)
        return column_property(query.correlate_except(Review).scalar_subquery())

    @declared_attr
    def average_rating(cls) -> Mapped[float | None]:
        query = select(func.avg(cast(Review.rating, Double))).where(Review.product_id == cls.id)
        return column_property(query.correlate_except(Review).scalar_subquery())

    @property
    def in_stock(self) -> bool:
        return self.stock > 0


class ProductCreate(BaseModel):
    name: str = Field(min_length=1, max_length=255)
    description: str | None = Field(None, max_length=2000)
    price: Decimal = Field(gt=0, max_digits=10, decimal_places=2)
    stock: int = Field(0, ge=0)
    is_active: bool = True
    category_id: int | None = None

    def row(self) -> dict[str, Any]:
        """The values of the columns."""
        text = "\n".join((fold(self.name), fold(self.description or "")))
        return {**self.model_dump(), "search_text": text, "name_key": key_of(self.name)}


class ProductOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    description: str | None
    price: Decimal
    stock: int
    in_stock: bool
    is_active: bool
    category_id: int | None
    review_count: int
    average_rating: float | None
    created_at: datetime
    updated_at: datetime

    @field_validator("average_rating")
    @classmethod
    def cut(cls, value: float | None) -> float | None:
        return None if value is None else round(value, 2)


class ProductPage(BaseModel):
    items: list[ProductOut]
    total: int


def user_id_of(token: str) -> int:
    claims = jwt.decode(token, SECRET_KEY, algorithms=["HS256"], audience=AUDIENCE)
    return int(claims["sub"])


def make_token(user_id: int) -> str:
    expires = utcnow() + timedelta(minutes=15)
    claims = {"sub": str(user_id), "aud": AUDIENCE, "exp": expires}
    token: str = jwt.encode(claims, SECRET_KEY, algorithm="HS256")
    return token
