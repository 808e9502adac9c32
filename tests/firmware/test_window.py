"""When samples are sent and forgotten. Runs on CPython and on MicroPython."""

from nongso.node.window import Underway, Window
from nongso.wire.ack import Ack


def window(count, **more):
    """A window with a message for each of samples 1 to count of boot 7, all due."""
    made = Window(resend_ms=1000, longest_ms=4000, patience_ms=1000, **more)
    for seq in range(1, count + 1):
        made.add(Underway(7, [seq], [None]))
    return made


def send_all(made, now, packet_id=0):
    """Send what is due; return the numbers."""
    sent = []
    while True:
        entry = made.due(now)
        if entry is None:
            return sent
        made.sent(entry, now, packet_id)
        sent += entry.seqs


def numbers(entries):
    """The numbers of their samples."""
    return [seq for entry in entries for seq in entry.seqs]


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
    made.add(Underway(8, [1], [None]))
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
    made.add(Underway(7, [8], [None]))
    assert not made.has_room()


def test_what_the_broker_does_not_confirm_comes_again_under_its_number_and_then_not():
    made = window(1)
    assert send_all(made, 0, packet_id=5) == [1]
    (entry,) = made.entries
    assert made.uses(5)
    assert not made.is_doubtful(entry)
    for now in (1000, 2000):
        assert send_all(made, now, packet_id=entry.packet_id) == [1]
    assert made.due(3000) is entry
    assert made.is_doubtful(entry)
    made.confirmed(5)
    assert not made.is_doubtful(entry)
    assert not made.uses(5)


def test_a_message_of_many_is_forgotten_when_each_of_them_is_acknowledged():
    made = Window()
    made.add(Underway(7, [3, 4, 6], [None] * 3))
    assert send_all(made, 0) == [3, 4, 6]
    assert made.acknowledge(Ack(7, 3, 4)) == []
    assert made.acknowledge(Ack(7, 5, 5)) == []
    assert numbers(made.acknowledge(Ack(7, 6, 9))) == [3, 4, 6]


def test_what_did_not_get_through_comes_again_in_halves_down_to_one():
    made = Window()
    made.add(Underway(7, [1, 2, 3], ["a", "b", "c"]))
    send_all(made, 0, packet_id=1)
    made.acknowledge(Ack(7, 2, 2))
    made.take_up_again()
    assert [(e.seqs, e.items, e.waiting) for e in made.entries] == [
        ([1], ["a"], [1]),
        ([2, 3], ["b", "c"], [3]),
    ]
    assert made.most == 1
    send_all(made, 10, packet_id=2)
    made.take_up_again()
    assert [e.seqs for e in made.entries] == [[1], [2], [3]]
    assert send_all(made, 20) == [1, 3]  # the second is acknowledged
    assert numbers(made.acknowledge(Ack(7, 1, 3))) == [1, 2, 3]
    assert made.most == 2


def test_what_the_broker_has_is_not_halved_when_the_link_is_new():
    made = Window()
    made.add(Underway(7, [1, 2], [None] * 2))
    send_all(made, 0, packet_id=1)
    made.confirmed(1)
    made.take_up_again()
    assert [e.seqs for e in made.entries] == [[1, 2]]
    assert send_all(made, 1) == [1, 2]
