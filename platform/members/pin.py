"""The PIN that is asked before water flows, for phones that several people hold."""

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from nongso.platform import people, pins
from nongso.platform.accounts import allow
from nongso.platform.languages import _
from nongso.platform.members.desk import OWN, asker, blueprint, note, page, weak_sentence
from nongso.platform.members.own import own_secret_trouble
from nongso.platform.people import WeakSecret
from nongso.platform.store import transaction

Page = Response | tuple[str, int]
WATERERS = ("farmer", "clerk", "admin")


@blueprint.get("/me/pin")
@allow(*WATERERS, scope=OWN)
def pin() -> Page:
    """Whether a PIN is asked before watering."""
    return page("pin.html", person=asker(), trouble="")


@blueprint.post("/me/pin")
@allow(*WATERERS, scope=OWN)
def set_pin() -> Page:
    """Set the PIN or take it away, after the password."""
    new, remove = request.form.get("pin", ""), request.form.get("do") == "remove"
    if not remove:
        try:
            people.check_pin(new)
        except WeakSecret as error:
            return page("pin.html", 422, person=asker(), trouble=weak_sentence(error))
    trouble, status = own_secret_trouble(request.form.get("old", ""))
    if trouble:
        return page("pin.html", status, person=asker(), trouble=trouble)
    if not remove and people.secret_fits(asker().password_hash, new):
        trouble = _("Mã PIN khi tưới phải khác mã dùng để đăng nhập.")
        return page("pin.html", 422, person=asker(), trouble=trouble)
    with transaction() as session:
        person = asker(session)
        person.pin_hash = None if remove else people.hash_secret(new)
        pins.forget(session, person)
        note(session, "pin_removed" if remove else "pin_set", person.id)
    return redirect(url_for("members.me"), 303)
