"""Mail: printed to the console in development, sent by SMTP where `SMTP_HOST` is set."""

import logging
import smtplib
import ssl
from email.message import EmailMessage

from app.core.config import get_settings

logger = logging.getLogger(__name__)

TIMEOUT = 10  # seconds


def send_mail(to: str, subject: str, text: str) -> None:
    """Send one mail. A failure is logged, not raised: nobody waits for the answer of a mail."""
    settings = get_settings()
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = to
    message["Subject"] = f"{settings.app_name}: {subject}"
    message.set_content(text)
    if settings.smtp_host:
        try:
            _deliver(message)
        except (OSError, smtplib.SMTPException):
            logger.exception("A mail could not be sent", extra={"subject": subject})
    elif settings.environment == "development":
        print(f"\n--- Mail to {to}: {message['Subject']}\n{text.strip()}\n---\n", flush=True)
    elif settings.is_production:
        logger.error("A mail was not sent: set SMTP_HOST", extra={"subject": subject})


def _deliver(message: EmailMessage) -> None:
    settings = get_settings()
    address = (settings.smtp_host, settings.smtp_port)
    if settings.smtp_security == "tls":
        context = ssl.create_default_context()
        client: smtplib.SMTP = smtplib.SMTP_SSL(*address, timeout=TIMEOUT, context=context)
    else:
        client = smtplib.SMTP(*address, timeout=TIMEOUT)
    with client:
        if settings.smtp_security == "starttls":
            client.starttls(context=ssl.create_default_context())
        if settings.smtp_username:
            client.login(settings.smtp_username, settings.smtp_password)
        client.send_message(message)
