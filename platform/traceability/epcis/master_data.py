"""What the registry knows of parties and places, for questions by their attributes.

``EQATTR_bizLocation_cbvmda:city=xã Bình Lư`` asks for events at places of which the registry says
so. The names are those of the standard's master data (``urn:epcglobal:cbv:mda:``) where it has
one: a commune is a ``city``, a province a ``state``. Only our own parties and places are known,
only to whoever reads the cooperative's events, and as the registry has them today.

Not here: master data that others send (it is checked and not kept), and that of goods.
"""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.people import Cooperative
from nongso.platform.traceability.epcis.question import Among, Attributed, Column, Condition
from nongso.platform.traceability.epcis.same_name import same_form
from nongso.platform.traceability.epcis.vocabulary import STANDARD_PREFIXES, words
from nongso.platform.traceability.records import Place, Producer

_MDA, _OURS = STANDARD_PREFIXES["cbvmda"], "urn:nongso:"
_COUNTRY = "VN"

Known = tuple[str, dict[str, str]]  # an identifier, and its attributes that are not empty


def named(session: Session, base: str, cooperative: str | None, one: Attributed) -> Condition:
    """The condition that the parties and places with this attribute are named.

    ``cooperative`` is whose registry counts, ``None`` all.
    """
    found = [
        same_form(id_)
        for id_, has in _known(session, base.rstrip("/"), cooperative)
        if any(
            name in has and (one.values is None or has[name] in one.values)
            for name in one.attributes
        )
    ]
    if one.field in ("source", "destination"):
        fields = (f"{one.field}:{kind}" for kind in _party_types())
        return Among(tuple(fields), tuple(found))
    return Column(one.field, tuple(found))


def _party_types() -> list[str]:
    known = words("party_types")
    return [known.whole(word) for word in known.words]


def _known(session: Session, base: str, cooperative: str | None) -> Iterator[Known]:
    homes, makers, places = select(Cooperative), select(Producer), select(Place)
    if cooperative is not None:
        homes = homes.where(Cooperative.slug == cooperative)
        makers = makers.where(Producer.cooperative == cooperative)
        places = places.where(Place.cooperative == cooperative)
    for home in session.scalars(homes):
        yield f"{base}/id/party/{home.slug}", _filled(name=home.name, countryCode=_COUNTRY)
    for maker in session.scalars(makers):
        yield f"{base}/id/party/{maker.id}", _said(maker)
    for place in session.scalars(places):
        yield f"{base}/id/place/{place.id}", _said(place)


def _said(one: Producer | Place) -> dict[str, str]:
    said = _filled(name=one.name, city=one.commune, state=one.province, countryCode=_COUNTRY) | {
        _OURS + "kind": one.kind
    }
    return said | ({_OURS + "village": one.village} if one.village else {})


def _filled(**said: str) -> dict[str, str]:
    return {_MDA + name: text for name, text in said.items() if text}
