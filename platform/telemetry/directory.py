"""Which series an engine holds, kept in memory: number, place, and under which ids it lies.

An engine cannot rename what it holds. Readings that came before their node was known therefore
keep their id; a line in ``nongso_placed`` says where they belong, and this directory shows them
there, together with what is written under the place's own id.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence

from nongso.platform.telemetry import lines
from nongso.platform.telemetry.interface import Series


class Directory:
    """Series by number. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: dict[int, Series] = {}  # id: the place that its lines name
        self._placed: dict[int, Series] = {}  # id: the place that was given later
        self._outside: set[int] = set()
        self._shown: dict[int, Series] = {}
        self._ids: dict[int, list[int]] = {}
        self._places: dict[tuple[str, str], list[int]] = {}

    def take(self, found: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        """Take in what the engine says it holds: measurement and tags."""
        with self._lock:
            for kind, tags in found:
                try:
                    number = int(tags.get("id", ""), 16)
                except ValueError:
                    continue  # not a line of ours
                if kind == lines.PLACED:
                    self._placed[number] = lines.series_of(tags)
                else:
                    self._written[number] = lines.series_of(tags)
                    if kind == lines.OUTSIDE:
                        self._outside.add(number)
            self._arrange()

    def add(self, written: Iterable[Series], outside: Iterable[Series]) -> None:
        """Take in what was just written."""
        new = {lines.id_of(one): one for one in written}
        beyond = {lines.id_of(one) for one in outside}
        with self._lock:
            if new.keys() <= self._written.keys() and beyond <= self._outside:
                return
            self._written |= new
            self._outside |= beyond
            self._arrange()

    def place(self, number: int, series: Series) -> None:
        """Take in where a series without place belongs."""
        with self._lock:
            self._placed[number] = series
            self._arrange()

    def _arrange(self) -> None:
        shown: dict[int, Series] = {}
        ids: dict[int, list[int]] = {}
        places: dict[tuple[str, str], list[int]] = {}
        for found, written in self._written.items():
            series = self._placed.get(found, written)
            number = lines.id_of(series) if found in self._placed else found
            shown[number] = series
            ids.setdefault(number, []).append(found)
            places.setdefault((series.node, series.name), []).append(found)
        self._shown = dict(sorted(shown.items(), key=lambda item: (item[1][2:], item[0])))
        self._ids, self._places = ids, places

    def series(self, greenhouse: str | None, node: str | None) -> dict[int, Series]:
        """Return the series of a greenhouse, of a node, or all."""
        return {
            number: one
            for number, one in self._shown.items()
            if greenhouse in (None, one.greenhouse) and node in (None, one.node)
        }

    def ids(self, numbers: Iterable[int]) -> list[int]:
        """Return under which ids the series lie; none for an unknown number."""
        return [found for number in numbers for found in self._ids.get(number, ())]

    def elsewhere(self, series: Series) -> list[int]:
        """Return all ids under which this node's readings of this name lie, at any place."""
        return list(self._places.get((series.node, series.name), ()))

    def with_outside(self, ids: Sequence[int]) -> list[int]:
        """Return those ids of which there are readings with impossible times."""
        return [found for found in ids if found in self._outside]

    def without_place(self, node: str) -> list[tuple[int, Series]]:
        """Return the series of a node that have no greenhouse yet."""
        with self._lock:
            return [
                (number, one)
                for number, one in self._written.items()
                if one.node == node and not one.greenhouse and number not in self._placed
            ]
