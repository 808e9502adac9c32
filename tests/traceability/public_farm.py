"""A cooperative with a mark in every personal field, and a stranger who reads all that is public.

Used by a test and, with many more answers, by ``bench/public.py``.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from cooperative import BASE, COOP, NOW, TODAY, Farm, days_ago, new_id
from flask.testing import FlaskClient
from platform_site import Site
from season_farm import grow, write
from selling import holder, ship
from sqlalchemy import select, update

from nongso.platform.accounts import rule_of
from nongso.platform.diary import entries as diary
from nongso.platform.diary.entries import Entry
from nongso.platform.events import Event
from nongso.platform.people import Person
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.moving.records import Holder
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.signing import Signer
from nongso.platform.traceability.records import LabelCode, Lot, Producer, Product
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.registry.records import Certificate, CertificateSubject, Past
from nongso.platform.traceability.seasons import field_events
from nongso.platform.traceability.testing import laboratory as testing

MARK = "DAUVET"
ACCEPTS = ("text/html", "application/linkset+json", "application/ld+json")
HOUSE = "tan-binh-1"
# Not walked: pages to log in with, and what is the same for everybody.
LEFT_OUT = ("/login", "/enter", "/static", "/sw.js", "/offline", "/icon", "/voices", "/metrics")


class MarkedFarm(Farm):
    """Whoever records something here has a mark for an id."""

    def do(self, deed, wish, *more, id=None, cooperative=COOP):  # noqa: A002
        with self.records.transaction() as session:
            desk = ops.Desk(session, cooperative, f"{MARK}-actor", BASE, NOW)
            return deed(desk, id or new_id(), wish, *more)


@dataclass(frozen=True)
class Answer:
    """What a stranger got."""

    address: str
    accept: str
    status: int
    text: str


def fill(site: Site, labels: int = 5) -> list[str]:
    """Let the cooperative live a season with marks wherever a person is; return its lots."""
    farm = MarkedFarm(site.farm.settings, site.farm.records)
    _planting, crop, packs = grow(farm)
    _diary(farm)
    households = [farm.producer(f"{MARK}-ma-{n}") for n in range(3)]
    roots = [farm.roots(300, producer=one) for one in households]
    bought = ops.Intake(
        households[0],
        90_000,
        days_ago(9),
        days_ago(9),
        bought_from=f"{MARK}-mua-cua",
        reason=f"{MARK}-vi-sao",
    )
    roots.append(farm.do(ops.take_in, bought))
    noodles = farm.batch("noodles", 120, farm.batch("starch", 130, *roots), day=3)
    product = farm.product(name="Miến dong Bình Lư")
    wish = ops.Packing(
        product, (ops.Take(noodles.code, 90_000),), 180, 500, TODAY, TODAY.replace(year=2027)
    )
    packed = farm.do(ops.pack, wish)
    for lot in (packs, packed):
        farm.do(labelling.issue, labelling.Wish(lot.code, labels), {"text": "Miến"})
    found = testing.Result(
        packed.code, "Phòng kiểm nghiệm", "KQ-1", "Chì (Pb)", "0,05", "mg/kg", "0,2", True, TODAY
    )
    farm.do(testing.record, found)
    ship(farm, holder(farm), Amount(packed.code, 20))
    _mark(farm, product, crop)
    with farm.records.transaction() as session:
        field_events.bring_up(session, farm.settings.label_url, HOUSE, NOW)
    _sign(farm)
    return [packs.code, packed.code]


def _sign(farm: Farm) -> None:
    """Sign the log, so that proofs can be fetched."""
    custody = Custody(farm.settings.folder)
    assert custody.take()
    try:
        Signer(farm.records, custody, "127.0.0.1:8080/log").sign_now(NOW)
    finally:
        custody.let_go()


def _diary(farm: Farm) -> None:
    day = days_ago(11).isoformat()
    for kind in ("fertilised", "sprayed", "pruned", "weighed", "moved", "problem", "note"):
        entry = Entry(
            kind,
            day,
            product="Phân trùn quế",
            amount=3.0,
            unit="kg",
            note=f"{MARK}-ghi-chu",
            who=f"{MARK}-nguoi-lam",
            to=f"{MARK}-den-nha",
            interval_days=2 if kind == "sprayed" else None,
        )
        line = write(farm, entry)
        with farm.records.transaction() as session:
            found = diary.line(session, HOUSE, line)
            diary.correct(
                session, new_id(), found, HOUSE, COOP, f"{MARK}-actor", entry, f"{MARK}-ly-do", NOW
            )


def _mark(farm: Farm, product: str, crop: Lot) -> None:
    """Put marks where only tables have the person."""
    with farm.records.transaction() as session:
        session.execute(update(Person).values(name=f"{MARK}-ten"))
        households = Producer.kind == "household"
        session.execute(
            update(Producer)
            .where(households)
            .values(name=f"{MARK}-ho", contact=f"{MARK}-dien-thoai", village=f"{MARK}-ban")
        )
        session.execute(
            update(Holder).values(
                name=f"{MARK}-nguoi-mua", address=f"{MARK}-dia-chi", contact=f"{MARK}-so-goi"
            )
        )
        one = session.scalars(select(Producer).where(households).limit(1)).one()
        session.add(
            Plot(
                id=new_id(),
                cooperative=COOP,
                producer_id=one.id,
                code=f"{MARK}-ma-thua",
                name=f"{MARK}-thua",
                crop="dong riềng",
                area="3 sào",
                area_m2=1080,
                latitude=22.3141592,
                longitude=103.5897932,
                growing_area_code="",
                since="2026-01-01",
            )
        )
        session.add(
            Past(
                what="producer",
                key=one.id,
                until="2026-06-01",
                kind="household",
                name=f"{MARK}-ten-cu",
                village=f"{MARK}-ban-cu",
                commune="xã Bình Lư",
                province="tỉnh Lai Châu",
                changed_at=NOW,
                changed_by=f"{MARK}-nguoi-sua",
            )
        )
        paper = Certificate(
            id=new_id(),
            cooperative=COOP,
            kind="vietgap",
            number="VG-01",
            issuer="Cơ quan cấp",
            since="2026-01-01",
            until="2027-01-01",
            stars=None,
            passed=None,
            note=f"{MARK}-ghi-chu-giay",
        )
        paper.subjects = [CertificateSubject(what="product", key=product)]
        session.add(paper)


SECRETS = (MARK, MARK.lower(), "22.3141", "22,3141", "103.5897", "103,5897")


def starts(site: Site) -> list[str]:
    """Where a stranger may begin: every public address, filled in with what is really there."""
    app = site.stranger.application
    with site.farm.records.session() as session:
        lots = list(session.scalars(select(Lot.code)))
        serials = session.execute(select(LabelCode.lot, LabelCode.serial)).all()
        events = session.execute(select(Event.number, Event.id)).all()
        products = list(session.scalars(select(Product.id)))
    found = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if not rule.arguments
        and "GET" in (rule.methods or ())
        and (declared := rule_of(app, rule.endpoint)) is not None
        and declared.public
    ]
    found += [f"/t/{lot}" for lot in lots] + [f"/t/{lot}/{serial}" for lot, serial in serials]
    found += [f"/log/proof/{lot}" for lot in lots] + [f"/api/v1/lots/{lot}/proof" for lot in lots]
    found += [f"/p/{product}" for product in products]
    found += [f"/epcis/events/{quote(f'urn:uuid:{id_}', safe='')}" for _number, id_ in events]
    found += [f"/log/entry/{number}" for number in range(len(events) + 2)]
    found += ["/epcis/events?perPage=1000", "/log/tile/0/000", "/log/tile/entries/000"]
    return [one for one in found if not one.startswith(LEFT_OUT)]


def walk(client: FlaskClient, begin: list[str], most: int) -> Iterator[Answer]:
    """Read what is public, page after page, until ``most`` answers or there is nothing new."""
    seen, queue, count = set(begin), deque(begin), 0
    while queue and count < most:
        address = queue.popleft()
        for accept in ACCEPTS:
            answer = client.get(address, headers={"Accept": accept})
            text = answer.get_data().decode("utf-8", "replace")
            text += "\n".join(f"{name}: {value}" for name, value in answer.headers)
            yield Answer(address, accept, answer.status_code, text)
            count += 1
            for new in _links(text, address):
                if new not in seen and not new.startswith(LEFT_OUT):
                    seen.add(new)
                    queue.append(new)


def _links(text: str, address: str) -> Iterator[str]:
    base = urlsplit(BASE)
    found = re.findall(r'(?:href|src)="([^"#]+)', text)
    found += re.findall(r'"(https?://[^"\s<>]+|/[^"\s<>]*)"', text)
    for one in found:
        parts = urlsplit(one.replace("&amp;", "&"))
        if parts.netloc not in ("", base.netloc) or parts.scheme not in ("", "http", "https"):
            continue
        path = parts.path or address.partition("?")[0]
        if path.startswith("/"):
            yield path + (f"?{parts.query}" if parts.query else "")
