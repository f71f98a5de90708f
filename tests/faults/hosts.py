"""Databases of the suite's own: on free ports, in a temporary folder, never the machine's."""

import functools
import os
import pwd
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.cli.testing import create_if_missing
from app.core.config import Settings
from tests.servers import PATIENCE, Process, environment, free_port


class Host(ABC):
    """A database server, or what stands for it."""

    name: ClassVar[str]
    url: str

    @abstractmethod
    def __init__(self, folder: Path) -> None: ...

    @staticmethod
    def missing() -> str | None:
        """Why it cannot be started here."""
        return None

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self, how: signal.Signals = signal.SIGINT) -> None: ...

    @abstractmethod
    def lock_products(self, connection: Connection) -> None:
        """Keep others from changing the products until the transaction ends."""

    def close(self) -> None:
        return

    def address(self, database: str) -> str:
        """The URL of another database of this server."""
        return make_url(self.url).set(database=database).render_as_string(hide_password=False)

    @functools.cached_property
    def engine(self) -> Engine:
        """For the oracle: without pool, and without the app's settings."""
        return create_engine(Settings.name_the_driver(self.url), poolclass=NullPool)

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(query), values))

    def run(self, *statements: str) -> None:
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        """Somebody else keeps the products locked in the block."""
        with self.engine.connect() as connection:
            self.lock_products(connection)
            yield connection
            connection.rollback()


class Sqlite(Host):
    """A file in a folder, which stands for the server: it can be there, or away."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sqlite"
        self.folder.mkdir()
        self.path = self.folder / "app.db"
        self.url = f"sqlite:///{self.path}"

    @property
    def _away(self) -> Path:
        return self.folder.with_name("sqlite-away")

    def start(self) -> None:
        if self._away.exists():
            self._away.rename(self.folder)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        self.folder.rename(self._away)

    def address(self, database: str) -> str:
        return f"sqlite:///{self.folder / database}.db"

    def lock_products(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


class Server(Host):
    """A server process, which runs as somebody who may: none of them runs as root."""

    process: Process | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        self.folder.mkdir()
        self.port = free_port()
        self.user = _unprivileged(self.name)
        if self.user:
            shutil.chown(self.folder, self.user)
        self.data = self.folder / "data"
        self.url = f"{self.name}://app@127.0.0.1:{self.port}/app"

    @abstractmethod
    def command(self) -> list[str]: ...

    def call(self, *command: str | Path | None) -> None:
        """Run a tool of the server to its end."""
        with Process([str(c) for c in command], self.folder, environment(), user=self.user) as tool:
            if tool.popen.wait(2 * PATIENCE) != 0:
                raise RuntimeError(f"{command[0]} failed:\n{tool.output}")

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.process and self.process.popen.poll() is None:
            return
        self.process = Process(self.command(), self.folder, environment(), user=self.user)
        self.process.wait_for(self.answers)

    def answers(self) -> bool:
        try:
            create_if_missing(make_url(Settings.name_the_driver(self.url)))
        except DBAPIError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        assert self.process
        self.process.popen.send_signal(how)
        self.process.popen.wait(PATIENCE)

    def freeze(self) -> None:
        """It still accepts connections, as the kernel does that, and says nothing any more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process
        # The first one last: it would take the others, stopped, for ended.
        for pid in [*children(self.process.popen.pid), self.process.popen.pid]:
            os.kill(pid, number)

    def close(self) -> None:
        if self.process:
            self.process.__exit__()

    def lock_products(self, connection: Connection) -> None:
        connection.exec_driver_sql("SELECT id FROM products ORDER BY id FOR UPDATE")

    @abstractmethod
    def end_connections(self) -> int:
        """End all connections but the one that does it; how many that were."""

    @abstractmethod
    def deadlocks(self) -> int:
        """How many there were since the start."""

    @abstractmethod
    def idle_transactions(self) -> int:
        """How many wait for their client."""


class PostgreSQL(Server):
    name = "postgresql"

    @staticmethod
    def missing() -> str | None:
        return None if _postgresql("initdb") else "initdb of PostgreSQL was not found"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.call(
            *(_postgresql("initdb"), "-D", self.data, "-U", "app", "--auth=trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C"),
        )

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "deadlock_timeout": "100ms",
            "shared_buffers": "16MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(_postgresql("postgres")), "-D", str(self.data), *options]

    def end_connections(self) -> int:
        return len(
            self.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = 'app' AND pid <> pg_backend_pid()"
            )
        )

    def deadlocks(self) -> int:
        return int(self.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = 'app'")[0][0])

    def idle_transactions(self) -> int:
        waiting = "datname = 'app' AND state = 'idle in transaction'"
        return int(self.rows(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}")[0][0])


class MariaDB(Server):
    name = "mysql"

    @staticmethod
    def missing() -> str | None:
        for tool in ("mariadbd", "mariadb-install-db"):
            if not _tool(tool):
                return f"{tool} was not found"
        return None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.call(
            *(_tool("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
        )
        self.first = self.folder / "first.sql"
        self.first.write_text(
            "CREATE USER IF NOT EXISTS app@'127.0.0.1';\n"
            "GRANT ALL ON *.* TO app@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        self.first.chmod(0o644)

    def command(self) -> list[str]:
        return [
            *(str(_tool("mariadbd")), "--no-defaults", f"--datadir={self.data}"),
            *("--bind-address=127.0.0.1", f"--port={self.port}", "--skip-name-resolve"),
            *(f"--socket={self.data}/socket", f"--init-file={self.first}", "--skip-log-bin"),
            *("--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"),
        ]

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        # Its SIGTERM is what PostgreSQL calls fast, and it has nothing but SIGKILL beyond that.
        super().stop(signal.SIGTERM if how is signal.SIGINT else signal.SIGKILL)

    def end_connections(self) -> int:
        query = "SELECT id FROM information_schema.processlist WHERE db = 'app'"
        with self.engine.connect() as connection:
            own = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar()
            others = [row[0] for row in connection.exec_driver_sql(query) if row[0] != own]
            for number in others:
                try:
                    connection.exec_driver_sql(f"KILL {number}")
                except DBAPIError:
                    pass  # it ended by itself
        return len(others)

    def deadlocks(self) -> int:
        return int(self.rows("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")[0][1])

    def idle_transactions(self) -> int:
        thread = "JOIN information_schema.processlist ON id = trx_mysql_thread_id"
        open_ = f"information_schema.innodb_trx {thread}"
        return int(self.rows(f"SELECT count(*) FROM {open_} WHERE command = 'Sleep'")[0][0])


HOSTS: tuple[type[Host], ...] = (Sqlite, PostgreSQL, MariaDB)


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    if shutil.which("ps"):
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        ).stdout
        pairs = [line.split() for line in listed.splitlines()]
    else:
        pairs = list(filter(None, map(_pid_and_parent, Path("/proc").glob("[0-9]*"))))
    return [int(child) for child, parent in pairs if int(parent) == pid]


def _pid_and_parent(entry: Path) -> list[str]:
    try:
        # The name, in brackets, may hold anything.
        return [entry.name, (entry / "stat").read_text().rpartition(")")[2].split()[1]]
    except OSError:
        return []  # it has ended


def wait_until(condition: Any, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"in {seconds:.0f} s not so: {what}")
        time.sleep(0.02)


@functools.cache
def _tool(name: str, *folders: str) -> Path | None:
    places = os.pathsep.join([*folders, os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=places)
    return Path(found) if found else None


def _postgresql(name: str) -> Path | None:
    """Debian keeps them out of the path, one folder for each version."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    return _tool(name, *map(str, newest))


def _unprivileged(wanted: str) -> str | None:
    """Whom a server runs as where this is root; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    names = ("postgres" if wanted == "postgresql" else wanted, "nobody")
    return next(name for name in names if name in known)
