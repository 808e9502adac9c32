"""From a file to the registry: first a plan that can be looked at, then, if all is well, the rows.

``plan`` reads every cell with the forms' own readers and says what would be new, what would
change and what is wrong, cell by cell; it writes nothing. ``carry_out`` writes a plan without
troubles. What is not in the file stays as it is: nothing is ever taken away by a file. The same
file a second time changes nothing. A thing that an earlier row or sheet of the file brings is
known to those after it.
"""

import datetime
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.forms import Form
from nongso.platform.languages import _, number
from nongso.platform.traceability.moving.records import Holder
from nongso.platform.traceability.records import Lot, Producer, Product
from nongso.platform.traceability.registry import forms as registry_forms
from nongso.platform.traceability.registry import history as registry_history
from nongso.platform.traceability.registry import vouching
from nongso.platform.traceability.registry.records import Certificate
from nongso.platform.traceability.shopper.shelf import folded
from nongso.platform.traceability.spreadsheets.sheets import (
    CERTIFICATES,
    HOLDERS,
    PLOTS,
    PRODUCERS,
    PRODUCTS,
    SHEETS,
    Column,
    Names,
    Sheet,
    sheet_named,
    shown,
)
from nongso.platform.traceability.spreadsheets.tables import (
    MOST_ROWS,
    Cell,
    Formula,
    Table,
    column_letter,
)

MOST_TROUBLES = 200  # told at once; whoever has more fixes these first
# Values of tables that are written in a field of another name.
_FIELDS = {"area": "amount", "area_m2": "amount", "latitude": "point", "longitude": "point"}
NEW, CHANGED, SAME = "new", "changed", "same"
Key = tuple[str, ...]


@dataclass(frozen=True)
class Trouble:
    """A cell that cannot be taken. ``column`` is empty where the whole row or sheet is meant."""

    sheet: str
    row: int
    column: str
    title: str
    sentence: str


class Cells(NamedTuple):
    """A cell that would change: the title of its column, what stands there now, what will."""

    title: str
    old: str
    new: str


@dataclass(frozen=True)
class Change:
    """What a row would do. ``fields`` are the cells that would change."""

    sheet: Sheet
    row: int
    key: str
    state: str
    id: str
    values: dict[str, Any]
    subjects: frozenset[str] | None = None
    fields: tuple[Cells, ...] = ()

    @property
    def is_dated(self) -> bool:
        """Say whether a name or address would change, of which old lots show the former one."""
        return (
            self.sheet is PRODUCERS
            and self.state == CHANGED
            and bool(set(self.values) & set(registry_history.DATED))
        )


@dataclass
class Plan:
    """What a file would do."""

    changes: list[Change] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    more_troubles: int = 0
    unknown_sheets: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Say whether it may be carried out."""
        return not self.troubles

    @property
    def is_dated(self) -> bool:
        """Say whether names or addresses of producers would change."""
        return any(change.is_dated for change in self.changes)

    def count(self, state: str) -> int:
        """How many rows are new, changed or the same."""
        return sum(change.state == state for change in self.changes)

    def wrong(self, trouble: Trouble) -> None:
        """Note a trouble; beyond so many they are only counted."""
        if len(self.troubles) < MOST_TROUBLES:
            self.troubles.append(trouble)
        else:
            self.more_troubles += 1


def export(session: Session, cooperative: str) -> list[Table]:
    """The whole registry of a cooperative, sheet by sheet."""
    registry = _Registry(session, cooperative)
    tables = []
    for sheet in SHEETS:
        columns = sheet.columns()
        rows: list[tuple[Cell, ...]] = [tuple(column.title for column in columns)]
        for _key, one in sorted(registry.rows[sheet.what].items()):
            values = sheet.row(one, registry.names)
            rows.append(tuple(shown(column, values[column.field]) for column in columns))
        tables.append(Table(sheet.name, tuple(rows)))
    return tables


class _Registry:
    """What is written down now, by key; grows by what the file brings."""

    def __init__(self, session: Session, cooperative: str) -> None:
        self.rows: dict[str, dict[Key, Any]] = {}
        self.ids: dict[str, dict[Key, str]] = {}
        for sheet in SHEETS:
            table = sheet.table
            found = session.scalars(select(table).where(table.cooperative == cooperative)).unique()
            self.rows[sheet.what] = {
                _key_of(sheet, (str(getattr(one, name)) for name in sheet.key)): one
                for one in found
            }
            self.ids[sheet.what] = {key: one.id for key, one in self.rows[sheet.what].items()}
        lots = session.scalars(select(Lot.code).where(Lot.cooperative == cooperative))
        self.names = Names(
            {one.id: one.code for one in self.rows[PRODUCERS.what].values()},
            {one.id: one.name for one in self.rows[PRODUCTS.what].values()},
            {one.id: one.code for one in self.rows[PLOTS.what].values()},
            frozenset(lots),
        )

    def know(self, sheet: Sheet, key: Key, id_: str, said: str) -> None:
        """Know a thing that the file brings."""
        self.ids[sheet.what][key] = id_
        named = {
            PRODUCERS.what: self.names.producers,
            PRODUCTS.what: self.names.products,
            PLOTS.what: self.names.plots,
        }.get(sheet.what)
        if isinstance(named, dict):
            named[id_] = said


def _key_of(sheet: Sheet, parts: Iterable[str]) -> Key:
    """What names a row: codes are written in capitals, names and numbers as they are."""
    bare = (" ".join(part.split()) for part in parts)
    return tuple(part.upper() if sheet.key == ("code",) else part for part in bare)


def plan(session: Session, cooperative: str, tables: list[Table], today: datetime.date) -> Plan:
    """Say what the file would do, writing nothing."""
    made = Plan()
    registry = _Registry(session, cooperative)
    found: dict[str, tuple[Sheet, Table]] = {}
    for table in tables:
        head = [cell for cell in table.rows[0] if isinstance(cell, str)] if table.rows else []
        sheet = sheet_named(table.name, head)
        if sheet is None or not head:
            made.unknown_sheets.append(table.name or _("tệp CSV"))
        elif sheet.what in found:
            made.wrong(Trouble(table.name, 1, "", "", _("Có hai trang tính cùng loại.")))
        else:
            found[sheet.what] = (sheet, table)
    for known in SHEETS:
        if known.what in found:
            _plan_sheet(made, registry, *found[known.what], today)
    if not found and made.ok:
        made.wrong(
            Trouble("", 0, "", "", _("Không có trang tính nào của sổ. Xin tải tệp mẫu về xem."))
        )
    return made


def _plan_sheet(
    made: Plan, registry: _Registry, sheet: Sheet, table: Table, today: datetime.date
) -> None:
    columns, name = sheet.columns(), table.name or sheet.name
    by_title = {folded(column.title): column for column in columns}
    placed: dict[int, Column] = {}
    for at, cell in enumerate(table.rows[0]):
        column = by_title.get(folded(cell)) if isinstance(cell, str) else None
        if column is None:
            if cell != "":
                text = cell.text if isinstance(cell, Formula) else cell
                said = _("Không có cột nào tên như thế. Xin sửa tên cột hoặc bỏ cột này.")
                made.wrong(Trouble(name, 1, column_letter(at + 1), text[:40], said))
        elif column in placed.values():
            said = _("Cột này có hai lần.")
            made.wrong(Trouble(name, 1, column_letter(at + 1), column.title, said))
        else:
            placed[at] = column
    missing = [c.title for c in columns if c.field in sheet.key and c not in placed.values()]
    if missing:
        said = _("Thiếu cột %(titles)s.", titles=", ".join(missing))
        made.wrong(Trouble(name, 1, "", "", said))
        return
    if table.cut:
        said = _("Trang tính dài quá, nhiều nhất %(most)s dòng.", most=number(MOST_ROWS))
        made.wrong(Trouble(name, MOST_ROWS, "", "", said))
    seen: dict[Key, int] = {}
    for row, cells in enumerate(table.rows[1:], 2):
        if cells:
            _plan_row(made, registry, sheet, name, row, cells, placed, seen, today)


def _plan_row(
    made: Plan,
    registry: _Registry,
    sheet: Sheet,
    name: str,
    row: int,
    cells: tuple[Cell, ...],
    placed: dict[int, Column],
    seen: dict[Key, int],
    today: datetime.date,
) -> None:
    letters = {column.field: column_letter(at + 1) for at, column in placed.items()}
    titles = {column.field: column.title for column in sheet.columns()}

    def wrong(field_: str, sentence: str) -> None:
        made.wrong(Trouble(name, row, letters.get(field_, ""), titles.get(field_, ""), sentence))

    sent: dict[str, str] = {}
    troubled = False
    for at, column in placed.items():
        cell = cells[at] if at < len(cells) else ""
        if isinstance(cell, Formula):
            wrong(column.field, _("Ô này là công thức. Xin chép giá trị vào thay công thức."))
            troubled = True
        elif (meant := _meant(column, cell)) is None:
            known = ", ".join(word for word in column.words if word not in ("0", "1"))
            wrong(column.field, _("Xin ghi một trong: %(words)s.", words=known))
            troubled = True
        else:
            sent[column.field] = meant
    if troubled:
        return
    key = _key_of(sheet, (sent[part] for part in sheet.key))
    there = registry.rows[sheet.what].get(key)
    if not all(key):
        wrong(sheet.key[key.index("")], _("Ô này còn trống, xin ghi vào."))
        return
    if key in seen:
        wrong(sheet.key[0], _("Dòng này trùng với dòng %(row)s.", row=number(seen[key])))
        return
    seen[key] = row
    now = {} if there is None else sheet.row(there, registry.names)
    whole = {**_fresh(sheet, today), **now, **sent}
    form = Form(_sent(sheet, whole, registry))
    values = _read(sheet, form, registry, today)
    subjects = _subjects(form, registry.names) if sheet is CERTIFICATES else None
    if not form.ok:
        for field_, sentence in form.errors.items():
            wrong({"unit": "amount"}.get(field_, field_), sentence)
        return
    id_ = str(uuid.uuid4()) if there is None else there.id
    differ, same_subjects = values, True
    if there is not None:
        differ = {n: value for n, value in values.items() if getattr(there, n) != value}
        if subjects is not None:
            same_subjects = subjects == there.is_for
    state = NEW if there is None else SAME if not differ and same_subjects else CHANGED
    changed = [_FIELDS.get(n, n) for n in differ] + ([] if same_subjects else ["for"])
    by_field = {column.field: column for column in sheet.columns()}
    fields = tuple(
        Cells(titles[n], shown(by_field[n], now.get(n, "")), shown(by_field[n], whole.get(n, "")))
        for n in (dict.fromkeys(changed) if state == CHANGED else ())
    )
    said = " ".join(shown(c, sent[c.field]) for c in sheet.columns() if c.field in sheet.key)
    made.changes.append(Change(sheet, row, said, state, id_, differ, subjects, fields))
    registry.know(sheet, key, id_, str(values[sheet.key[-1]]))


def _meant(column: Column, text: str) -> str | None:
    """What a form would send for what stands in the cell; ``None`` for a word nobody knows."""
    if not column.words or not text:
        return text
    found = {folded(word): value for word, value in column.words.items()}
    return found.get(folded(text))


def _fresh(sheet: Sheet, today: datetime.date) -> dict[str, str]:
    """What a new thing has where the file has no column for it."""
    return {
        PRODUCERS.what: {"kind": "household"},
        PLOTS.what: {"since": datetime.date(today.year, 1, 1).isoformat()},
        PRODUCTS.what: {"origin": "Việt Nam"},
        CERTIFICATES.what: {},
        HOLDERS.what: {"kind": "shop"},
    }[sheet.what]


def _sent(sheet: Sheet, whole: dict[str, str], registry: _Registry) -> dict[str, str]:
    """The fields as the form sends them: a code stands for its producer."""
    if sheet in (PLOTS, PRODUCTS):
        owner = registry.ids[PRODUCERS.what].get(
            _key_of(PRODUCERS, [whole.get("producer_id", "")]), ""
        )
        whole = {**whole, "producer_id": owner}
    return whole


def _read(sheet: Sheet, form: Form, registry: _Registry, today: datetime.date) -> dict[str, Any]:
    owners = set(registry.ids[PRODUCERS.what].values())
    if sheet is PRODUCERS:
        return registry_forms.read_producer(form)
    if sheet is HOLDERS:
        return registry_forms.read_holder(form)
    if sheet in (PLOTS, PRODUCTS):
        if form["producer_id"] not in owners:
            form.wrong("producer_id", _("Không có nơi sản xuất nào mang mã này."))
        if sheet is PLOTS:
            return registry_forms.read_plot(form, owners)
        return registry_forms.read_product(form, owners)
    return registry_forms.read_certificate(form, today)


def _subjects(form: Form, names: Names) -> frozenset[str]:
    found = set()
    for part in form["for"].split(";"):
        if not part.strip():
            continue
        meant = names.meant(part)
        if meant is None:
            form.wrong(
                "for",
                _(
                    "Không có %(name)s trong sổ. Xin ghi như: sản phẩm: Miến dong; hộ: H01.",
                    name=part.strip()[:40],
                ),
            )
        else:
            found.add(meant)
    if not found:
        form.wrong("for", _("Xin chọn giấy này cho sản phẩm, nơi sản xuất, thửa đất hay lô nào."))
    return frozenset(found)


def carry_out(
    session: Session,
    cooperative: str,
    made: Plan,
    actor: str,
    now: int,
    changed_on: datetime.date | None,
) -> None:
    """Write a plan that has no troubles. Call it inside a transaction, where it was made too.

    ``changed_on`` is the day from which changed names and addresses hold; ``None`` where the
    former ones were mistakes.
    """
    if not made.ok:
        raise ValueError("a plan with troubles is not carried out")
    for change in made.changes:
        if change.state == SAME:
            continue
        table = change.sheet.table
        kept = session.scalar(select(table).where(table.id == change.id))
        if kept is None:
            kept = table(id=change.id, cooperative=cooperative)
            session.add(kept)
        elif change.is_dated and changed_on is not None and isinstance(kept, Producer):
            registry_history.remember(session, kept, changed_on, actor, now)
        if isinstance(kept, Holder):
            if change.state == NEW:
                kept.changed_at = now
            else:
                registry_history.remember_holder(session, kept, now)
        for name, value in change.values.items():
            setattr(kept, name, value)
        if isinstance(kept, Certificate) and change.subjects is not None:
            kept.let_be_for(change.subjects)
        session.flush()
        if isinstance(kept, Certificate | Producer | Product):
            vouching.note(session, kept, actor, now)
