"""uvicorn's fast parser of HTTP, with an end to what it takes, and no wait in what it sends.

By itself it collects headers for as long as a client sends them, and those behind a body (trailers)
as if they had stood before it, where a proxy would have looked.
"""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.middleware import MAX_HEADERS, TOO_LARGE_HEADERS


class HttpProtocol(HttpToolsProtocol):
    _in_headers = False
    _beside_body = 0  # bytes since the message began, or the last ones of its body came

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Head and body are sent one after the other, and the system would keep the body back until
        # the client has confirmed the head: 40 ms. asyncio prevents that, but not on the socket
        # that uvicorn opens for a reloaded process or for several.
        connection: Any = transport.get_extra_info("socket")
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > MAX_HEADERS and not self.transport.is_closing():
            self.send_400_response(TOO_LARGE_HEADERS)

    def on_message_begin(self) -> None:
        self._in_headers, self._beside_body = True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_headers = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._beside_body = 0
        super().on_body(body)
