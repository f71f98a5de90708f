"""FastAPI and SQLAlchemy as the tutorials have it: each default as it comes."""

from collections.abc import Iterator
from typing import Any, List  # noqa: UP035 - as it is written there

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
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

engine = create_engine(DATABASE_URL)
SessionLocal = sessionmaker(autocommit=False, autoflush=False, bind=engine)

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/login")


def get_db() -> Iterator[Session]:
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


def get_current_user(token: str = Depends(oauth2_scheme), db: Session = Depends(get_db)) -> User:
    try:
        user_id = user_id_of(token)
    except JWTError:
        raise HTTPException(401) from None
    user = db.query(User).filter(User.id == user_id).first()
    if user is None or not user.is_active:
        raise HTTPException(401)
    return user


def get_products(db: Session, skip: int, limit: int) -> List[Product]:  # noqa: UP006
    return (
        db.query(Product)
        .filter(Product.deleted_at.is_(None))
        .order_by(Product.created_at.desc(), Product.id.desc())
        .offset(skip)
        .limit(limit)
        .all()
    )


@app.get("/api/v1/products", response_model=List[ProductOut])  # noqa: UP006
def list_products(skip: int = 0, limit: int = 100, db: Session = Depends(get_db)) -> Any:
    return get_products(db, skip, limit)


@app.get("/api/v1/products/page", response_model=ProductPage)
def page_products(skip: int = 0, limit: int = 100, db: Session = Depends(get_db)) -> Any:
    total = db.query(Product).filter(Product.deleted_at.is_(None)).count()
    return {"items": get_products(db, skip, limit), "total": total}


@app.get("/api/v1/products/{product_id}", response_model=ProductOut)
def read_product(product_id: int, db: Session = Depends(get_db)) -> Any:
    product = (
        db.query(Product).filter(Product.id == product_id, Product.deleted_at.is_(None)).first()
    )
    if product is None:
        raise HTTPException(404)
    return product


@app.post("/api/v1/products", response_model=ProductOut, status_code=201)
def create_product(
    data: ProductCreate,
    db: Session = Depends(get_db),
    current_user: User = Depends(get_current_user),
) -> Any:
    if current_user.role not in ("admin", "moderator"):
        raise HTTPException(403)
    product = Product(**data.row())
    db.add(product)
    db.commit()
    db.refresh(product)
    return product


@app.post("/api/v1/auth/login")
def login(
    form: OAuth2PasswordRequestForm = Depends(), db: Session = Depends(get_db)
) -> dict[str, str]:
    user = db.query(User).filter(User.username == form.username).first()
    if user is None or not passwords.verify(form.password, user.hashed_password):
        raise HTTPException(401)
    return {"access_token": make_token(user.id), "token_type": "bearer"}
