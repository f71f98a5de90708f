"""A living file, into which parts of another one are written by its syntax tree.

The other one is what `new` would write for the new fields alone, so that what is grafted comes from
the same templates. Everything around it stays to the letter.
"""

import ast
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import libcst as cst
from libcst import matchers as m

from app.cli.console import CommandError

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
Part = TypeVar("Part", cst.Element, cst.Arg, cst.DictElement, cst.Param)


class Graft:
    """A living module and the one that the parts come from."""

    def __init__(self, shown: str, source: str, donor: str = "") -> None:
        self.shown = shown  # the path, for messages
        self.source = source
        self.tree = _parsed(shown, source)
        self.body: list[Any] = list(self.tree.body)
        self.donor = cst.parse_module(donor)
        self._taken: set[str] = set()  # the names in what was grafted
        self._quoted: set[str] = set()  # those that only a type checker needs

    # --- Looking

    def find(self, name: str) -> Any:
        """A class, function or assignment of the module; None when there is none."""
        found = find(self.body, name)
        if isinstance(found, cst.ClassDef) and not isinstance(found.body, cst.IndentedBlock):
            raise CommandError(
                f"{self.shown}: looked for the body of {name} below it, and it is beside it."
            )
        return found

    def need(self, name: str, why: str = "") -> Any:
        found = self.find(name)
        if found is None:
            raise CommandError(f"{self.shown}: looked for {name}{why}, and there is none.")
        return found

    def given(self, name: str) -> Any:
        found = find(self.donor.body, name)
        assert found is not None, name
        return found

    def binds(self, name: str) -> bool:
        return self.find(name) is not None or name in imported_names(self.body)

    def is_for_checking(self, name: str) -> bool:
        """Whether only a type checker sees it imported."""
        return name in imported_names(self.body) and name not in _imports(self.body)

    # --- Writing

    def replace(self, old: Any, new: Any) -> None:
        self.body[self.body.index(old)] = new

    def insert(self, node: Any, at: int) -> None:
        self.take(node)
        self.body.insert(at, node)

    def take(self, *nodes: cst.CSTNode) -> None:
        """What these nodes name is to be imported."""
        for node in nodes:
            self._taken |= {each.value for each in _names(node)}

    def quote(self, names: Iterable[str]) -> None:
        self._quoted |= set(names)

    def result(self) -> str:
        """The text of the file, with the imports that it needs."""
        body = self.body
        bound = imported_names(body)
        for name, code in sorted(_imports(self.donor.body).items()):
            if name not in self._taken or name in bound or self.find(name) is not None:
                continue
            add = _import_for_checking if name in self._quoted else _import
            body = add(body, code)
        return self.tree.with_changes(body=body).code


def _parsed(shown: str, source: str) -> cst.Module:
    try:
        return cst.parse_module(source)
    except cst.ParserSyntaxError as error:
        raise CommandError(f"{shown}, line {error.raw_line}: no Python. Mend it first.") from None


# --- Looking -----------------------------------------------------------------------------------


def find(body: Sequence[Any], name: str) -> Any:
    return next((node for node in body if bound_name(node) == name), None)


def bound_name(node: Any) -> str | None:
    """What a statement defines: a class, a function, or a variable."""
    if isinstance(node, cst.ClassDef | cst.FunctionDef):
        return node.name.value
    if not isinstance(node, cst.SimpleStatementLine) or len(node.body) != 1:
        return None
    line = node.body[0]
    target = line.target if isinstance(line, cst.AnnAssign) else None
    if isinstance(line, cst.Assign) and len(line.targets) == 1:
        target = line.targets[0].target
    return target.value if isinstance(target, cst.Name) else None


def imported_names(body: Sequence[Any]) -> set[str]:
    return set(_imports(body)) | {
        name
        for node in body
        if isinstance(node, cst.If) and m.matches(node.test, m.Name("TYPE_CHECKING"))
        for name in _imports(node.body.body)
    }


def _imports(body: Sequence[Any]) -> dict[str, str]:
    """Names that a module imports, and the statement that imports each."""
    found = {}
    for node in body:
        if m.matches(node, m.SimpleStatementLine(body=[m.ImportFrom() | m.Import()])):
            for alias in m.findall(node, m.ImportAlias()):
                code = ast.parse(cst.Module([node.with_changes(leading_lines=[])]).code).body[0]
                assert isinstance(code, ast.ImportFrom | ast.Import)
                assert isinstance(alias, cst.ImportAlias)
                name = alias.evaluated_alias or alias.evaluated_name
                code.names = [each for each in code.names if (each.asname or each.name) == name]
                found[name] = ast.unparse(code)
    return found


def _names(node: cst.CSTNode) -> list[cst.Name]:
    return [each for each in m.findall(node, m.Name()) if isinstance(each, cst.Name)]


def same(one: cst.CSTNode, other: cst.CSTNode) -> bool:
    """Whether two statements say the same, however they are laid out."""
    return tidied(one) == tidied(other)


def tidied(node: cst.CSTNode) -> str:
    if isinstance(node, cst.BaseStatement) and hasattr(node, "leading_lines"):
        node = node.with_changes(leading_lines=[])
    return ast.unparse(ast.parse(cst.Module([]).code_for_node(node).strip()))


# --- Writing -----------------------------------------------------------------------------------


def woven(old: Sequence[Part], new: Sequence[Part], at: int | None = None) -> list[Part]:
    """`new` among the parts of a tuple, list, dict or call, which keep their commas.

    at: the index where they begin; at the end without one.
    """
    if not new:
        return list(old)
    at = len(old) if at is None else at
    bare: list[Any] = [each.with_changes(comma=cst.MaybeSentinel.DEFAULT) for each in new]
    merged: list[Any] = [*old[:at], *bare, *old[at:]]
    last = merged.pop()
    if at == len(old) and old and isinstance(old[-1].comma, cst.Comma):
        last = last.with_changes(comma=cst.Comma())
    return [*map(_parted, merged), last]


def _parted(part: Part) -> Part:
    if isinstance(part.comma, cst.Comma) and not part.comma.whitespace_after.empty:
        return part
    return part.with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))


def _import(body: list[Any], code: str) -> list[Any]:
    """Beside the one from the same module, or behind the last one; ruff sorts them later."""
    line = cst.parse_statement(code)
    imports = [i for i, node in enumerate(body) if _imports([node])]
    module = code.partition(" import ")[0]
    beside = [i for i in imports if f"{module} import" in "\n".join(_imports([body[i]]).values())]
    if beside or imports:
        place = (beside or imports)[-1] + 1
    else:
        docstring = m.SimpleStatementLine(body=[m.Expr(value=m.SimpleString())])
        place = 1 if body and m.matches(body[0], docstring) else 0
    return [*body[:place], line, *body[place:]]


def _import_for_checking(body: list[Any], code: str) -> list[Any]:
    for index, node in enumerate(body):
        if isinstance(node, cst.If) and m.matches(node.test, m.Name("TYPE_CHECKING")):
            lines = [*node.body.body, cst.parse_statement(code)]
            changed = node.with_changes(body=node.body.with_changes(body=lines))
            return [*body[:index], changed, *body[index + 1 :]]
    block = cst.parse_statement(f"if TYPE_CHECKING:\n    {code}\n")
    block = block.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    place = max((i for i, node in enumerate(body) if _imports([node])), default=-1) + 1
    body = [*body[:place], block, *body[place:]]
    if "TYPE_CHECKING" not in imported_names(body):
        body = _import(body, "from typing import TYPE_CHECKING")
    return body
