"""How long a copy of the records takes, and how long somebody who writes meanwhile has to wait.

python bench/backup.py [MEGABYTES]
"""

import os
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from nongso.platform import snapshots

ROW_BYTES = 200


class Clerk:
    """Writes a row in a transaction of its own, again and again, with every commit on the disk."""

    def __init__(self, file: Path) -> None:
        self._file, self._ending = file, threading.Event()
        self.longest = 0.0
        self.commits = 0
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        with closing(sqlite3.connect(self._file, timeout=60, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            while not self._ending.is_set():
                began = time.monotonic()
                db.execute("BEGIN IMMEDIATE")
                db.execute("INSERT INTO event (body, at) VALUES ('x', 1)")
                db.execute("COMMIT")
                self.longest = max(self.longest, time.monotonic() - began)
                self.commits += 1

    def end(self) -> None:
        self._ending.set()
        self._thread.join(60)


def main(megabytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, copy = Path(folder) / "records.sqlite", Path(folder) / "copy.sqlite"
        rows = megabytes * 1_000_000 // (ROW_BYTES + 16)
        with closing(sqlite3.connect(file)) as db:
            db.execute(
                "CREATE TABLE event (number INTEGER PRIMARY KEY, body TEXT NOT NULL, at INTEGER)"
            )
            db.executemany(
                "INSERT INTO event (body, at) VALUES (?, ?)",
                ((os.urandom(ROW_BYTES // 2).hex(), n) for n in range(rows)),
            )
            db.commit()
        clerk = Clerk(file)
        time.sleep(1)
        usual, clerk.longest = clerk.longest, 0.0
        began = time.monotonic()
        snapshots.copy_file(file, copy)
        took = time.monotonic() - began
        clerk.end()
        print(
            f"{file.stat().st_size / 1e6:.0f} MB copied and checked in {took:.1f} s; meanwhile "
            f"the longest commit took {clerk.longest:.2f} s (before: {usual:.2f} s)"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
