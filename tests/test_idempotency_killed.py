"""A process dies between commit and answer: whoever asks again, asks another one."""

import os
from pathlib import Path

import httpx
import pytest

from app.core.config import get_settings
from app.models.idempotency_key import IdempotencyKey
from app.models.user import Role, User
from tests.databases import scratch, variant
from tests.factories import PASSWORD, make_user, sign_in
from tests.servers import PATIENCE, Server, copy_tree
from tests.support import stored

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(os.name == "nt", reason="process groups and signals are POSIX"),
]

DIES = """
import os
import signal

from sqlalchemy import event
from sqlalchemy.orm import Session


@event.listens_for(Session, "after_commit")
def die(session: Session) -> None:
    if os.environ.get("DIES"):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_committed_before_a_kill_is_not_made_again(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree")
    (tree / "app/models/zz_dies.py").write_text(DIES, "utf-8")
    with scratch(tmp_path) as url, variant(url):
        settings = {"DATABASE_URL": url, "SECRET_KEY": get_settings().secret_key}
        with (
            Server(tree, "--no-reload", DIES="1", **settings) as dying,
            Server(tree, "--no-reload", MIGRATE_ON_START="false", **settings) as other,
        ):
            for server in (dying, other):
                server.get("/health/ready", lambda response: response.is_success)
            headers = sign_in(make_user(role=Role.ADMIN)) | {"Idempotency-Key": "1"}
            with pytest.raises(httpx.TransportError):
                create(dying, headers)
            _, made = stored(User)
            again = create(other, headers)
        assert (again.status_code, again.json()["id"]) == (201, made.id), other.output
        assert again.headers["idempotency-replayed"] == "true"
        assert (len(stored(User)), len(stored(IdempotencyKey))) == (2, 1)


def create(server: Server, headers: dict[str, str]) -> httpx.Response:
    address = f"{server.url}/api/v1/users"
    body = {"username": "ana_souza", "email": "ana@example.com", "password": PASSWORD}
    return httpx.post(address, json=body, headers=headers, timeout=PATIENCE, trust_env=False)
