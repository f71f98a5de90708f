"""The server's own side of a connection."""

import socket
import threading
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from app.core.http_protocol import HttpProtocol


def test_no_answer_waits_for_the_client_to_confirm_its_head(app: FastAPI) -> None:
    """On the socket that uvicorn opens for a reloaded process, and for several of them."""
    at_once = []

    class Watched(HttpProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            connection = transport.get_extra_info("socket")
            at_once.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    config = uvicorn.Config(app, http=Watched, port=0, log_config=None, lifespan="off")
    listening = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/health/live"
        assert httpx.get(url, trust_env=False).status_code == 200
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
    assert at_once == [1]
