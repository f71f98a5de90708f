"""Every setting, in one class. All of them have a default that works in development.

Read from the environment first, then from `.env` beside `run.py`.
"""

import os
import secrets
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.core.root import ROOT as ROOT

EXAMPLE_SECRET = "change-me-to-at-least-32-random-bytes"  # noqa: S105 - the example is refused

# The drivers that requirements.txt installs, for URLs that name only the database.
DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}

MEMORY = (None, "", ":memory:")  # what SQLite keeps in no file
URL_EXAMPLES = "write sqlite:///./app.db or postgresql://user:password@host/name"

Words = Annotated[list[str], NoDecode]  # written as "a, b, c" and not as JSON


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    app_name: str = "FastAPI Live"
    environment: Literal["development", "test", "production"] = "development"
    debug: bool = False
    secret_key: str = Field("", repr=False)
    api_prefix: str = "/api/v1"
    docs_enabled: bool = True
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    diagnostics: bool | None = None  # None: in development only
    slow_query_ms: int = Field(100, ge=1)

    # Database. Seconds, where it is a time.
    database_url: str = Field("sqlite:///./app.db", repr=False)
    db_pool_size: int = Field(20, ge=1)
    db_max_overflow: int = Field(10, ge=0)
    db_pool_timeout: float = Field(30, gt=0)
    db_pool_recycle: int = Field(3600, ge=-1)
    db_pre_ping: bool = True
    db_echo: bool = False
    db_statement_timeout: int = Field(30, ge=1)
    db_lock_timeout: int = Field(5, ge=1)
    migrate_on_start: bool | None = None  # None: in development only

    # Threads. Few are faster than many: they share one interpreter.
    request_threads: int = Field(4, ge=1)
    hash_threads: int = Field(2, ge=1)

    # HTTP
    max_body_bytes: int = Field(1_048_576, ge=1024)
    cors_origins: Words = []
    allowed_hosts: Words = ["*"]
    require_if_match: bool = False

    # Passwords and tokens
    password_min_length: int = Field(8, ge=8, le=64)
    password_hash_memory_kib: int = Field(19_456, ge=8)
    password_hash_rounds: int = Field(2, ge=1)
    access_token_minutes: int = Field(15, ge=1)
    refresh_token_days: int = Field(30, ge=1)
    session_days: int = Field(180, ge=1)
    mailed_token_minutes: int = Field(60, ge=1)

    # Rate limits of login, registration and mailed tokens, e.g. "10/minute".
    rate_limit_enabled: bool = True
    rate_limit_account: str = "10/minute"
    rate_limit_address: str = "100/minute"
    redis_url: str = Field("", repr=False)  # empty: counted in the memory of each process

    # Mail. Without a host it is printed to the console.
    smtp_host: str = ""
    smtp_port: int = Field(587, ge=1, le=65_535)
    smtp_username: str = ""
    smtp_password: str = Field("", repr=False)
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    mail_from: str = "no-reply@example.com"

    @field_validator("cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def split_words(cls, value: object) -> object:
        if isinstance(value, str):
            return [word.strip() for word in value.split(",") if word.strip()]
        return value

    @field_validator("database_url")
    @classmethod
    def name_the_driver(cls, value: str) -> str:
        """Add the driver to the URL and anchor a relative SQLite path beside `run.py`."""
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):  # ValueError: the port is no number
            raise ValueError(f"is not a database URL: {URL_EXAMPLES}") from None
        url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
        if url.drivername not in DRIVERS.values():
            raise ValueError(f"names a driver that is not installed: {URL_EXAMPLES}")
        if url.get_backend_name() != "sqlite" and not url.database:
            raise ValueError(f"names no database: {URL_EXAMPLES}")
        if "@" in (url.host or ""):
            raise ValueError("has an @ in its user or password: write that as %40")
        if url.get_backend_name() == "sqlite" and url.database not in MEMORY:
            url = url.set(database=(ROOT / str(url.database)).resolve().as_posix())
        return url.render_as_string(hide_password=False)

    @field_validator("redis_url")
    @classmethod
    def check_redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "redis+unix://")):
            raise ValueError("is not a Redis URL, e.g. redis://localhost:6379/0")
        return value

    @field_validator("secret_key")
    @classmethod
    def strip_secret(cls, value: str) -> str:
        return value.strip()

    @field_validator("api_prefix")
    @classmethod
    def trim_prefix(cls, value: str) -> str:
        return "/" + value.strip("/") if value.strip("/") else ""

    @field_validator("rate_limit_account", "rate_limit_address")
    @classmethod
    def check_rate(cls, value: str) -> str:
        from limits import parse  # 30 ms that a start without rate limits should not pay

        try:
            parse(value)
        except ValueError:
            raise ValueError('is not a rate, e.g. "10/minute"') from None
        return value

    @model_validator(mode="after")
    def check_secrets(self) -> Self:
        if self.environment != "production":
            self.secret_key = self.secret_key or _local_secret(self.environment)
            return self
        if not self.secret_key:
            raise ValueError("SECRET_KEY is missing. " + _REMEDY)
        if self.secret_key == EXAMPLE_SECRET:
            raise ValueError("SECRET_KEY is the one of the example. " + _REMEDY)
        if len(self.secret_key.encode()) < 32:
            raise ValueError("SECRET_KEY is shorter than 32 bytes. " + _REMEDY)
        if self.debug:
            raise ValueError("DEBUG must be off in production: set DEBUG=false.")
        if "*" in self.cors_origins:
            raise ValueError("CORS_ORIGINS must name the origins in production, not *.")
        return self

    @property
    def migrates_on_start(self) -> bool:
        if self.migrate_on_start is None:
            return self.environment == "development"
        return self.migrate_on_start

    @property
    def keeps_diagnostics(self) -> bool:
        return self.environment == "development" if self.diagnostics is None else self.diagnostics

    @property
    def url(self) -> URL:
        return make_url(self.database_url)

    @property
    def shown_url(self) -> str:
        """Without what is secret: its query may hold a password as well."""
        return self.url.set(query={}).render_as_string(hide_password=True)

    @property
    def is_in_memory(self) -> bool:
        return self.url.get_backend_name() == "sqlite" and self.url.database in MEMORY

    @property
    def is_production(self) -> bool:
        return self.environment == "production"


_REMEDY = (
    'Make one with: python -c "import secrets; print(secrets.token_urlsafe(48))" '
    "and set it in the environment."
)


def _local_secret(environment: str) -> str:
    """The secret of this checkout, made at the first run and kept out of git.

    Tokens therefore survive a reload. A test run, or a folder that cannot be written, gets
    one that lives as long as the process.
    """
    fresh = secrets.token_urlsafe(48)
    if environment == "test":
        return fresh
    path = ROOT / ".secret_key"
    try:
        # O_EXCL: of two processes that start at once, one writes and the other reads.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("utf-8").strip() or fresh
    except OSError:
        return fresh
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(fresh)
    return fresh


@lru_cache
def get_settings() -> Settings:
    """The settings of this process. A test run takes nothing from a developer's `.env`."""
    env_file = None if os.environ.get("ENVIRONMENT") == "test" else ROOT / ".env"
    try:
        return Settings(_env_file=env_file)
    except UnicodeDecodeError:
        raise SystemExit("✗ .env is not UTF-8: save it with that encoding.") from None
