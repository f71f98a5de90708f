"""What goes wrong anywhere: kept sessions, statements for each row, open doors, circles."""

import ast
import re
from collections.abc import Iterator

from app.cli.checks.rules import Fault, Needs, Point, rule
from app.cli.checks.service import MAKERS, OPENERS
from app.cli.checks.sources import Function, Source, calls, dotted, last_name
from app.cli.checks.tree import Tree
from app.cli.checks.written import REQUEST

HANDS_OVER = {"later", "add_task", "submit", "create_task", "run_in_executor", "to_thread"}
HANDS_OVER |= {"Thread", "Timer", "start_soon", "run_sync"}

# Each layer may import those named here, and itself.
LAYERS = {
    "core": set[str](),
    "models": {"core"},
    "schemas": {"core", "models"},
    "services": {"core", "models", "schemas"},
    "api": {"core", "models", "schemas", "services"},
    "main": {"core", "api"},
    "cli": {"core", "models", "schemas", "services", "api", "main"},
}


@rule("R52", Point.PITFALLS, "A session is not kept, and not shared", Needs.SOURCES)
def kept_sessions(tree: Tree) -> Iterator[Fault]:
    """A session belongs to one request and one thread. One of the module or of an object serves
    many at once, who see each other's half-done work; one that is handed over to a thread or to
    `later` is closed before it is used."""
    for source in tree.sources.below(*REQUEST):
        for value in source.values.values():
            if isinstance(value, ast.Call) and _makes_session(value):
                yield _kept(source, value, "a session of the module is shared by all requests")
        for node in source.nodes:
            if what := _keeps_session(node):
                yield _kept(source, node, what)


def _makes_session(call: ast.Call) -> bool:
    by_name = last_name(call.func) in MAKERS - {"create_engine", "sessionmaker"}
    made_at_once = isinstance(call.func, ast.Call) and last_name(call.func.func) == "sessionmaker"
    return by_name or made_at_once or bool(OPENERS.search(dotted(call.func)))


def _keeps_session(node: ast.AST) -> str:
    """How it keeps one, in words."""
    if isinstance(node, ast.Assign) and _is_session(node.value):
        kept = next((ast.unparse(t) for t in node.targets if isinstance(t, ast.Attribute)), "")
        # The state of a request ends with it.
        return f"{kept} keeps a session" if kept and not kept.startswith("request.state.") else ""
    if isinstance(node, ast.Call) and last_name(node.func) in HANDS_OVER:
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        given += [each for several in given for each in getattr(several, "elts", ())]
        if any(map(_is_session, given)):
            return f"{last_name(node.func)}() gets a session that is closed by then"
    is_cached = isinstance(node, Function) and any(map(_caches, node.decorator_list))
    if isinstance(node, Function) and is_cached and any(a.arg == "db" for a in node.args.args):
        return f"the cache of {node.name} keeps sessions"
    return ""


def _kept(source: Source, node: ast.AST, what: str) -> Fault:
    remedy = "pass `db` as the first argument; what runs later opens its own session_scope()"
    return Fault(source.name, node.lineno, what, remedy)  # type: ignore[attr-defined]


def _is_session(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("db", "session", "db_session")


def _caches(node: ast.AST) -> bool:
    target = node.func if isinstance(node, ast.Call) else node
    return last_name(target) in ("cache", "lru_cache")


@rule("R53", Point.PITFALLS, "No statement runs for each row", Needs.RECORD)
def n_plus_one(tree: Tree) -> Iterator[Fault]:
    """Measured in the last run of the tests: the same statement ran as often as an answer has rows.
    With three rows it is fast; with a hundred in a page, the list takes a hundred times as long."""
    for subject in tree.subjects:
        modules = tree.tests_of(subject)
        if not tree.operations_of(subject) or not tree.is_measured(subject):
            continue
        for seen in tree.record.repeats(modules):
            file, _, line = seen.place.rpartition(":")
            statement = seen.statement if len(seen.statement) < 80 else seen.statement[:77] + "..."
            yield Fault(
                file or "app/main.py",
                int(line or 1),
                f"GET {seen.path} ran one statement {seen.times} times for {seen.rows} rows "
                f"({statement}), in {seen.test}",
                "load them with the list: .options(selectinload(...)), a join, or one IN",
            )


@rule("R55", Point.PITFALLS, "No list is unbounded")
def unbounded(tree: Tree) -> Iterator[Fault]:
    """A table grows. A route that answers all its rows, and a method that loads them all, work
    until the day when memory and the client's patience end. A list is a Page; what is short by
    nature has a limit all the same."""
    for operation in tree.operations:
        if operation.method == "GET" and _answers_array(tree, operation):
            yield Fault(
                operation.source.name,
                operation.line,
                f"{operation.name} answers a list without an end",
                "answer Page[XRead] by paginate(db, select(X), params, XRead)",
            )
    for source in tree.sources.below("app/services"):
        for name, node in source.functions.items():
            returns = ast.unparse(node.returns) if node.returns else ""
            if name.startswith("_") or not returns.startswith(("list[", "Sequence[", "list")):
                continue
            line = _fetch_of_all(node)
            if line and not re.search(r"\.limit\(|\.in_\(", ast.unparse(node)):
                yield Fault(
                    source.name,
                    line,
                    f"{name} fetches all rows",
                    "use paginate(), or add .limit(...) to the statement",
                )


def _answers_array(tree: Tree, operation: object) -> bool:
    described = tree.described(operation)  # type: ignore[arg-type]
    content = described.get("responses", {}).get("200", {}).get("content", {})
    if content.get("application/json", {}).get("schema", {}).get("type") != "array":
        return False
    limits = [p["schema"] for p in described.get("parameters", []) if p["name"] == "limit"]
    return not any("maximum" in each for each in limits)


def _fetch_of_all(node: Function) -> int:
    """The line of `....all()` or `list(db.scalars(...))`; 0 for none."""
    for call in calls(node):
        chained = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call)
        listed = dotted(call.func) == "list" and any(
            last_name(each.func) == "scalars" for argument in call.args for each in calls(argument)
        )
        if listed or (chained and last_name(call.func) == "all"):
            return call.lineno
    return 0


@rule("R56", Point.PITFALLS, "Who writes is signed in, or the route says that it is open")
def guarded(tree: Tree) -> Iterator[Fault]:
    """A route that writes takes CurrentUser, Staff or Admin. One that is meant for all, such as a
    registration, says so: `dependencies=[Anyone]`. Then one that has neither was forgotten."""
    from app.api.deps import anyone, get_claims

    for operation in tree.operations:
        if operation.method == "GET":
            continue
        known = operation.dependencies & {anyone, get_claims}
        if len(known) != 1:
            what = "is open to all and does not say so"
            if known:
                what = "says that it is open to all, and asks for a user"
            yield Fault(
                operation.source.name,
                operation.line,
                f"{operation.name} {what}",
                "take `user: CurrentUser` (or `_: Staff`, `_: Admin`); or write "
                "dependencies=[Anyone]",
            )


@rule("R57", Point.PITFALLS, "A GET that writes says so")
def writing_gets(tree: Tree) -> Iterator[Fault]:
    """A GET has a session for reading: no transaction, and writing in it is an error. One that
    counts a view declares `dependencies=[Writes]`; most that write should be a POST."""
    from app.api.deps import writes

    for operation in tree.operations:
        if operation.method != "GET" or writes in operation.dependencies:
            continue
        for code in tree.functions.service_calls(operation.source, operation.node):
            if tree.functions.commits(code):
                yield Fault(
                    operation.source.name,
                    operation.line,
                    f"{operation.name} writes ({code.name} commits), with a session for reading",
                    "make it a POST, or write dependencies=[Writes] in its decorator",
                )


@rule("R58", Point.PITFALLS, "Imports point one way", Needs.SOURCES)
def one_way(tree: Tree) -> Iterator[Fault]:
    """api -> services -> schemas -> models -> core. Then a service can be called by a command and a
    test, a model can be read without the services, and nothing imports in circles. Imports of a
    type checker (`TYPE_CHECKING`) count as well."""
    for source in tree.sources.below("app"):
        layer = source.name.split("/")[1].removesuffix(".py")
        allowed = LAYERS.get(layer, set()) | {layer}
        if allowed >= LAYERS.keys():
            continue  # the commands may import everything
        for node in source.import_lines:
            for wrong in sorted(_layers(node) - allowed):
                yield Fault(
                    source.name,
                    node.lineno,
                    f"app/{layer} imports app/{wrong}",
                    f"app/{layer} may import {', '.join(sorted(allowed))}: move the code to where "
                    "both may see it",
                )


def _layers(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The folders of `app` that an import names."""
    if isinstance(node, ast.Import):
        modules = [alias.name.split(".") for alias in node.names]
    else:
        module = (node.module or "").split(".")
        modules = [[*module, alias.name] for alias in node.names]
    return {parts[1] for parts in modules if parts[0] == "app" and len(parts) > 1}
