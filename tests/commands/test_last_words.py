"""Why a part does not run, told from the end of its log."""

from pathlib import Path

import pytest

from nongso.commands.lastwords import MOST_LETTERS, last_words, told

MOSQUITTO = """\
2026-11-22T02:16:23: Warning: Mosquitto should not be run as root/administrator.
2026-11-22T02:16:23: Error: Unable to restore persistent database. Unrecognised file format.
2026-11-22T02:16:23: Error: Couldn't open database.
"""
TRACEBACK = """\
2026-11-22 02:16:23,123 INFO nongso.gateway.run: gateway binh-lu: 4 nodes
Traceback (most recent call last):
  File "gateway/run.py", line 7, in run
    begin()
    ^^^^^^^
OSError: [Errno 28] No space left on device: 'store.sqlite'
"""


def test_the_brokers_complaint_is_told_without_its_times() -> None:
    assert told(MOSQUITTO) == (
        "Error: Unable to restore persistent database. Unrecognised file format. "
        "Error: Couldn't open database."
    )


def test_of_a_traceback_the_error_is_told_and_what_to_do() -> None:
    words = told(TRACEBACK)
    assert words.startswith("OSError: [Errno 28] No space left on device")
    assert words.endswith("Free some space on the disk.")


def test_a_rooms_own_sentence_is_told_as_it_is() -> None:
    assert told("The gateway cannot run. bus.port is missing\n") == (
        "The gateway cannot run. bus.port is missing"
    )


def test_a_complaint_counts_more_than_the_chatter_after_it() -> None:
    words = told(
        "1795317652: Error found at /d/broker/mosquitto.conf:1.\n"
        "1795317652: New connection from 127.0.0.1:55894 on port 34987.\n"
    )
    assert words.startswith("Error found at /d/broker/mosquitto.conf:1. ")
    assert words.endswith("end it, and start it again.")


def test_good_news_are_no_reason() -> None:
    assert told("2026-11-22 02:16:23,123 INFO nongso.platform.run: serving\n\n") == ""


def test_only_what_was_said_since_the_start_counts(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("an old complaint\n")
    assert last_words(log, log.stat().st_size) == ""
    assert last_words(log) == "an old complaint"
    assert last_words(log, 10_000) == "an old complaint"  # the log was begun anew meanwhile


def test_a_flood_without_letters_stays_short_and_printable(tmp_path: Path) -> None:
    log = tmp_path / "farm.log"
    log.write_bytes(b"\x1b[2J\x00\xff" * 100_000)
    words = last_words(log)
    assert words.isprintable()
    assert 0 < len(words) <= 2 * MOST_LETTERS + 1


@pytest.mark.parametrize("there", ["nothing", "a folder"])
def test_a_log_that_cannot_be_read_tells_nothing(there: str, tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    if there == "a folder":
        log.mkdir()
    assert last_words(log) == ""
