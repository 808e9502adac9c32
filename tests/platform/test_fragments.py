"""Pieces of pages are made once, however many phones ask, and the oldest make room."""

import contextlib
import threading
import time

import pytest

from nongso.platform.greenhouse import fragments
from nongso.platform.greenhouse.fragments import Fragments


def test_a_piece_is_made_once_for_all_who_ask_together() -> None:
    kept, made, got = Fragments(), [], []
    all_here = threading.Barrier(12)

    def make() -> str:
        made.append(1)
        time.sleep(0.02)  # the others arrive while it is being made
        return "cards"

    def ask() -> None:
        all_here.wait(10)
        got.append(kept.get("key", make))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), got) == (1, ["cards"] * 12)


def test_a_piece_that_failed_is_tried_again() -> None:
    kept = Fragments()

    def fail() -> str:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        kept.get("key", fail)
    assert kept.get("key", lambda: "cards") == "cards"


def test_pages_that_cannot_be_made_leave_nothing_behind() -> None:
    kept = Fragments()
    for n in range(100):
        with contextlib.suppress(ZeroDivisionError):
            kept.get(n, lambda: str(1 / 0))
    assert len(kept._making) == 0


def test_the_oldest_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MOST_KEPT", 3)
    kept = Fragments()
    for n in range(5):
        kept.get(n, lambda n=n: str(n))
    assert kept.get(4, lambda: "new") == "4"
    assert kept.get(0, lambda: "new") == "new"
