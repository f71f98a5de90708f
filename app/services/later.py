"""Work that is done after the answer was sent, as services see it."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from app.core.retries import run_with_retries

logger = logging.getLogger(__name__)


class Later(Protocol):
    """Call `function` with `arguments` once the answer is out. Failures are logged."""

    def __call__(self, function: Callable[..., None], *arguments: Any) -> None: ...


def run_logged(function: Callable[..., None], *arguments: Any) -> None:
    try:
        run_with_retries(partial(function, *arguments))
    # check: R40 because the answer is out, and nobody is left to tell but the log
    except Exception:
        logger.exception("Failed after the answer was sent: %s", function.__qualname__)
