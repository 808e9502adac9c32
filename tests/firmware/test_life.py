"""Bad starts, and what is left of a crash. Runs on both interpreters."""

import os

from nongso.node import log
from nongso.node.life import Life


def starts(folder, count, has_slept=False):
    """Start so many times; return whether the last start is a safe one."""
    for _ in range(count):
        life = Life(folder)
        life.begin(has_slept)
    return life.is_safe


def test_after_five_bad_starts_the_next_is_safe(scratch):
    assert not starts(scratch, 5)
    assert starts(scratch, 1)
    assert starts(scratch, 3)


def test_a_good_start_makes_the_bad_ones_before_it_forgotten(scratch):
    starts(scratch, 4)
    life = Life(scratch)
    life.begin(False)
    life.good()
    assert not starts(scratch, 5)


def test_waking_from_a_sleep_is_no_start(scratch):
    assert not starts(scratch, 100, has_slept=True)
    assert os.listdir(scratch) == []  # and costs the flash nothing


def test_after_a_safe_time_the_ordinary_way_is_tried_again(scratch):
    starts(scratch, 5)
    life = Life(scratch)
    life.begin(False)
    assert life.is_safe
    life.good()
    assert not starts(scratch, 1)


def test_starts_that_cannot_be_counted_hold_nothing_up(scratch):
    life = Life(scratch + "/nowhere")
    life.begin(False)
    life.good()
    life.crashed(ValueError("x"))
    life.tell_last_crash()
    assert not life.is_safe


def crash(folder, text):
    """A node that falls; what it leaves."""
    try:
        raise ValueError(text)
    except ValueError as e:
        Life(folder).crashed(e)
    with open(folder + "/crash.txt") as file:
        return file.read()


def test_a_crash_leaves_its_error_where_it_was_and_the_last_lines(scratch):
    log.say("the last words")
    words = crash(scratch, "bed 3")
    assert words.startswith("ValueError('bed 3'")
    assert "Traceback" in words
    assert "in crash" in words
    assert "the last words" in words


def test_a_crash_is_told_once_and_stays_to_be_read(scratch):
    crash(scratch, "bed 4")
    Life(scratch).tell_last_crash()
    assert "bed 4" in log.recent[-1]
    log.say("something else")
    Life(scratch).tell_last_crash()
    assert "something else" in log.recent[-1]
    with open(scratch + "/crash.txt") as file:
        assert "bed 4" in file.read()


def test_no_crash_is_told_of_where_none_was(scratch):
    log.say("something else")
    Life(scratch).tell_last_crash()
    assert "something else" in log.recent[-1]


def test_nothing_hidden_is_ever_written(scratch):
    log.hide("trâu-bò-27")
    log.hide("")
    log.hide(None)
    log.say("joining with trâu-bò-27 now")
    assert "trâu" not in log.recent[-1]
    assert "joining with *** now" in log.recent[-1]
    assert "trâu" not in crash(scratch, "password trâu-bò-27")


def test_a_crash_that_says_very_much_is_cut(scratch):
    assert len(crash(scratch, "x" * 10000)) <= 2000
