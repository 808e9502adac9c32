"""``state.json``: how the simulated farm goes on after a restart, written whole or not at all.

``{"model": <state of the model>, "history": {"start", "end", "sent_at"}}``. Not synced to the
disk: after a power cut a simulated farm may be some seconds younger.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any


class StateFile:
    """One farm's state file. A damaged one is set aside and said, never deleted."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._failed = False
        self.content: dict[str, Any] = {}
        try:
            found = json.loads(file.read_text("utf-8"))
            if not isinstance(found, dict):
                raise ValueError("an object is expected")
            self.content = found
        except FileNotFoundError:
            pass
        except ValueError as error:
            aside = file.with_name(file.name + ".damaged")
            file.replace(aside)
            print(
                f"{file} is damaged ({error}); it is kept as {aside.name}, "
                "and the simulated farm begins anew.",
                file=sys.stderr,
                flush=True,
            )

    def put(self, **parts: Any) -> None:
        """Replace parts of the state and write it. Raises ``OSError``."""
        self.content |= parts
        self.file.parent.mkdir(parents=True, exist_ok=True)
        new = self.file.with_name(self.file.name + ".new")
        new.write_text(json.dumps(self.content), "utf-8")
        os.replace(new, self.file)

    def try_put(self, **parts: Any) -> None:
        """Like ``put``, but a disk that refuses is said once and does not stop the farm."""
        try:
            self.put(**parts)
            self._failed = False
        except OSError as error:
            if not self._failed:
                print(f"{self.file} cannot be written: {error}", file=sys.stderr, flush=True)
            self._failed = True
