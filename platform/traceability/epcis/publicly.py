"""By what strangers may ask: only by what they are told anyway.

Somebody who may ask for events by a hidden field learns the field's value by asking. So a question
of a stranger is refused when one of its conditions looks at anything else than what is public.
"""

from nongso.platform.traceability.epcis.errors import EpcisError
from nongso.platform.traceability.epcis.question import (
    Among,
    Amount,
    Attributed,
    Column,
    Condition,
    Exists,
    Question,
    Range,
)
from nongso.platform.traceability.epcis.terms import CLASSES, EPCS

COLUMNS = frozenset(
    ("kind", "action", "biz_step", "disposition", "event_id", "at_ms", "recorded_ms", "error_ms")
)
_OF_OURS = ("name", "kind", "stated", "demonstration")
_ILMD = ("variety", "harvestDate", "packingDate", "bestBeforeDate", "packGrams")
FIELDS = frozenset(
    (
        *EPCS,
        *CLASSES,
        "set",
        "unset",
        "transformationID",
        "errorReason",
        "correctiveEventID",
        "quantity",
        *(f"x:urn:nongso:{name}" for name in _OF_OURS),
        *(f"ilmd:urn:nongso:{name}" for name in _ILMD),
    )
)


def is_public(condition: Condition) -> bool:
    """Say whether a condition looks at public things only."""
    if isinstance(condition, Attributed):
        return False
    if isinstance(condition, Column | Range):
        return condition.name in COLUMNS
    if isinstance(condition, Among):
        return FIELDS.issuperset(condition.fields)
    assert isinstance(condition, Amount | Exists)
    return condition.field.removesuffix("@") in FIELDS


def check(question: Question) -> None:
    """Refuse a stranger's question that looks behind the curtain. Raises ``EpcisError``."""
    if not all(is_public(one) for one in question.conditions):
        detail = "without a token events are found by what is public of them only"
        raise EpcisError("SecurityException", detail)
