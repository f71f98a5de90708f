"""FastAPI with async SQLAlchemy, and a pool that is not in its way."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from jose import JWTError
from shop import (
    DATABASE_URL,
    Product,
    ProductCreate,
    ProductOut,
    ProductPage,
    User,
    make_token,
    passwords,
    user_id_of,
)
from sqlalchemy import func, make_url, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

DRIVERS = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}

url = make_url(DATABASE_URL)
engine = create_async_engine(
    url.set(drivername=DRIVERS[url.get_backend_name()]), pool_size=20, max_overflow=10
)
sessions = async_sessionmaker(engine, expire_on_commit=False)

app = FastAPI()
bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/login")


async def get_db() -> AsyncIterator[AsyncSession]:
    async with sessions() as db:
        yield db


Db = Annotated[AsyncSession, Depends(get_db)]


async def get_current_user(token: Annotated[str, Depends(bearer)], db: Db) -> User:
    try:
        user_id = user_id_of(token)
    except JWTError:
        raise HTTPException(401) from None
    user = await db.scalar(select(User).where(User.id == user_id))
    if user is None or not user.is_active:
        raise HTTPException(401)
    return user


async def get_products(db: AsyncSession, skip: int, limit: int) -> Sequence[Product]:
    query = select(Product).where(Product.deleted_at.is_(None))
    query = query.order_by(Product.created_at.desc(), Product.id.desc())
    return (await db.scalars(query.offset(skip).limit(limit))).all()


@app.get("/api/v1/products", response_model=list[ProductOut])
async def list_products(db: Db, skip: int = 0, limit: int = 100) -> Any:
    return await get_products(db, skip, limit)


@app.get("/api/v1/products/page", response_model=ProductPage)
async def page_products(db: Db, skip: int = 0, limit: int = 100) -> Any:
    counting = select(func.count()).select_from(Product).where(Product.deleted_at.is_(None))
    total = await db.scalar(counting)
    return {"items": await get_products(db, skip, limit), "total": total}


@app.get("/api/v1/products/{product_id}", response_model=ProductOut)
async def read_product(product_id: int, db: Db) -> Any:
    query = select(Product).where(Product.id == product_id, Product.deleted_at.is_(None))
    product = await db.scalar(query)
    if product is None:
        raise HTTPException(404)
    return product


@app.post("/api/v1/products", response_model=ProductOut, status_code=201)
async def create_product(
    data: ProductCreate, db: Db, user: Annotated[User, Depends(get_current_user)]
) -> Any:
    if user.role not in ("admin", "moderator"):
        raise HTTPException(403)
    product = Product(**data.row())
    db.add(product)
    await db.commit()
    await db.refresh(product)
    return product


@app.post("/api/v1/auth/login")
async def login(form: Annotated[OAuth2PasswordRequestForm, Depends()], db: Db) -> dict[str, str]:
    user = await db.scalar(select(User).where(User.username == form.username))
    if user is None or not passwords.verify(form.password, user.hashed_password):
        raise HTTPException(401)
    return {"access_token": make_token(user.id), "token_type": "bearer"}
