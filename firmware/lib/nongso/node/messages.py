"""Samples of the ring as messages, written from their packed form straight into a buffer.

Nothing is taken from the heap for a message, only once for each heading. ``nongso.wire.payload``
describes what is written. The same samples with the same base give the same bytes.
"""

from nongso.node import record
from nongso.node.interpreter import TYPE_CHECKING
from nongso.wire.writing import BASE_NAME, STATUSES, Column

if TYPE_CHECKING:
    from nongso.node.ring import Item
    from nongso.wire.writing import Writer

_STATUSES = tuple(status.encode() for status in STATUSES)


class Messages:
    """Writes the messages of one node."""

    def __init__(self, eui64: str) -> None:
        self._base = (BASE_NAME + eui64 + ":").encode()
        self._heading = b""
        self._found = record.Reader()

    def _open(self, heading: bytes) -> None:
        """Learn how samples under a heading are written. Raises ``PayloadError``."""
        found = record.unpack_heading(heading)
        self._columns = [Column(name) for name in found.columns]
        self._simulated = found.simulated
        self._boot = found.boot
        self._heading = heading

    def write(
        self,
        out: "Writer",
        items: "list[Item]",
        base: "int | None",
        zero: int,
        quality: bytes,
    ) -> None:
        """Write the message of samples that have one heading.

        ``base``: its base time, ``None`` to count from now; ``zero``: the samples' own time that
        this is. Raises ``PayloadError`` if it gets too long or a series is unknown.
        """
        if items[0].heading != self._heading:
            self._open(items[0].heading)
        found, is_alone = self._found, len(items) == 1
        out.text(b'[{"bn":"')
        out.text(self._base)
        if base is not None:
            out.text(b'","bt":')
            out.decimal(base)
            out.text(b',"n":"boot","v":')
        else:
            out.text(b'","n":"boot","v":')
        out.decimal(self._boot)
        out.text(b',"tq":"')
        out.text(quality)
        if is_alone:
            found.open(items[0].body)
            out.text(b'"},{"n":"seq","v":')
            out.decimal(found.seq)
            out.text(b"}")
        else:
            out.text(b'"}')
        if self._simulated:
            out.text(b',{"n":"simulated","vb":true}')
        found.open(items[-1].body)
        if found.lost:
            out.text(b',{"n":"lost","v":')
            out.decimal(found.lost)
            out.text(b"}")
        if is_alone:
            for column in self._columns:
                out.text(b',{"n":"')
                out.text(column.name)
                out.text(b'",')
                self._value(out, column, True)
                self._end(out, zero)
        else:
            self._series(out, items, zero)
        out.text(b"]")

    def _series(self, out: "Writer", items: "list[Item]", zero: int) -> None:
        """Series after series, the samples' numbers first: there a name and unit is said once."""
        found = self._found
        for i in range(-1, len(self._columns)):
            column = self._columns[i] if i >= 0 else None
            is_first = True
            for item in items:
                found.open(item.body)
                out.text(b",{")
                if is_first:
                    is_first = False
                    out.text(b'"bn":"')
                    out.text(self._base)
                    out.text(b"seq" if column is None else column.name)
                    if column is not None:
                        out.text(b'","bu":"')
                        out.text(column.unit)
                    out.text(b'",')
                if column is None:
                    out.text(b'"v":')
                    out.decimal(found.seq)
                else:
                    found.skip(i)
                    self._value(out, column, False)
                self._end(out, zero)

    def _value(self, out: "Writer", column: "Column", has_unit: bool) -> None:
        """The next value of the sample that is open."""
        number = self._found.number()
        kind, number = number & 3, number >> 2
        if kind == 3:
            out.text(b'"vs":"')
            out.text(_STATUSES[number])
            out.text(b'"')
            return
        if has_unit:
            out.text(b'"u":"')
            out.text(column.unit)
            out.text(b'",')
        out.text(b'"v":')
        column.write(out, -number if kind == 1 else number)

    def _end(self, out: "Writer", zero: int) -> None:
        if self._found.at != zero:
            out.text(b',"t":')
            out.decimal(self._found.at - zero)
        out.text(b"}")
