"""Where derived records are written: the tables of the database, or paper that is thrown away.

What follows from the stream of events (lots, flows, and what other modules plug into
``nongso.platform.traceability.lots``) is written through a ``Book``, so that one and the same
rule keeps the tables and makes everything again from the stream.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from nongso.platform.store import Base
from nongso.platform.traceability.records import Flow, Lot

_Record = TypeVar("_Record", bound=Base)


class Book(Protocol):
    """Where derived records are written. Only what an event itself says may be read here."""

    def lot(self, code: str) -> Lot:
        """The lot that an event speaks of; it is there, because events are in order."""

    def find(self, kind: type[_Record], *key: Any) -> _Record | None:
        """A derived record by its primary key, ``None`` if it did not come about yet."""

    def add(self, record: Base) -> None:
        """A derived record came about."""


@dataclass(frozen=True)
class Tables:
    """The book of the database; inside ``transaction()``."""

    session: Session

    def lot(self, code: str) -> Lot:
        """The lot, which must be there: events are appended in order."""
        return self.session.get_one(Lot, code)

    def find(self, kind: type[_Record], *key: Any) -> _Record | None:
        """A row."""
        return self.session.get(kind, key if len(key) > 1 else key[0])

    def add(self, record: Base) -> None:
        """Insert a row."""
        self.session.add(record)
        self.session.flush()


@dataclass
class Memory:
    """A book on paper."""

    kept: dict[type[Base], dict[tuple[Any, ...], Any]] = field(default_factory=dict)

    @property
    def lots(self) -> dict[str, Lot]:
        """Lots by code."""
        return {key[0]: lot for key, lot in self.kept.get(Lot, {}).items()}

    @property
    def flows(self) -> list[Flow]:
        """What flowed from lot to lot."""
        return list(self.kept.get(Flow, {}).values())

    def lot(self, code: str) -> Lot:
        """The lot. Raises ``KeyError``."""
        found: Lot = self.kept[Lot][(code,)]
        return found

    def find(self, kind: type[_Record], *key: Any) -> _Record | None:
        """A record that was noted."""
        return self.kept.get(kind, {}).get(key)

    def add(self, record: Base) -> None:
        """Note a record, with the defaults that a table would give it."""
        mapper = inspect(type(record))
        for column in mapper.columns:
            name = mapper.get_property_by_column(column).key
            default: Any = column.default
            if getattr(record, name) is None and default is not None and default.is_scalar:
                setattr(record, name, default.arg)
        key = tuple(mapper.primary_key_from_instance(record))
        self.kept.setdefault(type(record), {})[key] = record


def differences(kind: type[Base], kept: list[Any], book: Memory) -> list[str]:
    """Say where one table and the book disagree; empty when all is well."""
    mapper, name = inspect(kind), kind.__tablename__
    table = {tuple(mapper.primary_key_from_instance(record)): record for record in kept}
    noted = book.kept.get(kind, {})
    told = [
        f"{name} {_called(key)}: in the stream, not in the table"
        for key in noted
        if key not in table
    ]
    columns = [mapper.get_property_by_column(column).key for column in mapper.columns]
    for key, record in table.items():
        if key not in noted:
            told.append(f"{name} {_called(key)}: in the table, not in the stream")
            continue
        for column in columns:
            is_, should = getattr(record, column), getattr(noted[key], column)
            if is_ != should:
                told.append(
                    f"{name} {_called(key)}: {column} is {is_!r}, the stream says {should!r}"
                )
    return told


def _called(key: tuple[Any, ...]) -> str:
    return "/".join(str(part) for part in key)
