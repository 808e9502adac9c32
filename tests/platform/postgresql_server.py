"""A real PostgreSQL for the tests: Debian's package, in a folder of its own, ended with the tests.

Each test gets a database of its own, copied from one that the real migrations have made. Nothing
is forced onto the disk: what a power cut does to PostgreSQL is PostgreSQL's to test.
"""

import contextlib
import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nongso.platform import migrations
from nongso.platform.settings import Settings

PASSWORD = "m@t/kh:u?" + secrets.token_hex(8)  # must be percent-encoded, and shows where it leaks
_USER = "nongso"


def programs() -> Path | None:
    """Where initdb and postgres are, newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: -float(p.parent.name))
    on_path = shutil.which("initdb")
    found += [Path(on_path).parent] if on_path else []
    return next((p for p in found if (p / "postgres").exists()), None)


def _other_user() -> dict[str, Any]:
    """initdb refuses root."""
    if os.geteuid() != 0:
        return {}
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@dataclass
class Server:
    """A running server."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    _template: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str) -> str:
        quoted = PASSWORD.replace("@", "%40").replace("/", "%2F").replace(":", "%3A")
        return (
            f"postgresql://{_USER}:{quoted.replace('?', '%3F')}@127.0.0.1:{self.port}/{database}"
        )

    def ask(self, *statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements as the database's owner, each by itself; the rows of the last one."""
        import psycopg

        where: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "user": _USER}
        with psycopg.connect(
            dbname=database, password=PASSWORD, autocommit=True, connect_timeout=10, **where
        ) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def empty(self, options: str = "") -> str:
        """Make a database without tables; its name."""
        name = f"t{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name} {options}")
        return name

    def copy(self) -> str:
        """Make a database of this version of the program; its name."""
        if not self._template:
            name = self.empty()
            folder = self.folder.parent / "migrated"
            folder.mkdir(exist_ok=True)
            migrations.upgrade(Settings(folder=folder, secret="", records=self.url(name)))
            self._template = name
        return self.empty(f"TEMPLATE {self._template}")

    def drop(self, name: str) -> None:
        self.ask(f"DROP DATABASE {name} WITH (FORCE)")

    def start(self) -> None:
        found = programs()
        assert found is not None
        words: list[str | Path] = []
        if shutil.which("setpriv"):  # it ends with the tests although they are killed
            words = ["setpriv", "--pdeathsig", "INT"]
        words += [found / "postgres", "-D", self.folder]
        words += ["-h", "127.0.0.1", "-p", str(self.port)]
        for setting in (
            f"unix_socket_directories={self.folder}",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=300",
            "shared_buffers=32MB",
            "log_statement=none",
        ):
            words += ["-c", setting]
        with (self.folder.parent / "server.log").open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, **_other_user())
        deadline = time.monotonic() + 60
        while True:
            try:
                self.ask("SELECT 1")
                return
            except Exception:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(self.said()) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """End it; whoever is connected is cut off."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
            self.process = None

    def said(self) -> str:
        return (self.folder.parent / "server.log").read_text(errors="replace")


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Make a server and end it. Where PostgreSQL is not installed, see ``programs``."""
    found = programs()
    assert found is not None
    around = Path(tempfile.mkdtemp(prefix="nongso-postgresql-"))
    try:
        secret = around / "password"
        secret.write_text(PASSWORD + "\n")
        other = _other_user()
        if other:
            for path in (around, secret):
                os.chown(path, other["user"], other["group"])
        folder = around / "data"
        words = [found / "initdb", "-D", folder, "--username", _USER, "--pwfile", secret]
        words += ["--auth", "scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, **other)
        assert done.returncode == 0, done.stderr
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = int(s.getsockname()[1])
        server = Server(folder, port)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(around)
