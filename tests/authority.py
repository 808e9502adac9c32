"""Authorities made here and now with openssl, and what they sign for a broker."""

import shutil
import subprocess
from pathlib import Path

import pytest

_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"


class Authority:
    """An authority of its own; its certificate is ``name``.pem in the folder."""

    def __init__(self, folder: Path, name: str = "farm") -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        self._folder, self._name = folder, name
        self._openssl(
            f"req -x509 {_KEY} -days 9 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        )

    def sign(self, purpose: str, names: str, days: int = 5) -> None:
        """Make ``purpose``.key and ``purpose``.pem; ``names`` like ``DNS:localhost``."""
        (self._folder / "names").write_text(f"subjectAltName={names}\n")
        self._openssl(f"req {_KEY} -subj /CN={purpose} -keyout {purpose}.key -out {purpose}.csr")
        self._openssl(
            f"x509 -req -in {purpose}.csr -CA {self._name}.pem -CAkey {self._name}.key"
            f" -CAcreateserial -days {days} -extfile names -out {purpose}.pem"
        )

    def _openssl(self, words: str) -> None:
        subprocess.run(
            ["openssl", *words.split()],
            cwd=self._folder,
            check=True,
            capture_output=True,
            timeout=30,
        )
