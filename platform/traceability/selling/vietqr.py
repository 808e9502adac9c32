"""The text of a VietQR payment code: written from its parts, read strictly (NAPAS format 1.0).

Objects of two digits of id, two digits of length and a value, some inside others; the last one is
a checksum over all before it. Text goes without Vietnamese marks, because banks' apps expect so.

Here is only the text. It is never put on the label of goods beside the trace code: a sticker that
leads to somebody else's account is a known fraud. Whose account it is, the bank's app shows.
"""

import re
import unicodedata
from dataclasses import dataclass

BANK_DIGITS = 6
LONGEST_ACCOUNT, LONGEST_AMOUNT, LONGEST_TEXT = 19, 13, 25
NAPAS = "A000000727"
ACCOUNT, CARD = "QRIBFTTA", "QRIBFTTC"
STATIC, DYNAMIC = "11", "12"
_AMOUNT = re.compile(r"(?!0+(\.0*)?$)[0-9]+(\.[0-9]*)?")


class BadPayment(Exception):
    """A part that cannot be, or a text that is no payment code. ``part`` names which."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"{part}: {why}")
        self.part = part


@dataclass(frozen=True)
class Payment:
    """What a code asks to be paid. ``amount`` is empty where the payer types it."""

    bank: str
    account: str
    amount: str = ""
    bill: str = ""
    purpose: str = ""
    to_card: bool = False


def crc16(text: str) -> str:
    """CRC-16/IBM-3740 (polynomial 1021, start FFFF, nothing reflected), as four digits."""
    crc = 0xFFFF
    for byte in text.encode("ascii"):
        crc ^= byte << 8
        for _bit in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return f"{crc:04X}"


def without_marks(text: str) -> str:
    """The text in plain letters: đ is d, marks fall away, anything else that is odd too."""
    parts = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    plain = "".join(one for one in parts if " " <= one <= "~")
    return " ".join(plain.split())


def write(payment: Payment) -> str:
    """The text of the code. Raises ``BadPayment``."""
    _check(payment)
    to = _object("00", payment.bank) + _object("01", payment.account)
    where = (
        _object("00", NAPAS)
        + _object("01", to)
        + _object("02", CARD if payment.to_card else ACCOUNT)
    )
    more = "".join(
        _object(id_, without_marks(text))
        for id_, text in (("01", payment.bill), ("08", payment.purpose))
        if text
    )
    text = (
        _object("00", "01")
        + _object("01", DYNAMIC if payment.amount else STATIC)
        + _object("38", where)
        + _object("53", "704")
        + (_object("54", payment.amount) if payment.amount else "")
        + _object("58", "VN")
        + (_object("62", more) if more else "")
        + "6304"
    )
    return text + crc16(text)


def _check(payment: Payment) -> None:
    if re.fullmatch(f"[0-9]{{{BANK_DIGITS}}}", payment.bank) is None:
        raise BadPayment("bank", "a bank has six digits")
    if re.fullmatch(f"[0-9A-Za-z]{{1,{LONGEST_ACCOUNT}}}", payment.account) is None:
        raise BadPayment("account", f"an account has 1 to {LONGEST_ACCOUNT} digits or letters")
    if payment.amount and (
        len(payment.amount) > LONGEST_AMOUNT or _AMOUNT.fullmatch(payment.amount) is None
    ):
        raise BadPayment("amount", "digits with at most one full stop, not zero")
    for part, text in (("bill", payment.bill), ("purpose", payment.purpose)):
        if len(without_marks(text)) > LONGEST_TEXT:
            raise BadPayment(part, f"at most {LONGEST_TEXT} letters")
        if text and not without_marks(text):
            raise BadPayment(part, "nothing is left of it without marks")


def _object(id_: str, value: str) -> str:
    return f"{id_}{len(value):02d}{value}"


def read(text: str) -> Payment:
    """Read a code. Raises ``BadPayment`` for whatever is not exactly as the format says."""
    if not text.isascii() or not text.isprintable():
        raise BadPayment("text", "letters that a code cannot have")
    if text[-8:-4] != "6304" or text[-4:] != crc16(text[:-4]):
        raise BadPayment("crc", "the checksum at the end is wrong or missing")
    outer = _objects(text, "code")
    if next(iter(outer), "") != "00" or outer["00"] != "01":
        raise BadPayment("00", "the format's version comes first, and is 01")
    if list(outer)[-1] != "63":
        raise BadPayment("crc", "something follows the checksum")
    for id_, wanted in (("53", "704"), ("58", "VN")):
        if outer.get(id_) != wanted:
            raise BadPayment(id_, f"{wanted} is expected")
    if outer.get("01") not in (STATIC, DYNAMIC):
        raise BadPayment("01", "11 or 12 is expected")
    where = _objects(outer.get("38", ""), "38")
    if where.get("00") != NAPAS or where.get("02") not in (ACCOUNT, CARD):
        raise BadPayment("38", "not a transfer by NAPAS")
    to = _objects(where.get("01", ""), "38.01")
    more = _objects(outer.get("62", ""), "62")
    found = Payment(
        to.get("00", ""),
        to.get("01", ""),
        outer.get("54", ""),
        more.get("01", ""),
        more.get("08", ""),
        where["02"] == CARD,
    )
    _check(found)
    return found


def _objects(text: str, part: str) -> dict[str, str]:
    """The objects of a text; they must fill it exactly, each id once."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        head = text[at : at + 4]
        if re.fullmatch("[0-9]{4}", head) is None:
            raise BadPayment(part, f"no object at letter {at + 1}")
        id_, length = head[:2], int(head[2:])
        value = text[at + 4 : at + 4 + length]
        if len(value) != length or length == 0:
            raise BadPayment(part, f"object {id_} is shorter than it says")
        if id_ in found:
            raise BadPayment(part, f"object {id_} is there twice")
        found[id_] = value
        at += 4 + length
    return found
