"""The registry as sheets: which columns each has, and how a row of a table is written as texts.

The words are Vietnamese in every language: these files travel between cooperatives. A column is
found by its title, in whatever order they stand, with or without marks; a column that is not
there leaves its values as they are. The key of a row is its code (of a product its name, of a
paper its sort and number): the same key is the same thing.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nongso.platform.traceability.making.recipe_book import recipes
from nongso.platform.traceability.moving.records import Holder
from nongso.platform.traceability.records import VEGETABLES, Producer, Product, product_kinds
from nongso.platform.traceability.registry import fields as registry_fields
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.registry.records import (
    FOOD_SAFETY,
    LOT,
    OCOP,
    OTHER,
    PLOT,
    PRODUCER,
    PRODUCT,
    STANDARD,
    TEST_REPORT,
    VIETGAP,
    Certificate,
)
from nongso.platform.traceability.shopper.shelf import folded

YES = "x"


@dataclass(frozen=True)
class Column:
    """A column: its title, the form's field, and what words stand for which values.

    ``needed`` is asked of a new row. ``words`` turns what people write into what forms send.
    """

    title: str
    field: str
    needed: bool = False
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Names:
    """How things are called in sheets: keys by code or name, and back."""

    producers: Mapping[str, str]  # id: code
    products: Mapping[str, str]  # id: name
    plots: Mapping[str, str]  # id: code
    lots: frozenset[str] = frozenset()

    def called(self, what: str, key: str) -> str:
        """How a certificate's subject is written: ``hộ: H01``; its key where a name misleads."""
        name = self._known(what).get(key, key)
        return f"{SUBJECT_WORDS[what]}: " + (f"#{key}" if ";" in name else name)

    def meant(self, text: str) -> str | None:
        """The subject that was written, as forms send it: ``producer:<id>``; else ``None``."""
        word, _sep, name = (part.strip() for part in text.partition(":"))
        what = next((w for w, said in SUBJECT_WORDS.items() if folded(said) == folded(word)), "")
        if what == LOT:
            return f"{LOT}:{name.upper()}" if name.upper() in self.lots else None
        known = self._known(what)
        found = [key for key, said in known.items() if name in (said, f"#{key}")]
        found = found or [key for key, said in known.items() if folded(said) == folded(name)]
        return f"{what}:{found[0]}" if len(found) == 1 else None

    def _known(self, what: str) -> Mapping[str, str]:
        tables = {PRODUCER: self.producers, PRODUCT: self.products, PLOT: self.plots}
        return tables.get(what, {})


SUBJECT_WORDS = {PRODUCT: "sản phẩm", PRODUCER: "hộ", PLOT: "thửa", LOT: "lô"}
PRODUCER_WORDS = {
    "hợp tác xã": "cooperative",
    "tổ hợp tác": "group",
    "hộ sản xuất": "household",
}
HOLDER_WORDS = {"người mua buôn": "buyer", "cửa hàng": "shop", "hợp tác xã khác": "cooperative"}
CERTIFICATE_WORDS = {
    "OCOP": OCOP,
    "VietGAP": VIETGAP,
    "an toàn thực phẩm": FOOD_SAFETY,
    "kiểm nghiệm": TEST_REPORT,
    "công bố tiêu chuẩn": STANDARD,
    "khác": OTHER,
}
RESULT_WORDS = {"đạt": "yes", "không đạt": "no"}
YES_WORDS = {YES: "1", "có": "1", "1": "1", "không": "", "0": ""}


def product_words() -> dict[str, str]:
    """What sorts of goods are called."""
    found = {"rau, quả nhà màng": VEGETABLES}
    for kind in product_kinds():
        words = None if kind == VEGETABLES else recipes().kinds[kind].packed
        if words is not None:
            found[words.said("vi")] = kind
    return found


@dataclass(frozen=True)
class Sheet:
    """A sheet of the registry."""

    name: str
    table: type[Producer] | type[Plot] | type[Product] | type[Certificate] | type[Holder]
    key: tuple[str, ...]  # the form's fields that name a row
    columns: Callable[[], tuple[Column, ...]]
    row: Callable[[Any, Names], dict[str, str]]  # a record as the form's fields

    @property
    def what(self) -> str:
        """The table's name."""
        return self.table.__tablename__


def _producer_columns() -> tuple[Column, ...]:
    return (
        Column("Mã", "code", needed=True),
        Column("Loại", "kind", needed=True, words=PRODUCER_WORDS),
        Column("Tên", "name", needed=True),
        Column("Bản, thôn", "village"),
        Column("Xã", "commune", needed=True),
        Column("Tỉnh", "province", needed=True),
        Column("Liên hệ", "contact"),
    )


def _producer_row(one: Producer, _names: Names) -> dict[str, str]:
    return registry_fields.producer_fields(one)


def _plot_columns() -> tuple[Column, ...]:
    return (
        Column("Mã thửa", "code", needed=True),
        Column("Mã hộ", "producer_id", needed=True),
        Column("Tên gọi", "name"),
        Column("Cây trồng", "crop", needed=True),
        Column("Diện tích", "amount", needed=True),
        Column("Trồng từ ngày", "since", needed=True),
        Column("Đến ngày", "until"),
        Column("Mã số vùng trồng", "growing_area_code"),
        Column("Điểm trên bản đồ", "point"),
        Column("Cho người mua xem điểm", "public_point", words=YES_WORDS),
    )


def _plot_row(one: Plot, names: Names) -> dict[str, str]:
    fields = registry_fields.plot_fields(one)
    return {**fields, "producer_id": names.producers.get(one.producer_id, "")}


def _product_columns() -> tuple[Column, ...]:
    return (
        Column("Tên sản phẩm", "name", needed=True),
        Column("Loại", "kind", needed=True, words=product_words()),
        Column("Cây trồng", "crop"),
        Column("Mã nơi sản xuất", "producer_id", needed=True),
        Column("Nhãn hiệu", "brand"),
        Column("Mỗi gói (g)", "pack_grams", needed=True),
        Column("Mỗi gói (ml), nếu là hàng lỏng", "pack_ml"),
        Column("Một lít nặng (g)", "grams_per_litre"),
        Column("Cỡ gói khác (g)", "pack_sizes"),
        Column("Giá bán mỗi gói (đ)", "prices"),
        Column("Hạn sử dụng (ngày)", "shelf_life_days", needed=True),
        Column("Cách bảo quản", "storage"),
        Column("Tiêu chuẩn áp dụng", "standard"),
        Column("Xuất xứ", "origin"),
        Column("Thành phần", "ingredients"),
        Column("Hướng dẫn sử dụng", "directions"),
        Column("Lưu ý khi dùng", "warnings"),
        Column("Ký hiệu, kiểu loại", "model"),
        Column("Giới thiệu", "about"),
        Column("Giới thiệu bằng tiếng Anh", "about_en"),
        Column("GTIN", "gtin"),
        Column("Bắt buộc truy xuất", "compulsory", words=YES_WORDS),
    )


def _product_row(one: Product, names: Names) -> dict[str, str]:
    fields = registry_fields.product_fields(one)
    return {**fields, "producer_id": names.producers.get(one.producer_id, "")}


def _certificate_columns() -> tuple[Column, ...]:
    return (
        Column("Loại giấy", "kind", needed=True, words=CERTIFICATE_WORDS),
        Column("Số giấy", "number", needed=True),
        Column("Nơi cấp", "issuer", needed=True),
        Column("Ngày cấp", "since", needed=True),
        Column("Ngày hết hạn", "until"),
        Column("Số sao OCOP", "stars"),
        Column("Kết quả kiểm nghiệm", "passed", words=RESULT_WORDS),
        Column("Giấy này cho", "for", needed=True),
        Column("Cho người mua xem bản quét", "public_file", words=YES_WORDS),
        Column("Ghi chú", "note"),
    )


def _certificate_row(one: Certificate, names: Names) -> dict[str, str]:
    subjects = sorted(names.called(s.what, s.key) for s in one.subjects)
    return {**registry_fields.certificate_fields(one), "for": "; ".join(subjects)}


def _holder_columns() -> tuple[Column, ...]:
    return (
        Column("Tên nơi nhận", "name", needed=True),
        Column("Loại", "kind", needed=True, words=HOLDER_WORDS),
        Column("Địa chỉ", "address"),
        Column("Liên hệ", "contact"),
    )


def _holder_row(one: Holder, _names: Names) -> dict[str, str]:
    return registry_fields.holder_fields(one)


PRODUCERS = Sheet("Nơi sản xuất", Producer, ("code",), _producer_columns, _producer_row)
PLOTS = Sheet("Thửa đất", Plot, ("code",), _plot_columns, _plot_row)
PRODUCTS = Sheet("Sản phẩm", Product, ("name",), _product_columns, _product_row)
CERTIFICATES = Sheet(
    "Giấy chứng nhận", Certificate, ("kind", "number"), _certificate_columns, _certificate_row
)
HOLDERS = Sheet("Nơi nhận", Holder, ("name",), _holder_columns, _holder_row)
SHEETS = (PRODUCERS, PLOTS, PRODUCTS, CERTIFICATES, HOLDERS)  # what others point to comes first


def shown(column: Column, value: str) -> str:
    """A form's value as it stands in a sheet: the first word that means it."""
    if not value or not column.words:
        return value
    return next((word for word, means in column.words.items() if means == value), value)


def sheet_named(name: str, head: Sequence[str]) -> Sheet | None:
    """The sheet of that name; without a name the one whose columns the head has most of."""
    for sheet in SHEETS:
        if name and folded(sheet.name) == folded(name):
            return sheet
    titles = {folded(title) for title in head if title}

    def shared(sheet: Sheet) -> int:
        return len(titles & {folded(column.title) for column in sheet.columns()})

    best = max(SHEETS, key=shared)
    keys = {folded(column.title) for column in best.columns() if column.field in best.key}
    return best if keys <= titles else None
