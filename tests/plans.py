"""Query plans: what a request reads from one end to the other, for want of an index."""

from collections.abc import Callable, Iterator
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Connection, event

from app.core import database as database_module

Statement = tuple[str, Any]


def find_full_scans(client: TestClient, path: str, headers: dict[str, str]) -> list[str]:
    """The steps of the plans of a GET that read a whole table.

    Following an index for its order is none, where the statement wants that order and a few rows.
    For the total there must be more rows than `limit`.
    """
    database = database_module.database
    statements: list[Statement] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            statements.append((statement, parameters))

    # Both: a GET may also write. That of memory is one, which hears itself twice.
    for engine in (database.engine, database.read_engine):
        event.listen(engine, "before_cursor_execute", note)
    try:
        response = client.get(path, headers=headers)
    finally:
        for engine in (database.engine, database.read_engine):
            event.remove(engine, "before_cursor_execute", note)
    assert response.status_code == 200, response.text
    assert statements
    planner = PLANNERS[database.engine.dialect.name]
    with database.engine.connect() as connection:
        return [step for statement in statements for step in planner(connection, statement)]


def _of_sqlite(connection: Connection, statement: Statement) -> Iterator[str]:
    sql, parameters = statement
    for *_, step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters):
        by_order = "USING INDEX" in step and "ORDER BY" in sql
        # What `paginate` has found is a page and no table.
        if step.startswith("SCAN") and step != "SCAN page_rows" and not by_order:
            yield step


def _of_postgresql(connection: Connection, statement: Statement) -> Iterator[str]:
    sql, parameters = statement
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # as if the table were large
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", parameters).scalar_one()
    for step in _steps(plan[0]["Plan"]):
        by_order = "Index" in step["Node Type"] and "ORDER BY" in sql
        looked_up = any("Index Cond" in each for each in (step, *step.get("Plans", ())))
        if "Relation Name" in step and not looked_up and not by_order:
            yield f"{step['Node Type']} of {step['Relation Name']}"


def _steps(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield step
    for each in step.get("Plans", ()):
        yield from _steps(each)


PLANNERS: dict[str, Callable[[Connection, Statement], Iterator[str]]] = {
    "sqlite": _of_sqlite,
    "postgresql": _of_postgresql,
}
