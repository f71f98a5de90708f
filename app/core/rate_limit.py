"""Limits for what can be tried too often: logins, registrations, mailed tokens."""

import hashlib
import logging
import math
import time
from functools import lru_cache
from typing import Any

from limits import parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from app.core.config import get_settings
from app.core.errors import TooManyRequestsError

logger = logging.getLogger(__name__)

PATIENCE = 0.5  # seconds that a Redis may take
PAUSE = 10.0  # seconds before a Redis that did not answer is asked again


@lru_cache
def _memory() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(MemoryStorage())


@lru_cache
def _shared() -> SlidingWindowCounterRateLimiter | None:
    """Counts in Redis, so that several processes share the count. None: there is no Redis."""
    url = get_settings().redis_url
    if not url:
        return None
    from redis.backoff import NoBackoff  # a tenth of a second that only who has one should pay
    from redis.retry import Retry

    # One short try: a login must not wait for a store that is away.
    options: Any = {"socket_connect_timeout": PATIENCE, "socket_timeout": PATIENCE}
    options["retry"] = Retry(NoBackoff(), 0)
    options["key_prefix"] = get_settings().app_name  # several services may share a Redis
    storage: Any = storage_from_string(url, wrap_exceptions=True, **options)
    return SlidingWindowCounterRateLimiter(storage)


class _Redis:
    """Until when, on the monotonic clock, Redis is taken for away."""

    away_until = 0.0


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
    shared = _shared()
    if shared is not None and time.monotonic() >= _Redis.away_until:
        try:
            return _count(shared, rate, key)
        except StorageError:
            # Counting for this process alone is better than no limit, and than no login.
            _Redis.away_until = time.monotonic() + PAUSE
            logger.warning("Redis does not answer: rate limits are counted in memory")
    return _count(_memory(), rate, key)


def _count(limiter: SlidingWindowCounterRateLimiter, rate: str, key: str) -> int | None:
    limit = parse(rate)
    if limiter.hit(limit, key):
        return None
    wait = limiter.get_window_stats(limit, key).reset_time - time.time()
    return max(1, math.ceil(wait))
