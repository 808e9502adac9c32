"""What a crop's procedure (quy trình) asks for today.

A procedure is data: one TOML file a crop, in this folder or, before it, in ``procedures/`` of the
platform's own folder, where a cooperative puts what it has agreed with its agricultural officer.
What ships here is a plain beginning for four crops that are usual in film houses of the region.
"""

import datetime
import functools
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nongso.platform.diary.entries import KINDS, Entry, planting
from nongso.wire.metrics import METRICS

OURS = Path(__file__).parent / "crops"
LONGEST_DAYS = 400


class ProcedureError(Exception):
    """A procedure file cannot be used; the text says which file, which task, what is expected."""


@dataclass(frozen=True)
class Task:
    """Something to do from one day after planting to another, once or every few days.

    ``every_days`` 0 is once. ``text`` has the sentence by language.
    """

    id: str
    kind: str
    from_day: int
    to_day: int
    every_days: int
    text: dict[str, str]


@dataclass(frozen=True)
class Procedure:
    """A crop's tasks. ``crops`` are the names under which people write the crop.

    ``bands`` has lowest and highest value that the crop likes, by metric.
    """

    id: str
    crops: tuple[str, ...]
    tasks: tuple[Task, ...]
    bands: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Due:
    """A task that is due, since which day, and whether its time is running out today."""

    task: Task
    since: datetime.date
    late: bool


def due(
    procedures: Sequence[Procedure], entries: Sequence[Entry], today: datetime.date
) -> list[Due]:
    """Return today's tasks for what grows there; a task counts as done by a diary line of it."""
    planted = planting(entries)
    if planted is None:
        return []
    procedure = for_crop(procedures, planted.crop)
    if procedure is None:
        return []
    begun = datetime.date.fromisoformat(planted.day)
    found = [_due(task, entries, begun, today) for task in procedure.tasks]
    return [one for one in found if one is not None]


def _due(
    task: Task, entries: Sequence[Entry], begun: datetime.date, today: datetime.date
) -> Due | None:
    age = (today - begun).days
    if not task.from_day <= age <= task.to_day:
        return None
    first = begun + datetime.timedelta(days=task.from_day)
    done = [
        datetime.date.fromisoformat(one.day)
        for one in entries
        if one.task == task.id and begun <= datetime.date.fromisoformat(one.day) <= today
    ]
    if not done:
        late = (
            age == task.to_day if not task.every_days else age - task.from_day >= task.every_days
        )
        return Due(task, first, late)
    if not task.every_days:
        return None
    since = max(done) + datetime.timedelta(days=task.every_days)
    return Due(task, since, (today - since).days >= task.every_days) if since <= today else None


def for_crop(procedures: Sequence[Procedure], crop: str) -> Procedure | None:
    """Return the procedure whose crop's name begins what was written; the longest name wins."""
    written = folded(crop)
    matches = [
        (len(name), procedure)
        for procedure in procedures
        for name in map(folded, procedure.crops)
        if name in written
    ]
    return max(matches, key=lambda pair: pair[0])[1] if matches else None


@functools.cache
def load(own: Path) -> tuple[Procedure, ...]:
    """Read all procedures; the cooperative's own come before ours of the same name."""
    found: dict[str, Procedure] = {}
    for folder in (OURS, own):
        for file in sorted(folder.glob("*.toml")):
            found[file.stem] = _read(file)
    return tuple(found.values())


def _read(file: Path) -> Procedure:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ProcedureError(f"{file}: cannot be read: {error}") from error
    crops = data.get("crops")
    if not isinstance(crops, list) or not crops or not all(isinstance(c, str) for c in crops):
        raise ProcedureError(f"{file}: crops must be a list of names, such as ['cà chua']")
    tasks = data.get("task")
    if not isinstance(tasks, list) or not tasks:
        raise ProcedureError(f"{file}: at least one [[task]] is expected")
    return Procedure(file.stem, tuple(crops), tuple(_tasks(file, tasks)), _bands(file, data))


def _bands(file: Path, data: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """What the crop likes; may be left out."""
    bands = data.get("band", {})
    if not isinstance(bands, dict):
        raise ProcedureError(f"{file}: band: a table of metrics is expected")
    return {name: _ends(f"{file}: band.{name}", name, ends) for name, ends in bands.items()}


def _ends(where: str, name: str, ends: Any) -> tuple[float, float]:
    two = isinstance(ends, list) and len(ends) == 2
    if name not in METRICS or not two or not all(type(end) in (int, float) for end in ends):
        raise ProcedureError(f"{where}: [lowest, highest] of a metric is expected")
    low, high = ends
    if not low < high:
        raise ProcedureError(f"{where}: the lowest must be below the highest")
    return float(low), float(high)


def _tasks(file: Path, tasks: list[Any]) -> Iterator[Task]:
    seen = set()
    for number, one in enumerate(tasks, 1):
        where = f"{file}: task {number}"
        if not isinstance(one, dict) or not isinstance(one.get("id"), str):
            raise ProcedureError(f"{where}: id must be a short name of its own")
        if one["id"] in seen:
            raise ProcedureError(f"{where}: there is another task called {one['id']!r}")
        seen.add(one["id"])
        if one.get("kind") not in KINDS:
            raise ProcedureError(f"{where}: kind must be one of {', '.join(KINDS)}")
        days = [one.get("from_day"), one.get("to_day"), one.get("every_days", 0)]
        if not all(type(day) is int and 0 <= day <= LONGEST_DAYS for day in days):
            raise ProcedureError(
                f"{where}: from_day, to_day, every_days are whole numbers of days"
            )
        if days[0] > days[1]:
            raise ProcedureError(f"{where}: from_day comes after to_day")
        text = {code: one[code] for code in ("vi", "en") if isinstance(one.get(code), str)}
        if len(text) < 2 or not all(text.values()):
            raise ProcedureError(f"{where}: a sentence is expected in vi and in en")
        first, last, every = days
        yield Task(f"{file.stem}/{one['id']}", one["kind"], first, last, every, text)


def folded(text: str) -> str:
    """Return a name without marks and case, so that "ca chua" finds "Cà chua"."""
    plain = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
