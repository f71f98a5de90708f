"""A database for one run of the benchmark: made, filled and dropped."""

import random
import secrets
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, Table, create_engine, insert, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.cli.console import CommandError
from app.cli.schema import reason
from app.core.config import ROOT
from tests import servers

USERNAME, PASSWORD = "bench", "correct horse battery"


@contextmanager
def database(url: str | None, folder: Path) -> Iterator[str]:
    """The URL of an empty database beside the one at `url`, or in a file; dropped at the end."""
    if url is None:
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    server = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    name = f"bench_{uuid.uuid4().hex[:12]}"
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except DBAPIError as error:
        raise CommandError(f"The database server does not answer: {reason(error)}") from None
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def environment(url: str) -> dict[str, str]:
    """What all the servers are started with: as in production, and no login is one too many."""
    return servers.environment(
        ENVIRONMENT="production",
        DEBUG="false",
        APP_NAME="FastAPI Live",
        API_PREFIX="/api/v1",
        LOG_LEVEL="INFO",
        SECRET_KEY=secrets.token_urlsafe(48),
        DATABASE_URL=url,
        ACCESS_TOKEN_MINUTES="600",
        RATE_LIMIT_ENABLED="false",
        PGTZ="UTC",
    )


def fill(variables: dict[str, str], rows: int) -> None:
    """The schema, an administrator, and products, of which each third has reviews."""
    _run(variables, "migrate")
    names = ["--username", USERNAME, "--email", "bench@example.com", "--admin"]
    _run(variables, "user", "create", *names, "--password-stdin", said=PASSWORD)
    engine = create_engine(variables["DATABASE_URL"], poolclass=NullPool)
    with engine.begin() as connection:
        products = Table("products", MetaData(), autoload_with=connection)
        for start in range(0, rows, 10_000):
            chunk = range(start, min(start + 10_000, rows))
            connection.execute(insert(products), [_product(number, rows) for number in chunk])
        connection.execute(text(REVIEWS))
    _settle(engine)


REVIEWS = """
    INSERT INTO reviews (product_id, user_id, rating, created_at, updated_at, version)
    SELECT p.id, u.id, 1 + p.id % 5, p.created_at, p.created_at, 1
    FROM products p CROSS JOIN users u WHERE p.id % 3 = 0
"""


def _product(number: int, rows: int) -> dict[str, Any]:
    dice = random.Random(number)
    name, description = f"Product {number}", f"What number {number} is good for, in a few words."
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number, microseconds=number)
    return {
        "name": name,
        "description": description,
        "price": Decimal(dice.randint(100, 99_999)) / 100,
        "stock": dice.randint(0, 100),
        "is_active": True,
        "created_at": at,
        "updated_at": at,
        "search_text": f"{name}\n{description}".lower(),
        "name_key": name.lower(),
        "version": 1,
    }


def _settle(engine: Engine) -> None:
    """Statistics for the planner now, and not when a round is on."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        postgresql = engine.dialect.name == "postgresql"
        connection.execute(text("VACUUM ANALYZE" if postgresql else "ANALYZE"))


def _run(variables: dict[str, str], *arguments: str, said: str = "") -> None:
    command = [sys.executable, str(ROOT / "run.py"), *arguments]
    done = subprocess.run(
        command, env=variables, input=said, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandError(f"{' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
