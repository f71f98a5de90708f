"""The files of the project as they are written: syntax trees, places in them, silences."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

SILENCE = re.compile(r"(?:#|<!--|//|--)\s*check:\s*(?P<rules>R\d+(?:[,\s]+R\d+)*)(?P<rest>.*)")
REASON = re.compile(r"\s+because\s+\w.*")

if TYPE_CHECKING:
    from app.cli.checks.rules import Fault

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Silence:
    """A rule is silenced at its own line and, where it stands alone, at the next one with code."""

    line: int
    lines: tuple[int, ...]
    rules: tuple[str, ...]
    has_reason: bool

    def covers(self, fault: "Fault") -> bool:
        return self.has_reason and fault.line in self.lines and fault.rule in self.rules


class Source:
    """One Python file."""

    def __init__(self, root: Path, path: Path) -> None:
        self.path = path
        self.name = path.relative_to(root).as_posix()
        self.module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(
            ".__init__"
        )

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The file's tree; an empty one where it cannot be parsed: importing it tells that."""
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError):
            return ast.Module([], [])

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def calls(self) -> list[ast.Call]:
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def import_lines(self) -> list[ast.Import | ast.ImportFrom]:
        return [node for node in self.nodes if isinstance(node, ast.Import | ast.ImportFrom)]

    @cached_property
    def silences(self) -> list[Silence]:
        if "check:" not in self.text:
            return []
        comments = _comment_lines(self.text)
        return [each for each in find_silences(self.text) if each.line in comments]

    # --- Places

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def functions(self) -> dict[str, Function]:
        """By `name` or `Class.name`."""
        found = {node.name: node for node in self.tree.body if isinstance(node, Function)}
        for name, owner in self.classes.items():
            found |= {f"{name}.{n.name}": n for n in owner.body if isinstance(n, Function)}
        return found

    @cached_property
    def imports(self) -> dict[str, str]:
        """What each imported name stands for: `get_or_404` -> `app.services.base.get_or_404`."""
        found: dict[str, str] = {}
        for node in self.import_lines:
            if isinstance(node, ast.Import):
                found |= {alias.asname or alias.name: alias.name for alias in node.names}
            elif node.module:
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return found

    @cached_property
    def values(self) -> dict[str, ast.expr]:
        """What the names of the module are set to."""
        found: dict[str, ast.expr] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign):
                found |= {t.id: node.value for t in node.targets if isinstance(t, ast.Name)}
            elif isinstance(node, ast.AnnAssign) and node.value and _name(node.target):
                found[_name(node.target)] = node.value
        return found

    def line_of(self, owner: str, attribute: str = "") -> int:
        """Of a class or, if it is written there, of its attribute; else of the first line."""
        node = self.classes.get(owner)
        for each in node.body if node else []:
            if isinstance(each, ast.AnnAssign) and _name(each.target) == attribute:
                return each.lineno
            if isinstance(each, ast.Assign) and attribute in map(_name, each.targets):
                return each.lineno
            if isinstance(each, Function) and each.name == attribute:
                return each.lineno
        if node:
            return node.lineno
        return self.line_of_value(owner)

    def line_of_value(self, name: str) -> int:
        return self.values[name].lineno if name in self.values else 1


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _comment_lines(text: str) -> set[int]:
    """A comment that stands in a string is none."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return set()
    return {token.start[0] for token in tokens if token.type == tokenize.COMMENT}


def find_silences(text: str) -> list[Silence]:
    """Those of any text file."""
    found, lines = [], text.splitlines()
    for number, line in enumerate(lines, 1):
        match = SILENCE.search(line) if "check:" in line else None
        if not match:
            continue
        covered = [number]
        if line[: match.start()].strip() == "":
            following = range(number, len(lines))
            after = (i + 1 for i in following if not lines[i].lstrip().startswith(("#", "@")))
            covered += [next(after, number)]
        has_reason = bool(REASON.fullmatch(match["rest"].removesuffix("-->").rstrip()))
        rules = tuple(re.findall(r"R\d+", match["rules"]))
        found.append(Silence(number, tuple(covered), rules, has_reason))
    return found


def dotted(node: ast.AST) -> str:
    """`a.b.c` as it is written; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{before}.{node.attr}" if (before := dotted(node.value)) else ""
    return node.id if isinstance(node, ast.Name) else ""


def last_name(node: ast.AST) -> str:
    """`execute` of `db.execute`, and of `get(x).execute`."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that a line imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""]


def calls(node: ast.AST) -> Iterator[ast.Call]:
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            yield each


class Sources:
    """All files of the app, its tests and its migrations, each parsed when it is asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        paths = [
            *sorted((root / "app").rglob("*.py")),
            *sorted((root / "tests").glob("*.py")),
            *sorted((root / "alembic/versions").glob("*.py")),
        ]
        self.all = [Source(root, path) for path in paths]
        self.by_name = {source.name: source for source in self.all}
        self.by_module = {source.module: source for source in self.all}

    def below(self, *folders: str) -> list[Source]:
        """Of `app/api`: its modules."""
        return [s for s in self.all if s.name.startswith(tuple(f"{each}/" for each in folders))]

    def of(self, thing: object) -> Source:
        """The file that a class or function is written in."""
        return self.by_module[str(getattr(thing, "__module__", ""))]
