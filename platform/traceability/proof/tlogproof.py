"""The proof of one entry as a text (C2SP tlog-proof): index, hashes and the checkpoint below."""

import re
from dataclasses import dataclass

from nongso.platform.traceability.proof import checkpoints, merkle, notes
from nongso.platform.traceability.proof.checkpoints import Opened
from nongso.platform.traceability.proof.merkle import ProofError
from nongso.platform.traceability.proof.notes import Key, NoteError

HEADER = "c2sp.org/tlog-proof@v1"
LONGEST_LINE = 65536
_INDEX = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class EntryProof:
    """That an entry stands at ``index`` of the log of ``checkpoint`` (a signed note)."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None  # not protected by anything; ours has none

    def __str__(self) -> str:
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {notes.encode(self.extra)}")
        lines.append(f"index {self.index}")
        lines += map(notes.encode, self.hashes)
        return "\n".join(lines) + "\n\n" + self.checkpoint

    @classmethod
    def parse(cls, text: str) -> "EntryProof":
        """Read the text of a proof. Raises ``ProofError``; the checkpoint is not judged."""
        if any(len(line) >= LONGEST_LINE for line in text.split("\n")):
            raise ProofError("a line of the proof is too long")
        head, _, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if lines.pop(0) != HEADER:
            raise ProofError(f"the proof does not begin with {HEADER}")
        extra = None
        try:
            if lines and lines[0].startswith("extra "):
                extra = notes.decode(lines.pop(0).removeprefix("extra "))
            found = lines.pop(0) if lines else ""
            index = found.removeprefix("index ")
            if index == found:
                raise ProofError("the proof does not say which entry it is about")
            if not _INDEX.fullmatch(index) or int(index) > merkle.LARGEST:
                raise ProofError(f"{index[:40]!r} is no place of an entry")
            hashes = tuple(map(notes.decode, lines))
        except NoteError as error:
            raise ProofError(str(error)) from error
        if any(len(one) != merkle.HASH_BYTES for one in hashes):
            raise ProofError("a hash of the proof is not 32 bytes long")
        return cls(int(index), hashes, checkpoint, extra)

    def check(self, entry: bytes, keys: list[Key], cosigners: list[Key]) -> Opened:
        """Judge it for this entry. Raises ``ProofError`` and ``NoteError``."""
        opened = checkpoints.open_note(self.checkpoint, keys, cosigners)
        found = opened.checkpoint
        merkle.verify_inclusion(
            merkle.leaf_hash(entry), self.index, found.size, self.hashes, found.root
        )
        return opened
