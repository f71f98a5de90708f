"""Errors: all that can happen is documented, nothing is swallowed, the database decides
conflicts."""

import ast
import builtins
import re
from collections.abc import Iterator

from app.cli.checks.rules import Fault, Needs, Point, rule
from app.cli.checks.sources import Function, Source, calls, dotted, last_name
from app.cli.checks.tree import Tree

QUERIES = {"scalar", "scalars", "execute", "get", "first", "one_or_none", "scalar_one_or_none"}
QUERIES |= {"exists", "count", "all", "scalars_all"}
FOLDERS = ("app/services", "app/api", "app/schemas", "app/models")


@rule("R38", Point.ERRORS, "What a service raises is documented")
def documented(tree: Tree) -> Iterator[Fault]:
    """Most answers follow from the form of an operation: 404 from a path parameter, 409 from
    writing, 422 from input. What does not, such as a 429 or a 409 of a GET, the route names. Looked
    at is all that the service's method raises, and what it calls."""
    from app.core import errors

    for operation in tree.operations:
        told = tree.described(operation).get("responses", {})
        for code in tree.functions.service_calls(operation.source, operation.node):
            for name, (source, line) in tree.functions.raised(code).items():
                status = getattr(errors, name).status
                # It depends on If-Match, and whether there is one shows in the form.
                if name == "PreconditionFailedError" or str(status) in told:
                    continue
                yield Fault(
                    operation.source.name,
                    operation.line,
                    f"{operation.name} can answer {status} ({name}, {source.name}:{line}), and "
                    "does not say so",
                    f"write responses={{{status}: {{}}}} in its decorator",
                )


@rule("R39", Point.ERRORS, "What was answered in the tests is documented", Needs.RECORD)
def answered(tree: Tree) -> Iterator[Fault]:
    """Measured in the last run of the tests: a status that an operation gave and its documentation
    does not know. Clients that were generated from the document do not expect it."""
    for subject in tree.subjects:
        if not tree.operations_of(subject) or not tree.is_measured(subject):
            continue
        statuses = tree.record.statuses(tree.tests_of(subject), tree.document["paths"])
        for operation in tree.operations_of(subject):
            told = tree.described(operation).get("responses", {})
            for status in sorted(statuses.get(operation.key, set())):
                if str(status) not in told and status not in (405, 500):
                    yield Fault(
                        operation.source.name,
                        operation.line,
                        f"{operation.name} answered {status} in a test, and does not say so",
                        f"write responses={{{status}: {{}}}} in its decorator",
                    )


@rule("R40", Point.ERRORS, "Nothing catches broadly", Needs.SOURCES)
def narrow(tree: Tree) -> Iterator[Fault]:
    """`except Exception` takes a typo for a missing row, and a database that is away for an empty
    list. Name what you expect: `except IntegrityError`. One that raises again what it caught is
    none."""
    for source in tree.sources.below(*FOLDERS):
        for node in source.nodes:
            broad = isinstance(node, ast.ExceptHandler) and _is_broad(node.type)
            if broad and not _raises_again(node):
                what = ast.unparse(node.type) if node.type else "everything"  # type: ignore[attr-defined]
            elif isinstance(node, ast.Call) and last_name(node.func) == "suppress":
                if not any(map(_is_broad, node.args)):
                    continue
                what = "Exception"
            else:
                continue
            yield Fault(
                source.name,
                node.lineno,  # type: ignore[attr-defined]
                f"it catches {what}",
                "name the error that you expect, or let it go: one place turns errors into answers",
            )


def _is_broad(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Tuple):
        return any(map(_is_broad, node.elts))
    return node is None or last_name(node) in ("Exception", "BaseException")


def _raises_again(node: ast.AST) -> bool:
    last = node.body[-1]  # type: ignore[attr-defined]
    return isinstance(last, ast.Raise) and last.exc is None


@rule("R41", Point.ERRORS, "A service raises the errors of the house", Needs.SOURCES)
def own_errors(tree: Tree) -> Iterator[Fault]:
    """A ValueError is a 500 that tells nothing. NotFoundError, ConflictError, InvalidError and the
    others of `app.core.errors` have a status, and a message that the client may read."""
    for source in tree.sources.below("app/services"):
        if not source.name.endswith("_service.py"):
            continue
        for node in source.nodes:
            if not isinstance(node, ast.Raise) or node.exc is None:
                continue
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = dotted(error)
            if name == "HTTPException" or isinstance(getattr(builtins, name or "_", None), type):
                yield Fault(
                    source.name,
                    node.lineno,
                    f"it raises {name}",
                    "raise InvalidError (422), ConflictError (409), NotFoundError (404), "
                    "ForbiddenError (403): app.core.errors",
                )


@rule("R42", Point.ERRORS, "The database decides conflicts", Needs.SOURCES)
def decided_by_the_database(tree: Tree) -> Iterator[Fault]:
    """Between looking whether a name is taken and writing it, somebody else takes it. A unique
    constraint is exact, and its violation becomes a 409 by itself. So: no query followed by `raise
    ConflictError`."""
    for source in tree.sources.below("app/services"):
        if source.name.endswith("_service.py"):
            for node in source.functions.values():
                yield from _looked_first(source, node)


def _looked_first(source: Source, function: Function) -> Iterator[Fault]:
    asked = {
        target.id
        for each in ast.walk(function)
        if isinstance(each, ast.Assign) and _asks(each.value)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(function):
        if not isinstance(node, ast.If):
            continue
        names = {each.id for each in _bare_names(node.test)}
        if (_asks(node.test) or names & asked) and any(map(_raises_conflict, node.body)):
            yield Fault(
                source.name,
                node.lineno,
                f"{function.name} looks first and then writes: two at once both find nothing",
                "make the column unique (unique=True or unique_key), and just write",
            )


def _asks(node: ast.AST) -> bool:
    """Whether it asks the database."""
    return any(
        dotted(call.func) in ("exists", "count")
        or (last_name(call.func) in QUERIES and re.search(r"\bdb\b", ast.unparse(call.func)))
        for call in calls(node)
    )


def _bare_names(test: ast.expr) -> Iterator[ast.Name]:
    """Of `existing` and `existing is not None`; not of `order.status` or `order is None`."""
    nodes = test.values if isinstance(test, ast.BoolOp) else [test]
    for node in nodes:
        is_there = isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.IsNot | ast.Gt)
        left = node.left if isinstance(node, ast.Compare) and is_there else node
        if isinstance(left, ast.Name):
            yield left


def _raises_conflict(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return dotted(error) in ("ConflictError", "HTTPException")
