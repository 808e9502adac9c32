"""Text goes out compressed, and no secret can be read from how short it became."""

import gzip

import pytest
from office import Place
from werkzeug.test import TestResponse

from nongso.platform.compression import LEAST_BYTES


def get(place: Place, path: str, user: str | None = None, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return place.client(user).get(path, headers={"Accept-Encoding": "gzip", **named})


@pytest.mark.parametrize("path", ["/greenhouses", "/static/nongso.css", "/greenhouses/tan-binh-1"])
def test_a_page_is_the_same_only_shorter(farm: Place, path: str) -> None:
    client = farm.client("farmer")
    plain, short = client.get(path), client.get(path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert short.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert "Accept-Encoding" in short.headers["Vary"]
    assert len(short.data) == int(short.headers["Content-Length"]) < len(plain.data) / 2
    opened = gzip.decompress(short.data)
    if path.startswith("/static"):
        assert opened == plain.data
        tag = short.headers["ETag"]
        again = client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
        plain.close()
        short.close()
        again.close()
    assert opened.rstrip().endswith(plain.data.rstrip()[-40:])


def test_what_another_site_has_caused_is_not_compressed(farm: Place) -> None:
    """Else its guesses in the address could be compared with the form's token in the page."""
    for site, packed in (
        ("cross-site", None),
        ("same-site", None),
        ("same-origin", "gzip"),
        ("none", "gzip"),
    ):
        answer = get(farm, "/greenhouses", "farmer", Sec_Fetch_Site=site)
        assert answer.headers.get("Content-Encoding") == packed, site


def test_equal_pages_differ_in_length_so_that_one_guess_more_is_not_seen(farm: Place) -> None:
    client = farm.client("farmer")
    lengths = {len(client.get("/me", headers={"Accept-Encoding": "gzip"}).data) for _ in range(12)}
    assert len(lengths) > 3


def test_the_shoppers_page_is_compressed_for_every_visitor(farm: Place) -> None:
    answer = get(farm, "/t?code=ZZZZZZ", Sec_Fetch_Site="cross-site")
    assert answer.headers["Content-Encoding"] == "gzip"


def test_pictures_and_short_answers_stay_as_they_are(farm: Place) -> None:
    for path in ("/icon-192.png", "/healthz"):
        answer = get(farm, path)
        assert "Content-Encoding" not in answer.headers
    assert len(get(farm, "/healthz").data) < LEAST_BYTES


def test_whoever_reads_no_gzip_gets_plain_text(farm: Place) -> None:
    answer = get(farm, "/login", Accept_Encoding="identity")
    assert "Content-Encoding" not in answer.headers
