"""EPCIS 2.0 for a buyer: the events behind one lot, as a document that any EPCIS system reads.

Of our own fields only those stay that a buyer needs and that name nobody; who reads them must
know our prefix. An event keeps its id: whoever has both the file and our log can match them. A
document that is not valid EPCIS is not handed out.
"""

import datetime
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from nongso.platform.traceability.bridges.lineage import lineage, sources
from nongso.platform.traceability.epcis.model import check_document
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.shaping import CONTEXT

OURS = "nongso:"
SHARED = frozenset(
    OURS + name
    for name in (
        "bestBeforeDate",
        "demonstration",
        "growingRecord",
        "gramsPerLitre",
        "grownFrom",
        "harvestDate",
        "moisturePermille",
        "netContent",
        "packGrams",
        "packingDate",
        "recipe",
        "simulated",
        "stated",
        "variety",
    )
)


class NotValid(Exception):
    """Our own events would make an invalid document; the text names the field."""


def document(session: Session, lot: Lot, now: datetime.datetime) -> dict[str, Any]:
    """The EPCIS document of a lot's way. Raises ``NotValid``."""
    events = lineage(session, lot, sources(session, lot))
    found = {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": now.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "epcisBody": {"eventList": [_shared(body) for _event, body in events]},
    }
    told = check_document(found)
    if told:
        raise NotValid(str(told[0]))
    return found


def _shared(body: Mapping[str, Any]) -> dict[str, Any]:
    """The event without what is only ours; inside the lot's master data too."""
    kept = {
        name: value for name, value in body.items() if not name.startswith(OURS) or name in SHARED
    }
    if isinstance(kept.get("ilmd"), Mapping):
        kept["ilmd"] = _shared(kept["ilmd"])
        if not kept["ilmd"]:
            del kept["ilmd"]
    return kept
