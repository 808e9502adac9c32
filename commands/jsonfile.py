"""JSON files of the data folder: read with a reason when they cannot be, written whole or not."""

import json
import os
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 20


class Unreadable(Exception):
    """A file holds no JSON object; the text says why, for a sentence that names the file."""


def read_object(file: Path) -> dict[str, Any]:
    """Read one JSON object. Raises ``FileNotFoundError`` or ``Unreadable``."""
    try:
        with file.open("rb") as there:
            content = there.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise Unreadable("it is far too large")
        if not content.strip(b"\0 \r\n\t"):
            raise Unreadable("it is empty")
        found = json.loads(content.decode("utf-8"))
    except FileNotFoundError:
        raise
    except OSError as e:
        raise Unreadable(e.strerror or str(e)) from e
    except UnicodeDecodeError as e:
        raise Unreadable("it is not text") from e
    except RecursionError as e:
        raise Unreadable("it is nested too deeply") from e
    except ValueError as e:
        raise Unreadable(str(e)) from e
    if not isinstance(found, dict):
        raise Unreadable("an object is expected")
    return found


def write_private(file: Path, content: object) -> Path:
    """Write JSON that only this user may read, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as f:
        json.dump(content, f, ensure_ascii=False, indent=1)
        f.flush()
        os.fsync(f.fileno())
    new.replace(file)
    return file
