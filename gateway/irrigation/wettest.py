"""The wet test ("thử nước") that arms a zone: its states, and what each step makes of the zone.

Somebody stands at the valve, the zone opens for a minute, the meter is watched until everything
is quiet again, and the person says what was to be seen there. Only both together arm a zone.

=========== ============================ ====================================================
state       means                        leaves it by
=========== ============================ ====================================================
open        water should run             its end: closing; no water, a relay that does not
                                         switch: failed; a stop or a loss: broken_off
closing     switched off; pipes empty    the meter, watched: asked; it still counts: failed
            themselves, then are watched
asked       measured; the person has     an answer: passed or failed; half an hour without:
            not answered                 broken_off
passed      the zone is armed
failed      the zone is off, armed no    another test
            more
broken_off  nobody knows; the zone is    another test
            as it was before
=========== ============================ ====================================================

That the water is wrong may be said as soon as it is seen, also by who has stopped it first: the
test has failed. A hose that is turned on meanwhile breaks the test off, for its water counts too.

That water stops with pump and main valve off says nothing of the zone's own valve. Where water
flows by itself the supervisor has measured whether it closes (``valves/fall.py``); elsewhere
"right" arms nothing, and a person has to see that it has closed ("shut").

Where there is no meter the person's answer alone decides. A meter that counts in big steps may
count nothing in a minute: that is no proof of no water; the supervisor
knows how long it must take.
"""

from dataclasses import replace

from nongso.gateway.irrigation.facts import WetTest, Zone
from nongso.wire.reasons import SAW, SAW_WELL, UNSEEN

CAUSE = "wet_test"  # of its run
SHORTEST_SECONDS, LONGEST_SECONDS = 10, 120
SETTLE_SECONDS = 10.0  # after the end pipes may still empty themselves
WATCH_SECONDS = 10.0  # then nothing may flow for so long
STILL_FLOWS_L_PER_MIN = 1.0  # a dripping joint stays below; as for the supervisor's leak
ANSWER_SECONDS = 1800
OPEN, CLOSING, ASKED = "open", "closing", "asked"
PASSED, FAILED, BROKEN_OFF = "passed", "failed", "broken_off"
GOES_ON = (OPEN, CLOSING)
BY_HAND = "by_hand"
PROVES = frozenset({"no_flow", "valve_not_opened", "valve_not_closed", "pump_not_started"})
"""How a run can end that says something about the zone and not about the moment."""


def is_of(zone: Zone, run_id: str) -> bool:
    """Whether this run is that of the zone's last test."""
    return zone.tested is not None and zone.tested.id == run_id


def begun(
    zone: Zone, test_id: str, by: str | None, now: int, known_l_per_min: float | None = None
) -> Zone:
    """The zone with a test that begins now; so much flowed there before, as far as is known."""
    test = WetTest(test_id, by, now, OPEN, known_l_per_min=known_l_per_min)
    return replace(zone, tested=test)


def first_water(zone: Zone, seconds: float) -> Zone:
    """The meter has begun to count, so long after the valve was opened."""
    test = _in(zone, OPEN)
    if test is None or test.water_after_seconds is not None:
        return zone
    return replace(zone, tested=replace(test, water_after_seconds=seconds))


def ended(
    zone: Zone,
    code: str,
    seconds: float,
    litres: float | None,
    flow_l_per_min: float | None = None,
    pump_after_seconds: float | None = None,
) -> Zone:
    """The test's run is over, or did not begin; ``code`` says how, as a run's end or a refusal."""
    test = _in(zone, OPEN)
    if test is None:
        return zone
    test = replace(
        test,
        seconds=seconds,
        litres=litres,
        flow_l_per_min=flow_l_per_min,
        pump_after_seconds=pump_after_seconds,
    )
    if code == "done":
        return replace(zone, tested=replace(test, state=CLOSING))
    return _failed(zone, test, code) if code in PROVES else _broken_off(zone, test, code)


def watched(zone: Zone, closed_l_per_min: float | None) -> Zone:
    """So much flowed with everything closed; ``None``: no meter could tell."""
    test = _in(zone, CLOSING)
    if test is None:
        return zone
    test = replace(test, closed_l_per_min=closed_l_per_min)
    if closed_l_per_min is not None and closed_l_per_min >= STILL_FLOWS_L_PER_MIN:
        return _failed(zone, test, "still_flows")
    return replace(zone, tested=replace(test, state=ASKED))


def measured(
    zone: Zone, is_shut: bool | None, fall_l_per_min: float | None, shut_l_per_min: float | None
) -> Zone:
    """What the supervisor has found of the valve itself: flows without pump, open and shut."""
    test = _in(zone, CLOSING)
    if test is None:
        return zone
    test = replace(
        test, is_shut=is_shut, fall_l_per_min=fall_l_per_min, shut_l_per_min=shut_l_per_min
    )
    return replace(zone, tested=test) if is_shut is not False else _failed(zone, test, "not_shut")


def may_be_answered(zone: Zone, saw: str) -> bool:
    """Whether a person can say this now. What is wrong is heard earlier, and also of a test that
    was broken off: by a stop, or because gateway, supervisor or bus were lost."""
    test = zone.tested
    if test is None or test.state == ASKED or saw in SAW_WELL:
        return test is not None and test.state == ASKED
    return test.state in GOES_ON or (test.state == BROKEN_OFF and test.code not in UNSEEN)


def answered(zone: Zone, saw: str, answer_id: str, by: str | None, now: int) -> Zone:
    """A person has said what was to be seen at the zone: a word of ``nongso.wire.reasons.SAW``.

    A zone that was off waters by hand from here on; one that was armed goes on in its own way.
    """
    test = zone.tested
    if test is None or saw not in SAW or not may_be_answered(zone, saw):
        raise ValueError("no test of this zone waits for such an answer")
    test = replace(test, saw=saw, seen_id=answer_id, seen_by=by, seen_at=now)
    if saw not in SAW_WELL:
        return _failed(zone, test, f"saw_{saw}")
    test = replace(test, state=PASSED, code=f"saw_{saw}")
    mode = "manual" if zone.mode == "off" else zone.mode
    return replace(zone, is_armed=True, mode=mode, passed=test, tested=test)


def interrupted(zone: Zone) -> Zone:
    """The gateway began anew, and nobody has watched the meter meanwhile."""
    test = zone.tested
    if test is None or test.state not in GOES_ON:
        return zone
    return _broken_off(zone, test, "restarted")


def disturbed(zone: Zone) -> Zone:
    """Somebody waters by hand: what the meter counts is not the valve's alone."""
    test = zone.tested
    return zone if test is None or not goes_on(zone) else _broken_off(zone, test, BY_HAND)


def rewired(test: WetTest) -> WetTest:
    """The zone's valve is on another coil now: what this test has shown was of the old one."""
    return test if test.state == FAILED else replace(test, state=BROKEN_OFF, code="rewired")


def lapsed(zone: Zone, now: float) -> Zone:
    """The zone without a question that nobody has answered for so long."""
    test = _in(zone, ASKED)
    if test is None or 0 <= now - test.at < ANSWER_SECONDS:
        return zone
    return _broken_off(zone, test, "not_answered")


def goes_on(zone: Zone) -> bool:
    """Whether nothing else may flow now, for the sake of this zone's test."""
    return zone.tested is not None and zone.tested.state in GOES_ON


def _in(zone: Zone, state: str) -> WetTest | None:
    return zone.tested if zone.tested is not None and zone.tested.state == state else None


def _failed(zone: Zone, test: WetTest, code: str) -> Zone:
    return replace(
        zone,
        tested=replace(test, state=FAILED, code=code),
        is_armed=False,
        mode="off",
        returns_to=None,
        is_wetting=False,
        slots_until=None,
    )


def _broken_off(zone: Zone, test: WetTest, code: str) -> Zone:
    return replace(zone, tested=replace(test, state=BROKEN_OFF, code=code))
