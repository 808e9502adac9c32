"""Why the records do not take something. Each error has the values that its sentence needs.

The sentences, in the reader's language, are in ``nongso.platform.traceability.sentences``.
``field`` names the field of a form beside which the sentence belongs.
"""

import datetime

from nongso.labels.layout import Layout


class Refused(Exception):
    """Something that is not recorded. ``code`` is stable, for programs."""

    code = "refused"
    field = ""


class LotUnknown(Refused):
    """No lot with this code in this cooperative."""

    code = "lot_unknown"
    field = "lot"

    def __init__(self, lot: str) -> None:
        super().__init__(f"no lot {lot}")
        self.lot = lot


class WrongKind(Refused):
    """The lot cannot be used for this step (noodles are not made of cabbage)."""

    code = "wrong_kind"
    field = "lot"

    def __init__(self, lot: str, kind: str) -> None:
        super().__init__(f"lot {lot} is {kind}")
        self.lot, self.kind = lot, kind


class NotEnough(Refused):
    """More is to be taken from a lot than it has left."""

    code = "not_enough"
    field = "inputs"

    def __init__(self, lot: str, left_grams: int, wanted_grams: int) -> None:
        super().__init__(f"lot {lot} has {left_grams} g left, {wanted_grams} g are wanted")
        self.lot, self.left_grams, self.wanted_grams = lot, left_grams, wanted_grams


class MoreOutThanIn(Refused):
    """A step would give more than it took."""

    code = "more_out_than_in"
    field = "output"

    def __init__(self, in_grams: int, out_grams: int) -> None:
        super().__init__(f"{out_grams} g out of {in_grams} g")
        self.in_grams, self.out_grams = in_grams, out_grams


class NothingTaken(Refused):
    """A step without anything that goes in."""

    code = "nothing_taken"
    field = "inputs"


class BeforeItsSource(Refused):
    """A step dated before the lot that it uses came to be.

    ``source`` says what happened that day: the kind of the lot, or ``lifted``.
    """

    code = "before_its_source"
    field = "day"

    def __init__(self, lot: str, day: str, source: str) -> None:
        super().__init__(f"{source} {lot} is of {day}")
        self.lot, self.day, self.source = lot, day, source


class WrongCrop(Refused):
    """A lot of one crop is not packed as another product. ``crop`` is the product's, or empty."""

    code = "wrong_crop"
    field = "lot"

    def __init__(self, lot: str, grown: str, product: str, crop: str) -> None:
        super().__init__(f"lot {lot} is {grown!r}, product {product!r} is of {crop!r}")
        self.lot, self.grown, self.product, self.crop = lot, grown, product, crop


class BestBeforeTooEarly(Refused):
    """Best before the day of packing, or on it."""

    code = "best_before_too_early"
    field = "best_before"

    def __init__(self, packed: str) -> None:
        super().__init__(f"packed on {packed}")
        self.packed = packed


class BestBeforeTooLate(Refused):
    """Best before longer than the product keeps."""

    code = "best_before_too_late"
    field = "best_before"

    def __init__(self, latest: str, days: int) -> None:
        super().__init__(f"keeps {days} days, until {latest}")
        self.latest, self.days = latest, days


class Withdrawn(Refused):
    """The record of this lot was withdrawn; nothing more is done with it."""

    code = "withdrawn"
    field = "lot"

    def __init__(self, lot: str) -> None:
        super().__init__(f"lot {lot} was withdrawn")
        self.lot = lot


class UsedAlready(Refused):
    """A lot that others were made from is not withdrawn before them."""

    code = "used_already"
    field = "why"

    def __init__(self, lot: str, targets: list[str]) -> None:
        super().__init__(f"of lot {lot} were made {', '.join(targets)}")
        self.lot, self.targets = lot, targets


class AlreadyRecorded(Refused):
    """The same form was sent before with other contents; what was sent first stands."""

    code = "already_recorded"


class PlaceUnknown(Refused):
    """No greenhouse, household or product of that name in this cooperative."""

    code = "unknown"

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"no {what} {name!r}")
        self.field, self.name = what, name


class WhichPlot(Refused):
    """A plot of this household is held back by a spraying, and nobody said which one it was."""

    code = "which_plot"
    field = "plot"

    def __init__(self, plot: str) -> None:
        super().__init__(f"plot {plot} is held back; which plot was it?")
        self.plot = plot


class TooManyLabels(Refused):
    """More labels than packs (model sentence 10)."""

    code = "too_many_labels"
    field = "count"

    def __init__(self, packs: int, issued: int, left: int, wanted: int) -> None:
        super().__init__(f"{packs} packs, {issued} labels issued, {left} left, {wanted} wanted")
        self.packs, self.issued, self.left, self.wanted = packs, issued, left, wanted


class TooManyAtOnce(Refused):
    """More labels than one file holds."""

    code = "too_many_at_once"
    field = "count"

    def __init__(self, most: int) -> None:
        super().__init__(f"at most {most} labels at once")
        self.most = most


class NotPacked(Refused):
    """Labels are for packs; this lot has none."""

    code = "not_packed"
    field = "count"

    def __init__(self, lot: str) -> None:
        super().__init__(f"lot {lot} is not packed")
        self.lot = lot


class SerialUnknown(Refused):
    """A label number that was never issued for this lot, or was reported before."""

    code = "serial_unknown"
    field = "names"

    def __init__(self, serials: list[str]) -> None:
        super().__init__(", ".join(serials))
        self.serials = serials


class LabelNotPrintable(Refused):
    """The print shop refuses: its reason is the cause.

    ``fits`` is the smallest layout on which the same label comes out, where a larger one helps.
    """

    code = "label_not_printable"
    field = "layout"

    def __init__(self, field: str = "layout", fits: Layout | None = None) -> None:
        super().__init__("the label cannot be printed on this layout")
        self.field, self.fits = field, fits


class BadGtin(Refused):
    """A number that is no GTIN, or not one for goods in open trade."""

    code = "bad_gtin"
    field = "gtin"

    def __init__(self, gtin: str, why: str) -> None:
        super().__init__(f"{gtin}: {why}")
        self.gtin, self.why = gtin, why


class HeldBack(Refused):
    """A spraying's pre-harvest interval is not over, or was not when the lot was gathered.

    ``deed`` is ``harvest``, ``weigh`` or ``pack``; ``until`` is the last day that is held back;
    ``harvested`` is the day of a harvest that came too early, ``None`` of what still grows.
    """

    code = "held_back"

    def __init__(
        self,
        lot: str,
        deed: str,
        product: str,
        sprayed: datetime.date,
        until: datetime.date,
        harvested: datetime.date | None,
    ) -> None:
        super().__init__(f"lot {lot}: {product} sprayed on {sprayed} holds it back until {until}")
        self.field = {"harvest": "day", "weigh": "lifted"}.get(deed, "lot")
        self.lot, self.deed, self.product = lot, deed, product
        self.sprayed, self.until, self.harvested = sprayed, until, harvested
