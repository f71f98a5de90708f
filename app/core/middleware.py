"""What surrounds every request: an id, one line in the log, safe headers, and an answer to bugs."""

import logging
import re
import time
import traceback
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.config import Settings
from app.core.logging import request_id
from app.core.problems import problem

logger = logging.getLogger("app.request")

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET = {"/health/live", "/health/ready"}  # asked every few seconds: logged when they fail
MONITORED = QUIET | {"/"}
TOO_LARGE = "The body is too large."
TOO_LARGE_HEADERS = "The headers are too large."
# Of all headers together. The server has the same limit, but only for those that come in pieces:
# what it gets at once (up to 256 KiB) it reads, so whether it refuses is up to the network.
MAX_HEADERS = 65_536  # bytes

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}
HSTS = "max-age=31536000; includeSubDomains"


def with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Let the pages of other origins read the answers, where a setting names them."""
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["ETag", "X-Request-ID", "Retry-After", "Idempotency-Replayed"],
    )


class RequestMiddleware:
    """One class instead of five: every layer costs each request a few microseconds."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.max_body = settings.max_body_bytes
        headers = HEADERS | ({"strict-transport-security": HSTS} if settings.is_production else {})
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await _Exchange(self, scope, receive, send).run()


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, middleware: RequestMiddleware, scope: Scope, receive: Receive, send: Send
    ) -> None:
        path = scope["path"]
        if len(path) > 1 and path.endswith("/"):
            # A slash at the end means the same, and a redirect would lose the body.
            scope["path"] = path.rstrip("/") or "/"
        self.middleware = middleware
        self.method = scope["method"]
        # A monitor asks for the head alone. The server leaves the body out, by its own scope, so
        # this is another one. All other routes say themselves what they take, as in FastAPI.
        head = self.method == "HEAD" and path in MONITORED
        self.scope = {**scope, "method": "GET"} if head else scope
        self._receive = receive
        self._send = send
        self.request_headers = Headers(scope=scope)
        given = self.request_headers.get("x-request-id", "")
        self.id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self.status = 0  # until the answer starts
        self.replaced = False
        self.received = 0  # bytes of the body
        self.ended = 0.0  # when the last piece of the answer was sent

    async def run(self) -> None:
        started = time.perf_counter()
        token = request_id.set(self.id)
        try:
            headers = self.scope["headers"]
            if sum(len(name) + len(value) for name, value in headers) > MAX_HEADERS:
                await self.answer(431, TOO_LARGE_HEADERS)
            elif not self.names_one_host(headers):
                await self.answer(400, "Send one header Host.")
            else:
                await self.middleware.app(self.scope, self.receive, self.send)
        except ClientDisconnect:
            self.status = self.status or 499  # nobody is left to be answered
        except Exception as error:
            operation = getattr(self.scope.get("route"), "name", None)
            logger.exception(
                "%s %s failed",
                self.method,
                self.scope["path"],
                extra={"operation": operation} if operation else None,
            )
            if self.status:
                raise  # too late for an answer: the server closes the connection
            await self.answer(500, self.said_by(error))
        finally:
            self.log((self.ended or time.perf_counter()) - started)
            request_id.reset(token)

    def said_by(self, error: Exception) -> str:
        """On a stage, what went wrong. It may hold what was sent, so production knows no DEBUG."""
        if not self.middleware.settings.debug:
            return "Something went wrong here."
        said = traceback.format_exception_only(error)[-1].strip()
        return said.encode(errors="replace").decode()

    def names_one_host(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """RFC 9112: of two, a proxy may have checked the other one. HTTP/1.0 may go without."""
        hosts = sum(name == b"host" for name, _ in headers)
        return hosts == 1 or (hosts == 0 and self.scope.get("http_version") == "1.0")

    async def answer(self, status: int, detail: str) -> None:
        # What is answered here has not passed through the CORS of the app.
        app = with_cors(problem(status, detail), self.middleware.settings)
        await app(self.scope, _nothing, self.send)

    async def receive(self) -> Message:
        """Refuse a body that is too large before it is read, or once it turns out to be.

        FastAPI has a limit of its own, but answers in plain text around every handler.
        """
        announced = self.request_headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > self.middleware.max_body:
            raise HTTPException(413, TOO_LARGE)
        message = await self._receive()
        self.received += len(message.get("body", b""))
        if self.received > self.middleware.max_body:
            raise HTTPException(413, TOO_LARGE)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            raw = message.setdefault("headers", [])
            if self.status >= 400:
                headers = MutableHeaders(raw=raw)
                if headers.get("content-type", "").startswith("text/plain"):
                    # Starlette's own refusals (a foreign host or origin) are plain text.
                    await self.replace(headers)
                    return
            self.add_headers(raw)
        if not self.replaced:
            await self._send(message)
        self.ended = time.perf_counter()  # what runs later is not the request's time

    async def replace(self, headers: MutableHeaders) -> None:
        kept = {k: v for k, v in headers.items() if k not in ("content-type", "content-length")}
        answer = problem(self.status, "The host or the origin is not allowed.", headers=kept)
        await answer(self.scope, _nothing, self.send)
        self.replaced = True

    def add_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        """As bytes: setting each by name would read through all the others, at each request."""
        there = {name for name, _ in headers}
        headers += [each for each in self.middleware.headers if each[0] not in there]
        private = "authorization" in self.request_headers or self.scope["method"] == "POST"
        if private and b"cache-control" not in there:
            headers.append((b"cache-control", b"no-store"))
        headers.append((b"x-request-id", self.id.encode()))

    def log(self, seconds: float) -> None:
        """One line, without the query string: it may hold a token."""
        path = self.scope["path"]
        if path in QUIET and self.status < 400:
            return
        client = self.scope.get("client")
        extra: dict[str, Any] = {
            "method": self.method,
            "path": path,
            "status": self.status,
            "ms": round(seconds * 1000, 1),
            "client": client[0] if client else None,
        }
        level = logging.ERROR if self.status >= 500 else logging.INFO
        logger.log(level, "request", extra=extra)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
