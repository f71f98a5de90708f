"""Is the process alive, and can it do its work?"""

import asyncio
import time
from collections.abc import Callable
from functools import lru_cache

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from app.core import database
from app.core.config import ROOT
from app.core.problems import problem
from app.core.threads import Lane

# FastAPI's own: a monitor may add parameters, such as the time, which features refuse.
router = APIRouter(prefix="/health", tags=["health"])

PATIENCE = 4.0  # seconds; who asks waits no longer for a database that is silent
CHECKS = Lane("health", 1)  # of its own: the others may all be waiting for that database


class Check(BaseModel):
    """ms: milliseconds that the check took."""

    ok: bool
    ms: float
    detail: str = Field(examples=["answers"])


class Health(BaseModel):
    status: str = Field(examples=["ready"])
    checks: dict[str, Check]


@router.get("/live")
async def get_liveness() -> Health:
    """Whether the process answers. It does not ask the database."""
    return Health(status="alive", checks={})


@router.get("/ready", response_model=Health)
async def get_readiness() -> Health | Response:
    """Whether the database answers and has the schema of this version."""
    try:
        checks = await asyncio.wait_for(CHECKS.run(_check), PATIENCE)
    except TimeoutError:
        late = f"database: no answer in {PATIENCE:.0f} s"
        return problem(503, late, headers={"Retry-After": "2"})
    if all(check.ok for check in checks.values()):
        return Health(status="ready", checks=checks)
    failed = (f"{name}: {check.detail} ({check.ms} ms)" for name, check in checks.items())
    return problem(503, "; ".join(failed), headers={"Retry-After": "2"})


def _check() -> dict[str, Check]:
    checks = {"database": _timed(_check_database)}
    if checks["database"].ok:
        checks["migrations"] = _timed(_check_migrations)
    return checks


def _timed(check: Callable[[], tuple[bool, str]]) -> Check:
    started = time.perf_counter()
    ok, detail = check()
    return Check(ok=ok, detail=detail, ms=round((time.perf_counter() - started) * 1000, 1))


def _check_database() -> tuple[bool, str]:
    try:
        database.database.check()
    except Exception:  # whatever it is, the answer is no; the reason may hold a password
        return False, "does not answer"
    used = database.database.connections_in_use()
    return True, f"answers; {used} connections in use"


def _check_migrations() -> tuple[bool, str]:
    heads = _heads()
    try:
        with database.database.read_engine.connect() as connection:
            rows = connection.execute(text("SELECT version_num FROM alembic_version"))
            current = tuple(sorted(row[0] for row in rows))
    except Exception:
        return False, "not applied yet: run `python run.py migrate`"
    if current != heads:
        return False, f"at {', '.join(current) or 'none'}, not at {', '.join(heads)}"
    return True, f"at {', '.join(current)}"


@lru_cache
def _heads() -> tuple[str, ...]:
    # Imported when first asked: a tenth of a second that the start need not wait for.
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini")))
    return tuple(sorted(script.get_heads()))
