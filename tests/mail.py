"""A real SMTP server for the tests of what is mailed."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox(list[Message]):
    """What the server took."""

    port: int

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.append(message_from_bytes(envelope.content.replace(b"\r\n", b"\n")))
        return "250 OK"

    def token(self, *, to: str) -> str:
        """The token of the newest mail to somebody."""
        mail = next(mail for mail in reversed(self) if mail["To"] == to)
        found = re.search(r"^[\w-]{40,}$", mail.get_payload(), re.MULTILINE)
        assert found is not None
        return found[0]


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    with socket.socket() as probe:  # the controller does not take port 0
        probe.bind(("127.0.0.1", 0))
        mailbox.port = probe.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
