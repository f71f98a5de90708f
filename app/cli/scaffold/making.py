"""`python run.py new`"""

import time
from pathlib import Path

from app.cli.console import console
from app.cli.scaffold.changes import Changes
from app.cli.scaffold.describing import describe
from app.cli.scaffold.entity import Entity
from app.cli.scaffold.names import Names
from app.cli.scaffold.project import Project
from app.cli.scaffold.rendering import AS_TIGHT, render, ruff
from app.cli.scaffold.sides import Side, add_side, side_of
from app.cli.scaffold.workshop import Workshop
from app.core.root import ROOT


def make_feature(
    shop: Workshop,
    name: str,
    fields: list[str],
    *,
    plural: str | None,
    write: str,
    owned: bool,
    soft_delete: bool,
    uuid: bool,
    dry_run: bool,
    migrates: bool,
    tests: bool,
) -> None:
    started = time.perf_counter()
    project = Project(ROOT)
    entity = describe(
        project,
        name,
        fields,
        plural=plural,
        write=write,
        owned=owned,
        soft_delete=soft_delete,
        uuid=uuid,
    )
    changes = build(project, entity, shop)
    if dry_run:
        print(changes.diff(), end="")
        return
    trial = shop.trial(entity.names.plural, tests_of(entity.names) if tests else ())
    # Only now, while it is tried: what asks the database takes most of a second to import.
    from app.cli.scaffold.applying import finish

    finish(changes, entity.tables, trial, migrates=migrates)
    tell_urls(entity)
    total = time.perf_counter() - started
    console.print(f"[bold]{entity.names.cls}[/] is there, in {total:.1f} s.")


def build(project: Project, entity: Entity, shop: Workshop) -> Changes:
    """Write the feature into the workshop; what that changes in the tree."""
    written = write_files(project, entity, shop)
    edited = write_sides(project, entity, shop)
    migration = shop.migration("add", f"add {entity.names.many}", entity.tables)
    ruff(shop.root, [migration], *AS_TIGHT)
    written.insert(0, project.root / migration.relative_to(shop.root))
    changes = Changes(project.root)
    for path in [*written[:-1], *edited, written[-1]]:
        changes.add(path, shop.here(path).read_bytes())
    return changes


def write_files(project: Project, entity: Entity, shop: Workshop) -> list[Path]:
    files = render(project, entity)
    for path, text in files.items():
        shop.here(path).write_text(text, "utf-8", newline="\n")
    ruff(shop.root, [shop.here(path) for path in files], *AS_TIGHT)
    return list(files)


def write_sides(project: Project, entity: Entity, shop: Workshop) -> list[Path]:
    """Write the other sides of its relationships; the files that were edited."""
    sides = [side for each in entity.relations if (side := side_of(each))]
    if entity.owned:
        sides.append(owner_side(entity))
    paths = {}
    for side in sides:
        path = project.root / (side.owner_module.replace(".", "/") + ".py")
        copy = shop.here(path)
        copy.write_text(add_side(copy.read_text("utf-8"), side), "utf-8", newline="\n")
        paths[path] = copy
    if paths:
        ruff(shop.root, list(paths.values()))
    return list(paths)


def owner_side(entity: Entity) -> Side:
    names = entity.names
    options = 'back_populates="user", cascade="all, delete-orphan", passive_deletes=True'
    if entity.several_users:
        options = f'foreign_keys="{names.cls}.user_id", {options}'
    code = f'{names.plural}: Mapped[list["{names.cls}"]] = relationship({options})'
    return Side("User", "app.models.user", names.cls, f"app.models.{names.singular}", code)


def tests_of(names: Names) -> list[str]:
    """The new tests, and those that try who may call what."""
    module = f"test_{names.plural}"
    chosen = " or ".join([module, f"/{names.url}-", f"/{names.url}/", "has_a_row"])
    files = (module, "test_access")
    return [*(f"tests/{name}.py" for name in files), "-k", chosen]


def tell_urls(entity: Entity) -> None:
    from app.core.config import get_settings

    names, prefix = entity.names, get_settings().api_prefix
    who = {"anyone": "anyone", "user": "who is signed in", "staff": "staff", "admin": "admins"}
    reads = "their owner" if entity.owned else "anyone"
    writes = "their owner" if entity.owned else who[entity.write]
    one = f"{prefix}/{names.url}/{{{names.singular}_id}}"
    console.print(f"  GET {prefix}/{names.url}  GET {one}  [dim]{reads}[/]", soft_wrap=True)
    console.print(
        f"  POST {prefix}/{names.url}  PUT, PATCH, DELETE {one}  [dim]{writes}[/]", soft_wrap=True
    )
