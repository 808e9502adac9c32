"""Reading what a clerk typed: every field is read, every trouble is told beside its field.

What was typed is kept as it was, so that a form comes back with it. Text is brought to NFC at
this door. A number that can be read in two ways is asked back, never guessed: 1.250 is a
thousand and a quarter here, and one and a quarter on a keyboard set to English.
"""

import datetime
import re
import unicodedata
import uuid
from collections.abc import Collection, Mapping

from nongso.platform import typed_numbers
from nongso.platform.languages import NO_BREAK, _, date, number
from nongso.platform.typed_numbers import HasDecimals, TwoWays, Unreadable

MOST_GRAMS = 10**9  # a thousand tonnes; more is a slipped finger

# Comes along when text is copied out of documents: zero-width space, soft hyphen, byte order mark.
_UNSEEN = dict.fromkeys((0x200B, 0xAD, 0xFEFF))
_ISO_DAY = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})")
_WRITTEN_DAY = re.compile(r"(?P<day>[0-9]{1,2})[/.-](?P<month>[0-9]{1,2})[/.-](?P<year>[0-9]{4})")


def read_grams(text: str) -> int:
    """Read kilograms as people write them. Raises ``Unreadable`` or ``TwoWays`` (in kg)."""
    return int(typed_numbers.read(text, "kg") * 1000)


def kg(grams: int) -> str:
    """Write grams as kilograms with as many decimals as they need: 1.250 · 92,5 · 0,25."""
    decimals = 0 if grams % 1000 == 0 else 1 if grams % 100 == 0 else 2 if grams % 10 == 0 else 3
    return number(grams / 1000, decimals)


def mass(grams: int) -> str:
    """Write grams as kilograms with the unit, kept on one line: 1.250 kg."""
    return kg(grams) + NO_BREAK + "kg"


def kg_typed(grams: int) -> str:
    """Write grams as somebody would type them, so that they are read in one way only."""
    typed = f"{grams // 1000},{grams % 1000:03d}".rstrip("0").rstrip(",")
    try:
        typed_numbers.read(typed)
    except TwoWays:
        return typed + "0"
    return typed


def _read_day(text: str) -> datetime.date | None:
    written = _ISO_DAY.fullmatch(text) or _WRITTEN_DAY.fullmatch(text)
    if written is None:
        return None
    try:
        return datetime.date(**{part: int(digits) for part, digits in written.groupdict().items()})
    except ValueError:  # the 30th of February
        return None


class Form:
    """What was sent, what is wrong with it. Reading methods return a harmless value on error."""

    def __init__(self, sent: Mapping[str, str], **defaults: str) -> None:
        self.values = {**defaults, **sent}
        self.errors: dict[str, str] = {}

    @property
    def ok(self) -> bool:
        """Say whether nothing is wrong so far."""
        return not self.errors

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def wrong(self, name: str, sentence: str) -> None:
        """Note what is wrong; the first trouble of a field is the one that is told."""
        self.errors.setdefault(name, sentence)

    def id(self) -> str:
        """The form's own number, made when it was shown."""
        try:
            return str(uuid.UUID(self["id"]))
        except ValueError:
            self.wrong("", _("Trang này đã mở quá lâu. Xin bấm ghi lại lần nữa."))
            self.values["id"] = str(uuid.uuid4())
            return self.values["id"]

    def text(self, name: str, longest: int = 120, needed: bool = True) -> str:
        """A line of text. One that is far too long is not looked at further."""
        typed = self[name]
        seen = typed[: 8 * longest].translate(_UNSEEN)
        text = " ".join(unicodedata.normalize("NFC", seen).split())
        if needed and not text:
            self.wrong(name, _("Ô này còn trống, xin ghi vào."))
        if len(text) > longest or len(typed) > 8 * longest:
            self.wrong(name, _("Chữ dài quá, nhiều nhất %(most)s ký tự.", most=longest))
        if any(unicodedata.category(letter)[0] == "C" for letter in text):
            self.wrong(name, _("Ô này có ký tự lạ. Xin gõ lại."))
        return text

    def grams(self, name: str, needed: bool = True) -> int | None:
        """Kilograms, as grams; ``None`` when the field is empty or wrong."""
        if not self[name].strip():
            if needed:
                self.wrong(name, _("Xin ghi số ki-lô-gam."))
            return None
        try:
            grams = read_grams(self[name])
        except TwoWays as e:
            self.wrong(
                name,
                _(
                    "%(typed)s có thể là %(large)s hoặc %(small)s. Xin gõ lại cho rõ.",
                    typed=self[name].strip(),
                    large=kg_typed(int(e.large * 1000)) + NO_BREAK + "kg",
                    small=kg_typed(int(e.small * 1000)) + NO_BREAK + "kg",
                ),
            )
            return None
        except Unreadable:
            self.wrong(name, _("Không đọc được số này. Xin ghi số, ví dụ 12,5."))
            return None
        if grams > MOST_GRAMS:
            self.wrong(name, _("Số này lớn quá. Xin xem lại."))
            return None
        if grams <= 0:
            self.wrong(name, _("Số này phải lớn hơn 0."))
            return None
        return grams

    def amount(
        self, name: str, most: float, needed: bool = True, from_zero: bool = False
    ) -> float | None:
        """A number above 0 with or without decimals; ``None`` when the field is empty or wrong.

        ``from_zero`` takes 0 too.
        """
        if not self[name].strip():
            if needed:
                self.wrong(name, _("Ô này còn trống, xin ghi vào."))
            return None
        try:
            found = float(typed_numbers.read(self[name]))
        except TwoWays as e:
            self.wrong(
                name,
                _(
                    "%(typed)s có thể là %(large)s hoặc %(small)s. Xin gõ lại cho rõ.",
                    typed=self[name].strip(),
                    large=f"{int(e.large)}",
                    small=f"{float(e.small):.4f}".rstrip("0").replace(".", ",") + "0",
                ),
            )
            return None
        except Unreadable:
            self.wrong(name, _("Không đọc được số này. Xin ghi số, ví dụ 12,5."))
            return None
        if from_zero and not found <= most:
            self.wrong(name, _("Xin ghi số từ 0 đến %(most)s.", most=number(most)))
            return None
        if not from_zero and not 0 < found <= most:
            self.wrong(name, _("Xin ghi số lớn hơn 0, nhiều nhất %(most)s.", most=number(most)))
            return None
        return found

    def count(self, name: str, low: int, high: int, told: int | None = None) -> int:
        """A whole number. ``told`` is the maximum to say where a later check knows it better."""
        limits = {"low": number(low), "high": number(high if told is None else told)}
        try:
            found = typed_numbers.read_whole(self[name])
        except HasDecimals:
            self.wrong(name, _("Xin ghi số không có phần lẻ, từ %(low)s đến %(high)s.", **limits))
            return low
        except Unreadable:
            found = None
        if found is None or not low <= found <= high:
            self.wrong(name, _("Xin ghi một số từ %(low)s đến %(high)s.", **limits))
            return low
        return found

    def day(
        self,
        name: str,
        latest: datetime.date | None = None,
        earliest: datetime.date = datetime.date(2024, 1, 1),
    ) -> datetime.date:
        """A day, from a date field or typed as 21/11/2026."""
        found = _read_day(self[name].strip())
        if found is None:
            self.wrong(name, _("Không đọc được ngày này. Xin ghi ngày, ví dụ 21/11/2026."))
            return earliest
        if latest is not None and found > latest:
            self.wrong(name, _("Ngày này chưa đến. Hôm nay là %(day)s.", day=date(latest)))
        elif found < earliest:
            self.wrong(name, _("Ngày này xa quá, sớm nhất là %(day)s.", day=date(earliest)))
        return found

    def choice(self, name: str, among: Collection[str]) -> str:
        """One of what was offered."""
        if self[name] not in among:
            self.wrong(name, _("Xin chọn một dòng."))
            return ""
        return self[name]
