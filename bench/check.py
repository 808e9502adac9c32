"""How long ``nongso trace check`` takes: every event, entry, tile, checkpoint, subject, label, and
the whole index of EPCIS, of so many events that others sent. Part by part, and the sum.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from capture import COOP, document

from nongso.platform import migrations
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.traceability.epcis import capture, reading
from nongso.platform.traceability.epcis.capture import Captor
from nongso.platform.traceability.proof import checking
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.signing import Signer

BATCH = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    wished = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(folder=Path(folder), secret="0123456789abcdef" * 4)
        migrations.upgrade(settings)
        records = Records.of(settings)
        with records.transaction() as session:
            session.add(Cooperative(slug=COOP, name="HTX"))
        begun = time.perf_counter()
        for first in range(0, wished.events, BATCH):
            checked = capture.check(reading.read(document(first, BATCH)))
            with records.transaction() as session:
                capture.keep(
                    Captor(session, COOP, "bench", 1_790_000_000_000), checked, "rollback"
                )
        built, cpu = time.perf_counter() - begun, time.process_time()
        print(f"{wished.events} events captured in {built:.0f} s")
        custody = Custody(settings.folder)
        custody.take()
        Signer(records, custody, "bench.example/log").sign_now(1_790_000_000)
        begun, cpu = time.perf_counter(), time.process_time()
        with records.session() as session:
            found = Counter(one.table for one in checking.check(session, custody.last()))
        spent, cpu = time.perf_counter() - begun, time.process_time() - cpu
        print(f"checked in {spent:.1f} s ({cpu:.1f} s of processor), found {dict(found)}")
        print(f"ratio to the capture: {spent / built:.2f}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
