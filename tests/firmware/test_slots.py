"""Which version of the node's program runs after each sort of start. On both interpreters."""

import os

from slots import TRIES, Slots

OLD, NEW = 1790000000, 1790000500


def laid(folder, number):
    """A whole version in the slot that is free."""
    slots = Slots(folder)
    slots.choose()
    slot = slots.idle()
    slots.finish(slot, number, "0.2.0")
    return slot


def started(folder, **cause):
    """The slots after a start."""
    slots = Slots(folder)
    slots.paths = slots.choose(**cause)
    return slots


def kept(folder, number):
    """A version that has passed its trial."""
    laid(folder, number)
    started(folder).confirm()


def test_without_any_slot_the_modules_beside_it_run(scratch):
    slots = started(scratch)
    assert (slots.running, slots.paths, slots.number, slots.rolled) == (None, [], 0, None)
    assert not slots.is_trial


def test_a_new_version_is_on_trial_until_it_is_confirmed(scratch):
    assert laid(scratch, OLD) == "a"
    slots = started(scratch)
    assert slots.is_trial
    assert slots.number == OLD
    assert slots.paths == [scratch + "/a", scratch + "/a/lib"]
    slots.confirm()
    again = started(scratch)
    assert (again.running, again.is_trial, again.number) == ("a", False, OLD)


def test_a_version_that_never_works_is_given_up_after_its_tries_and_named(scratch):
    kept(scratch, OLD)
    assert laid(scratch, NEW) == "b"
    for _ in range(TRIES):
        slots = started(scratch)
        assert (slots.running, slots.is_trial) == ("b", True)
    slots = started(scratch)
    assert (slots.running, slots.is_trial, slots.number) == ("a", False, OLD)
    assert slots.rolled == {"number": NEW, "version": "0.2.0", "why": "stopped"}
    again = started(scratch)
    assert again.rolled == slots.rolled, "also told after a start in between"


def test_a_version_that_hangs_twice_is_given_up_at_once(scratch):
    kept(scratch, OLD)
    laid(scratch, NEW)
    assert started(scratch).is_trial
    assert started(scratch, was_watchdog=True).is_trial, "once may be chance"
    slots = started(scratch, was_watchdog=True)
    assert (slots.running, slots.rolled["why"]) == ("a", "hung")


def test_the_first_update_falls_back_to_the_modules_beside_it(scratch):
    laid(scratch, NEW)
    started(scratch).failed("crashed", at_once=True)
    slots = started(scratch)
    assert slots.running is None
    assert slots.rolled["why"] == "crashed"


def test_waking_from_sleep_takes_no_try_away(scratch):
    laid(scratch, NEW)
    for _ in range(TRIES + 5):
        assert started(scratch, was_sleep=True).is_trial


def test_a_slot_that_is_not_whole_is_never_run(scratch):
    kept(scratch, OLD)
    laid(scratch, NEW)
    os.remove(scratch + "/b/version.json")
    assert started(scratch).number == OLD
    slots = Slots(scratch)
    slots.choose()
    assert slots.idle() == "b"
    assert started(scratch).number == OLD, "an update that was broken off"


def test_if_the_active_one_is_damaged_the_one_before_runs_and_is_not_overwritten(scratch):
    kept(scratch, OLD)
    kept(scratch, NEW)
    os.remove(scratch + "/b/version.json")
    slots = started(scratch)
    assert slots.number == OLD
    assert slots.idle() == "b"


def test_a_state_file_that_is_lost_or_torn_starts_the_older_version(scratch):
    kept(scratch, OLD)
    laid(scratch, NEW)
    for text in (None, "", "{", '{"active": "c"}', "[]", '{"active": "a"}'):
        os.remove(scratch + "/slots.json")
        if text is not None:
            with open(scratch + "/slots.json", "w") as file:
                file.write(text)
        assert started(scratch).number == OLD
        if text is None:
            with open(scratch + "/slots.json", "w") as file:
                file.write("")


def test_during_a_trial_the_version_to_go_back_to_is_known(scratch):
    kept(scratch, OLD)
    laid(scratch, NEW)
    slots = started(scratch)
    slots.failed("unheard")
    for _ in range(TRIES):
        slots = started(scratch)
    assert slots.number == OLD
    assert slots.rolled["why"] == "unheard"
    assert slots.idle() == "b"
