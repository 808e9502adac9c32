"""What an installer does on a new server before anybody can log in: settings and gateway.

For ``nongso up`` all of this is done by ``nongso.platform.demo``.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nongso.platform import migrations
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings, checked
from nongso.platform.uplink import register_gateway
from nongso.wire.topics import TopicError, check_slug

LONGEST_NAME = 200


class InstallationError(Exception):
    """It cannot be set up so; the text says what to change."""


LOCAL_THREADS = 6  # a farm's own box serves a family


def write_settings(
    file: Path, url: str, label_url: str | None, folder: Path | None, *, local: bool = False
) -> Settings:
    """Write ``platform.json`` with a new secret, readable by its owner only.

    ``local``: the platform on the farm's own box, which listens on all of its addresses, at the
    port of ``url``.

    Raises ``InstallationError`` when the file is there already: its secret would be lost.
    Raises ``SettingsError`` for addresses that cannot be used.
    """
    content: dict[str, Any] = {
        "folder": str((folder or file.parent).absolute()),
        "secret": secrets.token_hex(32),
        "host": "127.0.0.1",
        "port": 8080,
        "url": url,
        "label_url": label_url or url,
        "threads": 12,
    }
    if local:
        port = urlsplit(url).port or content["port"]
        content |= {"local": True, "host": "0.0.0.0", "port": port, "threads": LOCAL_THREADS}
    settings = checked(content, str(file))
    try:
        if not file.parent.exists():
            file.parent.mkdir(parents=True)
            file.parent.chmod(0o700)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InstallationError(
            f"{file} is there already and holds a secret; move it away to make a new one"
        ) from None
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(content, out, ensure_ascii=False, indent=1)
        out.write("\n")
    return settings


def add_cooperative(settings: Settings, slug: str, name: str, *, rename: bool = False) -> None:
    """Add a cooperative; with ``rename``, give one that is there another name.

    The name stands on labels and on shoppers' pages, so it never changes by a mistyped slug.
    """
    _check(slug)
    if not name.strip() or len(name) > LONGEST_NAME or "\x00" in name:
        raise InstallationError(f"The name must have 1 to {LONGEST_NAME} characters")
    with migrations.current(settings) as records, records.transaction() as session:
        there = session.get(Cooperative, slug)
        if there is None and rename:
            raise InstallationError(
                f"There is no cooperative {slug!r} to rename. To add it, leave --rename out."
            )
        if there is not None and there.name != name and not rename:
            raise InstallationError(
                f"The cooperative {slug!r} is there already and is called {there.name!r}. Its "
                "name stands on labels and pages; to change it, add --rename. For another "
                "cooperative, choose another slug."
            )
        session.merge(Cooperative(slug=slug, name=name))


def add_gateway(settings: Settings, slug: str, cooperative: str, key: str) -> None:
    """Let a gateway in with its key (``platform.key`` of its ``gateway.json``)."""
    _check(slug)
    with migrations.current(settings) as records, records.transaction() as session:
        if session.get(Cooperative, cooperative) is None:
            raise InstallationError(
                f"There is no cooperative {cooperative!r} yet. Add it first with: "
                f"nongso platform cooperative {cooperative} NAME"
            )
        try:
            register_gateway(session, slug, slug, cooperative, key)
        except ValueError as e:
            raise InstallationError(str(e)) from e


def _check(slug: str) -> None:
    try:
        check_slug(slug)
    except TopicError as e:
        raise InstallationError(str(e)) from e
