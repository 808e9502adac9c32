"""Recordings on the disk: ``voices/<cooperative>/<language>/<key>.<kind>``.

What kind of sound a file is, its first bytes say, never its name. A new recording replaces the
old one in one step.
"""

from contextlib import suppress
from pathlib import Path

from nongso.platform.wholefile import write_whole

EVERYBODY = "_everybody"  # no cooperative is called so; an administrator records for all
LANGUAGES = ("vi", "hmn", "twh", "blt")
MOST_BYTES = 400_000  # half a minute as phones record it
TYPES = {
    "webm": "audio/webm",
    "ogg": "audio/ogg",
    "m4a": "audio/mp4",
    "3gp": "audio/3gpp",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "aac": "audio/aac",
}


class BadSound(Exception):
    """The file cannot be kept. ``code`` is ``huge`` or ``unknown``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Voices:
    """The recordings of a platform."""

    def __init__(self, folder: Path) -> None:
        self._voices = folder / "voices"
        self.version = 0  # changes when this process keeps or drops one

    def keep(self, owner: str, language: str, key: str, data: bytes) -> None:
        """Keep a recording. Raises ``BadSound`` and ``NotKept``."""
        if len(data) > MOST_BYTES:
            raise BadSound("huge")
        kind = kind_of(data)
        if kind is None:
            raise BadSound("unknown")
        write_whole(self._folder(owner, language) / f"{key}.{kind}", data)
        self._drop(owner, language, key, but=kind)

    def drop(self, owner: str, language: str, key: str) -> None:
        """Forget a recording."""
        self._drop(owner, language, key)

    def _drop(self, owner: str, language: str, key: str, but: str = "") -> None:
        for kind in set(TYPES) - {but}:
            with suppress(OSError):  # not there, or no recording of ours
                (self._folder(owner, language) / f"{key}.{kind}").unlink()
        self.version += 1

    def find(self, owner: str, language: str, key: str) -> Path | None:
        """Return where a recording lies: the cooperative's own, else everybody's."""
        for whose in (owner, EVERYBODY):
            for kind in TYPES:
                file = self._folder(whose, language) / f"{key}.{kind}"
                if file.is_file():
                    return file
        return None

    def known(self, owner: str, language: str) -> set[str]:
        """Return the keys of all sentences that can be heard in a language."""
        found: set[str] = set()
        for whose in (owner, EVERYBODY):
            with suppress(OSError):
                files = self._folder(whose, language).iterdir()
                found |= {file.stem for file in files if file.suffix[1:] in TYPES}
        return found

    def _folder(self, owner: str, language: str) -> Path:
        return self._voices / (owner or EVERYBODY) / language


def kind_of(data: bytes) -> str | None:
    """Return the kind of sound by its first bytes, ``None`` for anything else."""
    if data[:4] == b"\x1aE\xdf\xa3":
        return "webm"
    if data[:4] == b"OggS":
        return "ogg"
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    if data[4:8] == b"ftyp":
        return "3gp" if data[8:11] == b"3gp" else "m4a"
    if data[:3] == b"ID3":
        return "mp3"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0:
        return "aac"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        return "mp3"
    return None
