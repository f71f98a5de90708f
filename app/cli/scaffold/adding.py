"""`python run.py add-field`: new fields in a living feature."""

import time

from app.cli.console import CommandError, console
from app.cli.scaffold.addition import Addition, read_addition
from app.cli.scaffold.applying_columns import apply_columns, check_columns
from app.cli.scaffold.building import Building
from app.cli.scaffold.filling import values_of
from app.cli.scaffold.grafting_schemas import Schemas
from app.cli.scaffold.making import tell, tests_of
from app.cli.scaffold.project import Project
from app.cli.scaffold.workshop import Workshop
from app.core.config import ROOT, get_settings


def add_fields(
    shop: Workshop, typed: str, fields: list[str], *, dry_run: bool, migrates: bool, tests: bool
) -> None:
    started = time.perf_counter()
    addition = read_addition(Project(ROOT), typed, fields)
    cls = addition.model.cls
    if addition.there:
        console.print(f"{cls} has {', '.join(each.name for each in addition.there)} already.")
    if not addition.entity.attributes:
        console.print("Nothing to do.")
        return
    values = values_of(addition)
    migrates = migrates and not dry_run and get_settings().migrates_on_start
    if migrates:
        check_columns(addition)
    building = Building(addition, values, shop)
    changes = building.changes()
    if dry_run:
        print(changes.diff(), end="")
        return
    built = time.perf_counter()
    if tests:
        passed = run_tests(shop, addition)
    else:
        shop.check_import()
    tested = time.perf_counter() - built
    said = apply_columns(changes, addition, migrates=migrates)
    tell(changes)
    console.print(said or "Not migrated. When you want to: python run.py migrate")
    if tests:
        console.print(f"[green]✓[/] {passed} tests passed in {tested:.1f} s.")
    for line in remarks(addition, building.schemas):
        console.print(f"[yellow]![/] {line}", soft_wrap=True)
    names = ", ".join(each.field.name for each in addition.entity.attributes)
    total = time.perf_counter() - started
    console.print(f"[bold]{cls}[/] has {names}, in {total:.1f} s.")


def run_tests(shop: Workshop, addition: Addition) -> int:
    """Those of the feature, of what is called after it, and those that look at every feature."""
    *files, _, chosen = tests_of(addition.model.names)
    beside = [path.stem for path in addition.feature.companions if path.parent.name == "tests"]
    files += [f"tests/{stem}.py" for stem in (*beside, "test_migrations")]
    try:
        return shop.test(*files, "-k", " or ".join([chosen, *beside, "match_the_models"]))
    except CommandError as error:
        raise CommandError(
            f"{error}\nWhere they are to change, too, and what was added is right: --no-test"
        ) from None


def remarks(addition: Addition, schemas: Schemas) -> list[str]:
    """What a person may have expected otherwise."""
    cls = addition.model.cls
    found = []
    if not schemas.create and not schemas.update:
        found.append(f"No method of {cls}Service takes it: it is only read.")
    elif not schemas.update:
        found.append(
            f"{cls}Service has no update_{addition.model.singular}: it stays as it was sent."
        )
    return found
