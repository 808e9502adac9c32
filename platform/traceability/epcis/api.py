"""EPCIS over HTTP: ``/epcis/…`` as the standard's REST binding has it; the views of all parts."""

from nongso.platform.traceability.epcis import asking_api, capture_api, named_api
from nongso.platform.traceability.epcis.front import blueprint

__all__ = ["asking_api", "blueprint", "capture_api", "named_api"]
