"""The cooperative's own logo: where a layout has a place for a picture, every label carries it.

There is one, or none: then the product's picture stands there. A new one is for labels to come;
what was printed keeps the old.
"""

from sqlalchemy.orm import Session

from nongso.platform.traceability.labelling.records import CooperativeLogo
from nongso.platform.traceability.making.operations import Desk


def of(session: Session, cooperative: str | None) -> bytes | None:
    """The logo of a cooperative, as it is kept."""
    found = session.get(CooperativeLogo, cooperative) if cooperative else None
    return None if found is None else found.picture


def keep(desk: Desk, _id: str, picture: bytes) -> CooperativeLogo:
    """Keep a cleaned picture in place of the one before."""
    found = desk.session.get(CooperativeLogo, desk.cooperative)
    if found is None:
        found = CooperativeLogo(cooperative=desk.cooperative)
        desk.session.add(found)
    found.picture, found.at, found.actor = picture, desk.now, desk.actor
    return found


def take_away(desk: Desk, _id: str) -> bool:
    """Print the logo no more; says whether there was one."""
    found = desk.session.get(CooperativeLogo, desk.cooperative)
    if found is not None:
        desk.session.delete(found)
    return found is not None
