"""How Alembic reaches the database and the models. Used by `alembic ...` and by `run.py`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from alembic.ddl.mysql import MariaDBImpl, MySQLImpl
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations.ops import DropTableOp, ModifyTableOps
from sqlalchemy import Connection, Dialect, Enum, String, Table, event, inspect, text
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.functions import now

from app.core.columns import UtcDateTime, collated
from app.core.config import get_settings
from app.core.engines import make_engine
from app.models import Base

LOCK = 7_021_925  # any number, as long as every migrator takes the same
LOCK_SECONDS = 300


def render_item(kind: str, item: Any, autogen_context: Any) -> str | bool:
    """Our column types are written as the plain types that they stand on."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Enum):
        return f"sa.String(length={item.length})"  # a new member needs no migration
    if kind == "server_default" and isinstance(getattr(item, "arg", None), now):
        return "sa.func.now()"
    return False


def drop_tables_whole(migration: Any, revision: Any, directives: list[Any]) -> None:
    """A table takes its indexes along; MySQL refuses to drop those of foreign keys first."""
    for way in (way for script in directives for way in (script.upgrade_ops, script.downgrade_ops)):
        dropped = {each.table_name for each in way.ops if isinstance(each, DropTableOp)}
        way.ops = [
            each
            for each in way.ops
            if not (isinstance(each, ModifyTableOps) and each.table_name in dropped)
        ]


class KeepsCollation:
    """Text in a column that is altered: what names no collation gets that of the database."""

    dialect: Dialect

    def alter_column(self, *names: str, **options: Any) -> None:
        for each in ("type_", "existing_type"):
            if isinstance(type_ := options.get(each), String) and not isinstance(type_, Enum):
                options[each] = collated(type_, self.dialect.name)
        super().alter_column(*names, **options)  # type: ignore[misc] - Alembic's


class OnSQLite(SQLiteImpl):
    """Alembic takes the newest class of a dialect."""

    __dialect__ = "sqlite"

    def create_table(self, table: Table, **options: Any) -> None:
        # It gives the id of the last row again once that is deleted, and the new row would be
        # taken for the old one: by its ETag, and by what repeats an Idempotency-Key.
        key = table.autoincrement_column  # none where somebody else gives the ids
        if key is not None and key.type.compile(dialect=self.dialect) == "INTEGER":
            table.dialect_options["sqlite"]["autoincrement"] = True
        super().create_table(table, **options)


class OnPostgreSQL(KeepsCollation, PostgresqlImpl):
    __dialect__ = "postgresql"


class OnMySQL(KeepsCollation, MySQLImpl):
    __dialect__ = "mysql"


class OnMariaDB(KeepsCollation, MariaDBImpl):
    __dialect__ = "mariadb"


def configure(**options: Any) -> None:
    context.configure(
        target_metadata=Base.metadata,
        compare_type=True,
        render_as_batch=True,  # SQLite alters a table by copying it
        render_item=render_item,
        process_revision_directives=drop_tables_whole,
        **options,
    )


@contextmanager
def one_migrator(connection: Connection) -> Iterator[None]:
    """Of two migrators at once, the second waits and then finds nothing to do."""
    if connection.dialect.name == "postgresql":
        # Held until the transaction ends. Waiting for it may take longer than for any other lock.
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
        yield
    elif connection.dialect.name in ("mysql", "mariadb"):
        # The lock belongs to the server, so its name holds the database.
        name = "CONCAT('migrations-', MD5(DATABASE()))"
        if not connection.scalar(text(f"SELECT GET_LOCK({name}, {LOCK_SECONDS})")):
            raise RuntimeError("Another migration runs on this database and does not end.")
        try:
            yield
        finally:
            connection.execute(text(f"SELECT RELEASE_LOCK({name})"))
    else:
        yield  # SQLite: the transaction began with BEGIN IMMEDIATE


@contextmanager
def foreign_keys_off(connection: Connection) -> Iterator[None]:
    """SQLite alters a table by dropping it, and would delete what refers to its rows."""
    if connection.dialect.name != "sqlite":
        yield
        return
    # On the driver's connection: inside of a transaction the pragma does nothing.
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


@contextmanager
def last_ids_kept(connection: Connection) -> Iterator[None]:
    """SQLite notes the last id of a table, and a copy of the table begins with its rows anew."""
    if connection.dialect.name != "sqlite":
        yield
        return
    before = _last_ids(connection)
    yield
    tables = inspect(connection).get_table_names()
    after = _last_ids(connection)
    for name, last in before.items():
        if name in tables and last > after.get(name, 0):
            values = {"name": name, "last": last}
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
            connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), values)


def _last_ids(connection: Connection) -> dict[str, int]:
    if not connection.scalar(text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")):
        return {}
    rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence"))
    return dict(rows.all())


class Resumption:
    """MySQL undoes no DDL: of a migration that is cut short, what it had done stays.

    A table marks that migrations run. Where the next run finds it, it begins with the one that was
    cut short, and passes over what is done already. Rows that such a migration wrote between two
    statements of DDL, it writes again: there, they belong in a migration of their own.
    """

    MARK = "alembic_unfinished"
    DDL = ("CREATE", "ALTER", "DROP", "RENAME")
    # The table, column, index or constraint is there already, or is gone already.
    DONE = (1050, 1060, 1061, 1826, 1051, 1091)

    marked = False  # the table is there
    repeats = False  # the migration that runs was cut short before
    changed = False  # there is something to pass over, were this run cut short

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def execute(self, cursor: Any, statement: str, parameters: Any, _: Any) -> bool:
        if not statement.lstrip().upper().startswith(self.DDL) or "alembic_" in statement:
            return False  # SQLAlchemy runs it, as always
        if not self.marked:
            cursor.execute(f"CREATE TABLE {self.MARK} (id INT)")
            self.marked = True
        try:
            cursor.execute(statement, parameters)
        except self.connection.dialect.loaded_dbapi.Error as error:
            if not self.repeats or not self.is_done(*error.args):
                raise
        self.changed = True
        return True

    def is_done(self, number: int, said: str) -> bool:
        """MariaDB has no number for a foreign key that is there: the table cannot be made, 121."""
        return number in self.DONE or (number == 1005 and "errno: 121" in said)

    def step_done(self, **_: Any) -> None:
        self.repeats = self.changed = False

    @contextmanager
    def running(self) -> Iterator[None]:
        if self.connection.dialect.name not in ("mysql", "mariadb"):
            yield
            return
        self.marked = self.repeats = self.changed = inspect(self.connection).has_table(self.MARK)
        event.listen(self.connection.engine, "do_execute", self.execute)
        try:
            yield
            self.changed = False
        finally:
            event.remove(self.connection.engine, "do_execute", self.execute)
            if self.marked and not self.changed:
                self.connection.execute(text(f"DROP TABLE {self.MARK}"))


def run_online(connection: Connection) -> None:
    transactional = connection.dialect.name in ("postgresql", "sqlite")
    resumption = Resumption(connection)
    with foreign_keys_off(connection):
        configure(
            connection=connection,
            transactional_ddl=transactional,
            on_version_apply=resumption.step_done,
        )
        with (
            context.begin_transaction(),
            one_migrator(connection),
            resumption.running(),
            last_ids_kept(connection),
        ):
            context.run_migrations()
            if connection.dialect.name == "sqlite":
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                if broken:
                    raise RuntimeError(f"The migration leaves broken foreign keys: {broken[:5]}")


def main() -> None:
    # Altering a large table may take longer than a request's statement.
    limits = {"db_statement_timeout": 0}
    connection = context.config.attributes.get("connection")
    url = context.config.attributes.get("url", get_settings().database_url)
    if url.startswith("sqlite"):
        limits["db_lock_timeout"] = LOCK_SECONDS  # its one lock is also the one of `one_migrator`
    settings = get_settings().model_copy(update=limits)
    if context.is_offline_mode():
        configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"})
        with context.begin_transaction():
            context.run_migrations()
    elif connection is not None:
        run_online(connection)
    else:
        engine = make_engine(url, settings, poolclass=NullPool)
        with engine.connect() as connection:
            run_online(connection)


main()
