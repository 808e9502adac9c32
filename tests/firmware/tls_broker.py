"""A broker that speaks TLS, with certificates made here and now: a good one, and others."""

import getpass
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.firmware.conftest import Broker, free_port

PURPOSES = ("good", "stranger", "elsewhere", "expired")


def make_certificates(folder: Path) -> Path:
    """An authority and what it signed; a stranger's."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")

    def openssl(words: str) -> None:
        subprocess.run(
            ["openssl", *words.split()], cwd=folder, check=True, capture_output=True, timeout=30
        )

    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    for authority in ("farm", "foreign"):
        openssl(
            f"req -x509 {key} -days 9 -subj /CN={authority} -keyout {authority}.key"
            f" -out {authority}.pem"
        )
    for purpose in PURPOSES:
        name = "elsewhere" if purpose == "elsewhere" else "localhost"
        authority = "foreign" if purpose == "stranger" else "farm"
        (folder / "names").write_text(f"subjectAltName=DNS:{name}\n")
        openssl(f"req {key} -subj /CN={name} -keyout {purpose}.key -out {purpose}.csr")
        days = "-days -1" if purpose == "expired" else "-days 5"
        openssl(
            f"x509 -req -in {purpose}.csr -CA {authority}.pem -CAkey {authority}.key"
            f" -CAcreateserial {days} -extfile names -out {purpose}.pem"
        )
    return folder


class Guarded(Broker):
    """A broker with a door in the clear, for the stand-in gateway, and one with TLS."""

    def __init__(self, folder: Path, certificates: Path, purpose: str) -> None:
        super().__init__(folder)
        self.secure_port = free_port()
        self.entry = {
            "host": "localhost",
            "port": self.secure_port,
            "ca_file": str(certificates / "farm.pem"),
        }
        with self._config.open("a") as file:
            file.write(
                f"listener {self.secure_port} 127.0.0.1\n"
                f"certfile {certificates / purpose}.pem\nkeyfile {certificates / purpose}.key\n"
            )
            file.write(f"user {getpass.getuser()}\n")  # else root's broker may not read them
