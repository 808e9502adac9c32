"""Which identifiers may stand on the same goods, and which need another one beside them.

An address alone need not carry everything that is on a pack, so reading an address does not ask
this; writing one for a label does.
"""

from collections.abc import Iterable

from nongso.platform.traceability.digital_link.catalogue import fits, known
from nongso.platform.traceability.digital_link.errors import WrongCompany
from nongso.platform.traceability.digital_link.values import Element


def check_company(elements: Iterable[Element]) -> None:
    """Raise ``WrongCompany`` for the first identifier that is alone or in wrong company."""
    there = [one.ai for one in elements]
    for ai in there:
        identifier = known(ai)
        for pattern in identifier.never_with:
            for other in there:
                if other != ai and fits(other, pattern):
                    raise WrongCompany(ai, f"cannot be on the same goods as ({other})")
        needs = identifier.needs
        if needs and not any(
            all(any(fits(other, one) for other in there) for one in group.split("+"))
            for group in needs
        ):
            raise WrongCompany(ai, f"needs {' or '.join(needs)} on the same goods")
