"""``nongso demo code``: the six digits that the demo's clerk and administrator are asked for."""

import time
from pathlib import Path

from nongso.commands.errors import CommandError
from nongso.commands.jsonfile import Unreadable, read_object
from nongso.platform import second_factor


def show(data: Path, role: str | None) -> str:
    """Return the digits of this half minute. Raises ``CommandError``."""
    file = data / "demo.json"
    try:
        accounts = read_object(file)["accounts"]
        secrets = {
            name: one["totp_secret"] for name, one in accounts.items() if "totp_secret" in one
        }
    except FileNotFoundError as e:
        raise CommandError(
            f"{file} is not there: start a demo first (make demo), or name its folder: --data DIR"
        ) from e
    except (Unreadable, KeyError, TypeError, AttributeError) as e:
        raise CommandError(f"{file} cannot be used ({e}). Start the demo again.") from e
    if role not in secrets:
        raise CommandError(f"name who logs in: nongso demo code {'|'.join(secrets)}")
    return second_factor.code(secrets[role], int(time.time()))
