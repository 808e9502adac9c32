"""Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, as the text of a note."""

import re
from dataclasses import dataclass

from nongso.platform.traceability.proof import notes
from nongso.platform.traceability.proof.merkle import HASH_BYTES, LARGEST
from nongso.platform.traceability.proof.notes import Key, Note, NoteError

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Checkpoint:
    """What a log was at one moment. ``more`` is what other logs put below, and ours does not."""

    origin: str
    size: int
    root: bytes
    more: str = ""

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{notes.encode(self.root)}\n{self.more}"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of a checkpoint. Raises ``NoteError``."""
        lines = text.split("\n", 3)
        if len(lines) < 4:
            raise NoteError("a checkpoint has three lines: name, size and root of the log")
        origin, size, root, more = lines
        if not origin:
            raise NoteError("the checkpoint does not name its log")
        if not _SIZE.fullmatch(size) or int(size) > LARGEST:
            raise NoteError(f"{size[:40]!r} is no size of a log")
        return cls(origin, int(size), notes.decode(root), more)


@dataclass(frozen=True)
class Opened:
    """A checkpoint whose signatures were judged: who signed, and when cosigners did."""

    checkpoint: Checkpoint
    note: Note
    signers: dict[Key, int | None]


def open_note(data: bytes | str, keys: list[Key], cosigners: list[Key]) -> Opened:
    """Read a signed checkpoint of a log. Raises ``NoteError``.

    One of ``keys`` must have signed, under the name that the checkpoint says; cosigners may.
    """
    note = notes.parse(data)
    found = Checkpoint.parse(note.text)
    if len(found.root) != HASH_BYTES:
        raise NoteError("the root is not 32 bytes long")
    signers = note.check([key for key in keys if key.name == found.origin])
    for key in cosigners:
        if any(one.is_of(key) for one in note.signatures):
            signers |= note.check([key])
    return Opened(found, note, signers)
