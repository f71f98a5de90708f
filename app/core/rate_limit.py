"""Limits for what can be tried too often: logins, registrations, mailed tokens."""

import hashlib
import logging
import math
import time
from functools import lru_cache

from limits import parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from app.core.config import get_settings
from app.core.errors import TooManyRequestsError

logger = logging.getLogger(__name__)


@lru_cache
def _memory() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(MemoryStorage())


@lru_cache
def _shared() -> SlidingWindowCounterRateLimiter:
    """Counted in Redis when there is one, so that several processes share the count."""
    url = get_settings().redis_url
    if not url:
        return _memory()
    options = {"socket_connect_timeout": 1, "socket_timeout": 1}
    storage: Storage = storage_from_string(url, wrap_exceptions=True, **options)  # type: ignore[assignment]
    return SlidingWindowCounterRateLimiter(storage)


def check_rate(action: str, *, account: str, address: str) -> None:
    """Count one try; raise a TooManyRequestsError when the account or address had too many.

    account: what the client calls itself. It is hashed, so that no store holds names.
    """
    settings = get_settings()
    if not settings.rate_limit_enabled:
        return
    name = hashlib.sha256(account.casefold().encode("utf-8", "replace")).hexdigest()[:32]
    for rate, key in (
        (settings.rate_limit_address, f"address:{address}"),
        (settings.rate_limit_account, f"account:{name}"),
    ):
        retry_after = _hit(rate, f"{action}:{key}")
        if retry_after is not None:
            raise TooManyRequestsError(retry_after)


def _hit(rate: str, key: str) -> int | None:
    """None, or the seconds to wait."""
    limit = parse(rate)
    for limiter in (_shared(), _memory()):
        try:
            if limiter.hit(limit, key):
                return None
            wait = limiter.get_window_stats(limit, key).reset_time - time.time()
            return max(1, math.ceil(wait))
        except StorageError:
            # Counting for this process alone is better than no limit, and than no login.
            logger.warning("Redis does not answer: rate limits are counted in memory")
    return None
