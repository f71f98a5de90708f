"""API: a router that is found, sessions by dependency, declared answers, one call to a service."""

import ast
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from app.cli.checks.rules import Fault, Fix, Needs, Point, rule
from app.cli.checks.sources import Function, calls, dotted, last_name
from app.cli.checks.tree import Operation, Tree

QUERIES = {"select", "update", "insert", "delete", "text"}


@rule("R18", Point.API, "A feature is whole, and its router is found")
def whole(tree: Tree) -> Iterator[Fault]:
    """A feature is five files: model, schemas, service, router, tests. A router is a module of
    `app/api` whose `router` has routes, and its routes are in the OpenAPI document. What lacks one
    is half a feature: nobody can call it, or nobody has tried it."""
    for subject in tree.subjects:
        for part, file in subject.wanted:
            source = tree.sources.by_name.get(file)
            if part != "tests" and (source is None or not source.tree.body):
                missing = "is missing" if source is None else "is empty"
                yield Fault(
                    f"app/models/{subject.name}.py",
                    1,
                    f"the {part} of {subject.name} {missing}: {file}",
                    f"write {file} (docs/add-a-feature.md shows it, `run.py new` writes all five)",
                )
            elif source and part == "router" and not tree.operations_of(subject):
                yield Fault(
                    file,
                    1,
                    "it has no routes",
                    'write `router = APIRouter(...)`, and @router.get("")',
                )


@rule("R19", Point.API, "Routers are the house's, so a request runs in one thread")
def one_hop(tree: Tree) -> Iterator[Fault]:
    """`from app.core.routing import APIRouter`: its routes run from the session to the answer in
    one thread. With FastAPI's own, threads wait for connections and requests that hold those wait
    for threads: at about fifty requests at once the server stops."""
    from app.core.routing import OneHopRoute

    for module in tree.routers:
        source = tree.sources.by_module[module.__name__]
        if not all(isinstance(route, OneHopRoute) for route in module.router.routes):
            line = source.line_of_value("router")
            for node in source.nodes:
                if isinstance(node, ast.ImportFrom) and node.module == "fastapi":
                    names = [alias.name for alias in node.names]
                    line = node.lineno if "APIRouter" in names else line
            yield Fault(
                source.name,
                line,
                "the router is FastAPI's own",
                "write `from app.core.routing import APIRouter`",
            )


@rule("R20", Point.API, "Sessions come by SessionDep")
def session_by_dependency(tree: Tree) -> Iterator[Fault]:
    """There is one way to get a session, and it knows whether the request reads or writes, and
    closes what it opened. A dependency of one's own opens a second session in the same request."""
    from app.core.database import get_db

    for operation in tree.operations:
        for each in operation.node.args.args + operation.node.args.kwonlyargs:
            if each.annotation is None or not _is_session(operation, each.arg):
                continue
            if ast.unparse(each.annotation) != "SessionDep":
                yield Fault(
                    operation.source.name,
                    each.lineno,
                    f"{operation.endpoint.__name__} gets its session in a way of its own",
                    "write `db: SessionDep`, from app.api.deps",
                )
        for call in operation.dependencies - {get_db}:
            if getattr(call, "__annotations__", {}).get("return") in (Session, "Session"):
                yield Fault(
                    operation.source.name,
                    operation.line,
                    f"{operation.node.name} depends on {call.__name__}, which makes sessions",
                    "depend on SessionDep",
                )


def _is_session(operation: Operation, name: str) -> bool:
    annotation: Any = operation.endpoint.__annotations__.get(name)
    return annotation is Session or getattr(annotation, "__origin__", None) is Session


@rule("R21", Point.API, "Every answer has a schema")
def answers(tree: Tree) -> Iterator[Fault]:
    """The answer's type is what clients generate code from, what Swagger shows, and what keeps a
    new column from being told to everybody. A bare `dict`, `Any` or nothing at all tells nothing.
    An endpoint that returns a row names the schema: `response_model=ProductRead`."""
    for operation in tree.operations:
        if operation.endpoint.__annotations__.get("return", "unknown") is None:
            continue  # R24: it has no answer
        for status, response in tree.described(operation).get("responses", {}).items():
            content = response.get("content", {}).get("application/json")
            if content is None or not status.startswith("2"):
                continue
            schema = content.get("schema", {})
            free = schema.get("type") == "object" and schema.get("additionalProperties") in (
                True,
                {},
            )
            if not schema.keys() - {"title"} or free:
                yield Fault(
                    operation.source.name,
                    operation.line,
                    f"the answer of {operation.name} has no schema",
                    "write `-> Page[XRead]`, or for a row its schema: response_model=XRead",
                )


@rule("R22", Point.API, "A router function is one call to one service method", Needs.APP)
def one_call(tree: Tree) -> Iterator[Fault]:
    """No query, no rule, no `if`: those belong to the service, where commands and tests find them
    as well, and where they are in the same transaction."""
    for operation in tree.operations:
        node = operation.node
        body = [each for each in node.body if not _is_docstring(each)]
        made = tree.functions.service_calls(operation.source, node)
        what, line = "", node.lineno
        queries = [c for c in calls(node) if _queries(c)]
        if queries:
            what, line = "asks the database itself", queries[0].lineno
        elif len(body) != 1 or not isinstance(body[0], ast.Return | ast.Expr):
            what = "does more than one call"
            line = body[0].lineno if body else line
        elif len(made) > 1:
            what, line = f"calls {len(made)} methods of services", body[0].lineno
        elif any(isinstance(each, ast.IfExp | ast.ListComp) for each in ast.walk(body[0])):
            what, line = "decides something", body[0].lineno
        if what:
            yield Fault(
                operation.source.name,
                line,
                f"{node.name} {what}",
                "move it into one static method of the service, and return what that returns",
            )


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _queries(call: ast.Call) -> bool:
    written = dotted(call.func)
    return written in QUERIES or written.startswith("db.")


@rule("R23", Point.API, "Endpoints are `def`, not `async def`")
def synchronous(tree: Tree) -> Iterator[Fault]:
    """The session is synchronous: in an `async def` each query stops the event loop, and with it
    every other request of the process. `def` runs in a thread of its own. `--fix` takes the `async`
    away where nothing is awaited."""
    for operation in tree.operations:
        if isinstance(operation.node, ast.AsyncFunctionDef) and _uses_session(operation):
            awaits = any(isinstance(each, ast.Await) for each in ast.walk(operation.node))
            fix = None if awaits else Fix("def", operation.node.name)
            yield Fault(
                operation.source.name,
                operation.line,
                f"{operation.node.name} is async and uses a session, which blocks the event loop",
                f"write `def {operation.node.name}(...)`, without async and await",
                fix=fix,
            )


def _uses_session(operation: Operation) -> bool:
    from app.core.database import get_db

    return get_db in operation.dependencies


@rule("R24", Point.API, "Creating answers 201, and what answers nothing 204")
def statuses(tree: Tree) -> Iterator[Fault]:
    """Clients, caches and `Idempotency-Key` go by them. FastAPI answers 200 where nothing is said,
    and the text `null` where nothing is returned. `--fix` writes the status into the decorator."""
    for operation in tree.operations:
        route = operation.route
        status, name = route.status_code or 200, operation.node.name
        returns = operation.endpoint.__annotations__.get("return", "unknown")
        wanted = status
        if operation.method == "POST" and name.startswith("create_"):
            wanted = 201
        elif returns in (None, type(None)):
            wanted = 204
        if status != wanted:
            yield Fault(
                operation.source.name,
                operation.line,
                f"{operation.name} answers {status} and not {wanted}",
                f"write @router.{operation.method.lower()}(..., status_code={wanted})",
                fix=Fix("status", name, str(wanted)),
            )


@rule("R25", Point.API, "Paths are plural nouns in small letters, without a slash at the end")
def paths(tree: Tree) -> Iterator[Fault]:
    """A slash at the end of a request is taken away before routing, so a route that is declared
    with one is never reached: `@router.get("")`, not `"/"`."""
    for operation in tree.operations:
        parts = [p for p in operation.path.split("/") if p and not p.startswith("{")]
        if operation.path.endswith("/"):
            what, remedy = (
                "ends with a slash and is never reached",
                'write "" for "/", and no slash',
            )
        elif any(not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", part) for part in parts):
            what, remedy = "is not in small letters with hyphens", "write /order-items"
        else:
            continue
        yield Fault(operation.source.name, operation.line, f"{operation.name} {what}", remedy)


def decorator_of(node: Function) -> ast.Call | None:
    """`@router.get(...)`"""
    found = [d for d in node.decorator_list if isinstance(d, ast.Call)]
    return next((d for d in found if last_name(d.func) in METHODS), None)


METHODS = {"get", "post", "put", "patch", "delete"}
