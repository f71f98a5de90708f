"""PostgreSQL's driver, with an end to its patience."""

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event


def limit_waiting(engine: Engine, seconds: float) -> None:
    """Give up on a server that has become silent: its own limits do not help then.

    Nor does the kernel: it takes what is sent to a process that is stopped, or hangs.
    """

    class Connection(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, seconds if timeout is None else timeout)
            except psycopg.OperationalError:
                if self.info.transaction_status is TransactionStatus.ACTIVE:
                    self.close()  # the answer may still come, and would be taken for the next one
                raise

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
        return Connection.connect(*arguments, **options)
