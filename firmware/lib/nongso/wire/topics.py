"""MQTT topics: ``nongso/1/<farm>/<node>/<leaf>`` with leaf up, ack, down, status or update.

``up``     readings, node to gateway, QoS 1
``ack``    the gateway has committed these messages
``down``   settings, update offers and their pieces, gateway to node
``status`` ``online`` or ``offline``, retained, the latter as last will
``update`` what program runs and what it asks for of a new one, node to gateway
"""

PREFIX = "nongso/1"
LEAVES = ("up", "ack", "down", "status", "update")
ONLINE = b"online"
OFFLINE = b"offline"

_SLUG = "abcdefghijklmnopqrstuvwxyz0123456789-"


class TopicError(ValueError):
    """A topic or slug that is not one of ours; the text says what is wrong with it."""


def check_slug(text: str) -> str:
    """Return ``text`` if it is a slug (1-40 of a-z, 0-9 and inner hyphens), else raise."""
    if (
        not 1 <= len(text) <= 40
        or text[0] == "-"
        or text[-1] == "-"
        or any(c not in _SLUG for c in text)
    ):
        raise TopicError(
            "not a slug: %r (1 to 40 lower-case letters a-z, digits, inner hyphens)" % text
        )
    return text


def topic(farm: str, node: str, leaf: str) -> str:
    """Build a topic."""
    if leaf not in LEAVES:
        raise TopicError("not a leaf: %r" % leaf)
    return "%s/%s/%s/%s" % (PREFIX, check_slug(farm), check_slug(node), leaf)


def parse(text: str) -> tuple[str, str, str]:
    """Split a topic into farm, node and leaf."""
    parts = text.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != PREFIX:
        raise TopicError("not a topic of ours: %r (nongso/1/<farm>/<node>/<leaf>)" % text)
    if parts[4] not in LEAVES:
        raise TopicError("unknown leaf in topic %r" % text)
    return check_slug(parts[2]), check_slug(parts[3]), parts[4]
