"""A broker that speaks TLS, with certificates made here and now: a good one, and others."""

import getpass
from pathlib import Path

from tests.authority import Authority
from tests.firmware.conftest import Broker, free_port


def make_certificates(folder: Path) -> Path:
    """An authority and what it signed; a stranger's."""
    farm, foreign = Authority(folder), Authority(folder, "foreign")
    farm.sign("good", "DNS:localhost")
    farm.sign("elsewhere", "DNS:elsewhere")
    farm.sign("expired", "DNS:localhost", days=-1)
    foreign.sign("stranger", "DNS:localhost")
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
