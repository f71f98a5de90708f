"""What `python run.py describe` tells, as plain values: of the code, the database and the last run.

For people and for agents: one look, before anything is read or changed.
"""

import importlib
import pkgutil
import platform
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, UniqueConstraint

from app.cli.console import CommandError, place_of, said_by
from app.cli.scaffold.features import Feature, features, find_feature
from app.cli.scaffold.project import Project
from app.cli.state import describe_migrations, describe_settings
from app.core.config import ROOT, get_settings
from app.core.diagnostics import last_errors, slowest_queries

Told = dict[str, Any]


def describe(name: str | None = None) -> Told:
    """All of it, or what belongs to one feature."""
    project = Project(ROOT)
    chosen = [find_feature(project, name)] if name else features(project)
    document = load_document()
    told_routes = describe_routes(document, chosen)
    told_tables = describe_tables(chosen)
    told: Told = {
        "app": describe_app(),
        "features": [describe_feature(each) for each in chosen],
        "routes": [each for each in told_routes if each["feature"] or not name],
        "tables": [each for each in told_tables if each["feature"] or not name],
        "migrations": describe_migrations(),
    }
    if name:
        return told
    return told | {
        "settings": describe_settings(get_settings()),
        "last_errors": last_errors(10),
        "slowest_queries": slowest_queries(10),
    }


def load_document() -> Told:
    """The OpenAPI document. Code that cannot be imported is told in a line."""
    try:
        from app.main import app

        return app.openapi()
    except Exception as error:
        where, line, code = place_of(error)
        said = f"{where}, line {line}: {type(error).__name__}: {said_by(error)}"
        raise CommandError(f"{said} ({code})" if code else said) from None


def describe_app() -> Told:
    settings = get_settings()
    return {
        "name": settings.app_name,
        "environment": settings.environment,
        "database": settings.url.get_backend_name(),
        "python": platform.python_version(),
    }


def describe_feature(feature: Feature) -> Told:
    files = [path.relative_to(ROOT).as_posix() for path in feature.files]
    return {"name": feature.name, "files": files, "tables": sorted(feature.tables)}


# --- Routes ----------------------------------------------------------------------------------


def describe_routes(document: Told, chosen: list[Feature]) -> list[Told]:
    owners = {module: feature.name for feature in chosen for module in feature.modules}
    found = []
    for prefix, module, route in _routes():
        for method in sorted(route.methods):
            operation = document["paths"][prefix + route.path][method.lower()]
            found.append(
                {
                    "method": method,
                    "path": prefix + route.path,
                    "operation": route.name,
                    "summary": operation.get("description", "").partition("\n")[0],
                    "access": _access(route.dependant),
                    "takes": _schema_in(operation.get("requestBody", {})),
                    "answers": _answer(operation["responses"]),
                    "feature": owners.get(module),
                }
            )
    return found


def _routes() -> Iterator[tuple[str, str, Any]]:
    """Prefix, module and route of all that have a place in the document."""
    import app.api
    from app.core import health

    for found in sorted(pkgutil.iter_modules(app.api.__path__), key=lambda each: each.name):
        module = importlib.import_module(f"app.api.{found.name}")
        for route in getattr(getattr(module, "router", None), "routes", ()):
            yield get_settings().api_prefix, module.__name__, route
    for route in health.router.routes:
        yield "", health.__name__, route


def _access(dependant: Any) -> str:
    """The least that may call it."""
    from app.api.deps import get_admin, get_claims, get_staff

    asked = _calls(dependant)
    levels = {"admin": get_admin, "staff": get_staff, "user": get_claims}
    return next((level for level, call in levels.items() if call in asked), "anyone")


def _calls(dependant: Any) -> set[Any]:
    return {dependant.call}.union(*(_calls(each) for each in dependant.dependencies))


def _answer(responses: Told) -> str:
    """`201 ProductRead`"""
    status = next(each for each in responses if each.startswith("2"))
    return " ".join(filter(None, (status, _schema_in(responses[status]))))


def _schema_in(part: Told) -> str | None:
    for content in part.get("content", {}).values():
        schema = content.get("schema", {})
        ref = schema.get("$ref") or schema.get("items", {}).get("$ref")
        return ref.rpartition("/")[2] if ref else None
    return None


# --- Tables ----------------------------------------------------------------------------------


def describe_tables(chosen: list[Feature]) -> list[Told]:
    from app.models import Base

    owners = {table: feature.name for feature in chosen for table in feature.tables}
    Base.registry.configure()
    mappers = {mapper.local_table: mapper for mapper in Base.registry.mappers}
    found = []
    for name, table in sorted(Base.metadata.tables.items()):
        mapper = mappers.get(table)  # what only connects two tables has none
        found.append(
            {
                "name": name,
                "model": mapper.class_.__name__ if mapper else None,
                "feature": owners.get(name),
                "columns": [_describe_column(column) for column in table.columns],
                "relations": [_describe_relation(each) for each in mapper.relationships]
                if mapper
                else [],
            }
        )
    return found


def _describe_column(column: Column[Any]) -> Told:
    """What is not so is left out: of all tables, it would be most of what an agent has to read."""
    key = next(iter(column.foreign_keys), None)
    told = {
        "name": column.name,
        "type": str(column.type),
        "nullable": column.nullable,
        "primary_key": column.primary_key,
        "indexed": column.name in _leading(column.table, unique=False),
        "unique": column.name in _leading(column.table, unique=True),
        "refers_to": f"{key.target_fullname} ({key.ondelete or 'no action'})" if key else None,
    }
    return {name: value for name, value in told.items() if value}


def _leading(table: Any, *, unique: bool) -> set[str]:
    """The columns that an index begins with; of unique ones, those that are it alone."""
    constraints = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    indexes = [*constraints, *table.indexes]
    if unique:
        indexes = [*constraints, *(each for each in table.indexes if each.unique)]
        return {next(iter(each.columns)).name for each in indexes if len(each.columns) == 1}
    return {next(iter(each.columns)).name for each in indexes}


def _describe_relation(relation: Any) -> Told:
    return {
        "name": relation.key,
        "kind": relation.direction.name.lower(),  # manytoone
        "model": relation.mapper.class_.__name__,
        "other_side": relation.back_populates,
        "through": relation.secondary.name if relation.secondary is not None else None,
    }
