"""Which faults there are, how one is run, and how it is judged."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.load import Ledger
from tests.faults.stage import Stage

EVERYWHERE = ("sqlite", "postgresql", "mysql")
SERVERS = ("postgresql", "mysql")
SQLITE = ("sqlite",)

LIMIT = 6.0  # seconds: three attempts to get a lock, a wait for a connection, and some more

Body = Callable[[Stage], None]


@dataclass(frozen=True)
class Fault:
    name: str
    says: str
    on: tuple[str, ...]
    limit: float
    drops: bool
    quick: tuple[str, ...]
    body: Body


@dataclass
class Result:
    fault: Fault
    database: str
    seconds: float = 0.0
    requests: int = 0
    acknowledged: int = 0
    refused: int = 0
    dropped: int = 0
    lost: int = 0
    longest: float = 0.0
    recovered: float | None = None
    wrong: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.wrong


FAULTS: dict[str, Fault] = {}


def fault(
    *,
    on: tuple[str, ...] = EVERYWHERE,
    limit: float = LIMIT,
    drops: bool = False,
    quick: tuple[str, ...] = (),
) -> Callable[[Body], Body]:
    """The function is a fault of its name, and its docstring says which.

    on: the databases on which it can be.
    limit: seconds that no request may exceed.
    drops: whether connections may end without an answer: their process was killed.
    quick: the databases on which `--quick` plays it, which plays only a few.
    """

    def add(body: Body) -> Body:
        name = body.__name__.replace("_", "-")
        says = " ".join((body.__doc__ or "").partition("\n\n")[0].split()).removesuffix(".")
        FAULTS[name] = Fault(name, says, on, limit, drops, quick, body)
        return body

    return add


def run(one: Fault, stage: Stage) -> Result:
    """Let it happen, and compare what was acknowledged with what is stored."""
    stage.ledger = ledger = Ledger(one.limit, one.drops)
    result = Result(one, stage.host.name)
    started = time.monotonic()
    try:
        one.body(stage)
        stage.nothing_is_held()
    except Exception as error:
        ledger.wrong.append(_in_short(error))
    try:
        lost = stage.shop.lost()
        ledger.wrong += [*lost, *stage.shop.wrong()]
        result.lost = len(lost)
    except Exception as error:
        ledger.wrong.append(f"the oracle cannot look: {_in_short(error)}")
    result.seconds = time.monotonic() - started
    counted = ("requests", "acknowledged", "refused", "dropped", "longest", "recovered")
    for name in (*counted, "wrong", "said"):
        setattr(result, name, getattr(ledger, name))
    return result


def _in_short(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in place if "/tests/faults/" in frame.filename]
    where = f"line {ours[-1].lineno} of {ours[-1].filename.rpartition('/')[2]}" if ours else "?"
    return f"{type(error).__name__} in {where}: {error}"[:600]
