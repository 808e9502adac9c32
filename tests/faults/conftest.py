"""The fault rig runs from pytest and by hand; other rooms' parts lie on its path."""

import sys
from pathlib import Path

for _folder in (".", "../gateway", "../platform"):
    sys.path.insert(0, str((Path(__file__).parent / _folder).resolve()))
