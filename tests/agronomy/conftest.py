"""The published examples are read by several tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
