"""Numbers that outlive a power cut. Runs on both interpreters."""

from nongso.node.kept import Kept


def test_numbers_outlive_a_restart(scratch):
    path = scratch + "/water"
    assert Kept(path, 2).numbers == (0, 0)
    for number in range(5):
        kept = Kept(path, 2)
        kept.keep((number, 7))
        assert Kept(path, 2).numbers == (number, 7)


def test_a_write_that_was_cut_leaves_the_numbers_before(scratch):
    path = scratch + "/water"
    kept = Kept(path, 1)
    kept.keep((41,))
    with open(path, "rb") as file:
        before = file.read()
    kept.keep((42,))
    with open(path, "rb") as file:
        after = file.read()
    for cut in range(64):
        with open(path, "wb") as file:
            file.write(after[:cut] + before[cut:])
        assert Kept(path, 1).numbers in ((41,), (42,)), cut


def test_a_file_that_is_no_such_file_is_none(scratch):
    path = scratch + "/water"
    for found in (b"", b"x", b"\xff" * 64, b"\0" * 64, bytes(range(200))):
        with open(path, "wb") as file:
            file.write(found)
        assert Kept(path, 1).numbers == (0,)
        Kept(path, 1).keep((5,))
        assert Kept(path, 1).numbers == (5,)
