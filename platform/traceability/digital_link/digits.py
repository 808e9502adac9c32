"""Check digits of GS1 numbers, check pairs of model numbers, and GTINs of 14 digits."""

# The alphabet and primes of the check pair (GMN, M-UDI-DI): General Specifications, 7.9.5.
_PAIR_VALUES = (
    "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
)
_PAIR_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)
GTIN_LENGTHS = (8, 12, 13, 14)


def are_digits(text: str) -> bool:
    """Say whether a text is of the digits 0-9 only (other scripts have digits too)."""
    return text.isascii() and text.isdigit()


def check_digit(digits: str) -> int:
    """The digit that belongs behind these: weights 3, 1, 3, … from the right, modulo 10."""
    weighted = sum(int(d) * (3, 1)[i % 2] for i, d in enumerate(reversed(digits)))
    return -weighted % 10


def is_checked(digits: str) -> bool:
    """Say whether the last of these digits is the check digit of the others."""
    return len(digits) > 1 and are_digits(digits) and check_digit(digits[:-1]) == int(digits[-1])


def check_pair(text: str) -> str:
    """The two letters that belong behind a model number. Its letters must be of the 82."""
    # Primes from the right: the last letter has the smallest.
    total = sum(
        _PAIR_VALUES.index(letter) * prime
        for letter, prime in zip(reversed(text), _PRIMES, strict=False)
    )
    total %= 1021
    return _PAIR_LETTERS[total >> 5] + _PAIR_LETTERS[total & 31]


def has_check_pair(text: str) -> bool:
    """Say whether the last two letters are the check pair of the others."""
    return (
        2 < len(text) <= 2 + len(_PRIMES)
        and set(text) <= set(_PAIR_VALUES)
        and check_pair(text[:-2]) == text[-2:]
    )


def whole_gtin(digits: str) -> str:
    """A GTIN of 8, 12 or 13 digits written with 14; anything else stays as it is."""
    if are_digits(digits) and len(digits) in GTIN_LENGTHS:
        return digits.zfill(14)
    return digits


def is_restricted(gtin: str) -> bool:
    """Say whether a GTIN (of any length) is for use inside one company or shop only.

    Prefixes 02, 04 and 20-29, and GTIN-8 beginning with 0 or 2, say nothing outside of it.
    """
    if len(gtin) == 8:
        return gtin[0] in "02"
    whole = whole_gtin(gtin)
    return whole[1:3] in ("02", "04") or whole[1] == "2"
