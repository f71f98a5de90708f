"""Clients that ask one server as fast as it answers, in one event loop.

Its own few lines over sockets: an HTTP library costs more for a request than the servers that are
measured, and would be what is measured.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.bench.servers import Server

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
GRACE = 5.0  # seconds for answers that are still to come at the end of a round
Requests = Iterator[bytes]


@dataclass
class Outcome:
    """latencies: seconds of each answer that was as expected. cpu: seconds of the server."""

    seconds: float = 0.0
    cpu: float = 0.0
    errors: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def cpu_per_1000(self) -> float:
        return self.cpu / len(self.latencies) * 1000 if self.latencies else float("nan")

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of the requests was answered."""
        ordered = sorted(self.latencies)
        if not ordered:
            return float("nan")
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes, media_type: str, token: str = "") -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        f"content-type: {media_type}",
        f"content-length: {len(body)}",
        *([f"authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def fetch(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    return int(head[9:12]), await reader.readexactly(int(length[1]) if length else 0)


def ask(server: Server, request: bytes) -> tuple[int, bytes]:
    """Status and body of one request."""

    async def once() -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            return await asyncio.wait_for(fetch(reader, writer, request), 60)
        finally:
            writer.close()

    return asyncio.run(once())


def run(server: Server, requests: Requests, clients: int, seconds: float) -> Outcome:
    """Let `clients` send, each its next request after its last was answered."""
    return run_beside(server, [(requests, clients)], seconds)[0]


def run_beside(server: Server, loads: list[tuple[Requests, int]], seconds: float) -> list[Outcome]:
    """Several kinds of requests at once; the CPU is that of all of them."""
    return asyncio.run(_run(server, loads, seconds))


async def _run(server: Server, loads: list[tuple[Requests, int]], seconds: float) -> list[Outcome]:
    outcomes = [Outcome() for _ in loads]
    cpu, began = server.cpu(), time.perf_counter()
    until = began + seconds
    tasks = [
        asyncio.create_task(_client(server.port, requests, outcome, until))
        for (requests, clients), outcome in zip(loads, outcomes, strict=True)
        for _ in range(clients)
    ]
    _, stuck = await asyncio.wait(tasks, timeout=seconds + GRACE)
    for task in stuck:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        outcome.seconds = time.perf_counter() - began
        outcome.cpu = server.cpu() - cpu
    outcomes[0].errors += len(stuck)
    return outcomes


async def _client(port: int, requests: Requests, outcome: Outcome, until: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    clock: Callable[[], float] = time.perf_counter
    try:
        while (began := clock()) < until:
            status, _ = await fetch(reader, writer, next(requests))
            if status < 300:
                outcome.latencies.append(clock() - began)
            else:
                outcome.errors += 1
    except (OSError, asyncio.IncompleteReadError):
        outcome.errors += 1
    finally:
        writer.close()
