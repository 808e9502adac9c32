"""What the clerk's pages share: the blueprint, who writes for whom, and lists to choose from."""

import datetime
import time
import uuid
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, current_app, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import forms
from nongso.platform.accounts import scoped, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import day_of
from nongso.platform.settings import Settings
from nongso.platform.store import records
from nongso.platform.traceability import sentences
from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.records import PLANTING, Lot, Producer, Product
from nongso.platform.traceability.seasons import growing, withholding

blueprint = Blueprint("records", __name__, url_prefix="/records")

READERS = ("clerk", "officer", "admin")


def settings() -> Settings:
    """The platform's settings."""
    found: Settings = current_app.extensions["nongso.settings"]
    return found


def desk(session: Session) -> Desk:
    """The asker's desk. Only somebody with a cooperative writes its records."""
    asker = somebody()
    if asker.cooperative is None:
        abort(403)
    return Desk(session, asker.cooperative, asker.id, settings().label_url, int(time.time()))


def today() -> datetime.date:
    """The farm's day."""
    return day_of(time.time())


def held_by_spraying(lot: Lot) -> str:
    """What a spraying forbids with this lot today; empty when it forbids nothing."""
    deed = "harvest" if lot.kind == PLANTING else "pack"
    held = withholding.held_back(records(), lot.code, today(), deed)
    return "" if held is None else sentences.refusal(held)


def new_form(**defaults: str) -> dict[str, str]:
    """Defaults of a form that is shown for the first time, with its number."""
    return {"id": str(uuid.uuid4()), "day": today().isoformat(), **defaults}


def asked(*names: str) -> dict[str, str]:
    """What the address proposes for these fields, and for no other: a link cannot set the rest."""
    return {name: request.args[name] for name in names if request.args.get(name)}


def refuse(form: Form, error: Refused) -> None:
    """Put a refusal beside its field; a form sent before gets a new number."""
    form.wrong(error.field, sentences.refusal(error))
    if error.code == "already_recorded":
        form.values["id"] = str(uuid.uuid4())


def page(template: str, form: Form | None = None, **more: Any) -> str | tuple[str, int]:
    """Render a page; one that comes back with errors is answered 422."""
    text = render_template(
        f"traceability/{template}",
        form=form,
        kg=forms.kg,
        mass=forms.mass,
        content=sentences.content,
        kind_of_lot=sentences.kind_of_lot,
        sheet_name=sentences.sheet_name,
        today=today(),
        trial=growing.is_simulated(records(), somebody().cooperative or ""),
        **more,
    )
    return text if form is None or form.ok else (text, 422)


def producers(*kinds: str) -> Sequence[Producer]:
    """Producers of the asker's cooperative, by code."""
    wanted = scoped(select(Producer), Producer.cooperative).order_by(Producer.code)
    return records().scalars(wanted.where(Producer.kind.in_(kinds)) if kinds else wanted).all()


def products() -> Sequence[Product]:
    """Products of the asker's cooperative, by name."""
    return (
        records()
        .scalars(scoped(select(Product), Product.cooperative).order_by(Product.name))
        .all()
    )


def stock(*kinds: str) -> Sequence[Lot]:
    """Lots of these kinds that still have something left, oldest first."""
    wanted = scoped(select(Lot), Lot.cooperative).where(
        Lot.kind.in_(kinds),
        Lot.made_grams.is_not(None),
        Lot.used_grams < Lot.made_grams,
        Lot.withdrawn_at.is_(None),
        Lot.recalled_at.is_(None),
        Lot.tested != "failed",
    )
    return records().scalars(wanted.order_by(Lot.at, Lot.born_number)).all()


def own_lot(code: str) -> Lot:
    """A lot that the asker may see, else 404."""
    lot = records().scalar(scoped(select(Lot), Lot.cooperative).where(Lot.code == code.upper()))
    if lot is None:
        abort(404)
    return lot
