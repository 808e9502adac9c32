"""``/.well-known/gs1resolver``: what this resolver can do, for other resolvers and tools."""

import json

from flask import Blueprint, Response, current_app

from nongso.platform.accounts import public_without_cookies
from nongso.platform.settings import Settings
from nongso.platform.traceability.resolver.answers import KEPT_SECONDS, open_to_all
from nongso.platform.traceability.resolver.link_types import VOCABULARY

blueprint = Blueprint("resolver", __name__)


@blueprint.get("/.well-known/gs1resolver")
@public_without_cookies
def description() -> Response:
    """The description file of the resolver standard."""
    settings: Settings = current_app.extensions["nongso.settings"]
    root = settings.label_url.rstrip("/")
    found = {
        "name": "nongso",
        "resolverRoot": root,
        "supportedPrimaryKeys": ["01"],
        "supportedLinkType": [
            {"namespace": VOCABULARY, "prefix": "gs1:"},
            {"namespace": "https://schema.org/", "prefix": "schema:"},
        ],
        "linkTypeDefaultCanBeLinkset": False,
        "supportsLanguageVariants": True,
        "supportsSemanticInterpretation": False,
        "validatesAIcombinations": False,
    }
    made = Response(json.dumps(found, ensure_ascii=False), content_type="application/json")
    made.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    open_to_all(made)
    return made
