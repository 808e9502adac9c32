"""Records of this version of the program, which the real migrations make once for all tests."""

import functools
import tempfile
from pathlib import Path

from nongso.platform import migrations
from nongso.platform.settings import Settings


def lay_down(settings: Settings) -> None:
    """Make the empty records, as ``migrations.upgrade`` does in a new folder."""
    assert settings.records_in_file
    assert not settings.records_file.exists()
    settings.folder.mkdir(parents=True, exist_ok=True)
    settings.records_file.write_bytes(_made())


@functools.cache
def _made() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        found = Settings(folder=Path(folder), secret="0123456789abcdef" * 4)
        migrations.upgrade(found)
        return found.records_file.read_bytes()
