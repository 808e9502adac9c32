"""People and their accounts: one blueprint, its pages in the modules below."""

from flask import Flask

from nongso.platform import pins
from nongso.platform.members import (
    audit_pages,
    entry,
    helping,
    leaving,
    own,
    people_pages,
    pin,
    tokens,
)
from nongso.platform.members.desk import blueprint

__all__ = [
    "audit_pages",
    "blueprint",
    "entry",
    "helping",
    "leaving",
    "own",
    "people_pages",
    "pin",
    "prepare",
    "tokens",
]


def prepare(app: Flask) -> None:
    """Have what helpers do written down; let the greenhouse's forms ask for the PIN."""
    helping.prepare_helping(app)
    app.jinja_env.globals["asks_pin"] = pins.is_asked
