"""What the kinds of places that visitors may come to are called, and a contact to be tapped."""

import re

from markupsafe import Markup

from nongso.platform.languages import _
from nongso.platform.traceability.shopfront import records

# What the same is in the words of schema.org.
SCHEMA = {
    records.STALL: "Store",
    records.GREENHOUSE: "TouristAttraction",
    records.WORKSHOP: "LocalBusiness",
    records.SIGHT: "TouristAttraction",
    records.STAY: "LodgingBusiness",
}


def kind_of_place(kind: str) -> str:
    """What sort of place."""
    return {
        records.STALL: _("Điểm bán hàng"),
        records.GREENHOUSE: _("Nhà màng đón khách"),
        records.WORKSHOP: _("Nơi làm nghề đón khách"),
        records.SIGHT: _("Điểm du lịch"),
        records.STAY: _("Nhà nghỉ, homestay"),
    }[kind]


def telephone(contact: str) -> Markup:
    """The contact as it was written, with its first telephone number to be tapped."""
    found = re.search(r"\+?\d(?:[ .]?\d){7,13}", contact)
    if found is None:
        return Markup.escape(contact)
    number = re.sub("[ .]", "", found[0])
    link = Markup('<a href="tel:{}">{}</a>').format(number, found[0])
    return Markup("{}{}{}").format(contact[: found.start()], link, contact[found.end() :])
