"""What may be shown now: a producer's picture while the consent holds, places and their goods."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import photos
from nongso.platform.traceability.records import Producer, Product
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.shopfront.records import OpenPlace, ProducerPhoto
from nongso.platform.traceability.shopfront.sketch import Point

MAKERS = "makers"  # the folder of pictures of people: apart, so that one can be deleted for good
MOST_POINTS, MOST_NEARBY = 9, 20
NEAR_DEGREES = 0.3  # about thirty kilometres


def photo_of(session: Session, producer: str) -> ProducerPhoto | None:
    """The picture of a producer that may be shown; ``None`` where none may."""
    wanted = select(ProducerPhoto).where(
        ProducerPhoto.producer == producer, ProducerPhoto.withdrawn_at.is_(None)
    )
    return session.scalars(wanted.order_by(ProducerPhoto.noted_at.desc())).first()


def consents_of(session: Session, producer: str) -> Sequence[ProducerPhoto]:
    """All consents of a producer, also those that were taken back, the newest first."""
    wanted = select(ProducerPhoto).where(ProducerPhoto.producer == producer)
    return session.scalars(wanted.order_by(ProducerPhoto.noted_at.desc())).all()


def withdraw(session: Session, producer: str, now: int) -> list[str]:
    """Take back all that was agreed to; return the pictures that nothing shows any more."""
    gone = []
    for one in consents_of(session, producer):
        if one.withdrawn_at is None:
            gone.append(one.photo)
            one.photo, one.withdrawn_at = "", now
    session.flush()
    still = set(session.scalars(select(ProducerPhoto.photo).where(ProducerPhoto.photo.in_(gone))))
    return [name for name in gone if name and name not in still]


def delete(folder: Path, names: Sequence[str]) -> None:
    """Delete pictures of people, when what showed them is committed."""
    for name in names:
        with suppress(FileNotFoundError):
            photos.path_of(folder / MAKERS, name).unlink()


def grown_points(session: Session, producers: Sequence[str], name: str) -> list[Point]:
    """Where households grow who have agreed to its being shown, to a hundred metres; no names."""
    wanted = select(Plot).where(Plot.producer_id.in_(producers), Plot.public_point.is_(True))
    points = {one.shown_point for one in session.scalars(wanted)} - {None}
    return [Point("grown", name, *point) for point in sorted(filter(None, points))][:MOST_POINTS]


def open_points(session: Session, cooperative: str) -> list[Point]:
    """The places of a cooperative that visitors may come to."""
    wanted = select(OpenPlace).where(
        OpenPlace.cooperative == cooperative, OpenPlace.closed.is_(False)
    )
    found = session.scalars(wanted.order_by(OpenPlace.name)).all()
    return [_point(one) for one in found if one.point is not None][:MOST_POINTS]


def near(place: OpenPlace, points: Sequence[Point]) -> list[Point]:
    """The place itself, and those of the points that are near it."""
    if place.point is None:
        return []
    north, east = place.point
    own = _point(place)
    others = [
        one
        for one in points
        if one != own
        and abs(one.latitude - north) <= NEAR_DEGREES
        and abs(one.longitude - east) <= NEAR_DEGREES
    ]
    return [own, *others][:MOST_POINTS]


def _point(place: OpenPlace) -> Point:
    assert place.latitude is not None
    assert place.longitude is not None
    return Point("open", place.name, place.latitude, place.longitude, f"/v/{place.code}")


def goods_near(session: Session, place: OpenPlace) -> Sequence[Product]:
    """What is made in the same commune."""
    wanted = (
        select(Product)
        .join(Producer, Producer.id == Product.producer_id)
        .where(Producer.commune == place.commune, Producer.province == place.province)
    )
    return session.scalars(wanted.order_by(Product.name).limit(MOST_NEARBY)).all()
