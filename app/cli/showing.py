"""`python run.py describe`, for people."""

import json
from typing import Any

from rich.markup import escape
from rich.table import Table

from app.cli.console import console
from app.cli.describing import describe
from app.core.config import Settings

Told = dict[str, Any]
MARKS = {"nullable": "optional", "primary_key": "key", "unique": "unique", "indexed": "indexed"}
ARROWS = {"manytoone": "→", "onetomany": "⇉", "manytomany": "⇄"}


def show(name: str | None, *, as_json: bool) -> None:
    told = describe(name)
    if as_json:
        print(json.dumps(told, indent=2, default=str))
        return
    app = told["app"]
    head = "{environment}, {database}, Python {python}".format(**app)
    console.print(f"[bold]{escape(app['name'])}[/] ({head})")
    for feature in told["features"]:
        show_feature(feature, told)
    if not name:
        show_rest(told)
    show_migrations(told["migrations"])
    if not name:
        show_settings(told["settings"])
        show_errors(told["last_errors"])
        show_queries(told["slowest_queries"])


def show_feature(feature: Told, told: Told) -> None:
    console.print(f"\n[bold cyan]{feature['name']}[/]")
    hang("files", f"[dim]{', '.join(feature['files'])}[/]")
    show_routes([each for each in told["routes"] if each["feature"] == feature["name"]])
    for table in told["tables"]:
        if table["feature"] == feature["name"]:
            show_table(table)


def show_rest(told: Told) -> None:
    console.print("\n[bold cyan]without a feature of their own[/]")
    show_routes([each for each in told["routes"] if not each["feature"]])
    for table in told["tables"]:
        if not table["feature"]:
            show_table(table)


def show_routes(routes: list[Told]) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(4):
        grid.add_column(overflow="fold")  # a path that is cut cannot be called
    for each in routes:
        grid.add_row(
            f"  {each['method']}",
            escape(each["path"]),
            f"[dim]{each['operation']}[/]",
            each["access"],
        )
    console.print(grid)


def show_table(table: Told) -> None:
    relations = ", ".join(_relation(each) for each in table["relations"])
    columns = ", ".join(_column(each) for each in table["columns"])
    hang(f"[green]{table['name']}[/]", "\n".join(filter(None, (columns, relations))))


def hang(name: str, text: str) -> None:
    """Text that wraps to the right of its name."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_row(f"  {name}", text)
    console.print(grid)


def _column(column: Told) -> str:
    """`price numeric(10, 2) indexed`"""
    marks = [column["name"], column["type"].lower()]
    for mark, word in MARKS.items():
        implied = mark == "indexed" and column.get("unique")
        marks += [word] if column.get(mark) and not implied else []
    marks += [f"→ {column['refers_to']}"] if "refers_to" in column else []
    return escape(" ".join(marks))


def _relation(relation: Told) -> str:
    through = f" through {relation['through']}" if relation["through"] else ""
    return f"{relation['name']} {ARROWS[relation['kind']]} {relation['model']}{through}"


def show_migrations(told: Told) -> None:
    console.print("\n[bold cyan]migrations[/]")
    if told["problem"]:
        console.print(f"  [red]{escape(told['problem'])}[/]")
    elif not told["pending"]:
        console.print(f"  at {', '.join(told['current'])}, the newest")
    else:
        at = ", ".join(told["current"]) or "empty"
        console.print(f"  at {at}; to come, by python run.py migrate:")
        for each in told["pending"]:
            console.print(f"  {each['revision']} {escape(each['says'])} ({each['file']})")
    if len(told["heads"]) > 1:
        heads = ", ".join(told["heads"])
        console.print(f"  [red]several heads: {heads}. Join them: alembic merge heads[/]")


def show_settings(settings: Told) -> None:
    console.print("\n[bold cyan]settings[/]  the others are as in .env.example")
    for name, value in settings.items():
        if value not in ("not set", Settings.model_fields[name].default):
            console.print(f"  {name.upper()}={escape(_plain(value))}", soft_wrap=True)


def _plain(value: Any) -> str:
    """As `.env` writes it."""
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def show_errors(notes: list[Told]) -> None:
    console.print("\n[bold cyan]last errors[/]" + ("" if notes else "  none"))
    for note in notes:
        said = f": {note['said']}" if note["said"] else ""
        where = f" in {note['operation']}" if note["operation"] else ""
        console.print(f"  {note['at']} [red]{note['type']}[/]{where}{escape(said)}", soft_wrap=True)
        for frame in note["frames"][-1:]:
            console.print(f"    {escape(frame)}", soft_wrap=True)


def show_queries(notes: list[Told]) -> None:
    console.print("\n[bold cyan]slowest queries[/]" + ("" if notes else "  none"))
    for note in notes:
        statement = escape(" ".join(note["statement"].split())[:200])
        often = f", {note['times']} times" if note["times"] > 1 else ""
        console.print(f"  {note['ms']} ms{often}  {statement}", soft_wrap=True)
        if note["asked_by"]:
            console.print(f"    {escape(note['asked_by'])}", soft_wrap=True)
