"""Faults of the app's own processes, and of those who ask them."""

import json
import os
import random
import signal
import socket
import threading
import time

from tests.faults.stage import Stage
from tests.faults.suite import EVERYWHERE, fault


@fault(drops=True, quick=("postgresql",))
def workers_killed(stage: Stage) -> None:
    """The workers are killed one after the other, under load."""
    with stage.load() as load:
        for _ in range(2):
            before = stage.served()
            os.kill(stage.workers()[0], signal.SIGKILL)
            load.goes_on()
            stage.service.wait_for(lambda before=before: stage.served() > before)  # type: ignore[misc]
        load.recovers()


@fault(drops=True)
def service_killed(stage: Stage) -> None:
    """The whole service is killed under load, and started again."""
    with stage.load() as load:
        stage.service.kill()
        stage.service.__exit__()
        load.goes_on(10)
        stage.start()
        load.recovers()


@fault(drops=True)
def graceful_stop(stage: Stage) -> None:
    """The service is told to end while requests wait for a lock: they are answered first."""
    with stage.serving() as service:
        stage.is_ready(service)
        answers: list[int] = []
        threads = [threading.Thread(target=order_once, args=(stage, answers)) for _ in range(6)]
        with stage.host.locked():
            for thread in threads:
                thread.start()
            time.sleep(0.4)
            os.kill(service.popen.pid, signal.SIGTERM)
            time.sleep(0.3)
        for thread in threads:
            thread.join()
        if answers != [201] * 6:
            stage.ledger.wrong.append(f"in flight, and answered {answers}")
        if (code := service.end()) != 0:
            stage.ledger.wrong.append(f"the service ended with {code}")
    # The usual one goes on.
    with stage.load() as load:
        load.goes_on()


def order_once(stage: Stage, answers: list[int]) -> None:
    with stage.client() as client:
        number = stage.shop.order(client, random.Random(0))
    answers.append(0 if number is None else 201)


@fault(quick=EVERYWHERE)
def client_gone(stage: Stage) -> None:
    """Clients hang up: in the head, in the body, before and in the answer."""
    order = {"items": [{"product_id": p, "quantity": 1} for p in stage.shop.products[:2]]}
    body = json.dumps(order).encode()
    head = (
        f"POST /api/v1/orders HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer {stage.shop.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    read = b"GET /api/v1/products HTTP/1.1\r\nHost: app\r\n\r\n"
    whole = head + body
    with stage.load() as load:
        for _ in range(8):
            hang_up(stage, head[:40])
            hang_up(stage, head)
            hang_up(stage, whole[:-5])
            hang_up(stage, whole[:-5], reset=True)
            with stage.shop.lock:
                stage.shop.unknown += 2
            hang_up(stage, whole)
            hang_up(stage, whole, reset=True)
            hang_up(stage, read, receive=1)
            hang_up(stage, read * 20, reset=True)
        load.recovers()


def hang_up(stage: Stage, sent: bytes, receive: int = 0, *, reset: bool = False) -> None:
    """Send, read so many bytes of the answer, and be gone; by a reset, or in order."""
    port = int(stage.service.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(sent)
        if receive:
            client.recv(receive)
        time.sleep(0.005)
