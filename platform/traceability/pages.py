"""The cooperative's work under ``/records/``: one blueprint, its pages in the modules below."""

from nongso.platform.accounts import Link
from nongso.platform.languages import later
from nongso.platform.traceability import lot_pages, plots, registry, registry_records, steps
from nongso.platform.traceability.desk import READERS, blueprint

__all__ = [
    "NAVIGATION",
    "blueprint",
    "lot_pages",
    "plots",
    "registry",
    "registry_records",
    "steps",
]

NAVIGATION = (Link("records.home", later("Sổ sản xuất"), READERS),)
