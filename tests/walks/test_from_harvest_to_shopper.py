"""A clerk harvests, processes, packs and prints; a shopper scans and reads that lot's story."""

import io
import re
import urllib.request
import uuid
from typing import Any

import pypdfium2
import pytest
import zxingcpp

from running import System

pytestmark = pytest.mark.walk


def codes_on(pdf: bytes) -> list[str]:
    """Everything that a second library reads on the pages of a PDF, at 200 dpi."""
    found = []
    with pypdfium2.PdfDocument(pdf) as document:
        for page in document:
            picture = page.render(scale=200 / 72).to_pil()
            found += [b.text for b in zxingcpp.read_barcodes(picture)]
    return found


def get(url: str, **headers: str) -> tuple[str, str]:
    """Fetch a page as a shopper's phone does: no cookie, no token. Returns type and text."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as page:
        return page.headers["Content-Type"], page.read().decode()


def as_page(system: System, printed: str) -> str:
    """The printed address is in capitals; the host that it names is this machine."""
    return system.demo["url"] + re.sub(r"^HTTPS?://[^/]+", "", printed)


def demo_lots(system: System) -> list[dict[str, Any]]:
    status, answer = system.ask("/api/v1/lots", role="clerk")
    assert status == 200
    lots: list[dict[str, Any]] = answer["lots"]
    return lots


def packed(system: System, kind: str) -> dict[str, Any]:
    """A lot of the demonstration that may be sold: one failed its test and is being recalled."""
    return next(
        x
        for x in demo_lots(system)
        if x["packs"] and x["product"]["kind"] == kind and x["state"] == "packed"
    )


def test_twenty_four_labels_decode_to_twenty_four_addresses_that_open(system: System) -> None:
    lot = packed(system, "noodles")["lot"]
    body = {"count": 24, "layout": "a4-3x8", "codes": "unit", "id": str(uuid.uuid4())}
    status, issued = system.ask(f"/api/v1/lots/{lot}/labels", body, role="clerk")
    assert status == 201
    status, pdf = system.ask(issued["pdf"], role="clerk", accept="application/pdf")
    assert status == 200
    read = codes_on(io.BytesIO(pdf).getvalue())
    assert len(read) == len(set(read)) == 24
    kind, page = get(as_page(system, read[0]))
    assert kind.startswith("text/html")
    assert lot in page
    assert len(page.encode()) <= 50_000


def test_no_more_labels_than_packs(system: System) -> None:
    lot = packed(system, "noodles")["lot"]
    body = {"count": 100_000, "layout": "a4-3x8", "start_cell": 1, "id": str(uuid.uuid4())}
    status, answer = system.ask(f"/api/v1/lots/{lot}/labels", body, role="clerk")
    assert status == 409
    assert answer["detail"]


def test_noodles_page_says_that_the_hills_have_no_measurements(system: System) -> None:
    lot = packed(system, "noodles")["lot"]
    _, page = get(f"{system.demo['url']}/t/{lot}")
    assert "trồng ngoài đồi nên không có số đo của nhà màng" in page
    assert "Nhà màng" not in page.replace("nhà màng", "")


def test_vegetables_page_sums_up_the_growing_days(system: System) -> None:
    lot = packed(system, "vegetables")["lot"]
    _, page = get(f"{system.demo['url']}/t/{lot}")
    assert "Nhà màng Tân Bình 1" in page
    assert "mô phỏng" in page
    assert re.search(r"\d+ ngày", page)
    _, english = get(f"{system.demo['url']}/t/{lot}?lang=en")
    assert "Nhà màng Tân Bình 1" in english
    assert english != page


def test_a_code_that_was_never_issued_says_so(system: System) -> None:
    status, page = system.ask("/t/ZZZZZZ/ZZZZZZZZZZ", accept="text/html")
    assert status == 404
    assert "Traceback" not in page.decode()


def test_machines_get_a_linkset(system: System) -> None:
    lot = packed(system, "noodles")["lot"]
    kind, text = get(f"{system.demo['url']}/t/{lot}", Accept="application/linkset+json")
    assert kind.startswith("application/linkset+json")
    assert '"linkset"' in text
