"""What must not be written down: SQL put together from strings, `SELECT *`, credentials."""

import ast
import re
from collections.abc import Iterator

from app.cli.checks.rules import Fault, Needs, Point, rule
from app.cli.checks.sources import Source, last_name
from app.cli.checks.tree import Tree
from app.cli.scaffold.git import git

REQUEST = ("app/services", "app/api", "app/models", "app/schemas")
RUNS_SQL = {"text", "execute", "scalar", "scalars", "exec_driver_sql", "from_statement"}
RUNS_SQL |= {"literal_column", "where", "filter", "order_by", "having"}
STAR = re.compile(r"\bselect\s+(\w+\.)?\*", re.IGNORECASE)


@rule("R50", Point.PITFALLS, "No SQL is built from strings", Needs.SOURCES)
def built_sql(tree: Tree) -> Iterator[Fault]:
    """A value in the text of a statement can end it and begin another one. `select()` binds values
    by itself; written SQL takes them as parameters: `text("... WHERE name = :name")`, `{"name":
    name}`."""
    for source in _with_sql(tree):
        for node in source.calls:
            if last_name(node.func) not in RUNS_SQL:
                continue
            for argument in node.args[:1]:
                if _is_built(argument) or _is_built(_local(source, argument)):
                    yield Fault(
                        source.name,
                        node.lineno,
                        f"{last_name(node.func)}() runs SQL that is put together from strings",
                        'write select(), or text("... = :name") with {"name": value}',
                    )


def _with_sql(tree: Tree) -> list[Source]:
    """The files of features, and of others those that run statements."""
    runs = re.compile(r"\b(?:text|execute|exec_driver_sql|literal_column|scalars?)\(")
    return [
        source
        for source in tree.sources.below("app")
        if source.name.startswith(REQUEST) or runs.search(source.text)
    ]


def _is_built(node: ast.AST | None) -> bool:
    """An f-string, `+`, `%` or `.format` with something in it that is no constant."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(each, ast.FormattedValue) for each in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        texts = [
            n for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
        ]
        return bool(texts) and not _is_constant(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        return node.func.attr == "format" and isinstance(owner, ast.Constant | ast.JoinedStr)
    return False


def _is_constant(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_constant(node.left) and _is_constant(node.right)
    return isinstance(node, ast.Constant)


def _local(source: Source, node: ast.expr) -> ast.expr | None:
    """What a name was set to in the function that uses it."""
    if not isinstance(node, ast.Name):
        return None
    for function in source.functions.values():
        if function.lineno <= node.lineno <= (function.end_lineno or 0):
            for each in ast.walk(function):
                if isinstance(each, ast.Assign) and node.id in map(last_name, each.targets):
                    return each.value
    return source.values.get(node.id)


@rule("R51", Point.PITFALLS, "No SELECT *", Needs.SOURCES)
def select_star(tree: Tree) -> Iterator[Fault]:
    """It fetches what nobody asked for, secrets and long texts included, and breaks when a
    migration adds a column. `select(Product)`, or the columns by name."""
    for source in _with_sql(tree):
        for call in source.calls:
            if last_name(call.func) not in RUNS_SQL:
                continue
            for text in (n for a in call.args[:1] for n in ast.walk(a)):
                if isinstance(text, ast.Constant) and STAR.search(str(text.value)):
                    what, remedy = "SELECT *", "write select(Model), or name the columns"
                    yield Fault(source.name, text.lineno, what, remedy)


# What nobody writes but as a secret. An entropy test would find hashes, ids and examples as well.
CREDENTIALS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "an AWS key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})\b"),
    "a Slack token": re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{20,}"),
    "a Stripe key": re.compile(r"\b[rs]k_live_[0-9A-Za-z]{20,}"),
    "a Google key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "a key of an AI service": re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}"),
    "a password in a URL": re.compile(
        r"\b(?:postgres(?:ql)?|mysql|mariadb|redis|rediss|amqp|mongodb|smtp)(?:\+\w+)?://"
        r"[^\s:/@\"'{}$<>]*:(?P<value>[^\s/@\"'{}$<>]{3,})@(?!localhost|127\.|(?:db|host)\b)"
    ),
    "a secret of the settings": re.compile(
        r"^\s*(?:export\s+)?(?:SECRET_KEY|SMTP_PASSWORD)\s*[:=]\s*[\"']?(?P<value>[^\s\"'#$]{12,})"
    ),
}
PRIVATE = re.compile(
    r"(?:^|/)(?:\.env(?!\.example$)(?:\.\w+)?|\.secret_key|id_(?:rsa|ed25519|ecdsa)|\.netrc|\.pgpass"
    r"|[^/]+\.(?:pem|p12|pfx|db|sqlite3?))$"
)
EXAMPLE = re.compile(r"example|change|password|secret|your|xxx|\*\*\*|\.\.\.", re.IGNORECASE)


@rule("R54", Point.PITFALLS, "No credentials are in git", Needs.SOURCES)
def credentials(tree: Tree) -> Iterator[Fault]:
    """Whoever has had the repository once has them for ever: a later commit takes nothing back.
    Looked at is what git knows: files that are private by their name, and keys and passwords in the
    others. One that was there is to be changed, not only deleted."""
    for name in (git("ls-files", "-z") or "").split("\0"):
        path = tree.root / name
        if PRIVATE.search(name):
            remedy = f"git rm --cached {name}, add it to .gitignore, and change what it holds"
            yield Fault(name, 1, "it is private, and git has it", remedy)
            continue
        if not name or not path.is_file() or path.stat().st_size > 500_000:
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        if "\0" in text or not any(hint in text for hint in HINTS):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if what := _credential(line):
                yield Fault(
                    name,
                    number,
                    f"it holds {what}",
                    "take it out, change it where it is valid, and read it from the environment",
                )


# What each of them has in it, to pass over files that have none.
HINTS = (
    *("PRIVATE KEY", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xox"),
    *("k_live_", "AIza", "sk-", "://", "SECRET_KEY", "SMTP_PASSWORD"),
)


def _credential(line: str) -> str:
    if not any(hint in line for hint in HINTS):
        return ""
    for what, pattern in CREDENTIALS.items():
        if match := pattern.search(line):
            value = match.groupdict().get("value") or ""
            if not EXAMPLE.search(value):
                return what
    return ""
