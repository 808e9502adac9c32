"""A node that speaks TLS, to brokers that are who they say and to others. On both interpreters."""

import getpass
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.firmware.conftest import Broker, Gateway, NodeProcess, free_port, until

PURPOSES = ("good", "stranger", "elsewhere", "expired")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority and what it signed; a stranger's; all made here and now."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

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


@pytest.fixture
def new_guarded(tmp_path: Path, certificates: Path) -> Iterator[Callable[[str], Guarded]]:
    made: list[Guarded] = []

    def make(purpose: str) -> Guarded:
        made.append(Guarded(tmp_path, certificates, purpose))
        made[-1].start()
        return made[-1]

    yield make
    for broker in made:
        broker.kill()


def test_samples_arrive_through_tls(
    new_node: Callable[..., NodeProcess],
    new_guarded: Callable[[str], Guarded],
    certificates: Path,
    interpreter: str,
) -> None:
    broker = new_guarded("good")
    gateway = Gateway(broker.port)
    node = new_node(interpreter, broker=broker.entry)
    node.start()
    try:
        until(lambda: len(gateway.heard) >= 3, "samples")
        assert node.end() == 0
    finally:
        gateway.close()


@pytest.mark.parametrize("purpose", ["stranger", "elsewhere", "expired"])
def test_a_broker_that_cannot_prove_who_it_is_gets_nothing(
    new_node: Callable[..., NodeProcess],
    new_guarded: Callable[[str], Guarded],
    certificates: Path,
    purpose: str,
) -> None:
    broker = new_guarded(purpose)
    gateway = Gateway(broker.port)
    node = new_node(broker=broker.entry)
    node.start()
    try:
        until(lambda: "link to the broker: no broker at localhost" in node.words(), "its word")
        assert "certificate" in node.words().lower()
        assert gateway.heard == []
        assert gateway.status == []
    finally:
        gateway.close()


def test_an_authority_that_cannot_be_read_is_a_sentence(
    new_node: Callable[..., NodeProcess], broker: Broker, tmp_path: Path, interpreter: str
) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    for ca_file in (str(tmp_path / "ca.pem"), "nowhere.pem"):
        node = new_node(interpreter, broker={"host": "localhost", "ca_file": ca_file})
        node.start()
        assert node.wait() == 1
        assert f"broker.ca_file {ca_file} cannot be used" in node.words()
