"""One database, and the app in front of it, as in production: two workers, and little patience."""

import random
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.factories import PASSWORD
from tests.faults.hosts import Host, children, wait_until
from tests.faults.load import Client, Ledger, Load
from tests.faults.shop import STOCK, Shop
from tests.servers import PATIENCE, Process, Server, run

SETTINGS = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a-secret-of-more-than-thirty-two-bytes",
    "RATE_LIMIT_ENABLED": "false",
    "PASSWORD_HASH_MEMORY_KIB": "8",
    "PASSWORD_HASH_ROUNDS": "1",
    "ACCESS_TOKEN_MINUTES": "60",
    # A request that meets a fault ends after a few seconds, and so does the suite.
    "DB_STATEMENT_TIMEOUT": "2",
    "DB_LOCK_TIMEOUT": "1",
    "DB_POOL_TIMEOUT": "2",
}


class Stage:
    """What a fault plays on. `service` lives through all faults that do not end it themselves."""

    def __init__(self, host: Host, tree: Path) -> None:
        self.host = host
        self.tree = tree
        self.shop = Shop(host)
        self.dice = random.Random(0)
        self.service: Server
        self.ledger: Ledger  # of the fault that runs

    # --- The app --------------------------------------------------------------------------

    def start(self) -> Server:
        self.service = self.new_service()
        self.is_ready(self.service)
        return self.service

    def new_service(self, workers: int = 2, **settings: str) -> Server:
        settings = SETTINGS | {"DATABASE_URL": self.host.url} | settings
        return Server(self.tree, f"--workers={workers}", **settings)

    @contextmanager
    def serving(self, workers: int = 2, **settings: str) -> Iterator[Server]:
        """A service with settings of its own, in the place of the usual one."""
        usual = self.service
        with self.new_service(workers, **settings) as self.service:
            try:
                yield self.service
            finally:
                self.service = usual

    def is_ready(self, service: Server, workers: int = 2) -> None:
        """Wait until all of its workers serve, and the database answers them."""
        service.wait_for(lambda: service.output.count("startup complete") >= workers)
        service.get("/health/ready", lambda answer: answer.status_code == 200)

    def command(self, *arguments: str, tree: Path | None = None, **settings: str) -> Process:
        """`python run.py` with these arguments."""
        settings = SETTINGS | {"DATABASE_URL": self.host.url} | settings
        return run(tree or self.tree, *arguments, **settings)

    def folder(self, name: str) -> Path:
        """A tree of its own, for a fault that changes it."""
        place = self.tree.parent / f"{self.host.name}-{name}"
        place.mkdir()
        return place / "tree"

    def workers(self) -> list[int]:
        """The processes that answer requests; multiprocessing has one more."""
        return [pid for pid in children(self.service.popen.pid) if _is_worker(pid)]

    def served(self) -> int:
        """How many workers of the service have begun to serve, those that were killed included."""
        return self.service.output.count("startup complete")

    def address(self) -> str:
        return self.service.url

    # --- Who uses it ----------------------------------------------------------------------

    def client(self, token: str | None = None) -> Client:
        return Client(self.address, self.ledger, self.shop.token if token is None else token)

    def load(self, clients: int = 6) -> Load:
        return Load(self.shop, self.address, self.ledger, clients)

    def open(self) -> None:
        """The schema, the service, somebody who may do everything, and a few products."""
        with self.command("migrate") as migration:
            assert migration.end() == 0, migration.output
        self.start()
        self.ledger = Ledger(PATIENCE, drops=False)
        with self.client("") as visitor:
            self.shop.user_id = self.register(visitor, "ana")
            self.shop.token = self.sign_in(visitor, "ana")["access_token"]
        self.host.run("UPDATE users SET role = 'admin'")
        with self.client() as ana:
            self.shop.products = [self.add_product(ana, f"P{number}", STOCK) for number in range(4)]
        assert not self.ledger.wrong, self.ledger.wrong

    def register(self, client: Client, name: str) -> int:
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        answer = client.call("POST", "/api/v1/users/register", json=body)
        assert answer is not None
        return int(answer.json()["id"])

    def sign_in(self, client: Client, name: str) -> dict[str, str]:
        form = {"username": name, "password": PASSWORD}
        answer = client.call("POST", "/api/v1/auth/login", data=form)
        assert answer is not None
        pair: dict[str, str] = answer.json()
        return pair

    def add_product(self, client: Client, name: str, stock: int) -> int:
        body = {"name": name, "price": "9.90", "stock": stock}
        answer = client.call("POST", "/api/v1/products", json=body)
        assert answer is not None
        return int(answer.json()["id"])

    # --- Afterwards -----------------------------------------------------------------------

    def nothing_is_held(self) -> None:
        """No request keeps a connection, of any worker."""
        with ExitStack() as stack:
            # Each connection stays with the worker that took it.
            options: Any = {"trust_env": False, "verify": False}
            clients = [stack.enter_context(httpx.Client(**options)) for _ in range(4)]

            def free() -> bool:
                answers = [client.get(f"{self.service.url}/health/ready") for client in clients]
                return all(re.search(r"\b0 connections", answer.text) for answer in answers)

            wait_until(free, 10, "0 connections in use")

    def close(self) -> None:
        if hasattr(self, "service"):
            self.service.__exit__()
        self.host.close()


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
