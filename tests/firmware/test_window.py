"""When samples are sent and forgotten. Runs on CPython and on MicroPython."""

from nongso.node.window import Underway, Window
from nongso.wire.ack import Ack


def window(count, **more):
    """A window with samples 1 to count of boot 7, all due."""
    made = Window(resend_ms=1000, longest_ms=4000, **more)
    for seq in range(1, count + 1):
        made.add(Underway(7, seq, None))
    return made


def send_all(made, now):
    """Send what is due; return the numbers."""
    sent = []
    while True:
        entry = made.due(now)
        if entry is None:
            return sent
        made.sent(entry, now)
        sent.append(entry.seq)


def numbers(entries):
    """Their running numbers."""
    return [entry.seq for entry in entries]


def test_each_sample_is_sent_once_and_then_waited_for():
    made = window(3)
    assert send_all(made, 0) == [1, 2, 3]
    assert send_all(made, 999) == []


def test_pauses_double_up_to_the_longest():
    made = window(1)
    times = []
    for now in range(0, 20000, 100):
        if send_all(made, now):
            times.append(now)
    assert times == [0, 1000, 3000, 7000, 11000, 15000, 19000]


def test_a_sample_is_forgotten_only_when_all_older_ones_are_acknowledged():
    made = window(4)
    send_all(made, 0)
    assert numbers(made.acknowledge(Ack(7, 2, 3))) == []
    assert numbers(made.acknowledge(Ack(7, 1, 1))) == [1, 2, 3]
    assert numbers(made.entries) == [4]


def test_acknowledged_samples_are_not_sent_again():
    made = window(3)
    send_all(made, 0)
    made.acknowledge(Ack(7, 2, 3))
    assert send_all(made, 100000) == [1]


def test_foreign_and_early_acknowledgements_change_nothing():
    made = window(3)
    assert made.acknowledge(Ack(7, 1, 3)) == []  # not sent yet
    send_all(made, 0)
    assert made.acknowledge(Ack(8, 1, 3)) == []  # another boot
    assert made.acknowledge(Ack(7, 4, 90)) == []
    assert numbers(made.entries) == [1, 2, 3]


def test_the_same_number_in_two_boots_is_two_samples():
    made = window(1)
    made.add(Underway(8, 1, None))
    send_all(made, 0)
    assert [e.boot for e in made.acknowledge(Ack(8, 1, 1))] == []
    assert [e.boot for e in made.acknowledge(Ack(7, 1, 1))] == [7, 8]


def test_a_sign_of_the_gateway_shortens_the_pauses():
    made = window(2)
    for now in (0, 1000, 3000, 7000):
        assert send_all(made, now) == [1, 2]
    made.acknowledge(Ack(7, 1, 1))
    assert send_all(made, 7999) == []
    assert send_all(made, 8000) == [2]


def test_the_window_is_bounded():
    made = window(7, size=8)
    assert made.has_room()
    made.add(Underway(7, 8, None))
    assert not made.has_room()
