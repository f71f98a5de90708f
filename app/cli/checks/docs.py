"""Docs: each operation says what it does, and shows an input that works."""

import ast
from collections.abc import Iterator
from typing import Any

from app.cli.checks.rules import Fault, Point, rule
from app.cli.checks.tree import Tree

KNOWN = {"examples", "$ref", "enum", "const", "format", "default"}


@rule("R43", Point.DOCS, "Each operation is described")
def described(tree: Tree) -> Iterator[Fault]:
    """The docstring of the endpoint is what Swagger shows and what generated clients carry: one
    sentence that says more than the path does, such as who may, and what a 409 means."""
    for operation in tree.operations:
        if not tree.described(operation).get("description"):
            yield Fault(
                operation.source.name,
                operation.line,
                f"{operation.name} has no description",
                f"begin {operation.node.name} with a docstring that says what the path does not",
            )


@rule("R44", Point.DOCS, "Each field that must be sent has an example")
def examples(tree: Tree) -> Iterator[Fault]:
    """ "Try it out" at /docs sends the examples: with them, the first try works, before an audience
    as well. Without one Swagger sends "string" and gets a 422."""
    told = set()
    for operation in tree.operations:
        body = tree.described(operation).get("requestBody", {}).get("content", {})
        for media in body.values():
            name = str(media["schema"].get("$ref", "")).rpartition("/")[2]
            schema = tree.document["components"]["schemas"].get(name, {})
            for field in schema.get("required", []):
                written = schema["properties"][field]
                place = _place(tree, name, field)
                if place and not _shows(written) and (name, field) not in told:
                    told.add((name, field))
                    yield Fault(
                        *place,
                        f"{name}.{field} has no example",
                        'write Annotated[..., Field(examples=["..."])]',
                    )


def _shows(field: dict[str, Any]) -> bool:
    ways = [field, field.get("items", {}), *field.get("anyOf", ())]
    return any(KNOWN & way.keys() for way in ways) or field.get("type") == "boolean"


def _place(tree: Tree, name: str, field: str) -> tuple[str, int] | None:
    """Where the field of a schema is written; it may be in one that it stands on."""
    for source in tree.sources.below("app/schemas"):
        owner: ast.ClassDef | None = source.classes.get(name)
        while owner:
            if field in _fields(owner):
                return source.name, source.line_of(owner.name, field)
            above = [b.id for b in owner.bases if isinstance(b, ast.Name)]
            owner = next((source.classes[b] for b in above if b in source.classes), None)
        if name in source.classes:
            return source.name, source.line_of(name)
    return None


def _fields(owner: ast.ClassDef) -> set[str]:
    names = (each.target for each in owner.body if isinstance(each, ast.AnnAssign))
    return {name.id for name in names if isinstance(name, ast.Name)}


@rule("R45", Point.DOCS, "Each router says what it is about")
def tags(tree: Tree) -> Iterator[Fault]:
    """The docstring of a router's module stands behind its tag at /docs and in the document;
    without a tag, its operations stand under "default"."""
    for module in tree.routers:
        source = tree.sources.by_module[module.__name__]
        if not module.router.routes:
            continue
        if not ast.get_docstring(source.tree):
            remedy = 'begin the file with a docstring: """What the shop sells."""'
            yield Fault(source.name, 1, "the router has no docstring", remedy)
        if not all(route.tags for route in module.router.routes):
            line = source.line_of_value("router")
            remedy = f'write APIRouter(prefix=..., tags=["{source.path.stem}"])'
            yield Fault(source.name, line, "its operations have no tag", remedy)
