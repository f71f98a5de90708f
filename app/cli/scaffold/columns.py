"""New columns of a table, as the Python in the workshop is told of them."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Columns:
    """The columns that are new in a table, and what the rows that are there get."""

    message: str
    table: str
    names: list[str]
    tables: list[str]  # those that connect it to others, all of them new
    values: dict[str, str]  # by column, as a database reads it
    temporary: list[str]  # columns whose value is for those rows alone
    found_by: str = ""  # what the search of the rows that are there finds from now on

    def dumped(self) -> str:
        return json.dumps(asdict(self))
