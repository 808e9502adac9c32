"""Decides what is said about one cause: a value and the time in, events out. Pure.

How this works. A *cause* is one thing that can be wrong at one place; what is remembered of it
is a ``Standing``. It goes through four phases::

    quiet --beyond the limit--> rising --held long enough--> on
    on --all right again--> falling --held long enough--> quiet     (falling --beyond--> on)

Between the two limits nothing moves. ``None`` as value means that nobody knows: then nothing
rises, nothing clears, and nothing is repeated, because it may be over.

Messages go to two audiences, ``first`` and ``second``; each has its own count of what it was
told. A message of a cause is never followed by another one within its gap, whatever happens in
between, except by the all-clear. Who was told that it began is told that it is over. An
alert that comes back before its all-clear could be said is the same alert.

Some causes are joined ones: silent stations of a greenhouse are one alert. Its ``Part`` is one
of these. Who has heard of an alert has heard of its parts of then; a new part that holds long
enough asks anew, and is said as a new alert would be, without waiting for the gap of the others.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from nongso.platform.alerts.rules import Rule

QUIET, RISING, ON, FALLING = "quiet", "rising", "on", "falling"
FIRST, SECOND = "first", "second"


@dataclass(frozen=True)
class Told:
    """What one audience was told. ``since`` is ``None`` while they know of nothing wrong.

    ``last_at`` outlives the alert, so that a new one keeps its distance. ``earlier``: they were
    told before the alert asked anew, and the all-clear is for them too.
    """

    since: int | None = None
    last_at: int | None = None
    count: int = 0
    earlier: bool = False

    @property
    def knows(self) -> bool:
        """They are owed the all-clear."""
        return self.since is not None or self.earlier


@dataclass(frozen=True)
class Part:
    """One of the things that a joined alert is about. ``left_at``: it is not wrong any more.

    ``again``: it was over a short while ago, so that its message keeps the gap.
    """

    name: str
    since: int
    left_at: int | None = None
    heard: bool = False
    again: bool = False


@dataclass(frozen=True)
class Standing:
    """What is remembered of a cause. ``raised_at`` names the alert while it stands."""

    phase: str = QUIET
    since: int = 0
    raised_at: int | None = None
    acknowledged_at: int | None = None
    owes_clear: bool = False
    first: Told = field(default_factory=Told)
    second: Told = field(default_factory=Told)
    parts: tuple[Part, ...] = ()  # while it stands

    @property
    def is_open(self) -> bool:
        """It stands: raised and not yet over."""
        return self.phase in (ON, FALLING)


@dataclass(frozen=True)
class Event:
    """Something that happened to an alert.

    ``what``: ``raised``, ``returned`` (before its all-clear was said), ``joined`` (a part that
    nobody has heard of asks anew), ``cleared``, or a message:
    ``said`` (first), ``repeated``, ``escalated``, ``all_clear``; ``to`` is then the audience.
    """

    what: str
    raised_at: int
    at: int
    to: str = ""


MESSAGES = ("said", "repeated", "escalated", "all_clear")


def decide(
    rule: Rule,
    standing: Standing,
    value: float | None,
    now: int,
    *,
    quiet: bool = False,
    muted: bool = False,
    gone: bool = False,
    parts: Collection[str] = (),
) -> tuple[Standing, tuple[Event, ...]]:
    """Take one look at a cause; return what to remember and what happened.

    ``quiet``: it is quiet time. ``muted``: a greater cause at this place is said already.
    ``gone``: the place or the rule is there no more, which ends the alert. ``parts``: what a
    joined alert is about now.
    """
    moved, events = _move(rule, standing, value, now, gone)
    if not moved.is_open:
        moved = replace(moved, parts=())
    elif value is not None and not gone:
        moved = replace(moved, parts=_parts(rule, moved, parts, now))
        moved, joined = _join(rule, moved, now)
        events += joined
    held = quiet and not rule.urgent
    if moved.is_open and not muted and value is not None and not gone:
        moved, said = _tell(rule, moved, now, held)
        events += said
    if moved.phase in (QUIET, RISING) and moved.owes_clear and not held:
        moved, said = _tell_clear(moved, now)
        events += said
    return moved, events


def acknowledge(standing: Standing, now: int) -> Standing:
    """Somebody has heard: no repeats and no second audience until it is over."""
    if not standing.is_open or standing.acknowledged_at is not None:
        return standing
    parts = tuple(replace(part, heard=True) for part in standing.parts)
    return replace(standing, acknowledged_at=now, parts=parts)


def may_forget(rule: Rule, standing: Standing, now: int) -> bool:
    """Say whether nothing of a standing matters any more."""
    if standing.phase != QUIET or standing.owes_clear:
        return False
    last = [told.last_at for told in (standing.first, standing.second) if told.last_at is not None]
    return all(now - at >= rule.repeat[0] for at in last)


def _move(
    rule: Rule, was: Standing, value: float | None, now: int, gone: bool
) -> tuple[Standing, tuple[Event, ...]]:
    is_on = value is not None and not gone and rule.is_on(value)
    is_off = gone or (value is not None and rule.is_off(value))
    s, events = was, ()
    if s.phase == QUIET and is_on:
        s = replace(s, phase=RISING, since=now)
    elif s.phase == RISING and (is_off or value is None):
        s = replace(s, phase=QUIET, since=now)
    elif s.phase == ON and is_off:
        s = replace(s, phase=FALLING, since=now)
    elif s.phase == FALLING and is_on:
        s = replace(s, phase=ON, since=now)
    if s.phase == RISING and is_on and now - s.since >= rule.hold_seconds:
        return _raise(s, now)
    if s.phase == FALLING and is_off and (gone or now - s.since >= rule.clear_seconds):
        return _clear(s, now)
    return s, events


def _raise(s: Standing, now: int) -> tuple[Standing, tuple[Event, ...]]:
    if s.owes_clear and s.raised_at is not None:
        s = replace(s, phase=ON, since=now, acknowledged_at=None, owes_clear=False)
        return s, (Event("returned", s.raised_at or now, now),)
    s = replace(s, phase=ON, since=now, raised_at=now, acknowledged_at=None)
    return s, (Event("raised", now, now),)


def _parts(rule: Rule, s: Standing, names: Collection[str], now: int) -> tuple[Part, ...]:
    """Follow the parts. One that is back before it could be called over is the same one."""
    # One heard before its parts were followed was heard for what there is.
    heard = s.acknowledged_at is not None and not s.parts
    known = {part.name: part for part in s.parts}
    found = []
    for name in sorted(known.keys() | set(names)):
        part = known.get(name)
        over = (
            part is not None
            and part.left_at is not None
            and now - part.left_at >= max(rule.clear_seconds, 1)
        )
        if name not in names:
            left = now if part is None or part.left_at is None else part.left_at
            if part is not None and now - left < max(rule.clear_seconds, rule.repeat[0]):
                found.append(replace(part, left_at=left))
        elif part is None or over:
            found.append(Part(name, now, None, heard, again=over))
        else:
            found.append(replace(part, left_at=None))
    return tuple(found)


def _join(rule: Rule, s: Standing, now: int) -> tuple[Standing, tuple[Event, ...]]:
    """Ask anew when something has joined of which nobody has heard."""
    new = [
        part
        for part in s.parts
        if not part.heard and part.left_at is None and now - part.since >= rule.hold_seconds
    ]
    if s.phase != ON or s.acknowledged_at is None or s.raised_at is None or not new:
        return s, ()
    keeps_gap = all(part.again for part in new)
    first, second = (
        Told(None, told.last_at if keeps_gap else None, 0, earlier=told.knows)
        for told in (s.first, s.second)
    )
    s = replace(s, acknowledged_at=None, first=first, second=second)
    return s, (Event("joined", s.raised_at or now, now),)


def _clear(s: Standing, now: int) -> tuple[Standing, tuple[Event, ...]]:
    raised_at = s.raised_at if s.raised_at is not None else now
    was_told = s.first.knows or s.second.knows
    s = replace(
        s,
        phase=QUIET,
        since=now,
        acknowledged_at=None,
        owes_clear=was_told,
        raised_at=raised_at if was_told else None,
    )
    return s, (Event("cleared", raised_at, now),)


def _tell(rule: Rule, s: Standing, now: int, held: bool) -> tuple[Standing, tuple[Event, ...]]:
    """Say it to whoever is due."""
    raised_at = s.raised_at
    if (
        s.phase != ON
        or rule.level == "info"
        or held
        or s.acknowledged_at is not None
        or raised_at is None
    ):
        return s, ()
    events: list[Event] = []
    if _is_due(rule, s.first, now):
        what = "said" if s.first.since is None else "repeated"
        events.append(Event(what, raised_at, now, FIRST))
        s = replace(s, first=_told(s.first, now))
    begun = s.first.since
    late = (
        rule.escalate_seconds is not None
        and begun is not None
        and now - begun >= rule.escalate_seconds
    )
    if late and _is_due(rule, s.second, now):
        what = "escalated" if s.second.since is None else "repeated"
        events.append(Event(what, raised_at, now, SECOND))
        s = replace(s, second=_told(s.second, now))
    return s, tuple(events)


def _is_due(rule: Rule, told: Told, now: int) -> bool:
    if told.last_at is None:
        return True
    # A new alert so soon after the last message waits for the first gap, too.
    gap = (
        rule.repeat[0]
        if told.since is None
        else rule.repeat[min(told.count, len(rule.repeat)) - 1]
    )
    return now - told.last_at >= gap


def _told(told: Told, now: int) -> Told:
    since = told.since if told.since is not None else now
    return Told(since, now, told.count + 1, told.earlier)


def _tell_clear(s: Standing, now: int) -> tuple[Standing, tuple[Event, ...]]:
    raised_at = s.raised_at if s.raised_at is not None else now
    events = []
    for audience, told in ((FIRST, s.first), (SECOND, s.second)):
        if told.knows:
            events.append(Event("all_clear", raised_at, now, audience))
    s = replace(
        s,
        owes_clear=False,
        raised_at=None,
        first=Told(None, s.first.last_at, 0),
        second=Told(None, s.second.last_at, 0),
    )
    return s, tuple(events)
