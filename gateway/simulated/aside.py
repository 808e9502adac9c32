"""Setting aside a file that cannot be used: renamed beside itself, dated, never overwritten.

Nothing here deletes. Whoever looks for it finds ``state.json.damaged-20261122T021100Z``.
"""

import os
import time
from pathlib import Path

MARK = ".damaged-"


def set_aside(file: Path) -> Path:
    """Rename ``file`` (or folder, or whatever stands there) and return where it is now.

    Raises ``OSError``.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = file.with_name(f"{file.name}{MARK}{stamp}")
    number = 1
    while os.path.lexists(aside):
        number += 1
        aside = file.with_name(f"{file.name}{MARK}{stamp}-{number}")
    file.rename(aside)
    return aside
