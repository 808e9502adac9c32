"""Season records as files, and the ear that traceability has at the diary."""

import time

from flask import Blueprint, Flask

from nongso.platform.diary.pages import FOLLOWERS
from nongso.platform.settings import Settings
from nongso.platform.store import transaction
from nongso.platform.traceability import field_events

blueprint = Blueprint("season", __name__, url_prefix="/records/plantings")


def prepare(app: Flask) -> None:
    """Let what is written in a diary become events of the lots that grow there."""
    settings: Settings = app.extensions["nongso.settings"]

    def follow(greenhouse: str) -> None:
        with transaction() as session:
            field_events.bring_up(session, settings.label_url, greenhouse, int(time.time()))

    app.extensions.setdefault(FOLLOWERS, []).append(follow)
