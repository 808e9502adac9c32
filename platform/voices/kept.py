"""Recordings on the disk: ``voices/<language>/<key>.<kind>`` in the platform's folder.

What kind of sound a file is, its first bytes say, never its name. A new recording replaces the
old one in one step.
"""

import os
from pathlib import Path

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
        self._folder = folder / "voices"
        self.version = 0  # changes when this process keeps or drops one

    def keep(self, language: str, key: str, data: bytes) -> None:
        """Keep a recording. Raises ``BadSound``."""
        if len(data) > MOST_BYTES:
            raise BadSound("huge")
        kind = kind_of(data)
        if kind is None:
            raise BadSound("unknown")
        folder = self._folder / language
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        waiting = folder / f"{key}.{os.getpid()}.part"
        waiting.write_bytes(data)
        self.drop(language, key)
        waiting.replace(folder / f"{key}.{kind}")
        self.version += 1

    def drop(self, language: str, key: str) -> None:
        """Forget a recording."""
        for kind in TYPES:
            (self._folder / language / f"{key}.{kind}").unlink(missing_ok=True)
        self.version += 1

    def find(self, language: str, key: str) -> Path | None:
        """Return where a recording lies."""
        for kind in TYPES:
            file = self._folder / language / f"{key}.{kind}"
            if file.exists():
                return file
        return None

    def known(self, language: str) -> set[str]:
        """Return the keys of all sentences that are recorded in a language."""
        folder = self._folder / language
        if not folder.is_dir():
            return set()
        return {file.stem for file in folder.iterdir() if file.suffix[1:] in TYPES}


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
