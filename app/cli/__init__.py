"""What `python run.py ...` can do."""

import sys

from pydantic import ValidationError


def main() -> int:
    """Run the command line. Settings that are wrong are told in one line each."""
    try:
        from app.cli.main import cli
    except ValidationError as error:
        if error.title != "Settings":
            raise
        for each in error.errors():
            name = ".".join(str(part) for part in each["loc"]).upper()
            message = each["msg"].removeprefix("Value error, ")
            print(f"{name} {message}".strip(), file=sys.stderr)
        return 1
    return int(cli(standalone_mode=False) or 0)
