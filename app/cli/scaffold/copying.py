"""`python run.py copy`: a living feature under another name, with all that was made of it."""

import re
import time
from pathlib import Path

from app.cli.console import CommandError, console
from app.cli.scaffold.changes import Changes
from app.cli.scaffold.describing import check_free
from app.cli.scaffold.features import TABLE, Feature, features, find_feature, imported
from app.cli.scaffold.making import tests_of
from app.cli.scaffold.names import Names, entity_names
from app.cli.scaffold.project import Project
from app.cli.scaffold.rendering import AS_TIGHT, ruff
from app.cli.scaffold.sides import Side, add_side, side_codes, without_sides
from app.cli.scaffold.workshop import Workshop
from app.core.root import ROOT

PROSE = re.compile(r'"""(?!\().*?"""|#[^\n]*', re.DOTALL)
# What is called like a feature and is none: HTTP's POST, the tags of a router, ORDER BY.
NO_FEATURE = (r"\.post\(", '"POST"', r"\btags=", r"order_by")
IN_ORDER = (r"(?:in|ing) (?:\w+ )?orders?\b",)


def copy_feature(
    shop: Workshop,
    typed: str,
    name: str,
    *,
    plural: str | None,
    dry_run: bool,
    migrates: bool,
    tests: bool,
) -> None:
    started = time.perf_counter()
    project = Project(ROOT)
    feature = find_feature(project, typed)
    check_alone(project, feature)
    names = entity_names(name, plural)
    check_free(project, names)
    rename = Renaming(project, feature, names)
    tables = set(TABLE.findall(rename(feature.source)))
    changes = build(project, feature, names, rename, shop)
    if dry_run:
        print(changes.diff(), end="")
        return
    trial = shop.trial(names.plural, tests_of(names) if tests else ())
    from app.cli.scaffold.applying import finish  # as in `new`, while it is tried

    finish(changes, tables, trial, migrates=migrates)
    total = time.perf_counter() - started
    console.print(f"[bold]{names.cls}[/] is there, in {total:.1f} s.")


def check_alone(project: Project, feature: Feature) -> None:
    """Raise a CommandError when another feature knows this one as this one knows the other."""
    for other in features(project):
        if other.name == feature.name:
            continue
        known = [path for path in feature.files if other.modules & imported(path)]
        knows = [path for path in other.files if feature.modules & imported(path)]
        if known and knows:
            where = " and ".join(path.relative_to(ROOT).as_posix() for path in (known[0], knows[0]))
            raise CommandError(
                f"{feature.name} and {other.name} know each other ({where}): a copy of one would "
                "be half of something. Copy the files by hand, and take out what is the other's."
            )


class Renaming:
    """Replaces one entity by another in code and prose, in all spellings."""

    def __init__(self, project: Project, feature: Feature, new: Names) -> None:
        old = feature.model.names
        pairs = dict(old.spellings), dict(new.spellings)
        self.code = {pairs[0][kind]: pairs[1][kind] for kind in reversed(_CODE)}
        self.prose = self.code | {pairs[0][kind]: pairs[1][kind] for kind in reversed(_PROSE)}
        self.new = new
        self.url = (old.url, new.url)
        self.titles = {old.title, old.cls}
        self.functions = _functions(project.files(old)["router"].read_text("utf-8"), old, new)
        # What belongs to another feature stays: of `order`, a feature `order_note` is no part.
        for model in project.models:
            for _, spelling in model.names.spellings:
                if model.module != feature.model.module:
                    self.code.setdefault(spelling, spelling)
                    self.prose.setdefault(spelling, spelling)

    def __call__(self, text: str) -> str:
        parts, end = [], 0
        for found in PROSE.finditer(text):
            prose = _replace(found[0], self.prose, IN_ORDER)
            parts += [self._code(text[end : found.start()]), prose]
            end = found.end()
        text = "".join([*parts, self._code(text[end:])])
        return text.replace(f'tags=["{self.new.plural}"]', f'tags=["{self.new.many}"]')

    def _code(self, text: str) -> str:
        # A sentence: "Order not found."
        titles = "|".join(self.titles)
        text = re.sub(rf"(?<=[\"'])(?:{titles})(?= [a-z])", self.new.title, text)
        old, new = self.url
        text = re.sub(rf"(?<=/){re.escape(old)}(?![a-z_-])", new, text)
        text = _replace(text, self.code)
        for name, renamed in self.functions.items():
            text = re.sub(rf"\b{name}\b", renamed, text)
        return text


def _functions(router: str, old: Names, new: Names) -> dict[str, str]:
    """Functions that do not name the feature get its name: those of routes are there once.

    adjust_stock -> adjust_gift_card_stock
    """
    names = re.findall(r"^(?:async )?def (\w+)\(", router, re.MULTILINE)
    others = [name for name in names if old.singular not in name and old.plural not in name]
    return {name: _named(name, new) for name in others}


def _named(name: str, new: Names) -> str:
    verb, _, rest = name.partition("_")
    return "_".join(filter(None, [verb, new.singular, rest]))


_CODE = ("cls", "classes", "singular", "plural", "UPPER", "UPPERS", "kebab", "url")
_PROSE = ("words", "many")


def _replace(text: str, names: dict[str, str], kept: tuple[str, ...] = NO_FEATURE) -> str:
    longest = sorted(names, key=len, reverse=True)
    one = "|".join(map(re.escape, longest))
    pattern = rf"{'|'.join(kept)}|(?<![A-Za-z])(?:{one})(?![a-z])"
    return re.sub(pattern, lambda found: names.get(found[0], found[0]), text)


def build(
    project: Project, feature: Feature, names: Names, rename: Renaming, shop: Workshop
) -> Changes:
    old, new = project.files(feature.model.names), project.files(names)
    for kind, path in new.items():
        source = old[kind].read_text("utf-8")
        text = rename(without_sides(source) if kind == "model" else source)
        shop.here(path).write_text(text, "utf-8", newline="\n")
    ruff(shop.root, [shop.here(path) for path in new.values()])
    edited = _copy_sides(project, feature, names, rename, shop)
    tables = set(TABLE.findall(rename(feature.source)))
    migration = shop.migration("add", f"add {names.many}", tables)
    ruff(shop.root, [migration], *AS_TIGHT)
    changes = Changes(project.root)
    changes.add(project.root / migration.relative_to(shop.root), migration.read_bytes())
    *first, router = new.values()
    for path in [*first, *edited, router]:
        changes.add(path, shop.here(path).read_bytes())
    return changes


def _copy_sides(
    project: Project, feature: Feature, names: Names, rename: Renaming, shop: Workshop
) -> list[Path]:
    """What others list rows of the feature by, they list rows of the copy by as well."""
    edited = []
    own = set(project.files(feature.model.names).values())
    for path in sorted((project.root / "app/models").glob("*.py")):
        source = path.read_text("utf-8")
        sides = [] if path in own else side_codes(source, set(feature.classes))
        for owner, code in sides:
            module = f"app.models.{names.singular}"
            side = Side(owner, "", names.cls, module, rename(code))
            source = add_side(source, side)
        if sides:
            shop.here(path).write_text(source, "utf-8", newline="\n")
            edited.append(path)
    if edited:
        ruff(shop.root, [shop.here(path) for path in edited])
    return edited
