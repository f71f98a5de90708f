"""Schemas, and the models that they speak of: found by name, `ProductCreate` and `Product`."""

import importlib
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Column
from sqlalchemy.orm import Mapper

from app.cli.checks.rules import Fault
from app.cli.checks.sources import Source
from app.cli.checks.tree import Tree

NAMED = re.compile(r"(\w+?)(Create|Register|Replace|Update|Read|Summary)")


class Pair:
    """A schema and the model whose rows it makes, changes or shows."""

    def __init__(self, source: Source, schema: type[BaseModel], mapper: Mapper[Any], kind: str):
        self.source = source
        self.schema = schema
        self.mapper = mapper
        self.is_input = kind not in ("Read", "Summary")
        self.makes = kind in ("Create", "Register", "Replace")

    def columns(self) -> Iterator[tuple[str, Column[Any]]]:
        for name in self.schema.model_fields:
            attribute = self.mapper.column_attrs.get(name)
            if attribute is not None and isinstance(attribute.columns[0], Column):
                yield name, attribute.columns[0]

    def accepts(self, name: str, value: object) -> bool:
        """Whether the field takes a value, its own validators included."""
        try:
            empty = self.schema.model_construct()
            self.schema.__pydantic_validator__.validate_assignment(empty, name, value)
        except Exception:  # a validator of all fields, which misses the others, says nothing here
            return False
        return True

    def fault(self, name: str, what: str, remedy: str) -> Fault:
        owner = next(c for c in self.schema.__mro__ if name in c.__annotations__)
        if owner.__name__ not in self.source.classes:
            owner = self.schema
        line = self.source.line_of(owner.__name__, name)
        return Fault(self.source.name, line, f"{self.schema.__name__}.{name} {what}", remedy)

    def own(self, name: str) -> bool:
        """Whether the field is written in this schema, and not in one that it stands on."""
        return name in vars(self.schema).get("__annotations__", {})


def pairs(tree: Tree) -> list[Pair]:
    return tree.once(_pairs)


def _pairs(tree: Tree) -> list[Pair]:
    found = []
    for source in tree.sources.below("app/schemas"):
        for name in source.classes:
            match = NAMED.fullmatch(name)
            mapper = tree.mapper_of(match[1]) if match else None
            if match and mapper:
                schema = getattr(importlib.import_module(source.module), name)
                if issubclass(schema, BaseModel):
                    found.append(Pair(source, schema, mapper, match[2]))
    return found
