"""`python run.py mcp`: the project for coding agents, over standard input and output."""

from app.cli.console import CommandError
from app.core.config import get_settings


def serve() -> None:
    if get_settings().is_production:
        raise CommandError("mcp is a developer's tool: it does not start in production.")
    try:
        from app.cli.mcp_tools import server  # the only place that needs the SDK
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise CommandError(
            "The SDK of the Model Context Protocol is missing. In the environment (.venv): "
            "pip install mcp -c constraints.txt"
        ) from None
    # It keeps standard output for the protocol: whatever else is printed goes to standard error.
    server.run("stdio")
