"""A product as one archive: what a seller sends to a market or to a buyer.

Pictures are handed out as the platform keeps them: their place was left behind when they came in
(``nongso.platform.photos``). Pictures of people are not in it: they agreed to the shopper's page
and to nothing else. A paper that does not fit, or whose file is gone, is named in the README.
"""

import datetime
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from nongso.platform import photos
from nongso.platform.csvtable import csv_text
from nongso.platform.traceability.records import Product
from nongso.platform.traceability.registry import certificate_files as certificates_files
from nongso.platform.traceability.registry.records import Certificate
from nongso.platform.traceability.selling import facts
from nongso.platform.traceability.shopper.shelf import folded

MOST_BYTES = 40 * 1024 * 1024
MOST_PAPERS = 30
PICTURE = "anh/san-pham.jpg"
PAPERS = "giay-chung-nhan"


@dataclass(frozen=True)
class Folders:
    """Where pictures of goods and scanned papers lie."""

    photos: Path
    papers: Path


def slug(text: str) -> str:
    """A name for a file: letters without marks, digits, hyphens."""
    signs = (sign if sign.isascii() and sign.isalnum() else " " for sign in folded(text))
    return "-".join("".join(signs).split())[:60] or "san-pham"


def make(
    session: Session, base: str, product: Product, day: datetime.date, folders: Folders
) -> bytes:
    """The archive of a product."""
    lot = facts.newest_lot(session, product.id)
    where = facts.addresses(base, product, lot)
    papers = facts.papers(session, product, lot, day)
    out, missing = io.BytesIO(), []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        picture = _file(photos.path_of(folders.photos, product.photo)) if product.photo else None
        if picture is not None:
            bundle.writestr(PICTURE, picture, zipfile.ZIP_STORED)
        elif product.photo:
            missing.append("ảnh sản phẩm: tệp không còn trên máy chủ")
        names = _papers(bundle, papers, folders.papers, missing)
        bundle.writestr("san-pham.vi.txt", _vietnamese(product))
        if product.about_en:
            bundle.writestr("product.en.txt", _english(product))
        bundle.writestr("goi-va-gia.csv", _packs(product))
        if papers:
            bundle.writestr(f"{PAPERS}/danh-sach.csv", _list(papers, names))
        bundle.writestr("dia-chi.txt", _addresses(where))
        told = _readme(product, day, where, papers, missing, picture is not None)
        bundle.writestr("README.txt", told)
    return out.getvalue()


def _file(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _papers(
    bundle: zipfile.ZipFile, papers: Sequence[Certificate], folder: Path, missing: list[str]
) -> dict[str, str]:
    """Put scanned papers in; return their names by the paper's id."""
    names: dict[str, str] = {}
    room = MOST_BYTES
    for number, one in enumerate(papers, 1):
        if not one.file:
            continue
        said = f"{facts.sort_of_paper(one)} {one.number}"
        data = _file(certificates_files.path_of(folder, one.file, one.file_type))
        if data is None:
            missing.append(f"{said}: tệp không còn trên máy chủ")
        elif len(data) > room or len(names) >= MOST_PAPERS:
            missing.append(f"{said}: không còn chỗ trong tệp nén, xin tải riêng ở Giấy chứng nhận")
        else:
            room -= len(data)
            names[one.id] = f"{PAPERS}/{number:02d}-{slug(said)}.{one.file_type}"
            bundle.writestr(names[one.id], data, zipfile.ZIP_STORED)
    return names


def _vietnamese(product: Product) -> str:
    maker = product.producer
    said = (
        ("Tên sản phẩm", product.name),
        ("Loại", facts.sort_of_goods(product)),
        ("Nhãn hiệu", product.brand),
        ("Giới thiệu", product.about),
        ("Thành phần", product.ingredients),
        ("Hướng dẫn sử dụng", product.directions),
        ("Cách bảo quản", product.storage),
        ("Lưu ý khi dùng", product.warnings),
        ("Hạn sử dụng", f"{product.shelf_life_days} ngày từ ngày đóng gói"),
        ("Xuất xứ", product.origin),
        ("Tiêu chuẩn áp dụng", product.standard),
        ("Ký hiệu, kiểu loại", product.model),
        ("Mã GTIN", product.gtin or ""),
        ("Nơi sản xuất", maker.name),
        ("Địa chỉ", ", ".join(filter(None, (maker.village, maker.commune, maker.province)))),
        ("Liên hệ cho người mua", maker.contact),
    )
    return _lines(f"{head}: {text}" for head, text in said if text)


def _english(product: Product) -> str:
    contents = ", ".join(facts.content(net).replace("lít", "l") for net in product.packs)
    return _lines(
        (
            f"{product.name}",
            product.about_en,
            f"Pack sizes: {contents}",
            f"Best before: {product.shelf_life_days} days from packing",
            f"Made by: {product.producer.name}, {product.producer.commune}, "
            f"{product.producer.province}, Viet Nam",
        )
    )


def _packs(product: Product) -> str:
    head = ("Mã hàng", "Cỡ gói", "Khối lượng tịnh (g)", "Thể tích (ml)", "Giá bán (đồng)", "GTIN")
    usual = product.net.size
    return csv_text(
        head,
        (
            (
                facts.sku(product, net),
                facts.content(net),
                net.grams,
                net.ml,
                product.prices.get(str(net.size)),
                product.gtin if net.size == usual else "",
            )
            for net in product.packs
        ),
    )


def _list(papers: Sequence[Certificate], names: dict[str, str]) -> str:
    head = (
        *("Loại giấy", "Số giấy", "Nơi cấp", "Ngày cấp", "Ngày hết hạn", "Số sao OCOP", "Tệp"),
        "Người mua được xem bản quét",
    )
    return csv_text(
        head,
        (
            (
                facts.sort_of_paper(one),
                one.number,
                one.issuer,
                one.since,
                one.until or "",
                one.stars,
                names.get(one.id, "").removeprefix(f"{PAPERS}/"),
                "có" if one.public_file else "không",
            )
            for one in papers
        ),
    )


def _addresses(where: facts.Addresses) -> str:
    found = [f"Trang sản phẩm: {where.page}"]
    if where.picture:
        found.append(f"Ảnh sản phẩm: {where.picture}")
    if where.lot:
        found.append(f"Trang của lô mới nhất ({where.lot}): {where.lot_page}")
        found.append(f"Tệp bằng chứng của lô {where.lot}: {where.proof}")
    else:
        found.append("Chưa có lô nào đang bán, nên chưa có tệp bằng chứng.")
    return _lines(found)


def _readme(
    product: Product,
    day: datetime.date,
    where: facts.Addresses,
    papers: Sequence[Certificate],
    missing: Sequence[str],
    pictured: bool,
) -> str:
    told = [
        f"HỒ SƠ SỐ: {product.name}",
        f"Lập ngày {day:%d/%m/%Y} từ sổ của {product.producer.name}.",
        "",
        "san-pham.vi.txt: tên, giới thiệu, thành phần, cách dùng, cách bảo quản.",
    ]
    if product.about_en:
        told.append("product.en.txt: giới thiệu bằng tiếng Anh.")
    told.append("goi-va-gia.csv: các cỡ gói và giá bán. Ô giá trống: chưa ghi giá trong sổ.")
    if pictured:
        told.append(f"{PICTURE}: ảnh sản phẩm, không còn nơi chụp trong ảnh.")
    if papers:
        told.append(f"{PAPERS}/: giấy còn hạn đến ngày lập hồ sơ; danh-sach.csv ghi số, ngày.")
        told.append(
            "  Giấy ghi “không” ở cột cuối: chỉ nộp cho sàn duyệt, không đăng cho mọi người."
        )
    else:
        told.append("Chưa có giấy chứng nhận nào còn hạn.")
    told.append("dia-chi.txt: địa chỉ trang sản phẩm, trang lô và tệp bằng chứng của lô mới nhất.")
    told.append(
        "Tệp bằng chứng cho biết sổ chưa bị sửa, không chứng minh lời khai ban đầu là đúng."
    )
    if not where.lot:
        told.append("Chưa có lô nào đang bán.")
    if missing:
        told += ["", "Không có trong tệp này:", *(f"- {one}" for one in missing)]
    told += ["", "Trước khi gửi, xin đọc lại: giá và giấy có thể đã đổi sau ngày lập hồ sơ."]
    return _lines(told)


def _lines(lines: Iterable[str]) -> str:
    """Text that also the simplest editor on Windows shows as it is."""
    return "\ufeff" + "".join(f"{line}\r\n" for line in lines)
