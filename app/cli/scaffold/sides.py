"""The other side of a relationship, written into a living model and taken out of it.

By the syntax tree, so that everything else in the file stays to the letter. Without the matchers
of LibCST: to import them takes as long as all the rest of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

import libcst as cst

from app.cli.scaffold.attribute import Attribute

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


@dataclass(frozen=True)
class Side:
    """An attribute of `owner` that lists the rows of `cls` which refer to it."""

    owner: str
    owner_module: str
    cls: str
    module: str
    code: str


def side_of(attribute: Attribute) -> Side | None:
    """The other side of a `ref` or `many`; None when it is in the entity's own file."""
    target, names = attribute.target, attribute.names
    if target is None:
        return None
    arguments = [f'back_populates="{attribute.relation}"', "passive_deletes=True"]
    if attribute.is_many:
        arguments.insert(0, f'secondary="{attribute.between}"')
    elif not attribute.field.nullable:
        arguments.insert(1, 'cascade="all, delete-orphan"')
    if attribute.several and not attribute.is_many:
        arguments.insert(0, f'foreign_keys="{names.cls}.{attribute.name}"')
    code = (
        f'{attribute.other_side}: Mapped[list["{names.cls}"]] = '
        f"relationship({', '.join(arguments)})"
    )
    return Side(target.cls, target.module, names.cls, f"app.models.{names.singular}", code)


def add_side(source: str, side: Side) -> str:
    """The file of a model with one relationship more."""
    tree = cst.parse_module(source)
    body: list[Statement] = []
    for node in tree.body:
        if isinstance(node, cst.ClassDef) and node.name.value == side.owner:
            body.append(_with_attribute(node, side.code))
        else:
            body.append(node)
    body = _with_import(body, f"from {side.module} import {side.cls}")
    body = _after_docstring(body, "from sqlalchemy.orm import Mapped, relationship")
    body = _after_docstring(body, "from typing import TYPE_CHECKING")
    return tree.with_changes(body=body).code


def remove_sides(source: str, cls: str) -> str:
    """The file of a model without the relationships to `cls`, and without its import."""
    tree = cst.parse_module(source)
    body = [
        _without_attributes(node, cls) if isinstance(node, cst.ClassDef) else node
        for node in tree.body
    ]
    return tree.with_changes(body=_without_imports(body, {cls})).code


def _without_imports(body: Sequence[Statement], names: set[str]) -> list[Statement]:
    """Without the imports of these names that only a type checker sees."""
    left: list[Statement] = []
    for node in body:
        if not _is_checking(node):
            left.append(node)
            continue
        kept = [each for each in node.body.body if _imported(each) not in names]
        if kept:
            left.append(node.with_changes(body=node.body.with_changes(body=kept)))
    return left


def sides_in(source: str, cls: str) -> list[str]:
    """The names of the attributes that list rows of `cls`."""
    return [code.partition(":")[0] for _, code in side_codes(source, {cls})]


def side_codes(source: str, classes: set[str]) -> list[tuple[str, str]]:
    """The attributes that list rows of `classes`, with the class that they are in."""
    tree = cst.parse_module(source)
    return [
        (owner.name.value, tree.code_for_node(node).strip())
        for owner in tree.body
        if isinstance(owner, cst.ClassDef) and owner.name.value not in classes
        for node in owner.body.body
        if any(_is_side(node, cls) for cls in classes)
    ]


def without_sides(source: str) -> str:
    """The file of a model without the lists that others have added to it."""
    tree = cst.parse_module(source)
    classes = {node.name.value for node in tree.body if isinstance(node, cst.ClassDef)}
    body, gone = list[Statement](), set[str]()
    for node in tree.body:
        if isinstance(node, cst.ClassDef):
            sides = [each for each in node.body.body if _listed(each) not in (None, *classes)]
            gone |= {name for each in sides if (name := _listed(each))}
            kept = [each for each in node.body.body if each not in sides]
            node = node.with_changes(body=node.body.with_changes(body=kept))
        body.append(node)
    return tree.with_changes(body=_without_imports(body, gone)).code


def _listed(node: cst.CSTNode) -> str | None:
    """The class of what refers to this one: a list, named by a string, by no table of its own."""
    line = _annotated(node)
    if line is None or not _is_relationship(node) or re.search(r"secondary=\w", _code(node)):
        return None
    found = re.fullmatch(r"""Mapped\[list\[["'](\w+)["']\]\]""", _code(line.annotation.annotation))
    return found[1] if found else None


def _with_attribute(node: cst.ClassDef, code: str) -> cst.ClassDef:
    """Behind the last relationship; without any, behind the last column and an empty line."""
    statements = list(node.body.body)
    relations = [i for i, each in enumerate(statements) if _is_relationship(each)]
    columns = [i for i, each in enumerate(statements) if _annotated(each)]
    place = (relations or columns or [len(statements) - 1])[-1] + 1
    line = cst.parse_statement(code)
    if not relations and isinstance(line, cst.SimpleStatementLine):
        line = line.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    statements.insert(place, line)
    return node.with_changes(body=node.body.with_changes(body=statements))


def _without_attributes(node: cst.ClassDef, cls: str) -> cst.ClassDef:
    kept: list[cst.BaseStatement | cst.BaseSmallStatement] = []
    gap: Sequence[cst.EmptyLine] | None = None  # which the next relationship inherits
    for each in node.body.body:
        if _is_side(each, cls) and isinstance(each, cst.SimpleStatementLine):
            gap = each.leading_lines if gap is None else gap
            continue
        if gap and _is_relationship(each) and isinstance(each, cst.SimpleStatementLine):
            each = each.with_changes(leading_lines=gap)
        gap = None
        kept.append(each)
    return node.with_changes(body=node.body.with_changes(body=kept))


def _code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node).strip()


def _is_checking(node: cst.CSTNode) -> TypeGuard[cst.If]:
    return isinstance(node, cst.If) and _code(node.test) == "TYPE_CHECKING"


def _annotated(node: cst.CSTNode) -> cst.AnnAssign | None:
    line = node.body[0] if isinstance(node, cst.SimpleStatementLine) else None
    return line if isinstance(line, cst.AnnAssign) else None


def _is_relationship(node: cst.CSTNode) -> bool:
    line = _annotated(node)
    value = line.value if line else None
    return isinstance(value, cst.Call) and _code(value.func) == "relationship"


def _is_side(node: cst.CSTNode, cls: str) -> bool:
    """Whether it is a relationship to the class, named by a string: `Mapped[list["Product"]]`."""
    line = _annotated(node)
    if line is None or not _is_relationship(node):
        return False
    return cls in re.findall(r"""["'](\w+)""", _code(line.annotation.annotation))


def _imported(node: cst.CSTNode) -> str:
    """The name that a line of the form `from a import B` imports."""
    return _code(node).rpartition(" import ")[2]


def _with_import(body: list[Statement], code: str) -> list[Statement]:
    """`code` under `if TYPE_CHECKING`, which is made behind the imports when there is none."""
    for index, node in enumerate(body):
        if _is_checking(node):
            lines = [*node.body.body, cst.parse_statement(code)]
            body[index] = node.with_changes(body=node.body.with_changes(body=lines))
            return body
    imports = [index for index, node in enumerate(body) if _is_import(node)]
    block = cst.parse_statement(f"if TYPE_CHECKING:\n    {code}\n")
    assert isinstance(block, cst.If)
    block = block.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    place = imports[-1] + 1 if imports else 0
    return [*body[:place], block, *body[place:]]


def _after_docstring(body: list[Statement], code: str) -> list[Statement]:
    line = cst.parse_statement(code)
    first = body[0] if body else None
    documented = isinstance(first, cst.SimpleStatementLine) and isinstance(first.body[0], cst.Expr)
    return [*body[:documented], line, *body[documented:]]


def _is_import(node: cst.CSTNode) -> bool:
    line = node.body[0] if isinstance(node, cst.SimpleStatementLine) else None
    return isinstance(line, cst.Import | cst.ImportFrom)
