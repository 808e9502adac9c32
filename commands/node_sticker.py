"""The sticker of a board: an address for the phone's camera, and how to join the board's Wi-Fi.

The address ``<platform>/tram/<the board's number>`` is no secret; the Wi-Fi's password opens the
page of a board that is not set up yet. Stickers are rows of a table that ``nongso labels sheet``
prints.
"""

import csv
import os
from pathlib import Path
from typing import NamedTuple

from nongso.commands.errors import CommandError

HEADING = ("url", "text")


class Sticker(NamedTuple):
    """What a board's sticker says. ``url`` is empty where no platform was named."""

    url: str
    wifi: str
    password: str
    board: str

    @property
    def text(self) -> str:
        """The lines beside the code."""
        return f"Trạm đo {self.board[-4:]}\nWi-Fi {self.wifi}\nMật khẩu {self.password}"


def of_board(board: str, wifi: str, password: str, platform: str | None) -> Sticker:
    """Make the sticker of a board by its EUI-64."""
    url = f"{platform.rstrip('/')}/tram/{board}" if platform else ""
    return Sticker(url, wifi, password, board)


def add_row(table: Path, sticker: Sticker) -> None:
    """Write the sticker into a table for the label printer; a board prepared again has one row.

    Raises ``CommandError``. Others may not read the file: it holds passwords.
    """
    rows: list[list[str]] = []
    try:
        with table.open(encoding="utf-8", newline="") as file:
            heading, *rows = list(csv.reader(file)) or [list(HEADING)]
        if heading != list(HEADING):
            raise CommandError(f"{table} is another table: its columns are not url and text.")
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{table} cannot be read as a table of stickers: {error}") from None
    rows = [row for row in rows if row and row[0] != sticker.url]
    new = table.with_name(table.name + ".new")
    try:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADING, *rows, (sticker.url, sticker.text)])
        new.replace(table)
    except OSError as error:
        raise CommandError(f"{table} cannot be written: {error}") from None
