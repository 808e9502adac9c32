"""Whether a personal field is in any of ten thousand public answers.

A cooperative lives a season with a mark in every personal field (names, telephones, notes, who
sprayed, from whom something was bought, points on the map); a stranger reads every public address
with three Accept headers, page after page, and the pages of many packs. The smaller twin is
``tests/traceability/test_public_fields.py``.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "traceability"))
sys.path.append(str(ROOT / "tests" / "platform"))

import public_farm  # noqa: E402
from cooperative import open_farm  # noqa: E402
from platform_site import open_site  # noqa: E402


def main() -> int:
    """Read, count, and say what was found; status 1 where a mark was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--labels", type=int, default=90, help="labels of each of the two lots")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        farm = open_farm(Path(folder))
        site = open_site(farm)
        public_farm.fill(site, asked.labels)
        found: Counter[int] = Counter()
        leaks, begun = [], time.monotonic()
        begin = public_farm.starts(site)
        while sum(found.values()) < asked.answers:
            left = asked.answers - sum(found.values())
            for answer in public_farm.walk(site.stranger, begin, left):
                found[answer.status] += 1
                if any(secret in answer.text for secret in public_farm.SECRETS):
                    leaks.append(f"{answer.address} ({answer.accept})")
        farm.records.close()
    spent = time.monotonic() - begun
    statuses = ", ".join(f"{count} × {status}" for status, count in sorted(found.items()))
    print(f"{sum(found.values())} answers in {spent:.0f} s ({statuses})")
    print(f"personal fields: {len(leaks)}")
    print("\n".join(dict.fromkeys(leaks[:20])))
    return 1 if leaks or any(status >= 500 for status in found) else 0


if __name__ == "__main__":
    sys.exit(main())
