"""The demonstration's registry: land of the households, a paper, a picture drawn by code.

Everything says that it is for practice: no certificate, number or place of a real cooperative is
made up. Laying down twice changes nothing.
"""

import datetime
import math
import struct
import time
import uuid
import zlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import photos
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.traceability.records import Producer, Product
from nongso.platform.traceability.registry import certificate_files as certificates_files
from nongso.platform.traceability.registry import vouching
from nongso.platform.traceability.registry.plots import Plot, read_area
from nongso.platform.traceability.registry.records import (
    FOOD_SAFETY,
    PRODUCT,
    Certificate,
    CertificateSubject,
)

LAND = ("3 sào", "2,5 sào", "4 sào", "2 sào", "0,1 ha", "3 sào")
NUMBER = "01 (giấy để tập dùng)"  # number and issuer stand in a sentence: "số …, do … cấp"
ISSUER = "hệ thống chạy thử"
WIDTH, HEIGHT = 480, 320


def lay_down(records: Records, settings: Settings, cooperative: str, today: datetime.date) -> None:
    """Lay down plots, a paper and a picture, where they are not there yet."""
    picture = drawn()
    photo = photos.keep(settings.folder / "photos", picture)
    paper = certificates_files.keep(settings.folder / "certificates", picture)
    now = int(time.time())
    with records.transaction() as session:
        _plots(session, cooperative, today)
        product = session.scalar(
            select(Product).where(Product.cooperative == cooperative, Product.kind == "noodles")
        )
        if product is None:
            return
        product.photo = product.photo or photo
        product.ingredients = product.ingredients or "Bột dong riềng"
        vouching.note(session, product, "demo", now)
        key = _fixed(cooperative, "certificate")
        if session.get(Certificate, key) is None:
            made = Certificate(
                id=key,
                cooperative=cooperative,
                kind=FOOD_SAFETY,
                number=NUMBER,
                issuer=ISSUER,
                since=(today - datetime.timedelta(days=300)).isoformat(),
                until=(today + datetime.timedelta(days=45)).isoformat(),
                stars=None,
                passed=None,
                note="",
                file=paper.name,
                file_type=paper.type,
                subjects=[CertificateSubject(what=PRODUCT, key=product.id)],
            )
            session.add(made)
            vouching.note(session, made, "demo", now)


def _plots(session: Session, cooperative: str, today: datetime.date) -> None:
    households = session.scalars(
        select(Producer)
        .where(Producer.cooperative == cooperative, Producer.kind == "household")
        .order_by(Producer.code)
        .limit(len(LAND))
    ).all()
    since = datetime.date(today.year, 1, 1)
    for owner, said in zip(households, LAND, strict=False):
        key = _fixed(cooperative, f"plot/{owner.code}")
        if session.get(Plot, key) is not None:
            continue
        area = read_area(said)
        session.add(
            Plot(
                id=key,
                cooperative=cooperative,
                producer_id=owner.id,
                code=f"T-{owner.code}",
                name="",
                crop="dong riềng",
                area=area.said,
                area_m2=area.m2,
                latitude=None,
                longitude=None,
                public_point=False,
                growing_area_code="",
                since=since.isoformat(),
                until=None,
            )
        )


def _fixed(cooperative: str, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"nongso/demo/{cooperative}/registry/{name}"))


def drawn() -> bytes:
    """A picture of noodles, drawn line by line, as a PNG."""
    rows = bytearray()
    for y in range(HEIGHT):
        rows.append(0)  # each line is written as it is
        for x in range(WIDTH):
            wave = math.sin(x / 37 + math.sin(y / 23) * 2) + math.sin((y * 2 + x / 5) / 9)
            light = int(200 + 22 * wave)
            rows += bytes((light, light - 12, light - 48))
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(rows), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
