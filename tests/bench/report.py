"""What was measured, as tables and as a picture."""

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from app.cli.console import console
from tests.bench.scenarios import COMPARED


def show(found: dict[str, Any]) -> None:
    pinned = "server and clients on a core each" if found["pinned"] else "not pinned to cores"
    console.print(
        f"\n{found['database']}, {found['rows']:,} products, {found['rounds']} rounds of "
        f"{found['seconds']:g} s, medians; {pinned}; load {found['load']:.1f} at the end."
    )
    for title, why in found["skipped"].items():
        console.print(f"[yellow]Skipped[/] {title}: {why}", soft_wrap=True)
    results, titles = found["results"], found["titles"]
    for name, scenario in COMPARED.items():
        if name in results:
            console.print(_comparison(scenario.title, results[name], titles))
    if "depth" in results:
        _two("Page by cursor", results["depth"], {"first": "at row 100", "deep": "at 90 %"})
    if "workers" in results:
        _two("Read by id, processes", results["workers"], {"1": "one", "2": "two"})
    if "crowd" in results:
        console.print(_crowd(results["crowd"], titles))
    if "logins" in results:
        console.print(_logins(results["logins"], titles))
    console.print(_starts(results, titles))


def _comparison(title: str, rows: dict[str, Any], titles: dict[str, str]) -> Table:
    table = _table(title, "req/s", "×", "CPU s/1000", "×", "p50 ms", "p99 ms", "errors")
    for name, each in rows.items():
        cpu, p50, p99 = f"{each['cpu']:.3f}", f"{each['p50']:.1f}", f"{each['p99']:.1f}"
        times = [_times(each["times"]), _times(each["cpu_times"])]
        table.add_row(
            titles[name], f"{each['rate']:,.0f}", times[0], cpu, times[1], p50, p99, _no(each)
        )
    return table


def _crowd(rows: dict[str, Any], titles: dict[str, str]) -> Table:
    counts = list(next(iter(rows.values())))
    table = _table("Read by id, requests/s with so many clients", *counts)
    for name, each in rows.items():
        cells = [
            f"{cell['rate']:,.0f}" + (f" ({cell['errors']} failed)" if cell["errors"] else "")
            for cell in each.values()
        ]
        table.add_row(titles[name], *cells)
    return table


def _logins(rows: dict[str, Any], titles: dict[str, str]) -> Table:
    table = _table("Read by id, beside 4 clients logging in", "alone/s", "beside/s", "p99 ms")
    for name, each in rows.items():
        alone, beside = each["alone"], each["beside"]
        share = beside["rate"] / alone["rate"] if alone["rate"] else 0
        kept = f"{beside['rate']:,.0f} ({share:.0%})"
        table.add_row(titles[name], f"{alone['rate']:,.0f}", kept, f"{beside['p99']:,.0f}")
    return table


def _starts(results: dict[str, Any], titles: dict[str, str]) -> Table:
    table = _table("Start and memory", "first answer s", "MB then", "MB under load")
    starts = results.get("start", {})
    for name, loaded in results["memory"].items():
        start = starts.get(name)
        first = (f"{start['seconds']:.2f}", f"{start['memory']:.0f}") if start else ("", "")
        table.add_row(titles[name], *first, f"{loaded:.0f}")
    return table


def _two(title: str, rows: dict[str, Any], names: dict[str, str]) -> None:
    table = _table(title, "requests/s", "CPU s/1000", "p50 ms", "p99 ms", "errors")
    for name, shown in names.items():
        each = rows[name]
        cells = f"{each['rate']:,.0f}", f"{each['cpu']:.3f}", f"{each['p50']:.1f}"
        table.add_row(shown, *cells, f"{each['p99']:.1f}", _no(each))
    console.print(table)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column(no_wrap=True, min_width=12)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _times(value: float | None) -> str:
    return "1" if value is None else f"{value:.2f}"


def _no(figures: dict[str, Any]) -> str:
    return str(figures["errors"]) if figures["errors"] else "-"


def plot(found: dict[str, Any], path: Path) -> None:
    """Requests/s of each contender, a panel for each scenario."""
    import matplotlib.pyplot as plt

    names = [name for name in COMPARED if name in found["results"]]
    figure, panels = plt.subplots(1, len(names), figsize=(4 * len(names), 3.5), squeeze=False)
    for panel, name in zip(panels[0], names, strict=True):
        rows = found["results"][name]
        labels = [found["titles"][each] for each in rows]
        bars = panel.barh(labels, [each["rate"] for each in rows.values()])
        panel.bar_label(bars, fmt="%.0f", padding=2)
        panel.set_title(COMPARED[name].title, fontsize=9)
        panel.set_xlabel("requests/s")
        panel.invert_yaxis()
        panel.margins(x=0.2)
        panel.tick_params(labelsize=8)
        if panel is not panels[0][0]:
            panel.set_yticklabels([])
    figure.tight_layout()
    figure.savefig(path, dpi=150)
