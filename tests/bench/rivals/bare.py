"""No framework and no ORM: a driver and a JSON encoder. Nobody should write this; it is the limit.

It knows the paths that are measured, and refuses nothing.
"""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import asyncpg
import orjson
from jose import jwt
from passlib.context import CryptContext
from shop import AUDIENCE, DATABASE_URL, SECRET_KEY, make_token
from sqlalchemy import make_url

from app.core.text import fold, key_of

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]

COLUMNS = """
    p.id, p.name, p.description, p.price, p.stock, p.stock > 0 AS in_stock, p.is_active,
    p.category_id,
    (SELECT count(*) FROM reviews r WHERE r.product_id = p.id) AS review_count,
    (SELECT avg(r.rating::float8) FROM reviews r WHERE r.product_id = p.id) AS average_rating,
    p.created_at, p.updated_at
"""
ONE = f"SELECT {COLUMNS} FROM products p WHERE p.id = $1 AND p.deleted_at IS NULL"
LIST = f"""
    SELECT {COLUMNS} FROM products p WHERE p.deleted_at IS NULL
    ORDER BY p.created_at DESC, p.id DESC LIMIT $1 OFFSET $2
"""
COUNT = "SELECT count(*) FROM products WHERE deleted_at IS NULL"
USER = "SELECT id, role, hashed_password FROM users WHERE is_active AND deleted_at IS NULL AND "
INSERT = """
    INSERT INTO products (name, description, price, stock, is_active, category_id, search_text,
                          name_key, created_at, updated_at, version)
    VALUES ($1, $2, $3, $4, true, null, $5, $6, now(), now(), 1)
    RETURNING id, name, description, price, stock, stock > 0 AS in_stock, is_active, category_id,
              0 AS review_count, null::float8 AS average_rating, created_at, updated_at
"""

pool: Any = None
passwords = CryptContext(schemes=["argon2"])


def encode(value: Any) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z)


def product(row: Any) -> dict[str, Any]:
    values = dict(row)
    if values["average_rating"] is not None:
        values["average_rating"] = round(values["average_rating"], 2)
    return values


async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    path = scope["path"].removeprefix("/api/v1")
    query = {name: int(each[0]) for name, each in parse_qs(scope["query_string"].decode()).items()}
    body = b""
    if scope["method"] == "POST":
        body = (await receive())["body"]
    status = 200
    if path == "/auth/login":
        answer = await login(parse_qs(body.decode()))
    elif scope["method"] == "POST":
        status, answer = 201, await create(dict(scope["headers"]), json.loads(body))
    elif path.startswith("/products/page"):
        total = await pool.fetchval(COUNT)
        rows = await pool.fetch(LIST, query["limit"], query.get("skip", 0))
        answer = {"items": [product(row) for row in rows], "total": total}
    elif path == "/products":
        rows = await pool.fetch(LIST, query["limit"], query.get("skip", 0))
        answer = [product(row) for row in rows]
    else:
        answer = product(await pool.fetchrow(ONE, int(path.rpartition("/")[2])))
    content = encode(answer)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def create(headers: dict[bytes, bytes], data: dict[str, Any]) -> dict[str, Any]:
    token = headers[b"authorization"].decode().removeprefix("Bearer ")
    claims = jwt.decode(token, SECRET_KEY, algorithms=["HS256"], audience=AUDIENCE)
    user = await pool.fetchrow(USER + "id = $1", int(claims["sub"]))
    assert user["role"] in ("admin", "moderator")
    name, description = data["name"], data["description"]
    text = "\n".join((fold(name), fold(description)))
    price = Decimal(data["price"])
    key = key_of(name)
    return product(await pool.fetchrow(INSERT, name, description, price, data["stock"], text, key))


async def login(form: dict[str, list[str]]) -> dict[str, str]:
    user = await pool.fetchrow(USER + "username = $1", form["username"][0])
    assert passwords.verify(form["password"][0], user["hashed_password"])
    return {"access_token": make_token(user["id"]), "token_type": "bearer"}


async def live(receive: Callable[[], Awaitable[Message]], send: Send) -> None:
    global pool
    await receive()
    dsn = make_url(DATABASE_URL).set(drivername="postgresql")
    pool = await asyncpg.create_pool(dsn.render_as_string(hide_password=False), max_size=20)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
