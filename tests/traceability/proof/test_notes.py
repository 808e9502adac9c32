"""Signed notes, checkpoints, tiles and proof texts, against foreign vectors and by their rules."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nongso.platform.traceability.proof import checkpoints, merkle, notes, tiles
from nongso.platform.traceability.proof.checkpoints import Checkpoint
from nongso.platform.traceability.proof.merkle import ProofError, leaf_hash
from nongso.platform.traceability.proof.notes import Key, NoteError, PrivateKey
from nongso.platform.traceability.proof.tiles import Tile
from nongso.platform.traceability.proof.tlogproof import EntryProof

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "traceability"


def vectors(name: str) -> Any:
    file = VECTORS / name
    if not file.exists():
        pytest.skip(f"{file.name} is not here")
    return json.loads(file.read_text())


def test_foreign_notes_are_believed_and_refused_as_the_standard_says() -> None:
    for case in vectors("tlog/signed-notes.json"):
        try:
            note = notes.parse(case["note"])
            assert str(note) == case["note"]
            note.check([Key.parse(case["vkey"])])
            good = True
        except NoteError:
            good = False
        assert good == case["valid"], case["description"]


def test_the_golden_log_is_rebuilt_to_the_byte() -> None:
    golden = vectors("tlog/golden-log.json")
    key = Key.parse(golden["vkey"])
    private = PrivateKey.parse(golden["public_test_signing_key"])
    assert str(key) == golden["vkey"] == str(private.key)
    assert private.text() == golden["public_test_signing_key"]
    entries = [one.encode() for one in golden["entries"]]
    hashes = b"".join(map(leaf_hash, entries))
    for text, whole in golden["checkpoints"].items():
        size = int(text)
        nodes = tiles.nodes_of(lambda level, index, size=size: hashes[: 32 * size])
        ours = str(Checkpoint(golden["origin"], size, merkle.root(nodes, size)))
        assert ours + "\n" + private.line(ours) == whole
        opened = checkpoints.open_note(whole, [key], [])
        assert (opened.checkpoint.size, str(opened.note)) == (size, whole)
    made = {}
    for width in range(1, len(entries) + 1):
        made["tile/" + Tile(0, 0, width).path] = hashes[: 32 * width]
        made["tile/" + Tile(None, 0, width).path] = tiles.bundle(entries[:width])
    assert {path: base64.b64encode(one).decode() for path, one in made.items()} == golden[
        "tiles_base64"
    ]
    assert tiles.unbundle(tiles.bundle(entries)) == entries


GOOD = "Log\n123\nYmFuYW5hcw==\n"


@pytest.mark.parametrize(
    ("text", "more"),
    [(GOOD, ""), (GOOD + "lots\nof\nlines\n", "lots\nof\nlines\n"), (GOOD + "\n\n\n", "\n\n\n")],
)
def test_a_checkpoint_is_read_with_what_stands_below_it(text: str, more: str) -> None:
    found = Checkpoint.parse(text)
    assert (found.origin, found.size, found.root, found.more) == ("Log", 123, b"bananas", more)
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "Head\n9944\n",
        "\n9944\nYmFuYW5hcw==\n",
        "Log\n123\nYmFuYW5hcw==",
        "Log\nbananas\nYmFuYW5hcw==\n",
        "Log\n-34\nYmFuYW5hcw==\n",
        "Log\n+34\nYmFuYW5hcw==\n",
        "Log\n034\nYmFuYW5hcw==\n",
        "Log\n٣\nYmFuYW5hcw==\n",
        "Log\n3438945738945739845734895735\nYmFuYW5hcw==\n",
        "Log\n123\nThisIsn'tBase64\n",
        "Log\n123\nYmFuYW5hcw=\n",
    ],
)
def test_a_bad_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


HASH = base64.b64encode(bytes(32)).decode()


def test_the_text_of_a_proof_is_read_and_written_the_same() -> None:
    for extra in (None, b"", b"extra information"):
        for hashes in ((), (bytes(32), bytes(range(32)))):
            made = EntryProof(5, hashes, "test checkpoint\n", extra)
            assert EntryProof.parse(str(made)) == made
    bare = str(EntryProof(5, (bytes(32),), "test checkpoint\n"))
    assert bare == f"c2sp.org/tlog-proof@v1\nindex 5\n{HASH}\n\ntest checkpoint\n"


@pytest.mark.parametrize(
    "text",
    [
        "wrong-header\nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nextra !!notbase64!!\nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\n\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex notanumber\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex -5\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n!!notbase64!!\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + HASH[:-4] + "AAAA\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + "a" * 65 * 1024 + "\n",
        "",
    ],
)
def test_a_bad_text_of_a_proof_is_refused(text: str) -> None:
    with pytest.raises(ProofError):
        EntryProof.parse(text)


def test_a_cosignature_holds_its_time() -> None:
    text = str(Checkpoint("example.com/log", 3, bytes(32)))
    witness = PrivateKey.new("witness.example", notes.COSIGNER)
    note = notes.parse(text + "\n" + witness.line(text, 1_790_000_000))
    assert note.check([witness.key]) == {witness.key: 1_790_000_000}
    line = note.signatures[0]
    earlier = (1_700_000_000).to_bytes(8, "big") + line.data[8:]
    forged = notes.Note(text, (notes.Signature(line.name, line.id, earlier),))
    with pytest.raises(NoteError):
        forged.check([witness.key])


def test_a_bad_signature_of_a_known_key_spoils_the_note() -> None:
    text = str(Checkpoint("example.com/log", 3, bytes(32)))
    log = PrivateKey.new("example.com/log", notes.LOG)
    bad = log.line(text.replace("3", "4"))
    with pytest.raises(NoteError):
        checkpoints.open_note(text + "\n" + log.line(text) + bad, [log.key], [])
    other = PrivateKey.new("example.com/other", notes.LOG)
    with pytest.raises(NoteError):  # another log's key cannot sign for this one
        checkpoints.open_note(text + "\n" + other.line(text), [other.key], [])


def test_a_private_key_stands_in_no_message() -> None:
    made = PrivateKey.new("example.com/log", notes.LOG)
    assert notes.encode(made.seed) not in repr(made)
    assert "seed" not in repr(made)
    with pytest.raises(NoteError) as error:
        PrivateKey.parse(made.text()[:-3])
    assert made.text()[-20:-3] not in str(error.value)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_the_address_of_a_tile_is_read_back(level: int, index: int, width: int) -> None:
    for made in (Tile(level, index, width), Tile(None, index, width)):
        assert Tile.parse(made.path) == made


def test_the_address_of_a_tile_is_that_of_the_standard() -> None:
    assert Tile(0, 1234067).path == "0/x001/x234/067"
    assert Tile(3, 70, 8).path == "3/070.p/8"
    for bad in ("0/67", "0/x000/067", "64/000", "00/000", "0/000.p/256", "0/000.p/0", "0/x067",
                "0/000/", "entries/0000", "0/000.p/08", "1/٠٠٠"):  # fmt: skip
        assert Tile.parse(bad) is None, bad


def test_a_log_of_70000_entries_has_the_tiles_of_the_standard() -> None:
    widths = {
        level: [tiles.width_at(70_000, level, at) for at in range(275)] for level in range(4)
    }
    assert [sum(one == 256 for one in widths[level]) for level in range(4)] == [273, 1, 0, 0]
    assert [[one for one in widths[level] if 0 < one < 256] for level in range(4)] == [
        [112],
        [17],
        [1],
        [],
    ]
