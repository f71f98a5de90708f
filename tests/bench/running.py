"""The run: contenders in turn, round by round, and the medians of what they did."""

import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import make_url

from app.cli.console import CommandError, console
from tests.bench import data, load
from tests.bench.scenarios import COMPARED, Stage, differences
from tests.bench.servers import (
    APP,
    ASYNC,
    CONTENDERS,
    TEXTBOOK,
    Contender,
    Server,
    all_cores,
    cores,
)

CLIENTS = 16
MORE_CLIENTS = (16, 64, 128, 256)
LOGGING_IN = 4
WARM_UP = 0.5  # seconds


@dataclass
class Figures:
    """Medians of the rounds. cpu: seconds of the server for 1,000 answers. p50, p99: ms.

    times: how often the textbook's rate; cpu_times: how often its CPU is what this one takes.
    Both are medians of what they were round by round: a noisy minute is noisy for all.
    """

    rate: float
    cpu: float
    p50: float
    p99: float
    errors: int
    times: float | None = None
    cpu_times: float | None = None


@dataclass(frozen=True)
class Plan:
    url: str | None  # of PostgreSQL; None: a SQLite file
    rounds: int
    seconds: float
    rows: int
    only: tuple[str, ...]


class Run:
    def __init__(self, plan: Plan, folder: Path, url: str) -> None:
        self.plan, self.folder = plan, folder
        self.server_cores, self.client_cores = cores()
        backend = make_url(url).get_backend_name()
        refused = {each: each.why_not(backend) for each in CONTENDERS}
        self.contenders = [each for each, why in refused.items() if why is None]
        self.skipped = {each.title: why for each, why in refused.items() if why}
        self.environment = data.environment(url)
        self.results: dict[str, Any] = {}

    def server(
        self, contender: Contender, workers: int = 1, pinned: list[int] | None = None
    ) -> Server:
        pinned = self.server_cores if pinned is None else pinned
        return Server(contender, self.environment, self.folder, pinned, workers)

    @contextmanager
    def servers(self, contenders: Sequence[Contender]) -> Iterator[list[Server]]:
        with ExitStack() as stack:
            yield [stack.enter_context(self.server(each)) for each in contenders]

    # --- Parts --------------------------------------------------------------------------------

    def compare(self, servers: list[Server], stage: Stage) -> None:
        for name, scenario in COMPARED.items():
            if name not in self.plan.only:
                continue
            tried: dict[str, list[load.Outcome]] = {each.contender.name: [] for each in servers}
            for server in servers:
                load.run(server, scenario.ask(stage, server.contender), CLIENTS, WARM_UP)
            for number in range(self.plan.rounds):
                console.print(f"  {name}: round {number + 1} of {self.plan.rounds}")
                for server in _in_turn(servers):
                    requests = scenario.ask(stage, server.contender)
                    outcome = load.run(server, requests, CLIENTS, self.plan.seconds)
                    tried[server.contender.name].append(outcome)
            self.results[name] = _compared(tried, self.plan.rounds)

    def crowd(self, stage: Stage) -> None:
        """More and more clients. Each contender has a server of its own: one may stop for good."""
        found: dict[str, dict[str, Any]] = {}
        for contender in (each for each in self.contenders if each in (TEXTBOOK, APP, ASYNC)):
            with self.server(contender) as server:
                load.run(server, stage.read(contender), CLIENTS, WARM_UP)
                for clients in MORE_CLIENTS:
                    console.print(f"  crowd: {contender.title}, {clients} clients")
                    outcomes = [
                        load.run(server, stage.read(contender), clients, self.plan.seconds)
                        for _ in range(min(self.plan.rounds, 3))
                    ]
                    found.setdefault(contender.name, {})[str(clients)] = _figures(outcomes)
        self.results["crowd"] = found

    def logins(self, servers: list[Server], stage: Stage) -> None:
        """Reads alone, and beside a stream of logins."""
        found: dict[str, dict[str, Any]] = {}
        for server in (each for each in servers if each.contender in (TEXTBOOK, APP, ASYNC)):
            contender, alone, beside = server.contender, [], []
            console.print(f"  logins: {contender.title}")
            for _ in range(min(self.plan.rounds, 3)):
                alone.append(load.run(server, stage.read(contender), CLIENTS, self.plan.seconds))
                both = [
                    (stage.read(contender), CLIENTS),
                    (stage.login(contender), LOGGING_IN),
                ]
                beside.append(load.run_beside(server, both, self.plan.seconds)[0])
            found[contender.name] = {"alone": _figures(alone), "beside": _figures(beside)}
        self.results["logins"] = found

    def depth(self, app: Server, stage: Stage) -> None:
        """The second page by cursor, and one behind 90 % of the rows."""
        first, deep = [], []
        for number in range(self.plan.rounds):
            console.print(f"  depth: round {number + 1} of {self.plan.rounds}")
            first.append(load.run(app, stage.list(APP), CLIENTS, self.plan.seconds))
            deep.append(load.run(app, stage.deep_cursor(APP), CLIENTS, self.plan.seconds))
        self.results["depth"] = {"first": _figures(first), "deep": _figures(deep)}

    def starts(self) -> None:
        """Seconds from the start of a process to its first answer, and MB then."""
        tried: dict[str, list[tuple[float, float]]] = {each.name: [] for each in self.contenders}
        for number in range(self.plan.rounds):
            console.print(f"  start: round {number + 1} of {self.plan.rounds}")
            for contender in self.contenders:
                with self.server(contender) as server:
                    tried[contender.name].append((server.started, server.memory()))
        self.results["start"] = {
            name: {
                "seconds": statistics.median(seconds for seconds, _ in each),
                "memory": statistics.median(memory for _, memory in each),
            }
            for name, each in tried.items()
        }

    def workers(self, stage: Stage) -> None:
        """One process against two, both where the system puts them."""
        found = {}
        for workers in (1, 2):
            console.print(f"  workers: {workers}")
            with self.server(APP, workers, all_cores()) as server:
                load.run(server, stage.read(APP), CLIENTS, WARM_UP)
                outcomes = [
                    load.run(server, stage.read(APP), CLIENTS, self.plan.seconds)
                    for _ in range(self.plan.rounds)
                ]
                found[str(workers)] = _figures(outcomes)
        self.results["workers"] = found


PARTS = (*COMPARED, "depth", "logins", "crowd", "start", "workers")


def run_bench(plan: Plan) -> dict[str, Any]:
    """All that was measured, as JSON takes it. Raise a CommandError when answers differ."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and database go as well
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with data.database(plan.url, folder) as url:
            run = Run(plan, folder, url)
            console.print(f"Filling a database with {plan.rows:,} products ...")
            data.fill(run.environment, plan.rows)
            if run.client_cores:
                psutil.Process().cpu_affinity(run.client_cores)
            with run.servers(run.contenders) as servers:
                _with_all(run, servers)
    return {
        "database": make_url(url).get_backend_name(),
        "rows": plan.rows,
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "pinned": bool(run.server_cores),
        "load": psutil.getloadavg()[0],
        "skipped": run.skipped,
        "titles": {each.name: each.title for each in run.contenders},
        "results": run.results,
    }


def _with_all(run: Run, servers: list[Server]) -> None:
    only = run.plan.only
    app = next(server for server in servers if server.contender is APP)
    stage = Stage(app, run.plan.rows)
    if found := differences(stage, servers):
        raise CommandError("They do not do the same work. " + "; ".join(found))
    run.compare(servers, stage)
    if "depth" in only:
        run.depth(app, stage)
    if "logins" in only:
        run.logins(servers, stage)
    run.results["memory"] = {each.contender.name: each.memory() for each in servers}
    for server in servers:
        server.stop()
    if "crowd" in only:
        run.crowd(stage)
    if "start" in only:
        run.starts()
    if "workers" in only:
        run.workers(stage)


def _in_turn(servers: list[Server]) -> list[Server]:
    """The textbook, which all are compared with, at the start, in the middle and at the end."""
    textbook = [each for each in servers if each.contender is TEXTBOOK]
    others = [each for each in servers if each.contender is not TEXTBOOK]
    middle = (len(others) + 1) // 2
    return [*textbook, *others[:middle], *textbook, *others[middle:], *textbook]


def _compared(tried: dict[str, list[load.Outcome]], rounds: int) -> dict[str, Any]:
    baseline = tried[TEXTBOOK.name]
    each_round = len(baseline) // rounds
    bases = [baseline[n * each_round : (n + 1) * each_round] for n in range(rounds)]
    found = {}
    for name, outcomes in tried.items():
        figures = Figures(**_figures(outcomes))
        pairs = zip(outcomes, bases, strict=True) if name != TEXTBOOK.name else ()
        ratios = [
            (
                outcome.rate / statistics.mean(base.rate for base in bases_),
                statistics.mean(base.cpu_per_1000 for base in bases_) / outcome.cpu_per_1000,
            )
            for outcome, bases_ in pairs
            # On a machine that is too busy, a round may end before the first answer.
            if outcome.latencies and all(base.latencies for base in bases_)
        ]
        if ratios:
            figures.times = statistics.median(rate for rate, _ in ratios)
            figures.cpu_times = statistics.median(cpu for _, cpu in ratios)
        found[name] = asdict(figures)
    return found


def _figures(outcomes: list[load.Outcome]) -> dict[str, Any]:
    return asdict(
        Figures(
            rate=statistics.median(each.rate for each in outcomes),
            cpu=statistics.median(each.cpu_per_1000 for each in outcomes),
            p50=statistics.median(each.percentile(0.5) for each in outcomes),
            p99=statistics.median(each.percentile(0.99) for each in outcomes),
            errors=sum(each.errors for each in outcomes),
        )
    )
