"""`python run.py add-field`: new fields in a living feature."""

import time

from app.cli.console import console
from app.cli.scaffold.addition import Addition, read_addition
from app.cli.scaffold.building import Building
from app.cli.scaffold.filling import values_of
from app.cli.scaffold.making import tests_of
from app.cli.scaffold.project import Project
from app.cli.scaffold.workshop import Workshop
from app.core.root import ROOT


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
    building = Building(addition, values, shop)
    changes = building.changes()
    if dry_run:
        print(changes.diff(), end="")
        return
    trial = shop.trial(addition.model.names.plural, tests_of_both(addition) if tests else ())
    from app.cli.scaffold.applying_columns import finish  # as in `new`, while it is tried

    finish(changes, addition, trial, migrates=migrates)
    for line in remarks(addition, building):
        console.print(f"[yellow]![/] {line}", soft_wrap=True)
    names = ", ".join(each.field.name for each in addition.entity.attributes)
    total = time.perf_counter() - started
    console.print(f"[bold]{cls}[/] has {names}, in {total:.1f} s.")


def tests_of_both(addition: Addition) -> list[str]:
    """Those of the feature, of what is called after it, and those that look at every feature."""
    *files, _, chosen = tests_of(addition.model.names)
    beside = [path.stem for path in addition.feature.companions if path.parent.name == "tests"]
    files += [f"tests/{stem}.py" for stem in (*beside, "test_migrations")]
    return [*files, "-k", " or ".join([chosen, *beside, "match_the_models"])]


def remarks(addition: Addition, building: Building) -> list[str]:
    """What a person may have expected otherwise."""
    cls, schemas = addition.model.cls, building.schemas
    found = []
    if not schemas.create and not schemas.update:
        found.append(f"No method of {cls}Service takes it: it is only read.")
    elif not schemas.update:
        found.append(
            f"{cls}Service has no update_{addition.model.singular}: it stays as it was sent."
        )
    methods = " and ".join(building.unguarded)
    found += [
        f"{cls}Service takes another user's {each.relation}: let {methods} ask for one's own with "
        f"get_all(db, {each.target_cls}, ..., {each.target_cls}.user_id == user.id, "
        f'field="{each.name}").'
        for each in addition.entity.refs
        if each.guarded and methods
    ]
    return found
