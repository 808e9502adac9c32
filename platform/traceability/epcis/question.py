"""The simple event query: parameters in, one question out, or what cannot be read in them.

Texts come from an address (`EQ_bizStep=shipping|receiving`) or from JSON (`"EQ_bizStep":
["shipping"]`); both give the same question. Words may be bare, in full or short; identifiers any
way of writing. A name of somebody's own field is written in full (`EQ_https://ns.example/#grade`)
or short, where the asker says what the prefix stands for (`@context`, or the header
`GS1-Extensions`).

Not here, and refused by name: `WD_` beyond the identifiers' own tree (the registry has no places
within places), `HASATTR_` and `EQATTR_` of other fields than places and parties (there is no
master data of goods), ordering by fields of one's own.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nongso.platform.traceability.epcis.errors import bad_query
from nongso.platform.traceability.epcis.model import ACTIONS, EVENT_TYPES
from nongso.platform.traceability.epcis.model_values import can_be_written, is_uri
from nongso.platform.traceability.epcis.namespaces import Prefixes, expand
from nongso.platform.traceability.epcis.same_name import canonical, same_form
from nongso.platform.traceability.epcis.terms import (
    BIZ_LOCATION,
    CLASSES,
    EPCS,
    ERROR,
    ILMD,
    METADATA,
    READ_POINT,
    REPORT,
    SENSOR,
    SENSOR_NUMBERS,
    SENSOR_TIMES,
    TOP,
    milliseconds,
    whole_word,
)
from nongso.platform.traceability.epcis.vocabulary import words

MOST_VALUES = 200
MOST_CONDITIONS = 60
LONGEST_NAME = 300
PER_PAGE, MOST_PER_PAGE = 30, 500
MOST_COUNT = 1_000_000

COMPARISONS = ("GT", "GE", "LT", "LE")


@dataclass(frozen=True)
class Among:
    """The value of a column, or of one of these fields of the index, is one of these.

    ``prefixes`` are beginnings that also count: whole classes and places with what is in them.
    """

    fields: tuple[str, ...]
    values: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column is one of these, or begins with one of ``prefixes``."""

    name: str
    values: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Range:
    """A column compared with a number."""

    name: str
    how: str
    than: int


@dataclass(frozen=True)
class Amount:
    """An amount of the index compared; ``unit`` is ``None`` where any will do."""

    field: str
    how: str
    than: tuple[float, ...]
    unit: str | None = None


@dataclass(frozen=True)
class Exists:
    """Some value of a field of the index is there."""

    field: str


@dataclass(frozen=True)
class Attributed:
    """A place or party of which the registry says this; ``master_data`` knows which those are.

    ``values`` is ``None`` where the attribute need only be there.
    """

    field: str
    attributes: tuple[str, ...]
    values: tuple[str, ...] | None = None


Condition = Among | Column | Range | Amount | Exists | Attributed


@dataclass(frozen=True)
class Question:
    """What is asked, how it is ordered, and how much of it."""

    conditions: tuple[Condition, ...] = ()
    by: str = "at_ms"
    descending: bool = True
    per_page: int = PER_PAGE
    token: str = ""
    first: int | None = None  # eventCountLimit
    most: int | None = None  # maxEventCount
    asked: Mapping[str, Any] = field(default_factory=dict)

    def narrowed(self, *more: Condition) -> "Question":
        """Return the question with further conditions."""
        return replace(self, conditions=(*self.conditions, *more))


_WORDS = {
    "EQ_bizStep": ("biz_step", "business_steps"),
    "EQ_disposition": ("disposition", "dispositions"),
}
_TERM_WORDS = {
    "EQ_persistentDisposition_set": ("set", "dispositions"),
    "EQ_persistentDisposition_unset": ("unset", "dispositions"),
    "EQ_errorReason": ("errorReason", "error_reasons"),
    "EQ_type": ("type", "measurements"),
}
_NAMES = {
    "EQ_transformationID": ("transformationID",),
    "MATCH_epc": ("epc",),
    "MATCH_parentID": ("parent",),
    "MATCH_inputEPC": ("inEPC",),
    "MATCH_outputEPC": ("outEPC",),
    "MATCH_anyEPC": tuple(EPCS),
    "MATCH_epcClass": ("class",),
    "MATCH_inputEPCClass": ("inClass",),
    "MATCH_outputEPCClass": ("outClass",),
    "MATCH_anyEPCClass": tuple(CLASSES),
    "EQ_deviceID": ("deviceID",),
    "EQ_dataProcessingMethod": ("dataProcessingMethod",),
    "EQ_microorganism": ("microorganism",),
    "EQ_chemicalSubstance": ("chemicalSubstance",),
    "EQ_bizRules": ("bizRules",),
    "EQ_uriValue": ("uriValue",),
}
_TEXTS = {
    "EQ_stringValue": "stringValue",
    "EQ_hexBinaryValue": "hexBinaryValue",
    "EQ_correctiveEventID": "correctiveEventID",
}
_PLACES = {"readPoint": "read_point", "bizLocation": "biz_location"}
_ATTRIBUTED = {**_PLACES, "source": "source", "destination": "destination"}
_TIMES = {
    "eventTime": "at_ms",
    "recordTime": "recorded_ms",
    "errorDeclarationTime": "error_ms",
    "errorDeclaration_Time": "error_ms",
}
_TYPED = {
    "bizTransaction": "transaction_types",
    "source": "party_types",
    "destination": "party_types",
}
_WHERE = {
    "INNER_ILMD": ILMD + "+",
    "ILMD": ILMD,
    "INNER_ERROR_DECLARATION": ERROR + "+",
    "ERROR_DECLARATION": ERROR,
    "INNER_SENSORELEMENT": SENSOR + "+",
    "SENSORELEMENT": SENSOR,
    "INNER_SENSORMETADATA": METADATA + "+",
    "SENSORMETADATA": METADATA,
    "INNER_SENSORREPORT": REPORT + "+",
    "SENSORREPORT": REPORT,
    "INNER_readPoint": READ_POINT + "+",
    "readPoint": READ_POINT,
    "INNER_bizLocation": BIZ_LOCATION + "+",
    "bizLocation": BIZ_LOCATION,
    "INNER": TOP + "+",
}
_UNIT = re.compile(r"[A-Z0-9]{2,4}")
_NUMBER = re.compile(r"[+-]?[0-9.]{1,40}([eE]-?[0-9]+)?")
_TRUE, _FALSE = ("true", "1", ""), ("false", "0")


class _Reader:
    """Reads one set of parameters."""

    def __init__(self, asked: Mapping[str, Any], prefixes: Prefixes) -> None:
        self._asked = asked
        self._prefixes = prefixes

    def question(self) -> Question:
        made = Question(asked=dict(self._asked))
        found: list[Condition] = []
        for name, value in self._asked.items():
            if len(name) > LONGEST_NAME:
                raise bad_query("a parameter's name is too long")
            if name in _CONTROLS or name == "@context":
                continue
            found += self._condition(name, value)
        if len(found) > MOST_CONDITIONS:
            raise bad_query(f"more than {MOST_CONDITIONS} conditions at once")
        return self._controlled(replace(made, conditions=tuple(found)))

    # What stands in the question beside its conditions.

    def _controlled(self, made: Question) -> Question:
        order = self._text("orderBy")
        columns = {"": "at_ms", "eventTime": "at_ms", "recordTime": "recorded_ms"}
        if order not in columns:
            raise bad_query("orderBy is eventTime or recordTime here", parameter="orderBy")
        direction = self._text("orderDirection") or "DESC"
        if direction not in ("ASC", "DESC"):
            raise bad_query("orderDirection is ASC or DESC", parameter="orderDirection")
        first, most = self._whole("eventCountLimit"), self._whole("maxEventCount")
        if first is not None and most is not None:
            raise bad_query("eventCountLimit and maxEventCount exclude each other")
        if first is not None and not order:
            raise bad_query("eventCountLimit needs orderBy", parameter="eventCountLimit")
        per_page = self._whole("perPage")
        return replace(
            made,
            by=columns[order],
            descending=direction == "DESC",
            first=first,
            most=most,
            per_page=PER_PAGE if per_page is None else min(per_page, MOST_PER_PAGE),
            token=self._text("nextPageToken"),
        )

    def _text(self, name: str) -> str:
        value = self._asked.get(name, "")
        if not isinstance(value, str) or len(value) > 2000:
            raise bad_query(f"{name} is no text", parameter=name)
        return value

    def _whole(self, name: str) -> int | None:
        if name not in self._asked:
            return None
        value = self._asked[name]
        text = str(value) if isinstance(value, int | str) and value is not True else ""
        if not re.fullmatch("[0-9]{1,7}", text) or not 1 <= int(text) <= MOST_COUNT:
            raise bad_query(f"{name} is a whole number from 1 to {MOST_COUNT}", parameter=name)
        return int(text)

    # Conditions, by the name of the parameter.

    def _condition(self, name: str, value: Any) -> Sequence[Condition]:
        if name == "eventType":
            return [Column("kind", tuple(self._kind(one) for one in self._list(name, value)))]
        if name == "EQ_action":
            actions = self._list(name, value)
            if not set(actions) <= set(ACTIONS):
                raise bad_query(f"EQ_action is one of {', '.join(ACTIONS)}", parameter=name)
            return [Column("action", tuple(actions))]
        if name == "EQ_eventID":
            return [Column("event_id", tuple(self._uris(name, value)))]
        if name in _WORDS:
            column, list_ = _WORDS[name]
            return [Column(column, self._words(name, value, list_))]
        if name in _TERM_WORDS:
            of, list_ = _TERM_WORDS[name]
            return [Among((of,), self._words(name, value, list_))]
        if name in _NAMES:
            return [self._among(name, _NAMES[name], value)]
        if name in _TEXTS:
            return [Among((_TEXTS[name],), tuple(self._list(name, value)))]
        if name == "EQ_booleanValue":
            return [Among(("booleanValue",), ("true" if self._truth(name, value) else "false",))]
        if name == "EXISTS_errorDeclaration":
            return [Range("error_ms", "GE", -(1 << 62))] if self._truth(name, value) else []
        if name == "EXISTS_sensorElementList":
            return [Exists("sensorElementList")] if self._truth(name, value) else []
        return self._by_parts(name, value)

    def _by_parts(self, name: str, value: Any) -> Sequence[Condition]:
        how, _, what = name.partition("_")
        if how in ("EQ", "WD") and what in _PLACES:
            names = tuple(
                same_form(expand(one, self._prefixes)) for one in self._uris(name, value)
            )
            inside = tuple(one.rstrip("/") + "/" for one in names) if how == "WD" else ()
            return [Column(_PLACES[what], names, inside)]
        if how in ("GE", "LT") and what in _TIMES:
            return [Range(_TIMES[what], how, self._time(name, value))]
        if how in ("GE", "LT") and what in SENSOR_TIMES:
            return [Amount(what, how, (float(self._time(name, value)),))]
        if how == "EQ" and what.startswith("ATTR_"):  # as GS1's schema of queries has it
            how, what = "EQATTR", what.removeprefix("ATTR_")
        if how in ("HASATTR", "EQATTR"):
            return [self._attributed(name, how, what, value)]
        typed, _, kind = what.partition("_")
        if how == "EQ" and typed in _TYPED and kind:
            whole = whole_word(_TYPED[typed], kind, self._prefixes)
            if whole == kind and not is_uri(kind) and kind not in words(_TYPED[typed]).words:
                raise bad_query(f"{name}: {kind} is no standard type and no URI", parameter=name)
            return [self._among(name, (f"{typed}:{whole}",), value)]
        measured, _, unit = what.partition("_")
        if measured in ("quantity", *SENSOR_NUMBERS, "percRank") and (
            how in COMPARISONS or how == "EQ"
        ):
            if unit and not _UNIT.fullmatch(unit):
                raise bad_query(f"{name}: {unit} is no unit", parameter=name)
            return [Amount(measured, how, self._numbers(name, value, how), unit or None)]
        return self._own_field(name, how, what, value)

    def _attributed(self, name: str, how: str, what: str, value: Any) -> Attributed:
        """What the registry says of a place or party."""
        of, _, attribute = what.partition("_")
        if of not in _ATTRIBUTED or bool(attribute) != (how == "EQATTR"):
            raise bad_query(f"no parameter is called {name}", parameter=name)
        listed = tuple(self._list(name, value))
        if how == "EQATTR":
            return Attributed(_ATTRIBUTED[of], (expand(attribute, self._prefixes),), listed)
        return Attributed(_ATTRIBUTED[of], tuple(expand(one, self._prefixes) for one in listed))

    def _own_field(self, name: str, how: str, what: str, value: Any) -> Sequence[Condition]:
        """A field of somebody's own, wherever it may stand."""
        where = TOP
        for word, place in _WHERE.items():
            if what.startswith(word + "_"):
                where, what = place, what[len(word) + 1 :]
                break
        if how not in ("EQ", "EXISTS", *COMPARISONS) or ":" not in what:
            raise bad_query(f"no parameter is called {name}", parameter=name)
        whole = f"{where}:{expand(what, self._prefixes)}"
        if how == "EXISTS":
            return [Exists(whole)] if self._truth(name, value) else []
        if how == "EQ" and (not isinstance(value, int | float) or isinstance(value, bool)):
            texts = (
                self._list(name, value) if not isinstance(value, bool) else [str(value).lower()]
            )
            return [
                Among((whole,), tuple(same_form(expand(one, self._prefixes)) for one in texts))
            ]
        if how == "EQ":
            return [Amount(whole, "EQ", (float(value),))]
        try:
            return [Amount(whole, how, self._numbers(name, value, how))]
        except ValueError:
            return [Amount(f"{whole}@", how, (float(self._time(name, value)),))]

    # Values.

    def _list(self, name: str, value: Any) -> list[str]:
        listed = value if isinstance(value, list) else [value]
        if not 1 <= len(listed) <= MOST_VALUES:
            raise bad_query(f"{name} has from 1 to {MOST_VALUES} values", parameter=name)
        for one in listed:
            if not isinstance(one, str) or not one or not can_be_written(one):
                raise bad_query(f"{name} has a value that is no text", parameter=name)
        return listed

    def _uris(self, name: str, value: Any) -> list[str]:
        listed = self._list(name, value)
        for one in listed:
            if not is_uri(one):
                raise bad_query(f"{name}: {one[:60]!r} is no URI", parameter=name)
        return listed

    def _words(self, name: str, value: Any, list_: str) -> tuple[str, ...]:
        found = []
        for one in self._list(name, value):
            if one not in words(list_).words and not is_uri(one):
                reason = f"{name}: {one[:60]!r} is neither a standard word nor a URI"
                raise bad_query(reason, parameter=name)
            found.append(whole_word(list_, one, self._prefixes))
        return tuple(found)

    def _kind(self, one: str) -> str:
        if one not in EVENT_TYPES and not is_uri(one):
            raise bad_query(f"{one[:60]!r} is no type of event", parameter="eventType")
        return expand(one, self._prefixes)

    def _among(self, name: str, fields: tuple[str, ...], value: Any) -> Among:
        """Identifiers; a pattern ``urn:epc:idpat:…`` stands for all things of its class."""
        exact, beginnings = [], []
        for one in self._uris(name, value):
            whole = expand(one, self._prefixes)
            if whole.startswith("urn:epc:idpat:"):
                class_ = canonical(whole)
                if class_ is None:
                    reason = f"{name}: of patterns only those of one whole class are understood"
                    raise bad_query(reason, parameter=name)
                exact.append(class_)
                beginnings.append(class_ + "/")
            else:
                exact.append(same_form(whole))
        return Among(fields, tuple(exact), tuple(beginnings))

    def _truth(self, name: str, value: Any) -> bool:
        text = "" if value is None else str(value).lower()
        if text not in (*_TRUE, *_FALSE):
            raise bad_query(f"{name} is true or false", parameter=name)
        return text in _TRUE

    def _time(self, name: str, value: Any) -> int:
        try:
            return milliseconds(value if isinstance(value, str) else "")
        except ValueError as error:
            told = f"{name} is no date-time with a time zone"
            if isinstance(value, str) and " " in value:
                told += "; in an address the sign + is written %2B"
            raise bad_query(told, parameter=name) from error

    def _numbers(self, name: str, value: Any, how: str) -> tuple[float, ...]:
        """Numbers. Raises ``ValueError`` for a time, which fields of one's own may have."""
        listed = value if isinstance(value, list) else [value]
        if not 1 <= len(listed) <= (MOST_VALUES if how == "EQ" else 1):
            raise bad_query(f"{name} has too many values or none", parameter=name)
        found = []
        for one in listed:
            text = one if isinstance(one, str) else repr(one)
            if isinstance(one, bool) or not _NUMBER.fullmatch(text):
                if isinstance(one, str) and "T" in one.upper() and ":" in name:
                    raise ValueError(one)
                raise bad_query(f"{name}: {text[:60]!r} is no number", parameter=name)
            try:
                found.append(float(text))
            except ValueError as error:
                raise bad_query(f"{name}: {text[:60]!r} is no number", parameter=name) from error
        return tuple(found)


_CONTROLS = frozenset(
    (
        "orderBy",
        "orderDirection",
        "eventCountLimit",
        "maxEventCount",
        "perPage",
        "nextPageToken",
    )
)


def read(asked: Mapping[str, Any], prefixes: Prefixes) -> Question:
    """Read the parameters of a question. Raises ``EpcisError``."""
    return _Reader(asked, prefixes).question()


def from_address(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the parameters of an address: values between bars, or the parameter repeated."""
    found: dict[str, Any] = {}
    for name, text in pairs:
        if name in _CONTROLS:
            if name in found:
                raise bad_query(f"{name} stands there twice", parameter=name)
            found[name] = text
            continue
        values = text.split("|")
        there = found.get(name)
        found[name] = values if there is None else [*there, *values]
    single = ("GE_", "LT_", "GT_", "LE_", "EXISTS_", "EQ_booleanValue")
    return {
        name: value[0] if name.startswith(single) and len(value) == 1 else value
        for name, value in found.items()
    }
