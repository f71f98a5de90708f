"""What the clients do, what of it was acknowledged, and whether the database says the same."""

import random
import threading
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.faults.hosts import Host

if TYPE_CHECKING:
    from tests.faults.load import Client

STOCK = 1_000_000  # of each product, at the start
Items = frozenset[tuple[int, int]]  # product and quantity


class Shop:
    """A few products and a user who orders them.

    An order is the write that shows most: rows of two tables, and the stock of two products. What
    was not answered, or by a 503, may be stored or not; but then all of it, and only once.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.token = ""
        self.user_id = 0
        self.products: list[int] = []
        self.lock = threading.Lock()
        self.orders: dict[int, Items] = {}
        self.cancelled: dict[int, bool] = {}  # by order; False: asked for, and not answered
        self.unknown = 0  # orders of which nobody knows
        # What was told already: the next fault is judged by what it does itself.
        self.told: set[str] = set()
        self.off: dict[int, int] = defaultdict(int)

    # --- What clients do ------------------------------------------------------------------

    def order(self, client: "Client", dice: random.Random) -> int | None:
        items = frozenset((p, dice.randint(1, 3)) for p in dice.sample(self.products, 2))
        body = {"items": [{"product_id": p, "quantity": q} for p, q in items]}
        with self.lock:
            self.unknown += 1  # until it is answered
        answer = client.call("POST", "/api/v1/orders", (201,), json=body)
        if answer is None or answer.status_code != 201:
            return None
        number: int = answer.json()["id"]
        with self.lock:
            self.unknown -= 1
            self.orders[number] = items
        return number

    def cancel(self, client: "Client", number: int) -> None:
        self.cancelled[number] = False
        answer = client.call("POST", f"/api/v1/orders/{number}/cancel", (200,))
        if answer is not None and answer.status_code == 200:
            self.cancelled[number] = True

    # --- The oracle -----------------------------------------------------------------------

    def lost(self) -> list[str]:
        """What was acknowledged and is not there."""
        stored = self._stored()
        said = []
        for number, items in self.orders.items():
            if number not in stored:
                said.append(f"order {number} is lost")
            elif stored[number]["items"] != items:
                said.append(f"order {number} has {stored[number]['items']} and not {items}")
            elif self.cancelled.get(number) and stored[number]["status"] != "cancelled":
                said.append(f"order {number} is {stored[number]['status']} and not cancelled")
        return self._new(said)

    def wrong(self) -> list[str]:
        """What is there and must not be: halves, doubles, sums that are not exact."""
        stored = self._stored()
        said = []
        sold: dict[int, int] = defaultdict(int)
        for number, order in stored.items():
            if len(order["items"]) != 2 or order["total"] != order["sum"]:
                said.append(f"order {number} is half written: {order}")
            if order["status"] == "cancelled" and number in self.orders.keys() - self.cancelled:
                said.append(f"order {number} is cancelled, which nobody asked for")
            if order["status"] != "cancelled":
                for product, quantity in order["items"]:
                    sold[product] += quantity
        if len(stored) > len(self.orders) + self.unknown:
            said.append(f"{len(stored)} orders of {len(self.orders)} + {self.unknown}: some twice")
        for product, left in self.host.rows("SELECT id, stock FROM products"):
            off = left + sold[product] - STOCK
            if product in self.products and off != self.off[product]:
                said.append(f"product {product}: {left} left + {sold[product]} sold is not {STOCK}")
                self.off[product] = off
        if self.host.name == "sqlite":
            said += [row[0] for row in self.host.rows("PRAGMA integrity_check") if row[0] != "ok"]
        return self._new(said)

    def _new(self, said: list[str]) -> list[str]:
        new = [each for each in said if each not in self.told]
        self.told.update(new)
        return new

    def _stored(self) -> dict[int, dict[str, Any]]:
        orders: dict[int, dict[str, Any]] = {
            number: {"status": status, "total": Decimal(str(total)), "sum": 0, "items": frozenset()}
            for number, status, total in self.host.rows(
                "SELECT id, status, total FROM orders WHERE user_id = :user", user=self.user_id
            )
        }
        query = "SELECT order_id, product_id, quantity, unit_price FROM order_items"
        for number, product, quantity, price in self.host.rows(query):
            if number in orders:
                orders[number]["items"] |= {(product, quantity)}
                orders[number]["sum"] += quantity * Decimal(str(price))
        return orders
