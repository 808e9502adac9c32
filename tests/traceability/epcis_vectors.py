"""Where the published documents lie, beside the project; they are not ours to hand on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[3] / "shared" / "vectors" / "traceability"


def need(*parts: str) -> Path:
    """A file or folder of the vectors; the test is left out with a word where there are none."""
    found = FOLDER.joinpath(*parts)
    if not found.exists():
        pytest.skip(f"the published documents ({'/'.join(parts)}) are not beside the project")
    return found


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def documents(*folders: str) -> list[Path]:
    """All documents of these folders, by name. Empty where there are no vectors."""
    found: list[Path] = []
    for folder in folders:
        found += sorted(FOLDER.joinpath(folder).glob("*.json*"))
    return [path for path in found if not path.name.endswith(".event-hashes.json")]


def chain(name: str) -> Mapping[str, Any]:
    """The dong chain: ``gs1`` or ``private-ids``."""
    return read(need("epcis", "mien-dong", f"chain-{name}.jsonld"))
