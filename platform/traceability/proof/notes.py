"""Signed notes (C2SP signed-note): a text, an empty line, and a line for each signature.

A key is a name, a sort and 32 bytes; its *vkey* is what people compare and pin:
``name+<key id>+<base64>``. Two sorts are known: ``LOG`` signs the text itself, ``COSIGNER`` signs
it together with a time (C2SP cosignature/v1): "this was the newest state that I saw then".

Signatures of unknown keys are passed over; a bad one of a known key spoils the whole note.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from nongso.platform.traceability.proof import ed25519

LOG, COSIGNER = 0x01, 0x04
_DASH = "— "
_NAME = re.compile(r"[^\s+]+")
MOST_SIGNATURES = 100
LONGEST = 1 << 20
_TIME_BYTES = 8
_LAST_TIME = (1 << 63) - 1


class NoteError(ValueError):
    """A note, key or signature cannot be believed; the text says why."""


def decode(text: str) -> bytes:
    """Read base64 strictly: one text for one value. Raises ``NoteError``."""
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise NoteError(f"{text[:60]!r} is not base64") from error
    if encode(found) != text:
        raise NoteError(f"{text[:60]!r} is not base64 as it should be written")
    return found


def encode(data: bytes) -> str:
    """Write base64."""
    return base64.b64encode(data).decode("ascii")


def _key_id(name: str, sort: int, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([sort]) + public).digest()[:4]


@dataclass(frozen=True)
class Key:
    """A public key with its name and sort."""

    name: str
    sort: int
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise NoteError(f"{self.name!r} is no name of a key: no spaces, no plus")
        if self.sort not in (LOG, COSIGNER) or len(self.public) != ed25519.PUBLIC_BYTES:
            raise NoteError(f"the key {self.name} is of a sort that is not known here")

    @property
    def id(self) -> bytes:
        """The four bytes that mark its signatures."""
        return _key_id(self.name, self.sort, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encode(bytes([self.sort]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read a vkey. Raises ``NoteError``."""
        name, _, rest = text.strip().partition("+")
        hexed, _, coded = rest.partition("+")
        data = decode(coded)
        if len(data) != 1 + ed25519.PUBLIC_BYTES:
            raise NoteError("a key is written as name+8 hex digits+base64 of 33 bytes")
        made = cls(name, data[0], data[1:])
        if made.id.hex() != hexed:
            raise NoteError(f"the key {name} was not copied whole: its number does not fit")
        return made


@dataclass(frozen=True)
class PrivateKey:
    """What signs under a name. Its text is a secret."""

    name: str
    sort: int
    seed: bytes

    @property
    def key(self) -> Key:
        """The public half."""
        return Key(self.name, self.sort, ed25519.public_of(self.seed))

    def __repr__(self) -> str:
        return f"<private key of {self.name}>"  # never the seed, in no log and no traceback

    @classmethod
    def new(cls, name: str, sort: int) -> "PrivateKey":
        """Draw a new key."""
        return cls(name, sort, ed25519.new_seed())

    def text(self) -> str:
        """Write it as the file of a key holds it."""
        coded = encode(bytes([self.sort]) + self.seed)
        return f"PRIVATE+KEY+{self.name}+{self.key.id.hex()}+{coded}"

    @classmethod
    def parse(cls, text: str) -> "PrivateKey":
        """Read the text of a key. Raises ``NoteError``, which does not repeat it."""
        parts = text.strip().split("+", 4)
        if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
            raise NoteError("this is no private key")
        try:
            data = decode(parts[4])
        except NoteError:
            raise NoteError("this is no private key") from None
        if len(data) != 1 + ed25519.SEED_BYTES:
            raise NoteError("this is no private key")
        made = cls(parts[2], data[0], data[1:])
        if made.key.id.hex() != parts[3]:
            raise NoteError(f"the private key of {parts[2]} was not copied whole")
        return made

    def line(self, text: str, at: int | None = None) -> str:
        """Sign a text and return the signature's line. A cosigner says when, in Unix seconds."""
        if self.sort == LOG:
            signature = ed25519.sign(self.seed, text.encode())
        else:
            if at is None:
                raise NoteError("a cosignature needs its time")
            signed = ed25519.sign(self.seed, _timed(text, at))
            signature = at.to_bytes(_TIME_BYTES, "big") + signed
        return f"{_DASH}{self.name} {encode(self.key.id + signature)}\n"


def _timed(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


@dataclass(frozen=True)
class Signature:
    """One line below a note, not judged yet."""

    name: str
    id: bytes
    data: bytes

    @property
    def line(self) -> str:
        """The line as it stands in the note."""
        return f"{_DASH}{self.name} {encode(self.id + self.data)}\n"

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """Read a line. Raises ``NoteError``."""
        if not line.startswith(_DASH) or not line.endswith("\n"):
            raise NoteError("a signature's line begins with a long dash and a space")
        name, space, coded = line[len(_DASH) : -1].partition(" ")
        if not space or not _NAME.fullmatch(name):
            raise NoteError("a signature's line has a name, a space and the signature")
        data = decode(coded)
        if len(data) < 5:
            raise NoteError(f"the signature of {name} is too short")
        return cls(name, data[:4], data[4:])

    def is_of(self, key: Key) -> bool:
        """Say whether it claims to be of this key."""
        return self.name == key.name and self.id == key.id

    def check(self, key: Key, text: str) -> int | None:
        """Judge it; returns the time of a cosignature. Raises ``NoteError``."""
        message, signature, at = text.encode(), self.data, None
        if key.sort == COSIGNER:
            at = int.from_bytes(self.data[:_TIME_BYTES], "big")
            message, signature = _timed(text, at), self.data[_TIME_BYTES:]
        if (at or 0) > _LAST_TIME or not ed25519.is_signed(key.public, signature, message):
            raise NoteError(f"the signature of {key.name} is wrong")
        return at


@dataclass(frozen=True)
class Note:
    """A text and the signatures below it. Believe the text only after ``check``."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(one.line for one in self.signatures)

    def check(self, keys: Iterable[Key]) -> dict[Key, int | None]:
        """Return which of the keys have signed, and when cosigners did.

        Raises ``NoteError`` when a signature of one of them is wrong, or there is none.
        """
        found: dict[Key, int | None] = {}
        for key in keys:
            for one in self.signatures:
                if one.is_of(key):
                    at = one.check(key, self.text)
                    found[key] = max(at, found.get(key) or 0) if at is not None else None
        if not found:
            raise NoteError("no signature of a known key stands below the text")
        return found


def parse(data: bytes | str) -> Note:
    """Take a note apart, without judging its signatures. Raises ``NoteError``."""
    try:
        whole = data.decode() if isinstance(data, bytes) else data
        whole.encode()
    except UnicodeError as error:
        raise NoteError("the note is not a text in UTF-8") from error
    if len(whole) > LONGEST:
        raise NoteError("the note is too long")
    if any(letter < " " and letter != "\n" for letter in whole):
        raise NoteError("the note has control characters")
    text, empty, below = whole.rpartition("\n\n")
    if not empty or not below.endswith("\n"):
        raise NoteError("the note has no empty line with signatures below it")
    lines = [line + "\n" for line in below.split("\n")[:-1]]
    if len(lines) > MOST_SIGNATURES:
        raise NoteError(f"the note has more than {MOST_SIGNATURES} signatures")
    return Note(text + "\n", tuple(map(Signature.parse, lines)))
