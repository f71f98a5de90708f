"""Bytes that no client library sends, on a socket of a real server."""

import re
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.beside import beside
from tests.servers import Server, copy_tree

LOGIN = "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n"
GET = "GET /health/live HTTP/1.1\r\nHost: a\r\n"
JSON = "POST /api/v1/users/register HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"

REFUSED: dict[str, str | bytes] = {
    "no HTTP": "hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
    "no host": "GET / HTTP/1.1\r\n\r\n",
    "two hosts": "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a space in the path": "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the path": "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the path, encoded": "GET /api/v1/users/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path that climbs": "GET /docs/assets/../../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    "the same, encoded": "GET /docs/assets/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    "the same, with backslashes": "GET /docs/assets/..%5c..%5capp.db HTTP/1.1\r\nHost: a\r\n\r\n",
    "no UTF-8": "GET /api/v1/users?q=%ff HTTP/1.1\r\nHost: a\r\n\r\n",
    "a surrogate": "GET /api/v1/users?q=%ed%a0%80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "an unknown method": "HACK /api/v1/users HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method of bytes": b"G\xff\xfeT / HTTP/1.1\r\nHost: a\r\n\r\n",
    "TRACE": "TRACE /api/v1/users HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "another origin": "GET http://evil.example/nothing HTTP/1.1\r\nHost: a\r\n\r\n",
    "a header without a name": f"{GET}: x\r\n\r\n",
    "a header with a space": f"{GET}X -Y: z\r\n\r\n",
    "a header in two lines": f"{GET}X: a\r\n\x00b\r\n\r\n",
    "NUL in a header": f"{GET}X: a\0b\r\n\r\n",
    # In one piece: the server's own limit is for what comes in several.
    "a header that is too long": f"{GET}X: {'a' * 66_000}\r\n\r\n",
    "a header that is longer": f"{GET}X: {'a' * 1_000_000}\r\n\r\n",
    "too many headers": GET + "".join(f"X{n}: a\r\n" for n in range(20_000)) + "\r\n",
    "a negative length": f"{JSON}Content-Length: -1\r\n\r\n",
    "a length in words": f"{JSON}Content-Length: ten\r\n\r\n",
    "a length with a sign": f"{JSON}Content-Length: +2\r\n\r\n{{}}",
    "two lengths": f"{JSON}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}",
    "a length beyond reason": f"{JSON}Content-Length: {'9' * 40}\r\n\r\n",
    "a length and chunks": f"{JSON}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    "0\r\n\r\n",
    "an unknown coding": f"{JSON}Transfer-Encoding: gzip\r\n\r\n",
    "a chunk of no size": f"{JSON}Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a chunk beyond reason": f"{JSON}Transfer-Encoding: chunked\r\n\r\n{'f' * 20}\r\n{{}}",
    "a form of bytes": f"{LOGIN}Content-Type: application/x-www-form-urlencoded\r\n"
    "Content-Length: 5\r\n\r\n\0\1\2\3\4",
    "a form without a boundary": f"{LOGIN}Content-Type: multipart/form-data\r\n"
    "Content-Length: 1\r\n\r\n-",
}


# What goes on until the server has had enough: a beginning, and what follows again and again.
CHUNKED = f"{JSON}Transfer-Encoding: chunked\r\n\r\n"
BODY = "2\r\n{}\r\n0\r\n"
ENDLESS = {
    "headers": (GET, "X: a\r\n" * 2000),
    "a header": (f"{GET}X: ", "a" * 10_000),
    "a name of a header": (GET, "a" * 10_000),
    "a path": ("GET /", "a" * 10_000),
    "a method": ("G", "E" * 10_000),
    "trailers": (f"{CHUNKED}{BODY}", "X: a\r\n" * 2000),
    "a trailer": (f"{CHUNKED}{BODY}X: ", "a" * 10_000),
    "words behind the size of a chunk": (f"{CHUNKED}2;", "a" * 10_000),
}
ENOUGH = 20_000_000  # bytes: more than lies in the buffers of a connection


@beside
def test_raw_bytes_are_refused(folder: Path) -> None:
    tree = copy_tree(folder / "tree")
    with Server(tree, "--no-reload", DATABASE_URL="sqlite:///./raw.db") as server:
        server.get("/health/ready")
        answered = {}
        for what, data in REFUSED.items():
            answer = exchange(server.url, data if isinstance(data, bytes) else data.encode())
            # Closed without a word is an answer as well, to what is no HTTP.
            if not re.match(rb"HTTP/1\.1 4\d\d |$", answer):
                answered[what] = answer[:300]
            assert b"Traceback" not in answer, what
            assert b"server:" not in answer.lower(), what
            assert server.get("/health/ready").status_code == 200, what
        assert answered == {}
        taken = {what: sent(server.url, *data) for what, data in ENDLESS.items()}
        assert {what: size for what, size in taken.items() if size >= ENOUGH} == {}
        # Behind the body, where no proxy looks, nobody signs in or says who he is.
        trailer = f"{CHUNKED}{BODY}X-Request-ID: trailer\r\n\r\n"
        answer = exchange(server.url, trailer.encode())
        assert b"x-request-id" in answer
        assert b"trailer" not in answer
        assert "Traceback" not in server.output, server.output


def sent(url: str, beginning: str, again: str) -> int:
    """How many bytes it takes until the server closes; `ENOUGH` when it does not."""
    address, size, piece = urlsplit(url), 0, again.encode()
    connection = socket.create_connection((address.hostname, address.port or 80), 10)
    with connection, suppress(OSError):
        connection.sendall(beginning.encode())
        while size < ENOUGH:
            connection.sendall(piece)
            size += len(piece)
    return size


def exchange(url: str, data: bytes) -> bytes:
    """What the server says before it closes. It is told that no more comes once it has answered.

    Or waits for more: told at once, it would drop a request that it still works on.
    """
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port or 80)) as connection:
        answer = b""
        try:
            connection.sendall(data)
            connection.settimeout(2)
            with suppress(TimeoutError):
                answer = connection.recv(65_536)
            connection.settimeout(10)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                answer += piece
        except TimeoutError:
            raise  # it hangs, which is what nothing may make it do
        except OSError:
            pass  # it closed before it had read everything
        return answer
