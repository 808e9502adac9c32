"""The cooperative's work under ``/records/``: one blueprint, its pages in the modules below."""

from nongso.platform.accounts import Link
from nongso.platform.languages import later
from nongso.platform.traceability import lot_pages
from nongso.platform.traceability.bridges import pages as bridges
from nongso.platform.traceability.desk import READERS, blueprint
from nongso.platform.traceability.labelling import layout_pages as labelling_layout_pages
from nongso.platform.traceability.labelling import logo_pages as labelling_logo_pages
from nongso.platform.traceability.labelling import mark_pages as labelling_mark_pages
from nongso.platform.traceability.labelling import pages as labelling_pages
from nongso.platform.traceability.labelling import roll_pages as labelling_roll_pages
from nongso.platform.traceability.labelling import scratch_pages as labelling_scratch_pages
from nongso.platform.traceability.making import pages as making_pages
from nongso.platform.traceability.making import steps
from nongso.platform.traceability.recall import room as recall_room
from nongso.platform.traceability.registry import certificate_pages as certificates_pages
from nongso.platform.traceability.registry import place_pages as places_pages
from nongso.platform.traceability.registry import plot_pages as plots_pages
from nongso.platform.traceability.registry import producer_pages as registry
from nongso.platform.traceability.registry import product_pages as registry_products
from nongso.platform.traceability.resolver import link_pages
from nongso.platform.traceability.scans import pages as scans_pages
from nongso.platform.traceability.scans.recorder import prepare
from nongso.platform.traceability.selling import pages as selling_pages
from nongso.platform.traceability.shopfront import maker_pages, place_pages
from nongso.platform.traceability.shopper import report_pages as shopper_reports_pages
from nongso.platform.traceability.spreadsheets import pages as spreadsheets_pages

__all__ = [
    "NAVIGATION",
    "blueprint",
    "bridges",
    "certificates_pages",
    "labelling_layout_pages",
    "labelling_logo_pages",
    "labelling_mark_pages",
    "labelling_pages",
    "labelling_roll_pages",
    "labelling_scratch_pages",
    "link_pages",
    "lot_pages",
    "maker_pages",
    "making_pages",
    "place_pages",
    "places_pages",
    "plots_pages",
    "prepare",
    "recall_room",
    "registry",
    "registry_products",
    "scans_pages",
    "selling_pages",
    "shopper_reports_pages",
    "spreadsheets_pages",
    "steps",
]

NAVIGATION = (Link("records.home", later("Sổ sản xuất"), READERS),)
