"""Faults of the database: restarted, away, silent, busy, slow, locked."""

import os
import random
import signal
import threading
import time
from contextlib import suppress

from sqlalchemy.exc import DBAPIError

from tests.faults.hosts import Server, wait_until
from tests.faults.stage import Stage
from tests.faults.suite import SERVERS, fault


def server_of(stage: Stage) -> Server:
    assert isinstance(stage.host, Server)
    return stage.host


@fault(on=SERVERS)
def restarted_fast(stage: Stage) -> None:
    """The database is restarted in order, under load."""
    restart(stage, signal.SIGINT)


@fault(on=SERVERS, quick=SERVERS)
def restarted_immediately(stage: Stage) -> None:
    """The database is killed and restarted, under load."""
    restart(stage, signal.SIGQUIT)


def restart(stage: Stage, how: signal.Signals) -> None:
    with stage.load() as load:
        stage.host.stop(how)
        load.goes_on()
        stage.host.start()
        load.recovers()


@fault()
def away_at_start(stage: Stage) -> None:
    """The service starts before its database does."""
    stage.host.stop()
    try:
        with stage.serving(workers=1) as service:
            service.get("/health/live")
            with stage.client() as client:
                for path in ("/health/ready", "/api/v1/products"):
                    client.call("GET", path, ())  # a 503 and nothing else
                client.call("POST", "/api/v1/orders", (), json={"items": []})
            stage.host.start()
            stage.is_ready(service, workers=1)
            with stage.load() as load:
                load.recovers()
    finally:
        with suppress(Exception):
            stage.host.start()


# A statement has 2 s and the connection 5 s more, before it a request waits 2 s for a thread.
@fault(on=SERVERS, limit=12)
def silent(stage: Stage) -> None:
    """The database accepts connections and says nothing, for ten seconds."""
    host = server_of(stage)
    with stage.load(clients=20) as load, stage.client() as client:
        host.freeze()
        try:
            ends = time.monotonic() + 10
            while time.monotonic() < ends:
                client.call("GET", "/health/live")
                client.call("GET", "/health/ready", ())
        finally:
            host.thaw()
        load.recovers()


# Three attempts, each of which may wait a second for a connection and then for the lock.
@fault(limit=8)
def pool_exhausted(stage: Stage) -> None:
    """All connections are held by those who wait for a lock."""
    pool = {"DB_POOL_SIZE": "2", "DB_MAX_OVERFLOW": "0", "DB_POOL_TIMEOUT": "1"}
    with stage.serving(workers=1, **pool) as service:
        stage.is_ready(service, workers=1)
        with stage.load(clients=8) as load:
            with stage.host.locked():
                load.goes_on(40)
            load.recovers()
    if not stage.ledger.refused:
        stage.ledger.wrong.append("no request was refused: the fault did not happen")


SLOW = {
    "postgresql": """
        CREATE FUNCTION sleep() RETURNS trigger AS
            $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$ LANGUAGE plpgsql;
        CREATE TRIGGER slow BEFORE INSERT ON categories FOR EACH ROW EXECUTE FUNCTION sleep()
    """,
    "mysql": """
        CREATE TRIGGER slow BEFORE INSERT ON categories FOR EACH ROW SET @slept = SLEEP(30)
    """,
    "sqlite": """
        CREATE TRIGGER slow BEFORE INSERT ON categories BEGIN
            SELECT (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9)
                    SELECT count(*) FROM n);
        END
    """,
}


@fault()
def slow_query(stage: Stage) -> None:
    """A statement takes half a minute."""
    stage.host.run(SLOW[stage.host.name])
    try:
        with stage.load(clients=3) as load, stage.client() as client:
            for number in range(2):
                body = {"name": f"Slow {number}"}
                client.call("POST", "/api/v1/categories", (), json=body)
            load.recovers()
    finally:
        on = " ON categories" if stage.host.name == "postgresql" else ""
        stage.host.run(f"DROP TRIGGER slow{on}")
    if stage.host.rows("SELECT id FROM categories"):
        stage.ledger.wrong.append("a category was stored that was answered by a 503")


@fault()
def lock_held(stage: Stage) -> None:
    """Somebody else keeps the rows locked for four seconds. Reading goes on."""
    with stage.load() as load, stage.client() as client:
        with stage.host.locked():
            ends = time.monotonic() + 4
            while time.monotonic() < ends:
                started = time.monotonic()
                client.call("GET", "/api/v1/products")
                if time.monotonic() - started > 1.5:
                    stage.ledger.wrong.append("reading waited for a lock on writing")
                time.sleep(0.1)
        load.recovers()
    if not stage.ledger.refused:
        stage.ledger.wrong.append("no request was refused: the fault did not happen")


@fault(on=SERVERS, limit=12, drops=True)
def idle_transaction(stage: Stage) -> None:
    """A worker stops in mid-transaction and keeps its locks, until the database ends it."""
    with stage.serving(DB_STATEMENT_TIMEOUT="1") as service:
        stage.is_ready(service)
        with stage.load(clients=8) as load:
            pids = stop_with_the_lock(stage)
            # Who comes now asks the other worker, and waits for those locks.
            with stage.load(clients=2):
                wait_until(lambda: not server_of(stage).idle_transactions(), 10, "they are ended")
                load.goes_on(20)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            load.recovers()


def stop_with_the_lock(stage: Stage) -> list[int]:
    """Stop a worker that has locked rows, and its supervisor, which would take it for hung."""
    for _ in range(10):
        with stage.host.locked():
            time.sleep(0.3)  # by now, all wait for the lock
            pids = [random.choice(stage.workers()), stage.service.popen.pid]
            for pid in reversed(pids):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(0.5)  # the other worker has done what it could
        if server_of(stage).idle_transactions():
            return pids
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    raise TimeoutError("no worker stopped in mid-transaction")


@fault(on=SERVERS)
def backend_terminated(stage: Stage) -> None:
    """An administrator ends all connections, five times, under load."""
    host = server_of(stage)
    ended = 0
    with stage.load() as load:
        for _ in range(5):
            ended += host.end_connections()
            load.goes_on(20)
        load.recovers()
    if not ended or not stage.ledger.refused:
        stage.ledger.wrong.append("no request was refused: the fault did not happen")


@fault(on=SERVERS)
def deadlocks(stage: Stage) -> None:
    """Somebody else locks the same rows in the other order."""
    host = server_of(stage)
    before, ended = host.deadlocks(), threading.Event()
    rival = threading.Thread(target=lock_backwards, args=(stage, ended))
    with stage.load() as load:
        rival.start()
        load.goes_on(150)
        ended.set()
        rival.join()
        load.recovers()
    # The server counts them with some delay.
    wait_until(lambda: host.deadlocks() > before + 2, 10, "there were deadlocks")
    if stage.ledger.refused * 30 > stage.ledger.requests:
        stage.ledger.wrong.append(f"{stage.ledger.refused} were refused, and not tried again")


def lock_backwards(stage: Stage, ended: threading.Event) -> None:
    while not ended.is_set():
        with suppress(DBAPIError), stage.host.engine.begin() as connection:  # who deadlocks, loses
            for product in reversed(stage.shop.products):
                connection.exec_driver_sql(
                    f"UPDATE products SET stock = stock WHERE id = {product}"
                )
                time.sleep(0.005)
        time.sleep(0.02)
