"""Service: use cases as static methods, a session first, one commit, nothing of HTTP."""

import ast
import re
from collections.abc import Iterator

from app.cli.checks.functions import Code
from app.cli.checks.rules import Fault, Needs, Point, rule
from app.cli.checks.sources import Function, Source, calls, dotted, imported, last_name
from app.cli.checks.tree import Tree

MAKERS = {"Session", "sessionmaker", "SessionLocal", "scoped_session", "create_engine"}
QUERY = re.compile(r"(^|\.)(db|session)\.query$")
OPENERS = re.compile(r"\bdatabase\.(writing|reading)$")


def services(tree: Tree) -> Iterator[tuple[Source, ast.ClassDef]]:
    for source in tree.sources.below("app/services"):
        for name, node in source.classes.items():
            if name.endswith("Service") and not name.startswith("_"):
                yield source, node


def use_cases(tree: Tree) -> Iterator[tuple[Source, ast.ClassDef, Function]]:
    """The public methods of the services."""
    for source, owner in services(tree):
        for node in owner.body:
            if isinstance(node, Function) and not node.name.startswith("_"):
                yield source, owner, node


@rule("R11", Point.SERVICE, "The methods of a service are static", Needs.SOURCES)
def static(tree: Tree) -> Iterator[Fault]:
    """A service keeps nothing between two calls, so there is nothing to make one of. What a method
    needs it is given: the session, the user, ids and data."""
    for source, owner, node in use_cases(tree):
        if "staticmethod" not in map(last_name, node.decorator_list):
            yield Fault(
                source.name,
                node.lineno,
                f"{owner.name}.{node.name} is not static",
                "put @staticmethod above it and take self or cls out of its parameters",
            )


@rule("R12", Point.SERVICE, "A use case takes its session first", Needs.SOURCES)
def session_first(tree: Tree) -> Iterator[Fault]:
    """`db: Session` comes first, then the user, ids, and `data` or `params`: who calls one knows
    how to call all, and a session that is passed is one that somebody owns."""
    for source, owner, node in use_cases(tree):
        arguments = [a for a in node.args.posonlyargs + node.args.args if a.arg != "self"]
        names = [a.arg for a in arguments]
        sessions = [a for a in arguments if a.annotation and dotted(a.annotation) == "Session"]
        late = sessions and (sessions[0] is not arguments[0] or names[0] != "db")
        if late or ("db" in names and not sessions):
            yield Fault(
                source.name,
                node.lineno,
                f"{owner.name}.{node.name} does not begin with `db: Session`",
                f"write `def {node.name}(db: Session, ...)`, and pass db first where it is called",
            )


@rule("R13", Point.SERVICE, "A service knows nothing of HTTP", Needs.SOURCES)
def no_http(tree: Tree) -> Iterator[Fault]:
    """It is called by routers, commands, seeds and tests alike. What goes wrong it says with the
    errors of `app.core.errors`; one place turns those into problem documents. An HTTPException
    would go past that."""
    for source in tree.sources.below("app/services"):
        for node in source.import_lines:
            for module in imported(node):
                if module.split(".")[0] in ("fastapi", "starlette"):
                    yield Fault(
                        source.name,
                        node.lineno,
                        f"it imports {module}",
                        "raise NotFoundError, ConflictError, ... of app.core.errors instead",
                    )


@rule("R14", Point.SERVICE, "A use case commits once", Needs.SOURCES)
def commits_once(tree: Tree) -> Iterator[Fault]:
    """All of it is there or nothing. Between two commits the process can be killed, and half a use
    case stays for ever; a retry after a deadlock would do the first half twice. Counted are `save`,
    `remove` and all else that commits, along each way through the method and what it calls."""
    for source, owner, node in use_cases(tree):
        code = Code(f"{owner.name}.{node.name}", source)
        if tree.functions.commits(code) > 1:
            yield Fault(
                source.name,
                _last_commit(tree, code),
                f"{owner.name}.{node.name} commits more than once",
                "change the rows, and commit all with one save() or db.commit() as the last step",
            )


@rule("R15", Point.SERVICE, "What a request writes is committed")
def commits(tree: Tree) -> Iterator[Fault]:
    """`get_db` owns the session's life only: leaving it rolls back what was not committed. A use
    case behind POST, PUT, PATCH or DELETE that does not commit answers 200 and stores nothing; so
    does one that ends with `db.flush()`."""
    for operation in tree.operations:
        if operation.method == "GET":
            continue
        with_session = [
            code
            for code in tree.functions.service_calls(operation.source, operation.node)
            if any(a.arg == "db" for a in code.node.args.args)
        ]
        if with_session and not any(map(tree.functions.commits, with_session)):
            code = with_session[0]
            yield Fault(
                code.source.name,
                code.node.lineno,
                f"{code.name} never commits, so {operation.name} stores nothing",
                "end it with `return save(db, row)`, `remove(db, row)` or db.commit()",
            )


@rule("R16", Point.SERVICE, "No session is made by hand", Needs.SOURCES)
def given_session(tree: Tree) -> Iterator[Fault]:
    """A request has one session: SessionDep makes, passes and closes it. One that a feature makes
    is a second connection and a second transaction, which sees nothing of the first and waits for
    its locks. What runs after the answer (`later(function, ...)`) opens a `session_scope()`."""
    after = _run_later(tree)
    for source in tree.sources.below("app/services", "app/api", "app/schemas", "app/models"):
        for name, node in source.functions.items():
            for call in calls(node):
                made = last_name(call.func)
                opened = made == "session_scope" and name not in after
                if made in MAKERS or opened or OPENERS.search(dotted(call.func)):
                    yield Fault(
                        source.name,
                        call.lineno,
                        f"{name} makes a session of its own: {made}()",
                        "take `db: Session` as its first parameter; the router passes SessionDep",
                    )


@rule("R17", Point.SERVICE, "Statements are select(), not query()", Needs.SOURCES)
def select_only(tree: Tree) -> Iterator[Fault]:
    """`db.query()` is the old way. It is not typed, and `paginate`, `get_or_404` and loader options
    are written for `select()`."""
    for source in tree.sources.below("app/services", "app/api", "app/models"):
        for node in source.calls:
            if QUERY.search(dotted(node.func)):
                model = ast.unparse(node.args[0]) if node.args else "Model"
                yield Fault(
                    source.name,
                    node.lineno,
                    f"db.query({model})",
                    f"write db.scalars(select({model})...), or get_or_404(db, {model}, id)",
                )


@rule("R59", Point.SERVICE, "A use case uses what it takes", Needs.SOURCES)
def uses_all(tree: Tree) -> Iterator[Fault]:
    """A `user` that is taken and not used is an order that everybody can read: who may, the query
    decides, by `where(Order.user_id == user.id)`. A `params` that is not used is a filter that
    filters nothing."""
    for source in tree.sources.below("app/services"):
        for name, node in source.functions.items():
            if not source.name.endswith("_service.py") or _is_stub(node):
                continue
            used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                if argument.arg not in used and argument.arg not in ("self", "cls", "_"):
                    yield Fault(
                        source.name,
                        argument.lineno,
                        f"{name} takes {argument.arg} and does not use it",
                        f"use {argument.arg} in the query, or take it away, here and in the router",
                    )


def _is_stub(node: Function) -> bool:
    """A function that is only declared."""
    last = node.body[-1]
    empty = isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant)
    return len(node.body) == 1 and (empty or isinstance(last, ast.Pass))


def _last_commit(tree: Tree, code: Code) -> int:
    found = [c.lineno for c in calls(code.node) if tree.functions.commits_of_call(code, c)]
    return max(found, default=code.node.lineno)


def _run_later(tree: Tree) -> set[str]:
    """The functions that are handed over to run once the answer is out, and have no request's
    session."""
    found = set()
    for source in tree.sources.below("app/services"):
        for node in source.nodes:
            if isinstance(node, ast.Call) and dotted(node.func) == "later" and node.args:
                found.add(last_name(node.args[0]))
    return found
