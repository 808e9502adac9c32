"""Certificates and test reports: what they allow to be said, and when they run out.

A claim (OCOP stars, VietGAP) may be made only while its certificate is in force: labels and the
consumer page ask ``claims``, which leaves out what has expired. Reminders come from
``expiring``: the clerk's pages show it, and whoever sends alerts may ask it too. The file of a
paper is kept by ``certificates_files``.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.records import Lot, Product
from nongso.platform.traceability.registry import vouching
from nongso.platform.traceability.registry.records import (
    FOOD_SAFETY,
    LOT,
    OCOP,
    PRODUCER,
    PRODUCT,
    TEST_REPORT,
    VIETGAP,
    Certificate,
    CertificateSubject,
)

REMIND_DAYS = 60  # a new OCOP paper takes the communes weeks
CLAIMED = (OCOP, VIETGAP, FOOD_SAFETY, TEST_REPORT)


@dataclass(frozen=True)
class Expiring:
    """A certificate that runs out soon or has run out, and how many days are left (below 0)."""

    certificate: Certificate
    days_left: int


def of_subject(session: Session, what: str, *keys: str) -> Sequence[Certificate]:
    """The certificates that are for these things, the newest first."""
    return session.scalars(
        select(Certificate)
        .where(
            Certificate.id.in_(
                select(CertificateSubject.certificate_id).where(
                    CertificateSubject.what == what, CertificateSubject.key.in_(keys)
                )
            )
        )
        .order_by(Certificate.since.desc(), Certificate.number)
    ).all()


def claims(session: Session, product: Product, day: datetime.date) -> list[Certificate]:
    """What may be claimed of a product on that day: its papers in force, and its maker's.

    A test report that says "failed" is no claim.
    """
    found = [
        *of_subject(session, PRODUCT, product.id),
        *of_subject(session, PRODUCER, product.producer_id),
    ]
    return _standing(session, found, day)


def claims_of_lot(session: Session, lot: Lot, day: datetime.date) -> list[Certificate]:
    """What may be claimed of a packed lot on that day: its own test reports come first."""
    own = _standing(session, of_subject(session, LOT, lot.code), day)
    return own + (claims(session, lot.product, day) if lot.product is not None else [])


def _standing(
    session: Session, found: Sequence[Certificate], day: datetime.date
) -> list[Certificate]:
    """Those that may be spoken of that day. One that was changed past the program may not."""
    wanted = {
        one.id: one
        for one in found
        if one.kind in CLAIMED and one.is_in_force(day) and one.passed is not False
    }
    return vouching.as_noted(session, list(wanted.values()))


def expiring(
    session: Session, cooperative: str, day: datetime.date, within_days: int = REMIND_DAYS
) -> list[Expiring]:
    """Certificates that run out within so many days or have run out, the most urgent first.

    One that was renewed (a newer paper of the same sort for the same things holds longer) is
    not told of any more.
    """
    last = (day + datetime.timedelta(days=within_days)).isoformat()
    own = session.scalars(
        select(Certificate)
        .where(Certificate.cooperative == cooperative)
        .order_by(Certificate.until, Certificate.number)
    ).all()
    found = []
    for one in own:
        if one.last_day is None or one.last_day.isoformat() > last:
            continue
        if not any(_renews(other, one) for other in own):
            found.append(Expiring(one, (one.last_day - day).days))
    return found


def _renews(new: Certificate, old: Certificate) -> bool:
    if new.kind != old.kind or old.until is None or new.id == old.id:
        return False
    if new.until is not None and new.until <= old.until:
        return False
    return {(s.what, s.key) for s in old.subjects} <= {(s.what, s.key) for s in new.subjects}
