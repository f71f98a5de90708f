"""Writes the migration of new columns; in the workshop, where the models are those of the copy."""

import re
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import renderers
from alembic.config import Config
from alembic.operations import ops
from sqlalchemy.orm import configure_mappers

import app.models  # noqa: F401 - all of them
from app.cli.scaffold.columns import Columns
from app.core.root import ROOT


class LengthenSearchOp(ops.MigrateOperation):
    """The text that is searched, with what the new columns add to it."""

    def __init__(self, table: str, text: str) -> None:
        self.table_name, self.text = table, text

    def reverse(self) -> ops.MigrateOperation:
        return LengthenSearchOp(self.table_name, "")


@renderers.dispatch_for(LengthenSearchOp)
def _render(_context: Any, op: LengthenSearchOp) -> list[str]:
    name = op.table_name
    return [
        "# The rows that are there are found by it as new ones are.",
        f'{name} = sa.table("{name}", sa.column("search_text", sa.Text()))',
        f"op.execute({name}.update().values(search_text={name}.c.search_text + {op.text!r}))",
    ]


def write_columns(columns: Columns) -> None:
    """Compare the models with what the migrations make, as far as the new columns go."""
    configure_mappers()  # a relationship without its other side is told here
    config = Config(str(ROOT / "alembic.ini"))
    with sa.create_engine("sqlite://").connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

        def keep_columns(_context: Any, _revision: Any, directives: list[Any]) -> None:
            write(columns, directives[0])

        command.revision(
            config, columns.message, autogenerate=True, process_revision_directives=keep_columns
        )


def write(columns: Columns, script: Any) -> None:
    """Keep what is about the new columns; whatever else the models differ in stays a difference."""
    changed = ops.ModifyTableOps(columns.table, [])
    made: list[Any] = []
    for each in script.upgrade_ops.ops:
        if each.table_name in columns.tables:
            made.append(each)
        elif each.table_name == columns.table and isinstance(each, ops.ModifyTableOps):
            changed.ops += [one for one in each.ops if set(_touched(one)) <= set(columns.names)]
    lost = set(columns.names) - {
        each.column.name for each in changed.ops if isinstance(each, ops.AddColumnOp)
    }
    if lost:
        raise SystemExit(
            f"The migrations have a column {min(lost)} already, and the model had not."
        )
    back: list[Any] = [
        each.reverse() for each in reversed(made) if isinstance(each, ops.CreateTableOp)
    ]
    back += [changed.reverse()] if changed.ops else []
    script.downgrade_ops.ops = back
    script.upgrade_ops.ops = [*_steps(columns, changed), *made]


def _touched(op: Any) -> list[str]:
    """The columns that an operation adds or stands on."""
    if isinstance(op, ops.AddColumnOp):
        return [op.column.name]
    names = getattr(op, "local_cols", None) or getattr(op, "columns", None) or ["?"]
    return [str(getattr(each, "name", each)) for each in names]


def _steps(columns: Columns, changed: Any) -> list[Any]:
    if not changed.ops:
        return []
    after: list[Any] = []
    for each in changed.ops:
        if not isinstance(each, ops.AddColumnOp) or each.column.name not in columns.values:
            continue
        column = each.column
        default = _default(columns.values[column.name], column.type)
        each.column = sa.Column(column.name, column.type, default, nullable=column.nullable)
        if column.name in columns.temporary:
            after.append(
                ops.AlterColumnOp(
                    columns.table,
                    column.name,
                    existing_type=column.type,
                    existing_nullable=False,
                    modify_server_default=None,
                )
            )
    steps = [changed]
    if after:
        steps.append(ops.ModifyTableOps(columns.table, after))
    if columns.found_by:
        steps.append(LengthenSearchOp(columns.table, columns.found_by))
    return steps


def _default(value: str, type_: Any) -> sa.DefaultClause:
    """In one statement with the column: PostgreSQL and MariaDB then write no row anew."""
    if isinstance(type_, sa.Text | sa.JSON) and not re.search(r"[%\\]", value):
        # In brackets: MySQL takes no other default for a long text.
        quoted = value.replace("'", "''").replace(":", "\\:")
        # check: R50 because DDL takes no parameters; it is quoted
        return sa.DefaultClause(sa.text(f"('{quoted}')"))
    return sa.DefaultClause(value)
