"""Published worked examples, read where they lie beside the project."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[3] / "shared" / "vectors"


@cache
def cases(name: str) -> list[dict[str, Any]]:
    """The cases of one file; none where the folder is not there."""
    file = FOLDER / f"{name}.json"
    return json.loads(file.read_text())["cases"] if file.exists() else []


def named(name: str, id_: str) -> tuple[dict[str, float], dict[str, Any]]:
    """Inputs by name and what is expected by name of one case; skips where it is not there."""
    for case in cases(name):
        if case["id"] == id_:
            inputs = {key: one["value"] for key, one in case["inputs"].items()}
            return inputs, {one["name"]: one for one in case.get("expected", [])} | {"": case}
    pytest.skip(f"the published examples ({name}) are not beside the project")


def of_kind(name: str, kind: str) -> list[Any]:
    """Cases of a kind as parameters of a test; one that skips where there are none."""
    found = [pytest.param(c, id=c["id"]) for c in cases(name) if c["kind"] == kind]
    why = f"the published examples ({name}) are not beside the project"
    return found or [pytest.param({}, marks=pytest.mark.skip(reason=why))]


def fits(value: float, expected: dict[str, Any]) -> bool:
    """Whether a value is the printed one, within half of its last digit."""
    return abs(value - float(expected["published"])) <= float(expected["tolerance_abs"])
