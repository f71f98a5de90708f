"""Being stopped: by Ctrl-C, and by SIGTERM in the same way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


def stoppable() -> AbstractContextManager[None]:
    """SIGTERM raises a KeyboardInterrupt too, so that what is half done is undone."""
    return _handled(signal.default_int_handler, signal.SIGTERM)


def uninterrupted() -> AbstractContextManager[None]:
    """What has begun is ended: for the moment that it takes, both come too late."""
    return _handled(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM)


@contextmanager
def _handled(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals do not come here, and cannot be set from here
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
