"""Answers of time servers, good and bad. Runs on both interpreters."""

from nongso.node.ntp import EARLIEST, NoTime, answer, question

STAMP = b"\x01\x02\x03\x04\x05\x06\x07\x08"
NOW = 1790000000


def packet(seconds, **changes):
    """An answer; ``changes`` are bytes by their place, b0 and so on."""
    made = bytearray(48)
    made[0], made[1] = 0x24, 2
    made[24:32] = STAMP
    made[40:44] = ((seconds + 2208988800) % (1 << 32)).to_bytes(4, "big")
    for place, byte in changes.items():
        made[int(place[1:])] = byte
    return bytes(made)


def refused(found):
    """The sentence with which an answer is refused."""
    try:
        answer(found, STAMP)
    except NoTime as e:
        return str(e)
    raise AssertionError("was believed")


def test_the_time_comes_back_as_it_is():
    for seconds in (EARLIEST, NOW, 2085978495, 2085978496, 2200000000):  # a new era in 2036
        assert answer(packet(seconds), STAMP) == seconds


def test_a_question_is_one():
    asked = question(STAMP)
    assert len(asked) == 48
    assert asked[0] & 7 == 3
    assert asked[40:] == STAMP


def test_what_is_no_answer_to_this_question_is_refused():
    for found in (b"", b"x", packet(NOW)[:47], packet(NOW, b24=9), packet(NOW, b31=0)):
        assert "something else" in refused(found)


def test_a_server_without_time_is_refused():
    for change in ({"b0": 0xE4}, {"b0": 0x23}, {"b1": 0}, {"b1": 16}):  # alarm, client, stratum
        assert "no time itself" in refused(packet(NOW, **change))


def test_a_time_from_before_this_program_is_refused():
    assert "in the past" in refused(packet(EARLIEST - 1))
