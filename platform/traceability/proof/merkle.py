"""The tree of RFC 6962 and 9162: hashes in, proofs out, and proofs judged.

How this works. Leaves and nodes are hashed with different first bytes, so that no node passes for
a leaf. A tree is never held here: whoever asks brings ``Nodes``, which gives the hash of a whole
subtree (2^level leaves, from ``index`` * 2^level on), and everything else is put together from
those. Judging follows RFC 9162, 2.1.3.2 and 2.1.4.2, and needs no tree at all.

The empty tree proves nothing: a proof from it is refused.
"""

import hashlib
from collections.abc import Callable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
LARGEST = (1 << 63) - 1  # of the format; a larger tree is nonsense

Nodes = Callable[[int, int], bytes]


class ProofError(ValueError):
    """A proof does not prove what it should; the text says where it fails."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbours into the node above them."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(count: int) -> int:
    """Return the largest power of two below ``count``, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def span(nodes: Nodes, begin: int, end: int) -> bytes:
    """Hash the leaves from ``begin`` up to, not including, ``end``."""
    count = end - begin
    if count & (count - 1) == 0 and begin % count == 0:
        level = count.bit_length() - 1
        return nodes(level, begin >> level)
    middle = begin + _split(count)
    return node_hash(span(nodes, begin, middle), span(nodes, middle, end))


def root(nodes: Nodes, size: int) -> bytes:
    """Return the root of the tree of the first ``size`` leaves."""
    return span(nodes, 0, size) if size else EMPTY_ROOT


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf ``index`` is in the tree of ``size``, from the leaf upwards."""
    if not 0 <= index < size:
        raise ProofError(f"entry {index} is not among the first {size}")
    path, begin, end = [], 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(span(nodes, middle, end))
            end = middle
        else:
            path.append(span(nodes, begin, middle))
            begin = middle
    return path[::-1]


def consistency(nodes: Nodes, first: int, second: int) -> list[bytes]:
    """Return the proof that the tree of ``second`` begins with the tree of ``first``."""
    if not 0 < first <= second:
        raise ProofError(f"no tree of {second} continues one of {first}")
    path, begin, end, is_whole = [], 0, second, True
    while first != end:
        middle = begin + _split(end - begin)
        if first <= middle:
            path.append(span(nodes, middle, end))
            end = middle
        else:
            path.append(span(nodes, begin, middle))
            begin, is_whole = middle, False
    if not is_whole:
        path.append(span(nodes, begin, end))
    return path[::-1]


def _check_hashes(*hashes: bytes) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofError("a hash is not 32 bytes long")


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that a proof leads to. Raises ``ProofError`` when it cannot be a proof."""
    if not 0 <= index < size <= LARGEST:
        raise ProofError(f"entry {index} is not in a log of {size}")
    _check_hashes(leaf, *proof)
    inner = (index ^ (size - 1)).bit_length()
    length = inner + (index >> inner).bit_count()
    if len(proof) != length:
        raise ProofError(f"the proof has {len(proof)} hashes instead of {length}")
    found = leaf
    for height, other in enumerate(proof):
        is_right = height >= inner or index >> height & 1
        found = node_hash(other, found) if is_right else node_hash(found, other)
    return found


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Judge an inclusion proof. Raises ``ProofError``."""
    if root_of_inclusion(leaf, index, size, proof) != root:
        raise ProofError("the proof leads to another root")


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """Judge the proof that a tree continues another. Raises ``ProofError``."""
    if not 0 <= first <= second <= LARGEST:
        raise ProofError(f"a log of {second} does not continue one of {first}")
    _check_hashes(first_root, second_root, *proof)
    if first == second:
        if proof:
            raise ProofError("both logs have the same size, but the proof is not empty")
        if first_root != second_root:
            raise ProofError("two logs of the same size have different roots")
        return
    if first == 0:
        raise ProofError("a proof from the empty log says nothing")
    if not proof:
        raise ProofError("the proof is empty")
    shift = (first & -first).bit_length() - 1
    inner = ((first - 1) ^ (second - 1)).bit_length() - shift
    border = ((first - 1) >> (inner + shift)).bit_count()
    # The first tree's own last whole subtree comes first, unless it is the whole first tree.
    rest = list(proof)
    seed = first_root if first == 1 << shift else rest.pop(0)
    if len(rest) != inner + border:
        length = len(proof) - len(rest) + inner + border
        raise ProofError(f"the proof has {len(proof)} hashes instead of {length}")
    old = new = seed
    at = (first - 1) >> shift
    for height, other in enumerate(rest):
        if height >= inner or at >> height & 1:
            old, new = node_hash(other, old), node_hash(other, new)
        else:
            new = node_hash(new, other)
    if old != first_root:
        raise ProofError("the proof leads to another first root")
    if new != second_root:
        raise ProofError("the proof leads to another second root")
