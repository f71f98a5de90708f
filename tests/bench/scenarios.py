"""What is measured, and the requests that each contender is sent for it."""

import itertools
import json
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.bench import load
from tests.bench.data import PASSWORD, USERNAME
from tests.bench.servers import APP, Contender, Server

API = "/api/v1"
LIMIT = 100
DEEP = 0.9  # of the rows
LOGIN = f"username={USERNAME}&password={PASSWORD.replace(' ', '+')}".encode()
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


class Stage:
    """The database as the requests see it. One session of the app's does for all: same secret."""

    def __init__(self, app: Server, rows: int) -> None:
        self.rows = rows
        self.depth = int(rows * DEEP) // LIMIT * LIMIT
        self._names = (f"New {secrets.token_hex(4)} {number}" for number in itertools.count())
        self.token: str = fetch(app, load.post(f"{API}/auth/login", LOGIN, FORM))["access_token"]
        # `next_cursor` of the page before is the place of a page.
        self.second = self._cursor(app, 0)
        self.deep = self._cursor(app, self.depth - LIMIT)

    def _cursor(self, app: Server, skip: int) -> str:
        cursor: str = fetch(app, load.get(f"{API}/products?skip={skip}&limit={LIMIT}"))[
            "next_cursor"
        ]
        return cursor

    # --- What a contender is asked; the app has other lists than the rivals --------------------

    def read(self, contender: Contender) -> load.Requests:
        dice = random.Random(1)
        while True:
            yield load.get(f"{API}/products/{dice.randint(1, self.rows)}")

    def list(self, contender: Contender) -> load.Requests:
        by_cursor = f"cursor={self.second}"
        where = by_cursor if contender is APP else f"skip={LIMIT}"
        return itertools.repeat(load.get(f"{API}/products?limit={LIMIT}&{where}"))

    def deep_cursor(self, contender: Contender) -> load.Requests:
        return itertools.repeat(load.get(f"{API}/products?limit={LIMIT}&cursor={self.deep}"))

    def page(self, contender: Contender) -> load.Requests:
        path = "products" if contender is APP else "products/page"
        return itertools.repeat(load.get(f"{API}/{path}?skip={self.depth}&limit={LIMIT}"))

    def create(self, contender: Contender) -> load.Requests:
        for name in self._names:
            body = {"name": name, "description": "Not there before.", "price": "12.50", "stock": 3}
            yield load.post(f"{API}/products", json.dumps(body).encode(), JSON, self.token)

    def login(self, contender: Contender) -> load.Requests:
        return itertools.repeat(load.post(f"{API}/auth/login", LOGIN, FORM))


Ask = Callable[[Stage, Contender], load.Requests]


@dataclass(frozen=True)
class Scenario:
    """same: what of an answer all of them must have in common."""

    title: str
    ask: Ask
    same: Callable[[Any], Any]


def _new(product: Any) -> Any:
    own = ("id", "name", "created_at", "updated_at")
    return {name: value for name, value in product.items() if name not in own}


COMPARED = {
    "read": Scenario("Read one product by id", Stage.read, lambda answer: answer),
    "list": Scenario(
        f"List {LIMIT} products",
        Stage.list,
        lambda answer: answer["items"] if isinstance(answer, dict) else answer,
    ),
    "create": Scenario("Create a product, signed in", Stage.create, _new),
    "page": Scenario(
        f"Page of {LIMIT} and total, behind 90 % of the rows",
        Stage.page,
        lambda answer: (answer["items"], answer["total"]),
    ),
}


def fetch(server: Server, request: bytes) -> Any:
    status, body = load.ask(server, request)
    if status >= 300:
        raise RuntimeError(f"{server.contender.title} answered {status}: {body.decode()[:500]}")
    return json.loads(body)


def differences(stage: Stage, servers: list[Server]) -> list[str]:
    """Which contenders answer otherwise than the first of them, and in which scenario."""
    found = []
    for name, scenario in COMPARED.items():
        answers = [
            scenario.same(fetch(server, next(iter(scenario.ask(stage, server.contender)))))
            for server in servers
        ]
        found += [
            f"{name}: {server.contender.title} answers otherwise than {servers[0].contender.title}"
            for server, answer in zip(servers, answers, strict=True)
            if answer != answers[0]
        ]
    return found
