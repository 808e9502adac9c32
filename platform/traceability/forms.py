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

from nongso.platform.languages import NO_BREAK, ZONE, _, date, number

MOST_GRAMS = 10**9  # a thousand tonnes; more is a slipped finger

_PLAIN = re.compile(r"\d+")
_GROUPED = re.compile(r"\d{1,3}([.,]\d{3})+")
_DECIMAL = re.compile(r"(\d+)[.,](\d{1,3})0*")  # a fourth decimal shows that it is one
_BOTH = re.compile(r"(\d{1,3}(?:\.\d{3})+),(\d{1,3})|(\d{1,3}(?:,\d{3})+)\.(\d{1,3})")


class Unreadable(ValueError):
    """Not a number that can be used."""


class TwoWays(ValueError):
    """A number that can be read in two ways; both in grams."""

    def __init__(self, large: int, small: int) -> None:
        super().__init__(f"{large} g or {small} g")
        self.large, self.small = large, small


def _grams(whole: str, decimals: str = "") -> int:
    return int(whole) * 1000 + int(decimals.ljust(3, "0"))


def read_grams(text: str) -> int:
    """Read kilograms as people write them. Raises ``Unreadable`` or ``TwoWays``."""
    bare = re.sub(r"[\s\u00a0]|kg$", "", text.strip().lower())
    if not bare.isascii() or len(bare) > 16:
        raise Unreadable(text)
    if _PLAIN.fullmatch(bare):
        return _grams(bare)
    if both := _BOTH.fullmatch(bare):
        whole, decimals = (both[1], both[2]) if both[1] else (both[3], both[4])
        return _grams(re.sub(r"[.,]", "", whole), decimals)
    if _GROUPED.fullmatch(bare):
        separators = set(re.sub(r"\d", "", bare))
        digits = re.sub(r"[.,]", "", bare)
        if len(separators) != 1:
            raise Unreadable(text)
        if bare.count(separators.pop()) > 1:
            return _grams(digits)
        if not bare.startswith("0"):
            raise TwoWays(_grams(digits), int(digits))
    if found := _DECIMAL.fullmatch(bare):
        return _grams(found[1], found[2])
    raise Unreadable(text)


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
    return typed + "0" if _GROUPED.fullmatch(typed) and not typed.startswith("0") else typed


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
        """A line of text."""
        text = " ".join(unicodedata.normalize("NFC", self[name]).split())
        if needed and not text:
            self.wrong(name, _("Xin ghi ô này."))
        if len(text) > longest:
            self.wrong(name, _("Dài quá: nhiều nhất %(most)s ký tự.", most=longest))
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
                    large=kg_typed(e.large) + NO_BREAK + "kg",
                    small=kg_typed(e.small) + NO_BREAK + "kg",
                ),
            )
            return None
        except Unreadable:
            self.wrong(name, _("Không đọc được số này. Xin ghi như 12,5."))
            return None
        if grams > MOST_GRAMS:
            self.wrong(name, _("Số này lớn quá. Xin xem lại."))
            return None
        if grams <= 0:
            self.wrong(name, _("Số này phải lớn hơn 0."))
            return None
        return grams

    def count(self, name: str, low: int, high: int, told: int | None = None) -> int:
        """A whole number. ``told`` is the maximum to say where a later check knows it better."""
        bare = self[name].strip()
        if not (bare.isascii() and bare.isdigit() and low <= int(bare[:9]) <= high):
            self.wrong(
                name,
                _(
                    "Xin ghi một số từ %(low)s đến %(high)s.",
                    low=number(low),
                    high=number(high if told is None else told),
                ),
            )
            return low
        return int(bare)

    def day(
        self,
        name: str,
        latest: datetime.date | None = None,
        earliest: datetime.date = datetime.date(2024, 1, 1),
    ) -> datetime.date:
        """A day, from a date field or typed as 21/11/2026."""
        text = self[name].strip()
        found = None
        for shape in ("%Y-%m-%d", "%d/%m/%Y"):
            try:
                found = datetime.datetime.strptime(text, shape).replace(tzinfo=ZONE).date()
            except ValueError:
                continue
        if found is None:
            self.wrong(name, _("Xin ghi ngày như 21/11/2026."))
            return earliest
        if latest is not None and found > latest:
            self.wrong(name, _("Ngày này chưa đến. Hôm nay là %(day)s.", day=date(latest)))
        elif found < earliest:
            self.wrong(name, _("Ngày này quá xa: sớm nhất là %(day)s.", day=date(earliest)))
        return found

    def choice(self, name: str, among: Collection[str]) -> str:
        """One of what was offered."""
        if self[name] not in among:
            self.wrong(name, _("Xin chọn một dòng."))
            return ""
        return self[name]
