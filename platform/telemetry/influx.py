"""Readings in InfluxDB: InfluxQL over ``/query``, the dialect that versions 1, 2 and 3 share.

How this works. InfluxDB shows at once what it has confirmed and has it on disk by then, so nothing
must be bridged. Hours and days are added up by the engine when they are asked for.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nongso.platform.telemetry import lines
from nongso.platform.telemetry.asking import Refused, numbers_of, tags_of
from nongso.platform.telemetry.engine import LOOK_BACK, EngineTelemetry, Stream, Sum
from nongso.platform.telemetry.interface import TelemetryAway
from nongso.wire import marks

_LAST = (1 << 63) // 10**9 - 1  # times are nanoseconds in 64 bits: the year 2262
_ORIGIN = {"simulated": marks.SIMULATED, "imported": marks.IMPORTED}
_TAGS = '"id", "quality", "origin"'


class InfluxTelemetry(EngineTelemetry):
    """The store of readings in InfluxDB."""

    kind = "influxdb"
    ping_path = "/ping"

    def _prepare(self) -> None:
        """Make the database where the engine lets us (version 1); else it must be there."""
        name = self.address.database.replace('"', "")
        try:
            self._ask(f'CREATE DATABASE "{name}"')
        except Refused:
            self._ask(f'SELECT "value" FROM "{lines.READING}" LIMIT 1')

    def _show(self) -> None:
        """What is confirmed shows at once."""

    def _ask(self, *statements: str) -> list[list[dict[str, Any]]]:
        """Ask and return the series of each statement."""
        fields = [("db", self.address.database), ("epoch", "s"), ("q", ";".join(statements))]
        fields.append(("chunked", "true"))  # else more than 10,000 rows are told as cut
        if self.address.retention:
            fields.append(("rp", self.address.retention))
        found: list[list[dict[str, Any]]] = [[] for _ in statements]
        cut = [True] * len(statements)  # until its last piece has come
        for piece in self._asker.post("/query", fields).splitlines():
            answer = self._asker.decoded("/query", piece)
            with self._asker.understanding():
                for result in answer["results"]:
                    if "error" in result:
                        raise TelemetryAway(f"{self._asker.name}: {result['error']}")
                    series = [_checked(one) for one in result.get("series", [])]
                    number = result.get("statement_id", 0)
                    found[number] += series
                    cut[number] = bool(
                        result.get("partial") or any(one.get("partial") for one in series)
                    )
        if any(cut):
            raise TelemetryAway(f"{self._asker.name} cut its answer")
        return found

    def _known(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        kinds = [(k, f) for k in (lines.READING, lines.OUTSIDE) for f in lines.FIELDS]
        kinds.append((lines.PLACED, "value"))
        asked = [f'SELECT last("{field}") FROM "{kind}" GROUP BY *' for kind, field in kinds]
        for (kind, _field), series in zip(kinds, self._ask(*asked), strict=True):
            for one in series:
                with self._asker.understanding():
                    tags = one["tags"]
                yield kind, tags

    def _streams(
        self, kind: str, ids: Sequence[int], since: int, until: int, *, suspects: bool = False
    ) -> Iterator[Stream]:
        where = f"{_of(ids)} AND time >= {min(since, _LAST)}s AND time < {min(until, _LAST)}s"
        values = where + (" AND \"quality\" != 'good'" if suspects else "")
        tags = _TAGS + (', "at"' if kind == lines.OUTSIDE else "")
        with_value, without = self._ask(
            f'SELECT "value" FROM "{kind}" WHERE {values} GROUP BY {tags}',
            f'SELECT "none" FROM "{kind}" WHERE {where} GROUP BY {tags}',
        )
        yield from self._as_streams(with_value, True)
        yield from self._as_streams(without, False)

    def _newest(self, ids: Sequence[int], *, only_good: bool) -> Iterator[Stream]:
        """Look back two days, then farther for the series that were silent so long."""
        quality = "= 'good'" if only_good else "!= 'untimed'"
        now = int(time.time())
        missing = list(ids)
        for seconds in LOOK_BACK:
            if not missing:
                return
            rest = (
                f'FROM "{lines.READING}" WHERE {_of(missing)} AND "quality" {quality} '
                f"AND time >= {now - seconds}s AND time < {_LAST}s GROUP BY {_TAGS}"
            )
            asked = [f'SELECT last("{field}") {rest}' for field in lines.FIELDS]
            heard = set()
            for field, series in zip(lines.FIELDS, self._ask(*asked), strict=True):
                for stream in self._as_streams(series, field == "value"):
                    heard.add(int(stream.tags["id"], 16))
                    yield stream
            missing = [one for one in missing if one not in heard]

    def _sums(self, ids: Sequence[int], since: int, until: int, step: int) -> Iterator[Sum]:
        rest = (
            f'FROM "{lines.READING}" WHERE {_of(ids)} '
            f"AND time >= {min(since, _LAST)}s AND time < {min(until, _LAST)}s"
        )
        group = f'GROUP BY time({step}s, {since % step}s), "origin" fill(none)'
        good, suspect, without = self._ask(
            'SELECT min("value"), sum("value"), max("value"), count("value") '
            f"{rest} AND \"quality\" = 'good' {group}",
            f'SELECT count("value") {rest} AND "quality" != \'good\' {group}',
            f'SELECT count("none") {rest} {group}',
        )
        made = []
        with self._asker.understanding():
            for one in good:
                origin = _ORIGIN.get(one["tags"]["origin"], 0)
                for at, low, total, high, count in one["values"]:
                    if count:
                        made.append(Sum(at, origin, low, total, high, count, 0))
            for one in (*suspect, *without):
                origin = _ORIGIN.get(one["tags"]["origin"], 0)
                for at, count in one["values"]:
                    if count:
                        made.append(Sum(at, origin, None, 0.0, None, 0, count))
        yield from made

    def _edges(self, ids: Sequence[int]) -> tuple[int, int] | None:
        rest = f'FROM "{lines.READING}" WHERE {_of(ids)}'
        found = self._ask(
            *(f'SELECT {which}("{f}") {rest}' for which in ("first", "last") for f in lines.FIELDS)
        )
        times = [row[0] for series in found for one in series for row in one["values"]]
        return (min(times), max(times)) if times else None

    def _as_streams(self, series: Iterable[dict[str, Any]], has_values: bool) -> Iterator[Stream]:
        for one in series:
            with self._asker.understanding():
                int(one["tags"]["id"], 16)
                times, values = zip(*one["values"], strict=True)
            yield Stream(one["tags"], has_values, times, values)

    def _can_hold(self, at: int, _now: int) -> bool:
        return at < _LAST


def _of(ids: Sequence[int]) -> str:
    return "(" + " OR ".join(f"\"id\" = '{lines.word_of(one)}'" for one in ids) + ")"


def _checked(one: Any) -> dict[str, Any]:
    """Return a series of an answer. Raises what ``understanding`` knows."""
    tags_of(one.get("tags", {}))
    if not all(isinstance(row[0], int) and numbers_of(row) for row in one["values"]):
        raise ValueError("no rows")
    found: dict[str, Any] = one
    return found
