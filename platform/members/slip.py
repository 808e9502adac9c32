"""A printed entry code from the server's command line, for whoever looks after the machine.

The same code as a clerk prints on the page: good for some hours, once, in place of an older one.
The slip is plain text with the QR in block characters, so that it needs no browser and no
printer's language. It is the key to somebody's account: it goes to that person and nowhere else.
"""

import time
from dataclasses import dataclass

from nongso.labels.symbol import symbol
from nongso.platform import audit, entry_codes, migrations, people
from nongso.platform.languages import _, dated
from nongso.platform.settings import Settings

BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


class SlipError(Exception):
    """No code can be made for this person; the text says why."""


@dataclass(frozen=True)
class Slip:
    """What is handed over: ``qr`` and ``text`` are printed one below the other."""

    user: str
    qr: str
    text: str


def make(settings: Settings, user: str, hours: int) -> Slip:
    """Make a code for a person. Raises ``SlipError``; ``SchemaError`` for another version."""
    now = int(time.time())
    with migrations.current(settings) as records, records.transaction() as session:
        person = people.find_person(session, user)
        if person is None:
            raise SlipError(f"there is nobody with the log-in name {user!r}")
        if not person.active:
            raise SlipError(f"the account {user!r} is disabled; enable it on /people first")
        secret, digits = entry_codes.make(session, person, hours, now)
        audit.note(
            session,
            "code_made",
            person=None,
            cooperative=person.cooperative,
            subject=person.id,
            hours=hours,
        )
        role, name = person.role, person.name
    own = (
        _("Tự đặt mã PIN 6 số và nhớ lấy. Không nói cho ai.")
        if role in people.PIN_ROLES
        else _("Tự đặt mật khẩu ít nhất 8 ký tự. Không nói cho ai.")
    )
    lines = [
        _("Mã vào cửa của %(name)s", name=name),
        "",
        _("Mở máy ảnh của điện thoại và quét hình này."),
        _("Không quét được thì mở trang %(address)s rồi nhập:", address=f"{settings.url}/enter"),
        "",
        f"    {_('Tên đăng nhập')}: {person.user}",
        f"    {_('Mã 6 số trên giấy')}: {digits}",
        "",
        own,
        _("Dùng được một lần, đến %(at)s.", at=dated(now + hours * 3600)),
        "",
    ]
    return Slip(person.user, _drawn(f"{settings.url}/enter/{secret}"), "\n".join(lines))


def _drawn(text: str) -> str:
    """Draw a QR with two modules in each letter, dark where the letter is filled."""
    rows = symbol(text).rows()
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return "\n".join(
        "".join(BLOCKS[over, under] for over, under in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )
