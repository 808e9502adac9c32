"""The node's memory: nothing that was kept is lost, nothing torn is taken for whole.

Runs on CPython and on MicroPython.
"""

import os

from nongso.node import frames
from nongso.node.ring import Ring, RingError

HEADING = b"heading of boot 1"


def body(number, size=20):
    """A sample that can be recognised."""
    return b"%06d" % number + b"." * (size - 6)


def kept(folder, **sizes):
    """Numbers of the samples that a freshly started node would send."""
    return read_all(Ring(folder, **sizes))


def read_all(ring):
    """Read to the end; return the numbers."""
    found = []
    while True:
        item = ring.read()
        if item is None:
            return found
        found.append(int(item.body[:6]))


def filled(folder, count, **sizes):
    """A ring with so many samples."""
    ring = Ring(folder, **sizes)
    for number in range(count):
        ring.append(HEADING, body(number))
    return ring


def segment_files(folder):
    """Names of the segment files, oldest first."""
    return sorted(name for name in os.listdir(folder) if name.endswith(".seg"))


def test_samples_come_back_in_order_with_their_headings(scratch):
    ring = Ring(scratch, segment_bytes=200)
    for number in range(40):
        ring.append(b"boot %d" % (number // 15), body(number))
    assert read_all(ring) == list(range(40))
    again = Ring(scratch, segment_bytes=200)
    for number in range(40):
        item = again.read()
        assert (item.heading, item.body) == (b"boot %d" % (number // 15), body(number))
    assert again.read() is None


def test_an_empty_ring_has_nothing_to_send(scratch):
    assert Ring(scratch + "/ring").read() is None
    assert kept(scratch + "/ring") == []


def test_a_forgotten_sample_never_comes_back(scratch):
    ring = filled(scratch, 30, segment_bytes=200)
    for number in range(30):
        item = ring.read()
        assert int(item.body[:6]) == number
        ring.forget(item.place)
        assert kept(scratch, segment_bytes=200) == list(range(number + 1, 30))
    assert len(segment_files(scratch)) == 1
    ring.append(HEADING, body(30))
    assert read_all(ring) == [30]
    assert kept(scratch, segment_bytes=200) == [30]


def test_what_is_read_but_not_forgotten_is_read_again_after_a_restart(scratch):
    ring = filled(scratch, 10)
    places = [ring.read().place for _ in range(10)]
    ring.forget(places[3])
    assert kept(scratch) == [4, 5, 6, 7, 8, 9]
    ring.forget(places[1])  # older than what is forgotten already
    assert kept(scratch) == [4, 5, 6, 7, 8, 9]


def test_a_full_ring_gives_up_the_oldest_and_counts_it(scratch):
    ring = filled(scratch, 100, capacity_bytes=1000, segment_bytes=250)
    left = kept(scratch, capacity_bytes=1000, segment_bytes=250)
    assert left == list(range(100 - len(left), 100))
    assert ring.lost == 100 - len(left) > 0
    assert Ring(scratch, capacity_bytes=1000, segment_bytes=250).lost == ring.lost
    size = sum(os.stat(scratch + "/" + name)[6] for name in segment_files(scratch))
    assert size <= 1000


def test_what_is_forgotten_is_not_counted_as_lost(scratch):
    ring = filled(scratch, 5, capacity_bytes=1000, segment_bytes=250)
    for _ in range(5):
        last = ring.read().place
    ring.forget(last)
    for number in range(5, 105):
        ring.append(HEADING, body(number))
    left = read_all(ring)
    assert ring.lost + len(left) == 100


def test_a_reader_that_is_overtaken_goes_on_with_the_oldest_left(scratch):
    ring = filled(scratch, 10, capacity_bytes=1000, segment_bytes=250)
    ring.read()
    for number in range(10, 100):
        ring.append(HEADING, body(number))
    left = read_all(ring)
    assert left == list(range(100 - len(left), 100))


def test_a_tail_torn_at_any_byte_costs_only_the_torn_sample(scratch):
    filled(scratch, 3)
    path = scratch + "/" + segment_files(scratch)[0]
    with open(path, "rb") as file:
        whole = file.read()
    frame = len(frames.frame(frames.SAMPLE, body(0)))
    for cut in range(len(whole) + 1):
        for name in os.listdir(scratch):
            os.remove(scratch + "/" + name)
        with open(path, "wb") as file:
            file.write(whole[:cut])
        ends = [len(whole) - 2 * frame, len(whole) - frame, len(whole)]
        expected = [number for number in range(3) if ends[number] <= cut]
        ring = Ring(scratch)
        assert read_all(ring) == expected, cut
        ring.append(HEADING, body(99))
        assert read_all(ring) == [99], cut
        expected.append(99)
        assert kept(scratch) == expected, cut


def test_a_spoilt_byte_costs_only_its_own_sample(scratch):
    filled(scratch, 4)
    path = scratch + "/" + segment_files(scratch)[0]
    with open(path, "rb") as file:
        whole = file.read()
    frame = len(frames.frame(frames.SAMPLE, body(0)))
    start = len(whole) - 3 * frame  # of sample 1
    for at in range(start, start + frame):
        spoilt = bytearray(whole)
        spoilt[at] ^= 0x10
        with open(path, "wb") as file:
            file.write(spoilt)
        ring = Ring(scratch)
        assert read_all(ring) == [0, 2, 3], at
        assert ring.damaged == 1


def test_a_torn_cursor_repeats_samples_but_loses_none(scratch):
    ring = filled(scratch, 10)
    places = [ring.read().place for _ in range(10)]
    ring.forget(places[2])
    ring.forget(places[4])
    with open(scratch + "/cursor", "rb") as file:
        whole = file.read()
    for at in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[at] ^= 0x55
        with open(scratch + "/cursor", "wb") as file:
            file.write(spoilt)
        assert kept(scratch)[-5:] == [5, 6, 7, 8, 9], at
        assert len(kept(scratch)) <= 7, at
        with open(scratch + "/cursor", "wb") as file:
            file.write(whole[:at])
        assert kept(scratch)[-5:] == [5, 6, 7, 8, 9], at


def test_many_restarts_do_not_push_samples_out(scratch):
    for number in range(60):
        ring = Ring(scratch, capacity_bytes=8192, segment_bytes=2048)
        ring.append(b"boot %d" % number, body(number))
    assert kept(scratch, capacity_bytes=8192, segment_bytes=2048) == list(range(60))
    assert ring.lost == 0


def test_a_sample_that_is_too_large_is_refused_at_once(scratch):
    ring = Ring(scratch)
    for heading, sample in ((b"h", b"x" * 2000), (b"h" * 2000, b"x")):
        try:
            ring.append(heading, sample)
        except ValueError:
            continue
        raise AssertionError("was accepted")
    ring.append(HEADING, body(1))
    assert kept(scratch) == [1]


def test_foreign_files_in_the_folder_change_nothing(scratch):
    ring = filled(scratch, 3)
    with open(scratch + "/notes.txt", "w") as file:
        file.write("hello")
    assert kept(scratch) == [0, 1, 2]
    assert ring.lost == 0


def why_not(folder):
    """The sentence with which a ring cannot be opened."""
    try:
        Ring(folder)
    except RingError as e:
        return str(e)
    raise AssertionError("was opened")


def test_a_file_in_the_place_of_the_ring_is_named_with_the_way_out(scratch):
    with open(scratch + "/ring", "wb") as file:
        file.write(b"?")
    found = why_not(scratch + "/ring")
    assert scratch + "/ring is a file" in found
    assert "rename or delete" in found


def test_a_ring_that_cannot_be_made_says_what_to_check(scratch):
    found = why_not(scratch + "/nowhere/ring")
    assert scratch + "/nowhere/ring" in found
    assert "free space" in found


def test_a_folder_in_the_place_of_a_segment_says_what_to_do(scratch):
    os.mkdir(scratch + "/00000001.seg")
    assert "cannot be read" in why_not(scratch)


def test_foreign_files_in_the_ring_are_left_alone(scratch):
    filled(scratch, 3)
    for name in ("notes.seg", ".seg", "readme.txt"):
        with open(scratch + "/" + name, "wb") as file:
            file.write(b"?")
    assert kept(scratch) == [0, 1, 2]
    assert "notes.seg" in os.listdir(scratch)


# --- the tail: samples that are not on the flash yet


def files(folder):
    """Everything on the flash."""
    found = {}
    for name in os.listdir(folder):
        with open(folder + "/" + name, "rb") as file:
            found[name] = file.read()
    return found


def test_what_is_acknowledged_in_time_is_never_written(scratch):
    ring = Ring(scratch, batch=10)
    for number in range(500):
        ring.append(HEADING, body(number))
        if number % 7 == 6:
            while item := ring.read():
                last = item
            assert int(last.body[:6]) == number
            ring.forget(last.place)
    assert files(scratch) == {}


def test_a_full_tail_is_written_in_one_piece(scratch):
    ring = filled(scratch, 9, batch=10)
    assert kept(scratch) == []
    ring.append(HEADING, body(9))
    assert kept(scratch) == list(range(10))
    assert read_all(ring) == list(range(10))


def test_a_tail_that_is_flushed_is_on_the_flash(scratch):
    ring = filled(scratch, 3, batch=10)
    ring.flush()
    assert kept(scratch) == [0, 1, 2]


def test_batches_read_and_forgotten_at_any_point_give_every_sample_once(scratch):
    for batch in (1, 3, 10):
        for read_every in (1, 5):
            for forget_behind in (0, 4):
                folder = scratch + f"/{batch}-{read_every}-{forget_behind}"
                ring = Ring(folder, segment_bytes=250, batch=batch)
                found = []
                underway = []
                for number in range(40):
                    ring.append(b"boot %d" % (number // 15), body(number))
                    if number % read_every == 0:
                        item = ring.read()
                        while item:
                            found.append(int(item.body[:6]))
                            assert item.heading == b"boot %d" % (found[-1] // 15)
                            underway.append(item)
                            item = ring.read() if number % 3 else None
                    if len(underway) > forget_behind:
                        done = underway[-1 - forget_behind]
                        underway = underway[len(underway) - forget_behind :]
                        ring.forget(done.place)
                        ring.flush()
                        left = kept(folder, segment_bytes=250)
                        assert left == list(range(int(done.body[:6]) + 1, number + 1))
                assert found + read_all(ring) == list(range(40)), folder
                ring.flush()


def test_a_full_ring_of_batches_counts_what_it_gives_up(scratch):
    ring = filled(scratch, 200, capacity_bytes=1000, segment_bytes=250, batch=4)
    left = kept(scratch, capacity_bytes=1000, segment_bytes=250)
    assert left == list(range(200 - len(left), 200))
    assert ring.lost == 200 - len(left) > 0


def test_what_was_forgotten_of_a_batch_is_not_lost_with_it(scratch):
    ring = filled(scratch, 4, capacity_bytes=1000, segment_bytes=250, batch=4)
    ring.read()
    ring.forget(ring.read().place)
    for number in range(4, 204):
        ring.append(HEADING, body(number))
    assert ring.lost + len(read_all(ring)) == 202
