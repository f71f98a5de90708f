"""Faults of SQLite's file."""

import resource

from tests.faults.hosts import Sqlite, wait_until
from tests.faults.stage import Stage
from tests.faults.suite import SQLITE, fault

WRITABLE, READ_ONLY = 2, 3  # the version in the file's head that a writer must know; 2 is WAL's


def file_of(stage: Stage) -> Sqlite:
    assert isinstance(stage.host, Sqlite)
    return stage.host


@fault(on=SQLITE)
def eight_writers(stage: Stage) -> None:
    """Eight write at once, from two processes: all wait their turn, and nobody is refused."""
    with stage.serving(DB_LOCK_TIMEOUT="5") as service:
        stage.is_ready(service)
        with stage.load(clients=8) as load:
            load.goes_on(300)
    if stage.ledger.refused:
        stage.ledger.wrong.append(f"{stage.ledger.refused} were refused")


@fault(on=SQLITE)
def disk_full(stage: Stage) -> None:
    """No file may grow any more, under load, until there is room again."""
    with stage.load() as load:
        # As much as is there: neither it nor the log beside it can take what comes.
        limit_files(stage, file_of(stage).path.stat().st_size)
        try:
            wait_until(lambda: stage.ledger.refused >= 10, 20, "the file is full")
        finally:
            limit_files(stage, resource.RLIM_INFINITY)
        load.recovers()


def limit_files(stage: Stage, size: int) -> None:
    for worker in stage.workers():
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@fault(on=SQLITE)
def read_only(stage: Stage) -> None:
    """The file cannot be written when the service starts. Reading works."""
    mark(stage, READ_ONLY)
    try:
        with stage.serving() as service:
            stage.is_ready(service)
            with stage.client() as client:
                price = {"price": "1.00"}
                for _ in range(10):
                    client.call("GET", "/api/v1/products", (200,))
                    client.call(
                        "PATCH", f"/api/v1/products/{stage.shop.products[0]}", (), json=price
                    )
                    stage.shop.order(client, stage.dice)
                if stage.ledger.refused != 20:
                    stage.ledger.wrong.append(f"{stage.ledger.refused} of 20 were refused")
                mark(stage, WRITABLE)
            with stage.load() as load:
                load.recovers()
    finally:
        mark(stage, WRITABLE)


def mark(stage: Stage, version: int) -> None:
    """Let SQLite take the file for read-only. Rights would not keep root from writing."""
    host = file_of(stage)
    host.run("PRAGMA wal_checkpoint(TRUNCATE)")
    with host.path.open("r+b") as file:
        file.seek(18)
        file.write(bytes([version]))
