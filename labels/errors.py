"""What can go wrong in the print shop, each with the values needed to act.

The texts are English, for whoever runs the command; the platform turns the classes and
their values into its own Vietnamese sentences.
"""


class LabelError(Exception):
    """A label or sheet that is not made; the text says why and what to do."""


class TextNotEncodable(LabelError):
    """The text of a code holds letters that phones read in different ways."""

    def __init__(self, text: str, letter: str) -> None:
        super().__init__(
            f"a code cannot hold {letter!r}: use only ASCII letters, digits and marks, and"
            " percent-encode the rest of an address"
            if letter
            else "a code cannot be empty"
        )
        self.text, self.letter = text, letter


class TextTooLong(LabelError):
    """More text than the largest QR symbol can hold."""

    def __init__(self, length: int) -> None:
        super().__init__(f"{length} characters are more than a QR code can hold")
        self.length = length


class ModuleTooSmall(LabelError):
    """The modules of the code would be smaller than a phone reads on a cheap print."""

    def __init__(
        self, text: str, side: int, box_mm: float, module_mm: float, least_mm: float
    ) -> None:
        super().__init__(
            f"{text!r} needs {side} modules a side with its quiet zone; in {box_mm:g} mm a module"
            f" would be {module_mm:.3f} mm, and at least {least_mm:g} mm is needed: shorten the"
            " address (upper case takes less room) or take a layout with a larger code"
        )
        self.side, self.box_mm, self.module_mm, self.least_mm = side, box_mm, module_mm, least_mm


class TextDoesNotFit(LabelError):
    """The text does not fit its block, not even in the smallest letters allowed."""

    def __init__(self, block: str, text: str, smallest_pt: float, what: str) -> None:
        super().__init__(
            f"the text {text!r} does not fit the block {block!r} at {smallest_pt:g} pt, the"
            f" smallest letters of this layout ({what}): shorten it or take a larger label"
        )
        self.block, self.text, self.smallest_pt = block, text, smallest_pt


class LetterMissing(LabelError):
    """The font has no picture for a letter."""

    def __init__(self, letter: str, text: str) -> None:
        super().__init__(f"the font has no letter {letter!r} (U+{ord(letter):04X}) in {text!r}")
        self.letter, self.text = letter, text


class UnknownBlock(LabelError):
    """Text for a block that the layout does not have."""

    def __init__(self, block: str, known: tuple[str, ...]) -> None:
        super().__init__(f"the layout has no block {block!r}; it has {', '.join(known)}")
        self.block = block


class UnknownLayout(LabelError):
    """No layout of that name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no layout {name!r}; known: {', '.join(known)}")
        self.name, self.known = name, known


class BadLayout(LabelError):
    """A layout that cannot be printed. ``places`` are what is wrong on it, the culprit last."""

    def __init__(self, said: str, reason: str = "", *places: str) -> None:
        super().__init__(said)
        self.reason, self.places = reason, places


class StartCellOutside(LabelError):
    """The first cell to print is not on the sheet."""

    def __init__(self, start_cell: int, cells: int) -> None:
        super().__init__(f"a sheet has cells 1 to {cells}, there is no cell {start_cell}")
        self.start_cell, self.cells = start_cell, cells


class NothingToPrint(LabelError):
    """A sheet without labels."""


class LabelRefused(LabelError):
    """One label of many cannot be made; ``number`` counts from 1, ``cause`` tells why."""

    def __init__(self, number: int, cause: LabelError) -> None:
        super().__init__(f"label {number}: {cause}")
        self.number, self.cause = number, cause


class SheetNotReadable(LabelError):
    """The finished pages were read back and do not say what was meant; no file is released."""

    def __init__(self, page: int, cell: int, meant: str, read: str | None) -> None:
        super().__init__(
            f"page {page}, cell {cell}: meant {meant!r}, read "
            + ("nothing" if read is None else repr(read))
            + "; no file was written"
        )
        self.page, self.cell, self.meant, self.read = page, cell, meant, read


class BadTable(LabelError):
    """A CSV file, or one cell of it, that labels cannot be made from."""

    def __init__(self, detail: str, row: int | None = None, column: str | None = None) -> None:
        where = "" if row is None else f"row {row}"
        where += "" if column is None else f", column {column}"
        super().__init__(f"{where}: {detail}" if where else detail)
        self.row, self.column, self.detail = row, column, detail


class BadOutput(LabelError):
    """A sheet cannot be written there without losing something else."""


class WrongFormat(LabelError):
    """A layout and a format that do not belong together."""


class BadPrinter(LabelError):
    """A printer's settings that cannot be used, or a file of them that cannot be read."""


class PrinterFailed(LabelError):
    """Labels could not be handed to a printer, or not all of them.

    ``sent`` of ``labels`` were handed over whole; the printer does not say what it made of them.
    """

    def __init__(self, detail: str, sent: int, labels: int) -> None:
        super().__init__(detail)
        self.sent, self.labels = sent, labels


class BadGtin(LabelError):
    """A number that is no GTIN, or none for this kind of bar code."""

    def __init__(self, gtin: str, detail: str) -> None:
        super().__init__(f"{gtin!r}: {detail}")
        self.gtin = gtin


class BadElement(LabelError):
    """An element that a GS1-128 bar code cannot hold."""

    def __init__(self, identifier: str, value: str, detail: str) -> None:
        super().__init__(f"({identifier}) {value!r}: {detail}")
        self.identifier, self.value = identifier, value


class NoRoomForBars(LabelError):
    """A GTIN for a layout that has no place for a bar code."""

    def __init__(self, layout: str) -> None:
        super().__init__(f"{layout} has no place for a bar code: leave the GTIN out")
        self.layout = layout


class BarsTooNarrow(LabelError):
    """The bars would be narrower than a scanner at the till reads."""

    def __init__(self, width: int, box_mm: float, module_mm: float, least_mm: float) -> None:
        super().__init__(
            f"a bar code of {width} modules with its quiet zones: in {box_mm:g} mm a module would"
            f" be {module_mm:.3f} mm, and at least {least_mm:g} mm is needed: take a layout with"
            " a wider place for it, or a finer printer"
        )
        self.width, self.box_mm, self.module_mm = width, box_mm, module_mm
        self.least_mm = least_mm


class BadLogo(LabelError):
    """A picture that cannot be printed in a label.

    ``reason`` is a word for programs, ``what`` the part of a drawing that is in the way.
    """

    def __init__(self, said: str, reason: str = "unreadable", what: str = "") -> None:
        super().__init__(said)
        self.reason, self.what = reason, what


class NoRoomForScratch(LabelError):
    """A scratch code for a layout that has no place for one."""

    def __init__(self, layout: str) -> None:
        super().__init__(f"{layout} has no place for a scratch code: leave it out")
        self.layout = layout


class NoRoomForLogo(LabelError):
    """A picture for a layout that has no place for one."""

    def __init__(self, layout: str) -> None:
        super().__init__(f"{layout} has no place for a picture: leave it out")
        self.layout = layout
