"""Why an address is no GS1 Digital Link. Each refusal names the part that is wrong.

The texts are for the person who writes software or reads a log; what a shopper or clerk reads is
made elsewhere, from the values that each error carries.
"""


class LinkError(Exception):
    """Something that is no GS1 data. ``code`` is stable, for programs."""

    code = "bad_link"


class NotAnAddress(LinkError):
    """Not an http(s) address at all. ``part`` is scheme, host, letter, length or path."""

    code = "not_an_address"

    def __init__(self, part: str, shown: str) -> None:
        super().__init__(f"not an http or https address: the {part} {shown!r} cannot be")
        self.part, self.shown = part, shown


class NoKey(LinkError):
    """The path has no identification key with a value at its end."""

    code = "no_key"

    def __init__(self, path: str) -> None:
        super().__init__(f"the path {path!r} has no GS1 key followed by its value")
        self.path = path


class WordForm(LinkError):
    """``/gtin/`` and its like, which the standard gave up in 2022."""

    code = "word_form"

    def __init__(self, word: str, ai: str) -> None:
        super().__init__(f"/{word}/ was given up in 2022: write /{ai}/")
        self.word, self.ai = word, ai


class UnknownIdentifier(LinkError):
    """A number that is no application identifier."""

    code = "unknown_identifier"

    def __init__(self, ai: str) -> None:
        super().__init__(f"{ai!r} is no application identifier")
        self.ai = ai


class ValueRefused(LinkError):
    """The value of one identifier cannot be. ``ai`` names it, ``value`` is what was given."""

    code = "bad_value"

    def __init__(self, ai: str, value: str, why: str) -> None:
        super().__init__(f"({ai}) {value!r}: {why}")
        self.ai, self.value, self.why = ai, value, why


class WrongLength(ValueRefused):
    """Too short, too long, or empty."""

    code = "wrong_length"


class WrongLetter(ValueRefused):
    """A letter that the identifier's set does not have."""

    code = "wrong_letter"

    def __init__(self, ai: str, value: str, letter: str, allowed: str) -> None:
        super().__init__(ai, value, f"{letter!r} is not among {allowed}")
        self.letter = letter


class WrongCheckDigit(ValueRefused):
    """The last digit does not fit the ones before it."""

    code = "wrong_check_digit"

    def __init__(self, ai: str, value: str, right: str) -> None:
        super().__init__(ai, value, f"its check digit would be {right}")
        self.right = right


class RuleBroken(ValueRefused):
    """Right letters and length, but no such day, country, … ``rule`` names the rule."""

    code = "rule_broken"

    def __init__(self, ai: str, value: str, rule: str, why: str) -> None:
        super().__init__(ai, value, why)
        self.rule = rule


class WrongOrder(LinkError):
    """What follows the key is no order of its qualifiers."""

    code = "wrong_order"

    def __init__(self, key: str, found: tuple[str, ...]) -> None:
        super().__init__(f"({key}) is not followed by {', '.join(found)} in this order")
        self.key, self.found = key, found


class NotInQuery(LinkError):
    """An identifier that may not stand after the question mark, or not with this key."""

    code = "not_in_query"

    def __init__(self, ai: str, key: str) -> None:
        super().__init__(f"({ai}) may not stand in the query of an address of ({key})")
        self.ai, self.key = ai, key


class Repeated(LinkError):
    """The same identifier twice."""

    code = "repeated"

    def __init__(self, ai: str) -> None:
        super().__init__(f"({ai}) is given twice")
        self.ai = ai


class NotElements(LinkError):
    """A text that is no element string; ``at`` is where reading stopped."""

    code = "not_elements"

    def __init__(self, text: str, at: int) -> None:
        super().__init__(f"no application identifier at letter {at + 1} of {text!r}")
        self.text, self.at = text, at


class WrongCompany(LinkError):
    """Identifiers that cannot be on the same goods, or one without what it belongs to."""

    code = "wrong_company"

    def __init__(self, ai: str, why: str) -> None:
        super().__init__(f"({ai}) {why}")
        self.ai = ai


class NotCompressed(LinkError):
    """A text that is no compressed address."""

    code = "not_compressed"

    def __init__(self, why: str) -> None:
        super().__init__(f"not a compressed GS1 Digital Link: {why}")
        self.why = why
