"""The handbook is held against the program: what it quotes, shows and names is there.

The papers keep four marks, so that this can be tested: **“…”** is text of the screen, a block of
``sh`` or a code span that begins with ``nongso`` or ``make`` is a command, a code span that
begins with ``/`` is an address of the pages (or a file, in one of ``FILES``), and a code span
that begins with ``tests/`` is a test. Whether the Vietnamese is good only a reader can tell.
"""

import functools
import json
import re
import shlex
import subprocess
import sys
import unicodedata
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest
from babel.messages.extract import extract_from_dir
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import MapAdapter, RequestRedirect

from nongso.commands.__main__ import main, parser
from nongso.platform import migrations
from nongso.platform import settings as settings_of
from nongso.platform.alerts import settings as alert_settings
from nongso.platform.app import create_app
from nongso.platform.settings import Settings
from nongso.platform.store import Records

ROOT = Path(__file__).parents[1]
BOOK = sorted((ROOT / "docs/so-tay").glob("*.md"))
PAPERS = [
    *BOOK,
    ROOT / "docs/security/tu-danh-gia.md",
    ROOT / "docs/chi-phi.md",
    ROOT / "docs/labels.md",
]
FOR_EVERYBODY = [p for p in BOOK if p.stem in ("nguoi-trong", "nhan-vien", "can-bo-xa")]
PICTURES = sorted((ROOT / "docs/pictures").glob("*.svg"))
IT_BOOK = ROOT / "docs/so-tay/can-bo-it.md"
FILES = ("/srv/", "/etc/", "/opt/", "/var/", "/tmp/")
MOST_BYTES = 150_000

papers = pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.stem)


def plain(text: str) -> str:
    """As it is compared: composed letters, one kind of space."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


def spans(paper: Path) -> list[str]:
    """Code inside sentences."""
    text = re.sub(r"```.*?```", "", paper.read_text(), flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


def blocks(paper: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", paper.read_text(), re.DOTALL)


# --- what stands on the screen -------------------------------------------------------------------


@functools.cache
def sayings() -> list[re.Pattern[str]]:
    """Every sentence of the pages; what is filled in may be anything short."""
    found = set()
    kinds = [("migrations/**", "ignore"), ("**.py", "python"), ("templates/**.html", "jinja2")]
    for _file, _line, said, *_ in extract_from_dir(
        str(ROOT / "platform"),
        method_map=kinds,
        keywords={"_": None, "later": None, "gettext": None},
        options_map={"templates/**.html": {"trimmed": "true"}},
    ):
        parts = re.split(r"%\(\w+\)s", plain(said if isinstance(said, str) else said[0]))
        if len(parts) == 1 or sum(map(len, parts)) >= 3:  # else it would be like anything
            found.add(r"[^.“”]{1,40}?".join(re.escape(p.replace("%%", "%")) for p in parts))
    recipes = ROOT / "platform/traceability/making/recipes"
    for recipe in recipes.glob("*.toml"):  # words that are data
        said = re.findall(r'^\w+_vi = "(.+)"$', recipe.read_text(), re.MULTILINE)
        found |= {re.escape(plain(one)) for one in said}
    return [re.compile(pattern) for pattern in found]


def quotes(paper: Path) -> list[str]:
    return [plain(said) for said in re.findall(r"\*\*“(.+?)”\*\*", paper.read_text(), re.DOTALL)]


@papers
def test_what_the_handbook_quotes_stands_on_the_screen(paper: Path) -> None:
    said = quotes(paper)
    assert [one for one in said if not any(p.fullmatch(one) for p in sayings())] == []


def test_the_handbook_quotes_the_screen_at_all() -> None:
    assert len({one for paper in FOR_EVERYBODY for one in quotes(paper)}) > 100


DESK = ROOT / "platform/templates/traceability"


@pytest.mark.parametrize(
    ("page", "part"),
    [("records.html", r"macro lists\(\).*?endmacro"), ("goods.html", r'class="tiles".*?</div>')],
)
def test_the_clerks_handbook_leads_through_every_door_of_the_desk(page: str, part: str) -> None:
    """A room of the records that no section names would never be entered."""
    found = re.search(part, (DESK / page).read_text(), re.DOTALL)
    assert found
    doors = re.findall(r"<a [^>]*>\{\{ _\('(.+?)'\)", found[0])
    assert len(doors) >= 5
    assert set(doors) - set(quotes(ROOT / "docs/so-tay/nhan-vien.md")) == set()


def test_nobody_but_the_it_officer_is_spoken_to_in_english() -> None:
    foreign = re.compile(
        r"\b(node|sensor|gateway|offline|online|sync|log|batch|dashboard|firmware|click|server|"
        r"app|web|bạn|hoá|khoá|hoà|thuỷ)\b|Ð",
        re.IGNORECASE,
    )
    for paper in FOR_EVERYBODY:
        text = re.sub(r"<img[^>]*>|`[^`]*`|\]\([^)]*\)", "", paper.read_text())
        assert foreign.findall(text) == [], paper.name
    for paper in PAPERS:
        assert unicodedata.is_normalized("NFC", paper.read_text()), paper.name


# --- what is typed -------------------------------------------------------------------------------


def commands() -> list[str]:
    """Every nongso command of the papers, from blocks and from sentences."""
    found = []
    for paper in PAPERS:
        for block in blocks(paper, "sh"):
            for line in re.sub(r"\s*\\\n\s*", " ", block).splitlines():
                words = re.sub(r"(^|\s)#.*", "", line).strip()
                words = re.sub(r"^sudo( -u \w+)? ", "", words).split(" | ")[0]
                if re.match(r"(\S*/)?nongso ", words):
                    found.append(words[words.index("nongso ") :])
        found += [span for span in spans(paper) if span.startswith("nongso ")]
    return found


@pytest.mark.parametrize("command", commands())
def test_commands_of_the_papers_are_understood(command: str) -> None:
    assert parser().parse_args(shlex.split(command)[1:]).command


def test_there_are_commands_in_the_it_officers_part() -> None:
    assert len(commands()) >= 10


def test_targets_of_make_are_there() -> None:
    known = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for paper in PAPERS:
        text = paper.read_text()
        for target in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE):
            assert target in known, f"{paper.name}: make {target}"


def test_settings_that_the_papers_show_are_accepted() -> None:
    platform, alerts = blocks(IT_BOOK, "json")
    assert settings_of.checked(json.loads(platform)).proxy
    assert alert_settings.checked(json.loads(alerts)).mail


# --- what is opened ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> MapAdapter:
    settings = Settings(folder=tmp_path_factory.mktemp("platform"), secret="0123456789abcdef" * 4)
    migrations.upgrade(settings)
    app = create_app(settings)
    made = app.url_map.bind("localhost")
    records: Records = app.extensions["nongso.records"]
    records.close()
    app.extensions["nongso.telemetry"].close()
    return made


@papers
def test_addresses_of_the_papers_are_pages(paper: Path, addresses: MapAdapter) -> None:
    for span in spans(paper):
        if span.startswith("/") and not span.startswith(FILES):
            with suppress(MethodNotAllowed, RequestRedirect):  # there, only not to be read so
                addresses.match(span, method="GET")


@papers
def test_links_and_pictures_lead_somewhere(paper: Path) -> None:
    text = paper.read_text()
    found = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", text) + re.findall(
        r'src="([^"]+)"', text
    )
    for target in found:
        assert (paper.parent / target).exists(), target
    assert all(re.findall(r'<img [^>]*alt="([^"]*)"', text)), "a picture without words"


def test_every_picture_is_used_light_and_harmless() -> None:
    others = (ROOT / "README.md", ROOT / "docs/water-balance.md")
    text = "".join(p.read_text() for p in (*PAPERS, *others))
    assert len(PICTURES) >= 8
    for picture in PICTURES:
        assert f"pictures/{picture.name}" in text, f"{picture.name} is used nowhere"
        assert picture.stat().st_size <= MOST_BYTES, picture.name
        tags = {one.tag.rpartition("}")[2] for one in ElementTree.parse(picture).iter()}
        assert "title" in tags, picture.name
        assert not tags & {"script", "image", "foreignObject", "a"}, picture.name


# --- what is proven, added up, kept --------------------------------------------------------------


def proofs() -> list[tuple[str, str]]:
    return [
        (file, name)
        for paper in PAPERS
        for file, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", paper.read_text())
    ]


@pytest.mark.parametrize(("file", "name"), sorted(set(proofs())))
def test_the_test_that_proves_it_exists(file: str, name: str) -> None:
    assert re.search(rf"^def {name or 'test_'}\b", (ROOT / file).read_text(), re.MULTILINE) or (
        not name and "def test_" in (ROOT / file).read_text()
    )


def test_there_are_proofs() -> None:
    assert len(set(proofs())) >= 30


def amounts(cell: str) -> tuple[float, float]:
    """Lowest and highest of "1.200–3.400 đ", "1,44 kWh" or "0"."""
    numbers = re.findall(r"\d[\d.]*(?:,\d+)?", cell)
    values = [float(one.replace(".", "").replace(",", ".")) for one in numbers]
    return values[0], values[-1]


def tables(paper: Path) -> list[list[list[str]]]:
    found: list[list[list[str]]] = [[]]
    for line in paper.read_text().splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def test_the_sums_of_the_costs_are_right() -> None:
    """In tables with a last row "Cộng", the second column from the right adds up to it."""
    summed = [t for t in tables(ROOT / "docs/chi-phi.md") if t[-1][0].strip("*") == "Cộng"]
    assert len(summed) >= 3
    for table in summed:
        rows = table[2:-1]
        whole = amounts(table[-1][-2])
        for end in (0, 1):
            parts = [amounts(row[-2])[end] for row in rows]
            assert sum(parts) == pytest.approx(whole[end]), table[-1]
        if "số lượng" in table[0]:
            count, each = table[0].index("số lượng"), table[0].index("mỗi cái (đ)")
            for row in rows:
                for end in (0, 1):
                    product = amounts(row[count])[0] * amounts(row[each])[end]
                    assert product == amounts(row[-2])[end], row


def test_the_power_and_the_messages_are_reckoned_right() -> None:
    power, messages = (
        next(t for t in tables(ROOT / "docs/chi-phi.md") if head in t[0])
        for head in ("oát", "60 tin (đ)")
    )
    for row in power[2:-1]:
        assert amounts(row[3])[0] == pytest.approx(amounts(row[1])[0] * amounts(row[2])[0] * 0.03)
    for row in messages[2:]:
        assert [60 * each for each in amounts(row[1])] == list(amounts(row[2])), row


def test_a_copy_made_by_the_handbook_opens_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The backup that the IT officer is told to make, on a platform with a page that is open."""
    here, copies = tmp_path / "nongso" / "platform", tmp_path / "copies"
    settings = Settings(folder=here, secret="0123456789abcdef" * 4)
    migrations.upgrade(settings)
    (here / "files").mkdir()
    (here / "files" / "sheet.pdf").write_bytes(b"%PDF")
    told = {"folder": str(here), "secret": settings.secret}
    (here / "platform.json").write_text(json.dumps(told))
    app = create_app(settings)  # somebody is using it
    (script,) = [b for b in blocks(IT_BOOK, "sh") if "nongso backup" in b]
    script = script.replace("/srv/nongso", str(here.parent))
    script = script.replace("/var/backups/nongso", str(copies))
    script = script.replace("\nnongso ", f"\n{sys.executable} -m nongso.commands ")
    subprocess.run(["sh", "-euc", script], check=True, timeout=60)
    app.extensions["nongso.records"].close()
    app.extensions["nongso.telemetry"].close()
    (copy,) = copies.iterdir()
    assert copy.stat().st_mode & 0o077 == 0
    (script,) = [b for b in blocks(IT_BOOK, "sh") if "nongso restore" in b]
    words = script.split()
    words[words.index("restore") + 1], words[-1] = str(copy), str(tmp_path / "new")
    assert main(words[1:]) == 0
    capsys.readouterr()
    there = tmp_path / "new" / "platform"
    assert (there / "files" / "sheet.pdf").exists()
    again = create_app(Settings(folder=there, secret="0123456789abcdef" * 4))
    assert again.test_client().get("/healthz").status_code == 200
    again.extensions["nongso.records"].close()
    again.extensions["nongso.telemetry"].close()
