"""What the commands print with."""

from rich.console import Console
from rich.markup import escape

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


class CommandError(Exception):
    """Something that a person can mend. Its message says how."""


class UsageError(CommandError):
    """What was typed means nothing: exit code 2."""


def explain(message: str) -> None:
    errors.print(f"[red]✗[/] {escape(message)}", soft_wrap=True)
