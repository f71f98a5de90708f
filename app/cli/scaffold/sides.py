"""The other side of a relationship, written into a living model and taken out of it.

By the syntax tree, so that everything else in the file stays to the letter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst
from libcst import matchers as m

from app.cli.scaffold.attribute import Attribute

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
CHECKING = m.If(test=m.Name("TYPE_CHECKING"))


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
    body: list[Statement] = []
    for node in tree.body:
        if isinstance(node, cst.ClassDef):
            body.append(_without_attributes(node, cls))
        elif m.matches(node, CHECKING) and isinstance(node, cst.If):
            kept = [each for each in node.body.body if not _imports(each, cls)]
            if kept:
                body.append(node.with_changes(body=node.body.with_changes(body=kept)))
        else:
            body.append(node)
    return tree.with_changes(body=body).code


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
    """The file of a model without what others have added to it."""
    tree = cst.parse_module(source)
    checking = [node for node in tree.body if m.matches(node, CHECKING)]
    for alias in (each for node in checking for each in m.findall(node, m.ImportAlias())):
        assert isinstance(alias, cst.ImportAlias)
        if sides_in(source, alias.evaluated_name):
            source = remove_sides(source, alias.evaluated_name)
    return source


def _with_attribute(node: cst.ClassDef, code: str) -> cst.ClassDef:
    """Behind the last relationship; without any, behind the last column and an empty line."""
    statements = list(node.body.body)
    relations = [i for i, each in enumerate(statements) if _is_relationship(each)]
    columns = [i for i, each in enumerate(statements) if m.matches(each, _annotated())]
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


def _annotated() -> m.SimpleStatementLine:
    return m.SimpleStatementLine(body=[m.AnnAssign()])


def _is_relationship(node: cst.CSTNode) -> bool:
    call = m.Call(func=m.Name("relationship"))
    return m.matches(node, m.SimpleStatementLine(body=[m.AnnAssign(value=call)]))


def _is_side(node: cst.CSTNode, cls: str) -> bool:
    """Whether it is a relationship to the class, named by a string: `Mapped[list["Product"]]`."""
    if not _is_relationship(node):
        return False
    assert isinstance(node, cst.SimpleStatementLine)
    line = node.body[0]
    assert isinstance(line, cst.AnnAssign)
    named = m.findall(line.annotation, m.SimpleString())
    return any(
        isinstance(each, cst.SimpleString) and each.value.strip("\"'").split(" ")[0] == cls
        for each in named
    )


def _imports(node: cst.CSTNode, cls: str) -> bool:
    alias = m.ImportAlias(name=m.Name(cls))
    return m.matches(node, m.SimpleStatementLine(body=[m.ImportFrom(names=[alias])]))


def _with_import(body: list[Statement], code: str) -> list[Statement]:
    """`code` under `if TYPE_CHECKING`, which is made behind the imports when there is none."""
    for index, node in enumerate(body):
        if isinstance(node, cst.If) and m.matches(node, CHECKING):
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
    place = 1 if body and m.matches(body[0], m.SimpleStatementLine([m.Expr()])) else 0
    return [*body[:place], line, *body[place:]]


def _is_import(node: cst.CSTNode) -> bool:
    kinds = m.Import() | m.ImportFrom()
    return m.matches(node, m.SimpleStatementLine(body=[kinds]))
