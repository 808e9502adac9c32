"""What is said about one cause, whatever the values do: never twice, always to its end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nongso.platform.alerts import rules
from nongso.platform.alerts.deciding import (
    FIRST,
    MESSAGES,
    ON,
    QUIET,
    SECOND,
    Event,
    Standing,
    acknowledge,
    decide,
    may_forget,
)
from nongso.platform.alerts.records import standing_from, standing_to
from nongso.platform.alerts.rules import DAY, HOUR, MINUTE, NIGHT, Rule, is_quiet
from nongso.wire import reasons

NOON = 1_795_323_600  # 2026-11-22 12:00 in Viet Nam
COLD = Rule("cold", "warning", 8.0, 10.0, 15 * MINUTE, 30 * MINUTE)
LEAK = rules.defaults("general")["leak"]


@dataclass(frozen=True)
class Look:
    """One look at a cause in a random story."""

    seconds: int  # after the look before
    value: float | None
    muted: bool = False
    heard: bool = False  # somebody presses "Đã biết" right after it


@dataclass
class Story:
    """What happened in a story of looks."""

    looks: list[tuple[int, Look]]
    events: list[Event]
    standings: list[Standing]

    def messages(self, to: str) -> list[Event]:
        return [e for e in self.events if e.what in MESSAGES and e.to == to]


def tell(rule: Rule, looks: Sequence[Look], hours: tuple[int, int] | None = None) -> Story:
    now, standing = NOON, Standing()
    story = Story([], [], [])
    for look in looks:
        now += look.seconds
        standing, events = decide(
            rule, standing, look.value, now, quiet=is_quiet(hours, now), muted=look.muted
        )
        if look.heard:
            standing = acknowledge(standing, now)
        story.looks.append((now, look))
        story.events += events
        story.standings.append(standing)
    return story


def steady(value: float | None, seconds: int, step: int = MINUTE) -> list[Look]:
    return [Look(step, value) for _ in range(seconds // step)]


rule_shapes = st.builds(
    lambda too_much, hold, clear, urgent, gaps, late: Rule(
        "any",
        "alarm",
        *((10.0, 8.0) if too_much else (8.0, 10.0)),
        hold,
        clear,
        urgent,
        tuple(sorted(gaps)),
        late,
    ),
    st.booleans(),
    st.just(0) | st.integers(0, 20 * MINUTE),
    st.just(0) | st.integers(0, 20 * MINUTE),
    st.booleans(),
    st.lists(st.integers(MINUTE, HOUR), min_size=1, max_size=4),
    st.none() | st.integers(MINUTE, HOUR),
)


@st.composite
def stories_of(draw: st.DrawFn, rule: Rule) -> list[Look]:
    """Spells of some looks each: mostly beyond the limit, long enough for something to happen."""
    bad, fine = (11.0, 7.0) if rule.is_about_too_much else (7.0, 11.0)
    told: list[Look] = []
    for _ in range(draw(st.integers(0, 8))):
        value = draw(st.sampled_from([bad, bad, bad, 9.0, fine, fine, None]))
        step = draw(st.sampled_from([1, MINUTE, 10 * MINUTE, 2 * HOUR]))
        muted = draw(st.integers(0, 5)) == 0
        count = draw(st.integers(1, 12))
        heard = draw(st.none() | st.none() | st.integers(0, count - 1))
        told += [Look(step, value, muted, n == heard) for n in range(count)]
    return told


pairs = rule_shapes.flatmap(lambda rule: st.tuples(st.just(rule), stories_of(rule)))
# Up to 22 hours of quiet: looks an hour apart always meet the time that is left.
spans = st.builds(
    lambda begin, minutes: (begin, (begin + minutes) % 1440),
    st.integers(0, 1439),
    st.integers(0, 22 * 60),
)
nights = st.none() | st.just(NIGHT) | spans


@given(pairs, nights)
@settings(max_examples=300)
def test_no_two_messages_of_one_cause_within_its_gap(
    pair: tuple[Rule, list[Look]], hours: tuple[int, int] | None
) -> None:
    rule, story = pair
    told = tell(rule, story, hours)
    for to in (FIRST, SECOND):
        count, last = 0, None
        for event in told.messages(to):
            if event.what == "all_clear":
                count = 0
                continue
            gap = rule.repeat[min(max(count, 1), len(rule.repeat)) - 1]
            assert last is None or event.at - last >= gap
            last, count = event.at, count + 1


@given(pairs, nights)
@settings(max_examples=300)
def test_whoever_was_told_that_it_began_is_told_that_it_is_over(
    pair: tuple[Rule, list[Look]], hours: tuple[int, int] | None
) -> None:
    rule, story = pair
    fine = 7.0 if rule.is_about_too_much else 11.0
    ended = [*story, Look(1, fine), Look(rule.clear_seconds, fine), *steady(fine, DAY, HOUR)]
    told = tell(rule, ended, hours)
    for to in (FIRST, SECOND):
        words = [event.what for event in told.messages(to)]
        assert not words or words[-1] == "all_clear"
        for one, following in pairwise([*words, "end"]):
            assert one != "all_clear" or following in ("said", "escalated", "end")
        assert words.count("all_clear") == sum(w in ("said", "escalated") for w in words)
    assert told.standings[-1].phase == QUIET
    assert not told.standings[-1].owes_clear


@given(pairs)
def test_between_the_two_limits_nothing_moves(pair: tuple[Rule, list[Look]]) -> None:
    """A value that trembles inside the band neither raises nor ends an alert."""
    rule, story = pair
    before = tell(rule, story)
    after = tell(rule, [*story, *(Look(MINUTE, 9.0, muted=True) for _ in range(200))])
    new = after.events[len(before.events) :]
    assert [e.what for e in new if e.what in ("raised", "returned", "cleared")] == []


@given(pairs, nights)
def test_nobody_is_called_at_night_for_what_can_wait(
    pair: tuple[Rule, list[Look]], hours: tuple[int, int] | None
) -> None:
    rule, story = pair
    for event in tell(rule, story, hours).events:
        if event.what in MESSAGES and not rule.urgent:
            assert not is_quiet(hours, event.at)


@given(pairs, nights)
def test_after_somebody_has_heard_nothing_is_repeated_until_it_is_over(
    pair: tuple[Rule, list[Look]], hours: tuple[int, int] | None
) -> None:
    rule, story = pair
    told = tell(rule, story, hours)
    heard: set[int] = set()
    for (at, look), standing in zip(told.looks, told.standings, strict=True):
        for event in (e for e in told.events if e.at == at):
            if event.what == "returned":
                heard.discard(event.raised_at)
            if event.what in ("said", "repeated", "escalated"):
                assert event.raised_at not in heard
        if look.heard and standing.is_open and standing.raised_at is not None:
            heard.add(standing.raised_at)


@given(pairs)
def test_it_must_hold_before_it_is_raised(pair: tuple[Rule, list[Look]]) -> None:
    rule, story = pair
    told = tell(rule, story)
    for event in told.events:
        if event.what != "raised":
            continue
        until = [look for at, look in told.looks if at <= event.at]
        held, at = 0, event.at
        for look in reversed(until):
            assert look.value is not None
            assert not rule.is_off(look.value)
            if held >= rule.hold_seconds:
                break
            held, at = held + look.seconds, at - look.seconds


@given(pairs, nights)
def test_nothing_is_said_while_a_greater_cause_is_said_or_nobody_knows(
    pair: tuple[Rule, list[Look]], hours: tuple[int, int] | None
) -> None:
    rule, story = pair
    told = tell(rule, story, hours)
    for at, look in told.looks:
        if look.muted or look.value is None:
            said = [e.what for e in told.events if e.at == at]
            assert not {"said", "repeated", "escalated"} & set(said)
        if look.value is None:
            assert not {"raised", "returned", "cleared"} & {
                e.what for e in told.events if e.at == at
            }


@given(pairs, nights)
def test_a_restart_between_any_two_looks_changes_nothing(
    pair: tuple[Rule, list[Look]], hours: tuple[int, int] | None
) -> None:
    """What is remembered is all that counts: it goes through JSON and back."""
    rule, story = pair
    now, standing, events = NOON, Standing(), []
    for look in story:
        now += look.seconds
        standing = standing_from(standing_to(standing))
        standing, new = decide(
            rule, standing, look.value, now, quiet=is_quiet(hours, now), muted=look.muted
        )
        standing = acknowledge(standing, now) if look.heard else standing
        events += new
    assert events == tell(rule, story, hours).events


def test_a_cold_night_from_its_first_message_to_the_all_clear() -> None:
    night = [
        *steady(7.0, 15 * MINUTE),  # rising
        *steady(7.0, 2 * HOUR),
        *steady(9.0, HOUR),  # warmer, but not yet all right
        *steady(10.5, 31 * MINUTE),
    ]
    told = tell(COLD, night)
    minutes = [((e.at - NOON) // MINUTE, e.what, e.to) for e in told.events]
    assert minutes == [
        (16, "raised", ""),
        (16, "said", FIRST),
        (31, "repeated", FIRST),
        (76, "escalated", SECOND),
        (91, "repeated", FIRST),
        (91, "repeated", SECOND),
        (151, "repeated", SECOND),
        (226, "cleared", ""),
        (226, "all_clear", FIRST),
        (226, "all_clear", SECOND),
    ]


def test_a_leak_in_the_night_wakes_people_at_once() -> None:
    hours = (0, 1439)
    told = tell(LEAK, [Look(MINUTE, 1.0), Look(MINUTE, 0.0)], hours)
    assert [e.what for e in told.events] == ["raised", "said", "cleared", "all_clear"]


def test_an_alert_that_can_wait_is_said_in_the_morning_if_it_still_stands() -> None:
    evening = 9 * HOUR + 30 * MINUTE  # 21:30
    told = tell(COLD, [Look(evening, 7.0), *steady(7.0, 10 * HOUR)], NIGHT)
    (said,) = [e for e in told.events if e.what == "said"]
    assert (said.at + 7 * HOUR) % DAY == 5 * HOUR
    over = tell(COLD, [Look(evening, 7.0), *steady(7.0, HOUR), *steady(11.0, 10 * HOUR)], NIGHT)
    assert [e.what for e in over.events] == ["raised", "cleared"]


def test_an_all_clear_of_the_night_comes_in_the_morning_and_not_if_it_came_back() -> None:
    late = [Look(8 * HOUR, 7.0), *steady(7.0, 40 * MINUTE)]  # 20:00, said before the night
    over = [*late, *steady(11.0, 2 * HOUR)]
    told = tell(COLD, [*over, *steady(11.0, 8 * HOUR)], NIGHT)
    clear = told.events[-1]
    assert (clear.what, (clear.at + 7 * HOUR) % DAY) == ("all_clear", 5 * HOUR)
    back = tell(COLD, [*over, *steady(7.0, 8 * HOUR)], NIGHT)
    words = [e.what for e in back.events]
    assert words[words.index("cleared") :][:3] == ["cleared", "returned", "repeated"]
    assert len({e.raised_at for e in back.events}) == 1


def test_a_place_that_is_gone_ends_its_alert() -> None:
    told = tell(COLD, steady(7.0, HOUR))
    assert told.standings[-1].phase == ON
    ended, events = decide(COLD, told.standings[-1], None, NOON + 2 * HOUR, gone=True)
    ended, more = decide(COLD, ended, None, NOON + 2 * HOUR + 1, gone=True)
    assert [e.what for e in (*events, *more)] == ["cleared", "all_clear"]
    assert not may_forget(COLD, ended, NOON + 40 * MINUTE)
    assert may_forget(COLD, ended, NOON + DAY)


def test_an_information_stands_on_the_page_and_is_sent_to_nobody() -> None:
    info = replace(COLD, level="info")
    assert [e.what for e in tell(info, [*steady(7.0, DAY), *steady(11.0, HOUR)]).events] == [
        "raised",
        "cleared",
    ]


@pytest.mark.parametrize("crop", rules.CROPS)
def test_the_default_rules_of_every_crop_fit_together(crop: str) -> None:
    found = rules.defaults(crop)
    assert found["frost"].on < found["cold"].on < found["heat"].on < found["scorch"].on
    for worse, milder in (("frost", "cold"), ("scorch", "heat"), ("gale", "wind")):
        assert milder in found[worse].over
        assert found[worse].level == "alarm"
    for code in ("valve_not_closed", "leak", "pump_not_stopped", "frost", "gale"):
        assert found[code].urgent, code


def test_every_alarm_of_the_gateway_has_a_rule() -> None:
    assert set(reasons.ALARMS) <= set(rules.defaults("general"))


@pytest.mark.parametrize(
    "change",
    [
        {"on": 11.0},  # above the other limit
        {"on": 10.0},
        {"on": float("nan")},
        {"hold_seconds": -1},
        {"hold_seconds": True},
        {"level": "info"},
        {"enabled": 1},
        {"on": "8"},
    ],
)
def test_a_rule_is_not_changed_into_nonsense(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="cold"):
        rules.changed(COLD, change)


def test_a_rule_can_be_set_by_people() -> None:
    made = rules.changed(COLD, {"on": 6.0, "off": 7.5, "hold_seconds": 0, "enabled": False})
    assert (made.on, made.off, made.hold_seconds, made.enabled) == (6.0, 7.5, 0, False)
    assert rules.changed(COLD, {"escalate_seconds": None}).escalate_seconds is None
