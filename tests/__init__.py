"""Nothing of a developer's own settings may reach the tests.

Here, because a package is imported before its modules, and `app` reads the environment at import.
"""

import os

from app.core.config import Settings

DATABASE_URL = os.environ.get("TEST_DATABASE_URL") or "sqlite://"

for _name in Settings.model_fields:
    os.environ.pop(_name.upper(), None)
os.environ |= {
    "ENVIRONMENT": "test",
    "DATABASE_URL": DATABASE_URL,
    "PASSWORD_HASH_MEMORY_KIB": "8",
    "PASSWORD_HASH_ROUNDS": "1",
    "RATE_LIMIT_ENABLED": "false",
    "LOG_LEVEL": "WARNING",
}
