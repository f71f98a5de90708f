"""What a stranger can learn with a stopwatch."""

import statistics
import time

from tests.faults.stage import Stage
from tests.faults.suite import fault

TRIES = 200  # of each kind: about ten seconds
REAL = {"PASSWORD_HASH_MEMORY_KIB": "19456", "PASSWORD_HASH_ROUNDS": "2"}  # as in production


@fault()
def login_timing(stage: Stage) -> None:
    """Refused logins take the same, whether there is such an account or not."""
    with stage.serving(workers=1, **REAL) as service, stage.client("") as stranger:
        stage.is_ready(service, workers=1)
        stage.register(stranger, "fred")
        seconds: dict[str, list[float]] = {"fred": [], "nobody": []}
        for number in range(2 * TRIES + 20):
            # In turns, so that what else the machine does meets both alike.
            name = ("fred", "nobody")[(number + number // 2) % 2]
            form = {"username": name, "password": "a wrong one"}
            started = time.perf_counter()
            stranger.call("POST", "/api/v1/auth/login", (401,), data=form)
            seconds[name].append(time.perf_counter() - started)
    known, unknown = (statistics.median(each[10:]) for each in seconds.values())
    said = f"{known * 1000:.1f} ms for a known name, {unknown * 1000:.1f} ms for an unknown one"
    stage.ledger.said.append(f"{said}: {known / unknown - 1:+.1%}")
    if abs(known / unknown - 1) > 0.1:
        stage.ledger.wrong.append(said)
