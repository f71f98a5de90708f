"""Clients that use the app, and a ledger of what they were answered."""

import random
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Self

import httpx

from tests.faults.hosts import wait_until
from tests.faults.shop import Shop

GIVE_UP = 40.0  # seconds until a client does; long before that, it is a failure
PROBLEM = "application/problem+json"


class Ledger:
    """All requests of one fault. `wrong` is what must not have been, in words.

    limit: seconds that no request may exceed.
    drops: whether connections may end without an answer, as they do with their process.
    """

    def __init__(self, limit: float, drops: bool) -> None:
        self.limit = limit
        self.drops = drops
        self.lock = threading.Lock()
        self.requests = 0
        self.acknowledged = 0  # of those that write
        self.refused = 0  # by a 503
        self.dropped = 0
        self.longest = 0.0
        self.streak = 0  # answers in a row that were neither refused nor dropped
        self.failed_at = 0.0  # the last that was
        self.recovered: float | None = None  # seconds
        self.wrong: list[str] = []
        self.said: list[str] = []  # what was measured, and is worth a line

    def note(self, what: str, seconds: float, answer: httpx.Response | None, expected: Any) -> None:
        status = answer.status_code if answer is not None else 0
        with self.lock:
            self.requests += 1
            self.longest = max(self.longest, seconds)
            if seconds > self.limit:
                self.wrong.append(f"{what}: {status} after {seconds:.1f} s")
            if status in (0, 503):
                self.streak, self.failed_at = 0, time.monotonic()
                self.refused += status == 503
                self.dropped += status == 0
            else:
                self.streak += 1
                self.acknowledged += status < 300 and not what.startswith("GET")
            if answer is None:
                if not self.drops:
                    self.wrong.append(f"{what}: no answer")
            elif status == 503:
                if not answer.headers.get("retry-after", "").isdecimal():
                    self.wrong.append(f"{what}: a 503 without Retry-After")
                if answer.headers.get("content-type") != PROBLEM:
                    self.wrong.append(f"{what}: a 503 that is no problem+json")
            elif status not in expected:
                self.wrong.append(f"{what}: {status} {answer.text[:200]}")


class Client:
    """Somebody who is signed in. The address is asked anew each time: a service may move."""

    def __init__(self, address: Callable[[], str], ledger: Ledger, token: str = "") -> None:
        self.address = address
        self.ledger = ledger
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Certificates are not needed, and take longer to load than an answer.
        options: Any = {"trust_env": False, "verify": False, "timeout": GIVE_UP}
        self.http = httpx.Client(headers=headers, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(
        self, method: str, path: str, expected: Collection[int] = (200, 201, 204), **options: Any
    ) -> httpx.Response | None:
        """The answer, noted in the ledger; None when the connection ended without one."""
        answer = None
        started = time.perf_counter()
        with suppress(httpx.TransportError):
            answer = self.http.request(method, f"{self.address()}{path}", **options)
        seconds = time.perf_counter() - started
        self.ledger.note(f"{method} {path}", seconds, answer, expected)
        return answer


class Load:
    """Some clients that order, call off and read, until the block ends."""

    def __init__(
        self, shop: Shop, address: Callable[[], str], ledger: Ledger, clients: int
    ) -> None:
        self.shop = shop
        self.address = address
        self.ledger = ledger
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._trade, args=(n,)) for n in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        try:
            wait_until(lambda: self.ledger.streak >= 20, 20, "20 good answers before the fault")
        except TimeoutError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self, requests: int = 30) -> None:
        """Wait for so many requests more."""
        wanted = self.ledger.requests + requests
        wait_until(lambda: self.ledger.requests >= wanted, 30, f"{requests} requests more")

    def recovers(self, within: float = 10.0) -> None:
        """What was wrong is over: wait until a number of answers in a row are as ever."""
        over = time.monotonic()
        self.ledger.streak = 0
        wait_until(
            lambda: self.ledger.streak >= 40,
            within + 10,
            f"40 good answers in a row after the fault; the last failed "
            f"{time.monotonic() - self.ledger.failed_at:.1f} s ago",
        )
        self.ledger.recovered = max(0.0, self.ledger.failed_at - over)
        if self.ledger.recovered > within:
            self.ledger.wrong.append(f"recovered after {self.ledger.recovered:.1f} s only")

    def _trade(self, number: int) -> None:
        dice = random.Random(number)
        with Client(self.address, self.ledger, self.shop.token) as client:
            while not self._ended.is_set():
                order = self.shop.order(client, dice)
                if order is not None and dice.random() < 0.25:
                    self.shop.cancel(client, order)
                if dice.random() < 0.5:
                    product = dice.choice(self.shop.products)
                    client.call("GET", f"/api/v1/products/{product}")
                time.sleep(0.1 if self.ledger.streak == 0 else 0.01)
