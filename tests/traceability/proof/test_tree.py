"""The tree, its proofs and canonical JSON, against a naive tree and foreign vectors."""

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nongso.platform.traceability.proof import canonical, merkle
from nongso.platform.traceability.proof.merkle import ProofError, leaf_hash, node_hash

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "traceability"


def vectors(name: str) -> Any:
    file = VECTORS / name
    if not file.exists():
        pytest.skip(f"{file.name} is not here")
    return json.loads(file.read_text())


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def nodes_of(leaves: list[bytes]) -> merkle.Nodes:
    return lambda level, index: naive_root(leaves[index << level : (index + 1) << level])


def entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


@settings(deadline=None)  # the machine may be busy
@given(st.integers(1, 130), st.data())
def test_every_entry_is_proven_and_no_other_passes_for_it(size: int, data: Any) -> None:
    leaves = entries(size)
    index = data.draw(st.integers(0, size - 1))
    root = merkle.root(nodes_of(leaves), size)
    assert root == naive_root(leaves)
    proof = merkle.inclusion(nodes_of(leaves), index, size)
    merkle.verify_inclusion(leaf_hash(leaves[index]), index, size, proof, root)
    with pytest.raises(ProofError):
        merkle.verify_inclusion(leaf_hash(b"another"), index, size, proof, root)
    with pytest.raises(ProofError):
        merkle.verify_inclusion(leaf_hash(leaves[index]), index, size, [*proof, root], root)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        with pytest.raises(ProofError):
            merkle.verify_inclusion(leaf_hash(leaves[index]), other, size, proof, root)


@settings(deadline=None)
@given(st.integers(1, 100), st.integers(0, 60), st.data())
def test_a_longer_log_continues_the_shorter_and_a_changed_one_does_not(
    first: int, more: int, data: Any
) -> None:
    leaves, second = entries(first + more), first + more
    old, new = naive_root(leaves[:first]), naive_root(leaves)
    proof = merkle.consistency(nodes_of(leaves), first, second)
    merkle.verify_consistency(first, second, proof, old, new)
    at = data.draw(st.integers(0, first - 1))
    changed = [*leaves[:at], b"changed", *leaves[at + 1 :]]
    forged = merkle.consistency(nodes_of(changed), first, second)
    with pytest.raises(ProofError):
        merkle.verify_consistency(first, second, forged, old, naive_root(changed))


def test_the_empty_log_proves_nothing() -> None:
    root = naive_root(entries(3))
    with pytest.raises(ProofError):
        merkle.verify_consistency(0, 3, [], merkle.EMPTY_ROOT, root)
    with pytest.raises(ProofError):
        merkle.verify_inclusion(leaf_hash(b""), 0, 0, [], merkle.EMPTY_ROOT)


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def test_foreign_inclusion_proofs_are_judged_as_their_makers_judge_them() -> None:
    for case in vectors("merkle/inclusion.json"):
        try:
            merkle.verify_inclusion(
                _bytes(case["leafHash"]),
                case["leafIdx"],
                case["treeSize"],
                [_bytes(one) for one in case["proof"] or []],
                _bytes(case["root"]),
            )
            refused = False
        except ProofError:
            refused = True
        assert refused == case["wantErr"], case["file"]


def test_foreign_consistency_proofs_are_judged_as_their_makers_judge_them() -> None:
    for case in vectors("merkle/consistency.json"):
        try:
            merkle.verify_consistency(
                case["size1"],
                case["size2"],
                [_bytes(one) for one in case["proof"] or []],
                _bytes(case["root1"]),
                _bytes(case["root2"]),
            )
            refused = False
        except ProofError:
            refused = True
        assert refused == case["wantErr"], case["file"]


def test_hashes_and_roots_are_those_of_the_rfc() -> None:
    found = vectors("merkle/rfc6962-basics.json")
    for case in found["hashing"]:
        if "leaf_text" in case:
            assert leaf_hash(case["leaf_text"].encode()).hex() == case["want"]
        elif "left_text" in case:
            left, right = case["left_text"].encode(), case["right_text"].encode()
            assert node_hash(left, right).hex() == case["want"]
        else:
            assert merkle.EMPTY_ROOT.hex() == case["want"], case
    leaves = [bytes.fromhex(one) for one in found["eight_leaf_tree"]["leaves_hex"]]
    for size, root in enumerate(found["eight_leaf_tree"]["roots_hex_by_size"]):
        assert merkle.root(nodes_of(leaves[:size]), size).hex() == root


def test_canonical_json_is_byte_exact() -> None:
    found = vectors("jcs/jcs.json")
    for case in found["documents"]:
        assert canonical.dumps(json.loads(case["input"])).hex() == case["canonical_hex"]
    for case in found["es6_numbers"]:
        number = struct.unpack(">d", bytes.fromhex(case["ieee754_hex"]))[0]
        assert canonical.dumps(number).decode() == case["text"]


@pytest.mark.parametrize("value", [2**53 + 2, float("nan"), "\ud800", {"a": [float("inf")]}])
def test_what_has_no_canonical_form_is_named(value: Any) -> None:
    with pytest.raises(canonical.NotCanonical):
        canonical.dumps(value)
