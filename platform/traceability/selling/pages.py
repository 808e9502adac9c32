"""The clerk's pages: a product's file, markets' samples, and tables in their columns."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _, number
from nongso.platform.store import records, transaction
from nongso.platform.traceability.desk import blueprint, new_form, page, products, settings, today
from nongso.platform.traceability.records import Product
from nongso.platform.traceability.registry.certificate_pages import folder as paper_folder
from nongso.platform.traceability.registry.photos import photo_folder
from nongso.platform.traceability.registry.product_pages import own_product
from nongso.platform.traceability.selling import archive, facts, samples
from nongso.platform.traceability.selling.meanings import MEANINGS, propose, words_of
from nongso.platform.traceability.selling.records import XLSX, MarketSample
from nongso.platform.traceability.selling.samples import BadSample, Sample
from nongso.platform.traceability.spreadsheets.guard import MOST_FILE_BYTES, BadFile
from nongso.platform.traceability.spreadsheets.pages import refusal as file_refusal
from nongso.platform.traceability.spreadsheets.tables import XLSX as XLSX_TYPE
from nongso.platform.traceability.spreadsheets.tables import column_letter

Answer = str | tuple[str, int] | Response
MOST_SAMPLES = 30  # of a cooperative
MOST_PRODUCTS = 300  # of one table


@blueprint.get("/products/<key>/seller.zip")
@allow("clerk")
def seller_file(key: str) -> Answer:
    """A product's pictures, texts, papers, packs, prices and addresses as one archive."""
    product, day = own_product(key), today()
    folders = archive.Folders(photo_folder(), paper_folder())
    data = archive.make(records(), settings().label_url, product, day, folders)
    name = f"ho-so-so-{archive.slug(product.name)}-{day.isoformat()}.zip"
    return _file(data, "application/zip", name)


def _file(data: bytes, media: str, name: str) -> Response:
    answer = Response(data, mimetype=media)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/markets")
@allow("clerk")
def markets() -> Answer:
    """The samples that are kept, and the form for one more."""
    return _markets(Form(new_form()))


def _markets(form: Form) -> Answer:
    wanted = scoped(select(MarketSample), MarketSample.cooperative).order_by(MarketSample.name)
    return page("markets.html", form, samples=records().scalars(wanted).all())


@blueprint.post("/markets")
@allow("clerk")
def bring_sample() -> Answer:
    """Take a market's sample in under a name, with a proposal of what its columns mean."""
    form, asker = Form(request.form), somebody()
    if asker.cooperative is None:
        abort(403)
    id_, name = form.id(), form.text("name", 60)
    found = _read(form)
    if form.ok and found is not None:
        made = MarketSample(
            id=id_,
            cooperative=asker.cooperative,
            name=name,
            sort=found.sort,
            sheet=found.sheet,
            sign=found.sign,
            rows=found.rows,
            header=found.header,
            first=found.header + 1,
            columns=propose(found.rows[found.header - 1]),
            changed_at=int(time.time()),
            changed_by=asker.id,
        )
        if _add(form, made):
            return redirect(url_for("records.market", key=id_), 303)  # type: ignore[return-value]
    return _markets(form)


def _add(form: Form, made: MarketSample) -> bool:
    try:
        with transaction() as session:
            there = select(func.count()).where(MarketSample.cooperative == made.cooperative)
            if (session.scalar(there) or 0) >= MOST_SAMPLES:
                form.wrong(
                    "name",
                    _(
                        "Đã có %(most)s mẫu. Xin xóa mẫu không dùng nữa.",
                        most=number(MOST_SAMPLES),
                    ),
                )
                return False
            session.add(made)
            session.flush()
    except IntegrityError:
        form.wrong("name", _("Đã có mẫu mang tên này. Xin chọn tên khác hoặc xóa mẫu cũ."))
        form.values["id"] = new_form()["id"]
        return False
    return True


def _read(form: Form) -> Sample | None:
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        form.wrong("file", _("Xin chọn tệp."))
        return None
    with closing(sent):
        data = sent.stream.read(MOST_FILE_BYTES + 1)
    try:
        return samples.read(data)
    except BadFile as error:
        form.wrong("file", file_refusal(error))
    except BadSample as error:
        form.wrong("file", refusal(error))
    return None


def refusal(error: BadSample) -> str:
    """Say why a sample cannot be used."""
    lines, columns = number(samples.MOST_LINES), number(samples.MOST_COLUMNS)
    return {
        "no_header": _(
            "Không thấy dòng tên cột trong %(lines)s dòng đầu của tệp. "
            "Xin tải lại tệp mẫu của sàn, không xóa dòng nào, rồi gửi.",
            lines=lines,
        ),
        "columns": _(
            "Mẫu có nhiều hơn %(columns)s cột nên không dùng được. "
            "Xin bỏ bớt các cột không bắt buộc ở cuối.",
            columns=columns,
        ),
        "titles": _(
            "Có ô dài hơn %(letters)s ký tự trong %(lines)s dòng đầu. Xin rút ngắn ô đó.",
            letters=number(samples.LONGEST_CELL),
            lines=lines,
        ),
        "letters": _(
            "%(lines)s dòng đầu của tệp có nhiều chữ quá. Xin bỏ bớt các dòng giải thích.",
            lines=lines,
        ),
    }[error.code]


@blueprint.get("/markets/<key>")
@allow("clerk")
def market(key: str) -> Answer:
    """What the columns of a sample mean, and which goods to put into its table."""
    found = _own(key)
    form = Form({"header": str(found.header), "first": str(found.first)})
    return _market(found, form, found.header, found.columns)


def _market(found: MarketSample, form: Form, header: int, columns: Sequence[str]) -> Answer:
    titles = found.rows[header - 1]
    shown = [
        (at, column_letter(at + 1), _title(title), meaning)
        for at, (title, meaning) in enumerate(zip(titles, columns, strict=True))
    ]
    goods = products()[:MOST_PRODUCTS]
    return page(
        "market.html",
        form,
        sample=found,
        header=header,
        lines=[(str(at), _line(at, found.rows[at - 1])) for at in samples.headers(found.rows)],
        columns=shown,
        empty=[(letter, title) for _at, letter, title, meaning in shown if not meaning],
        meanings=[(meaning, words_of(meaning)) for meaning in MEANINGS],
        goods=[(one, _missing(one, columns)) for one in goods],
    )


def _title(text: str) -> str:
    return " ".join(text.split())[:120]


def _line(at: int, row: Sequence[str]) -> str:
    some = " · ".join(filter(None, map(_title, row)))
    return _("Dòng %(line)s: %(titles)s", line=at, titles=some[:80])


def _missing(product: Product, columns: Sequence[str]) -> list[str]:
    """What the table asks of a product and the registry does not have in every size."""
    lines = _lines(product)
    return [
        words_of(meaning)
        for meaning in dict.fromkeys(filter(None, columns))
        if meaning != "gtin" and not all(line[meaning] for line in lines)
    ]


def _lines(product: Product) -> list[dict[str, str]]:
    return facts.of_packs(records(), settings().label_url, product, today())


@blueprint.post("/markets/<key>")
@allow("clerk")
def map_columns(key: str) -> Answer:
    """Keep what the columns mean; another header line gives new proposals first."""
    found, form = _own(key), Form(request.form)
    lines = {str(at) for at in samples.headers(found.rows)}
    header = int(form.choice("header", lines) or found.header)
    first = form.count("first", header + 1, samples.MOST_LINES + 1)
    columns = list(found.columns)
    if header != found.header:
        columns = propose(found.rows[header - 1])
        first = header + 1 if first <= header or "first" in form.errors else first
    else:
        columns = _chosen(form, len(columns))
    if not form.ok:
        return _market(found, form, header, columns)
    with transaction() as session:
        kept = session.get_one(MarketSample, key)
        kept.header, kept.first, kept.columns = header, first, columns
        kept.changed_at, kept.changed_by = int(time.time()), somebody().id
    return redirect(url_for("records.market", key=key, kept=1), 303)  # type: ignore[return-value]


def _chosen(form: Form, count: int) -> list[str]:
    among = {"", *MEANINGS}
    return [
        form.choice(f"column_{at}", among) if form[f"column_{at}"] else "" for at in range(count)
    ]


@blueprint.post("/markets/<key>/remove")
@allow("clerk")
def remove_market(key: str) -> Answer:
    """Let go of a sample; what was made of it stays where it was sent."""
    _own(key)
    with transaction() as session:
        session.delete(session.get_one(MarketSample, key))
    return redirect(url_for("records.markets"), 303)  # type: ignore[return-value]


@blueprint.get("/markets/<key>/table")
@allow("clerk")
def market_table(key: str) -> Answer:
    """Chosen products in the sample's columns; one line for each size of pack."""
    found, chosen = _own(key), set(request.args.getlist("product"))
    goods = [one for one in products()[:MOST_PRODUCTS] if one.id in chosen]
    if not goods:
        return redirect(url_for("records.market", key=key, none=1), 303)  # type: ignore[return-value]
    lines: list[Mapping[str, str]] = [line for one in goods for line in _lines(one)]
    data = samples.fill(found, lines)
    media = XLSX_TYPE if found.sort == XLSX else "text/csv"
    return _file(data, media, f"{archive.slug(found.name)}-{today().isoformat()}.{found.sort}")


def _own(key: str) -> MarketSample:
    """A sample of the asker's cooperative, else 404."""
    found = records().get(MarketSample, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found
