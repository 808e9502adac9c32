"""GS1 Digital Link: addresses, element strings and their parts. No network, no database.

``parse`` reads an address, ``compose`` and ``build`` write one, ``check`` looks at one value.
Every refusal is a ``LinkError`` that names the part that is wrong.
"""

from nongso.platform.traceability.digital_link.company import check_company
from nongso.platform.traceability.digital_link.digits import check_digit, is_checked, whole_gtin
from nongso.platform.traceability.digital_link.elements import (
    bracketed,
    plain,
    read_bracketed,
    read_plain,
)
from nongso.platform.traceability.digital_link.errors import LinkError
from nongso.platform.traceability.digital_link.link import (
    CANONICAL_STEM,
    Link,
    build,
    compose,
    parse,
)
from nongso.platform.traceability.digital_link.normal import normal
from nongso.platform.traceability.digital_link.values import Element, check

__all__ = [
    "CANONICAL_STEM",
    "Element",
    "Link",
    "LinkError",
    "bracketed",
    "build",
    "check",
    "check_company",
    "check_digit",
    "compose",
    "is_checked",
    "normal",
    "parse",
    "plain",
    "read_bracketed",
    "read_plain",
    "whole_gtin",
]
