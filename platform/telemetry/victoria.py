"""Readings in VictoriaMetrics: raw ones by ``/api/v1/export``, steps by ``/api/v1/query_range``.

InfluxQL is never asked: VictoriaMetrics answers it with an empty 200.

How this works. Three things differ from what its answers suggest. What is older than the
retention is confirmed and dropped, so the retention is read at start and one that is too short is
refused. What is confirmed shows some seconds later and is on disk some seconds after that; both
are bridged by ``recent``, and after a restart of the engine those rows are compared and brought
again. Values have 15 significant digits; no sensor has so many.

Queries over time look back: the value at ``t`` of a window of ``w`` covers (t - w, t], so each
step is asked for at its last second.
"""

import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nongso.platform.telemetry import lines
from nongso.platform.telemetry.asking import Refused, numbers_of, tags_of
from nongso.platform.telemetry.engine import LOOK_BACK, EngineTelemetry, Stream, Sum
from nongso.platform.telemetry.interface import DAY, TelemetryAway, TelemetryError
from nongso.wire import marks

CHECK_SECONDS = 2.0
MOST_STEPS = 10_000  # the engine gives up to 30,000 points a query
_YEAR = 365.25 * DAY
_UNITS = {"h": 3600.0, "d": DAY, "w": 7 * DAY, "y": _YEAR, "": _YEAR / 12}
_ORIGIN = {"simulated": marks.SIMULATED, "imported": marks.IMPORTED}


class VictoriaTelemetry(EngineTelemetry):
    """The store of readings in VictoriaMetrics."""

    kind = "victoriametrics"
    ping_path = "/health"
    recent_seconds = 10.0  # shown within 1 to 8 s, on disk within 5 s of that

    _oldest = DAY  # a start of 0 has another meaning
    _was = ("", -1)
    _looked_at = float("-inf")

    def _prepare(self) -> None:
        """Read the retention: what is older would be confirmed and dropped without a word."""
        found = re.search(r'^-retentionPeriod="?([\d.]+)([a-z]?)"?', self._flags(), re.MULTILINE)
        if found is None:
            self._notes = ("the retention of the engine could not be read",)
        else:
            seconds = float(found[1]) * _UNITS.get(found[2], 1.0)
            if seconds < self.address.least_years * _YEAR * 0.99:
                raise TelemetryError(
                    f"{self._asker.name} keeps readings for {found[1]}{found[2] or ' months'} and "
                    "drops older ones that a gateway brings late, without a word. Start it with "
                    "-retentionPeriod=100y, or accept a shorter one in the setting: ?retention=2y"
                )
            self._oldest = max(DAY, int(time.time() - seconds) + DAY)
        self._was = self._life()
        self._show()

    def _flags(self) -> str:
        try:
            return self._asker.get("/flags")
        except Refused:
            return ""

    def _life(self) -> tuple[str, int]:
        """Return when it began and how often it was asked so; this only grows in a life."""
        told = self._asker.get("/metrics")
        began = re.search(r"^process_start_time_seconds (\S+)", told, re.MULTILINE)
        asked = re.search(r'^vm_http_requests_total\{path="/metrics"\} (\d+)', told, re.MULTILINE)
        return began[1] if began else "", int(asked[1]) if asked else -1

    def _show(self) -> None:
        """Let it show what it has confirmed, before the first batch is compared with it."""
        try:
            self._asker.get("/internal/force_flush")
        except Refused:
            self._notes = (*self._notes, "the engine does not let us see the last seconds")

    def _was_restarted(self, *, now: bool = False) -> bool:
        clock = time.monotonic()
        if not now and clock - self._looked_at < CHECK_SECONDS:
            return False
        was, self._was = self._was, self._life()
        self._looked_at = clock
        return was[0] != self._was[0] or (self._was[1] >= 0 and self._was[1] < was[1])

    def _known(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        names = "|".join(
            f"{kind}_{field}"
            for kind in (lines.READING, lines.OUTSIDE, lines.PLACED)
            for field in lines.FIELDS
        )
        # For seconds it repeats which series it found for the same words, so these are new ones;
        # with a start of 0 it misses new series (1.79).
        new = f'{{__name__=~"{names}",id!="{secrets.token_hex(8)}"}}'
        answer = self._asker.json("/api/v1/series", [("match[]", new), ("start", "1")])
        with self._asker.understanding():
            known = [(tags["__name__"], tags) for tags in map(tags_of, answer["data"])]
        for name, tags in known:
            yield name.rpartition("_")[0], tags

    def _streams(
        self, kind: str, ids: Sequence[int], since: int, until: int, *, suspects: bool = False
    ) -> Iterator[Stream]:
        chosen = [_selector(f"{kind}_none", ids)]
        chosen.append(_selector(f"{kind}_value", ids, ',quality!="good"' if suspects else ""))
        fields = [("match[]", one) for one in chosen]
        fields += [("start", str(max(since, 1))), ("end", str(until - 1))]
        for line in self._asker.post("/api/v1/export", fields).splitlines():
            found = self._asker.decoded("/api/v1/export", line)
            with self._asker.understanding():
                tags = tags_of(found["metric"])
                int(tags["id"], 16)
                stream = Stream(
                    tags,
                    tags["__name__"].endswith("_value"),
                    [int(at) // 1000 for at in found["timestamps"]],
                    numbers_of(found["values"]),
                )
            yield stream

    def _newest(self, ids: Sequence[int], *, only_good: bool) -> Iterator[Stream]:
        """Look back two days, then farther for the series that were silent so long."""
        quality = ',quality="good"' if only_good else ',quality!="untimed"'
        missing = list(ids)
        for seconds in LOOK_BACK:
            if not missing:
                return
            heard = set()
            for stream in self._newest_within(missing, quality, seconds):
                heard.add(int(stream.tags["id"], 16))
                yield stream
            missing = [one for one in missing if one not in heard]

    def _newest_within(self, ids: Sequence[int], quality: str, seconds: int) -> Iterator[Stream]:
        parts = []
        for field in lines.FIELDS:
            of = _selector(f"{lines.READING}_{field}", ids, quality)
            parts += [
                f'label_set(last_over_time({of}[{seconds}s]), "field", "{field}", "what", "last")',
                f'label_set(tlast_over_time({of}[{seconds}s]), "field", "{field}", "what", "at")',
            ]
        at = int(time.time()) + DAY
        found: dict[tuple[str, str, str, str], dict[str, float]] = {}
        answer = self._range(f"union({', '.join(parts)})", at, at, DAY)
        streams = []
        with self._asker.understanding():
            for one in answer:
                tags = tags_of(one["metric"])
                int(tags["id"], 16)
                key = tags["id"], tags["quality"], tags["origin"], tags["field"]
                found.setdefault(key, {})[tags["what"]] = float(one["values"][-1][1])
            for (number, quality_word, origin, field), last in found.items():
                named = {"id": number, "quality": quality_word, "origin": origin}
                streams.append(Stream(named, field == "value", [int(last["at"])], [last["last"]]))
        yield from streams

    def _sums(self, ids: Sequence[int], since: int, until: int, step: int) -> Iterator[Sum]:
        value, none = (_selector(f"{lines.READING}_{field}", ids) for field in lines.FIELDS)
        good = _selector(f"{lines.READING}_value", ids, ',quality="good"')
        bad = value.replace("}", ',quality!="good"}')
        window = f"[{step}s]"
        wanted = {
            "low": f"min(min_over_time({good}{window}))",
            "total": f"sum(sum_over_time({good}{window}))",
            "high": f"max(max_over_time({good}{window}))",
            "good": f"sum(count_over_time({good}{window}))",
            "suspect": f"sum(count_over_time({bad}{window}))",
            "none": f"sum(count_over_time({none}{window}))",
        }
        query = ", ".join(
            f'label_set({what} by (origin), "what", "{name}")' for name, what in wanted.items()
        )
        while since < until:
            end = min(until, since + MOST_STEPS * step)
            yield from self._summed(f"union({query})", since, end, step)
            since = end

    def _summed(self, query: str, since: int, until: int, step: int) -> Iterator[Sum]:
        found: dict[tuple[int, str], dict[str, float]] = {}
        answer = self._range(query, since + step - 1, until - 1, step)
        with self._asker.understanding():
            for one in answer:
                origin, what = one["metric"].get("origin", ""), one["metric"]["what"]
                for at, value in one["values"]:
                    found.setdefault((int(at) - step + 1, origin), {})[what] = float(value)
        for (at, origin), of in sorted(found.items()):
            yield Sum(
                at,
                _ORIGIN.get(origin, 0),
                of.get("low"),
                of.get("total", 0.0),
                of.get("high"),
                int(of.get("good", 0)),
                int(of.get("suspect", 0) + of.get("none", 0)),
            )

    def _range(self, query: str, start: int, end: int, step: int) -> list[dict[str, Any]]:
        """Ask for values at ``start``, ``start + step`` … ``end``; the cache would move them."""
        fields = [("query", query), ("start", str(start)), ("end", str(end)), ("nocache", "1")]
        answer = self._asker.json("/api/v1/query_range", [*fields, ("step", f"{step}s")])
        with self._asker.understanding():
            if answer.get("status") != "success" or answer.get("isPartial"):
                raise TelemetryAway(f"{self._asker.name} answered in part: {str(answer)[:200]}")
            found: list[dict[str, Any]] = list(answer["data"]["result"])
        return found

    def _edges(self, ids: Sequence[int]) -> tuple[int, int] | None:
        at = int(time.time()) + DAY
        parts = [
            f"{which}_over_time({_selector(f'{lines.READING}_{field}', ids)}[{LOOK_BACK[-1]}s])"
            for field in lines.FIELDS
            for which in ("tfirst", "tlast")
        ]
        query = ", ".join(f'label_set({part}, "part", "{n}")' for n, part in enumerate(parts))
        found = self._range(f"union({query})", at, at, DAY)
        with self._asker.understanding():
            times = [int(float(one["values"][-1][1])) for one in found]
        return (min(times), max(times)) if times else None

    def _can_hold(self, at: int, now: int) -> bool:
        return self._oldest <= at <= now + DAY


def _selector(name: str, ids: Sequence[int], more: str = "") -> str:
    chosen = "|".join(lines.word_of(one) for one in ids)
    return f'{name}{{id=~"{chosen}"{more}}}'
