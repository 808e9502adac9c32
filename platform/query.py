"""Reading the query of an API call: what is there and cannot be read is named, never guessed."""

import re

from flask import request

from nongso.platform.errors import Problem
from nongso.platform.languages import _


def whole(name: str, default: int, low: int = 0, high: int = (1 << 40) - 1) -> int:
    """Return a whole number of the query. Raises ``Problem``."""
    text = request.args.get(name)
    if text is None:
        return default
    if not re.fullmatch("-?[0-9]{1,20}", text):
        raise Problem(400, "not_a_number", _("%(name)s phải là số nguyên.", name=name))
    found = int(text)
    if not low <= found <= high:
        within = _("%(name)s phải từ %(low)s đến %(high)s.", name=name, low=low, high=high)
        raise Problem(400, "out_of_range", within)
    return found
