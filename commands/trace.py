"""``nongso trace …``: checking proofs, witnessing a log, and looking after one's own.

``verify`` and ``witness`` run on anybody's machine: no database, no pages, no settings.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nongso.commands import arguments as kinds
from nongso.commands.arguments import Parser
from nongso.commands.errors import CommandError

if TYPE_CHECKING:
    from nongso.platform.traceability.proof.notes import Key


def _verify(args: argparse.Namespace) -> int:
    from nongso.platform.traceability.proof import lotproof, verdicts

    kept = [_key(text) for text in args.key or ()]
    checkpoint = _read(args.checkpoint).decode(errors="replace") if args.checkpoint else None
    try:
        verdict = lotproof.judge(_read(args.file), kept, checkpoint)
    except lotproof.Refused as error:
        word = {"en": "NOT PROVEN", "vi": "KHÔNG CHỨNG MINH ĐƯỢC"}[args.lang]
        print(f"{word}: {verdicts.refusal(error, args.lang)}", file=sys.stderr)
        return 1
    for line in verdicts.told(verdict, args.lang):
        print(line)
    return 0


def _read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    return file.read_bytes()


def _key(text: str) -> "Key":
    """A public key as text, or a file that holds one."""
    from nongso.platform.traceability.proof.notes import Key, NoteError

    if "+" not in text and Path(text).is_file():
        text = Path(text).read_text(encoding="utf-8")
    try:
        return Key.parse(text)
    except NoteError as error:
        raise CommandError(f"{text[:80]!r} is no public key: {error}.") from error


def _witness(args: argparse.Namespace) -> int:
    from nongso.platform.traceability.proof import verdicts, witnessing

    folder = witnessing.Folder(args.folder)
    told = _key(args.log_key) if args.log_key else None
    log = witnessing.FarLog(args.url)
    seen = witnessing.witness(log, folder, args.name, told, int(time.time()))
    key = folder.key(None).key
    found = seen.checkpoint
    print(f"Signed: the log {found.origin} with {found.size} entries, {verdicts.moment(_now())}.")
    print(
        f"It continues the {seen.before} entries that were seen before."
        if seen.before
        else "It was looked at for the first time; from now on it can only grow."
    )
    if seen.was_taken:
        print(f"The log did not take the signature: {seen.was_taken}", file=sys.stderr)
        print("Its operator takes yours with this command, then try again:", file=sys.stderr)
        print(f"  nongso trace trust '{key}' --name '…' --settings platform.json", file=sys.stderr)
        return 1
    return 0


def _now() -> int:
    return int(time.time())


def _signer(args: argparse.Namespace) -> int:
    from nongso.platform.traceability.proof import signer

    return signer.run(args.settings)


def _trust(args: argparse.Namespace) -> int:
    from nongso.platform import migrations, settings
    from nongso.platform.traceability.proof import cosigning

    key = _key(args.key)
    with (
        migrations.current(settings.load(args.settings)) as records,
        records.transaction() as session,
    ):
        if args.remove:
            if not cosigning.distrust(session, str(key)):
                raise CommandError(f"{key.name} is no witness of this log.")
            print(f"Cosignatures of {key.name} are not taken any more.")
            return 0
        if not args.name:
            raise CommandError("Give the witness a name for people: --name 'Hợp tác xã …'")
        cosigning.trust(session, str(key), args.name, _now())
    print(f"Cosignatures of {key.name} are taken and shown as {args.name}.")
    return 0


def _rotate(args: argparse.Namespace) -> int:
    from nongso.platform import migrations, settings
    from nongso.platform.traceability.proof import rotation
    from nongso.platform.traceability.proof.custody import Custody

    loaded = settings.load(args.settings)
    with migrations.current(loaded) as records:
        made = rotation.prepare(records, Custody(loaded.folder), lost=args.lost)
    print(f"New key: {made.log.key}")
    print("The signer takes it up within a second when it runs. Put it on the notice board.")
    return 0


def _show_key(args: argparse.Namespace) -> int:
    from nongso.platform import migrations, settings
    from nongso.platform.traceability.proof import reading
    from nongso.platform.traceability.proof.signing import LOG_KEY

    with migrations.current(settings.load(args.settings)) as records, records.session() as session:
        keys = reading.keys(session, LOG_KEY)
    if not keys:
        raise CommandError("The log has no key yet. The signer makes it when it runs.")
    print(keys[0])
    return 0


# What ``nongso trace check`` cannot say anything about.
_NOT_UNDER_THE_LOG = """\
Not under the log, so nothing is said of them: places, plots, holders, people and their rights,
commands and runs of water, logos and layouts that are kept for new labels, files (sheets that
were printed, pictures), how often scratch codes were checked, jobs of EPCIS captures (epcis_job)
and its named queries."""


def _check(args: argparse.Namespace) -> int:
    from nongso.platform import migrations, settings
    from nongso.platform.traceability import recounting
    from nongso.platform.traceability.epcis import held as epcis_held
    from nongso.platform.traceability.labelling import vouching as labels_vouching
    from nongso.platform.traceability.proof import checking, keeping
    from nongso.platform.traceability.proof.custody import Custody, CustodyError
    from nongso.platform.traceability.registry import vouching as registry_vouching

    loaded = settings.load(args.settings)
    try:
        last = Custody(loaded.folder).last()
    except CustodyError:
        last = None  # another user's, as it should be
    with migrations.current(loaded) as records, records.session() as session:
        found = accounts = 0
        for one in checking.check(session, last):
            print(one)
            found += 1
            accounts += recounting.is_of_an_account(str(one))
        size = keeping.size_of(session)
        sheets, contexts = labels_vouching.without(session), epcis_held.without(session)
        rows = registry_vouching.without(session)
    if found:
        print(f"{found} things do not belong together in a log of {size} entries.")
        if accounts:
            print("Accounts of packs are put right by events, with your reason in each of them:")
            print("  nongso trace recount --why '…' --settings platform.json")
        return 1
    print(f"All {size} entries match their events, their hashes and every signed checkpoint;")
    print("the tables of lots, labels (with what is printed on them), subjects and EPCIS (texts")
    print("and contexts as sent, and the index) are what the events make of them; certificates,")
    print("producers, products and rights to marks are as they were recorded last.")
    if sheets or contexts or rows:
        print("Not vouched for, because the log had no digest of it yet: what is printed on the")
        print(f"labels of {sheets} issues and rolls (but for the address), the contexts of")
        print(f"{contexts} captured events, and {rows} rows of the registry until they are saved.")
    print(_NOT_UNDER_THE_LOG)
    return 0


def _reindex(args: argparse.Namespace) -> int:
    from nongso.platform import migrations, settings
    from nongso.platform.traceability.epcis import indexing

    with (
        migrations.current(settings.load(args.settings)) as records,
        records.transaction() as session,
    ):
        count = indexing.remake(session)
    print(f"The index of EPCIS was read anew from {count} events.")
    return 0


def _recount(args: argparse.Namespace) -> int:
    from nongso.platform import migrations, settings
    from nongso.platform.traceability import recounting

    loaded = settings.load(args.settings)
    if not args.why.strip():
        raise CommandError("Give the reason that shall stand in the event: --why '…'")
    with migrations.current(loaded) as records, records.transaction() as session:
        found = recounting.set_right(session, loaded.label_url, _now(), args.why.strip())
    for one in found:
        print(f"Lot {one.lot}: {_RECOUNTED[one.refused]}")
    left = sum(bool(one.refused) for one in found)
    if not found:
        print("Every account of packs is what the events make of it.")
    return 1 if left else 0


_RECOUNTED = {
    "": "its account of packs is what the events make of it again.",
    "lot_differs": "not put right, the lot itself is not what the events make of it. "
    "Its rows were changed by hand: compare them with a backup.",
    "below_zero": "not put right, more of its packs are in cartons or away than there are. Open a "
    "carton or correct the number of packs (the lot's page), then come again.",
}


def add(rooms: "argparse._SubParsersAction[Parser]", settings: Parser) -> None:
    """Add the room and its commands."""
    trace = kinds.group(
        rooms, "trace", "proofs of lots, witnesses, the log of everything recorded"
    )
    verify = kinds.add(trace, "verify", _verify, "check a lot's proof file, without any network")
    verify.add_argument("file", type=kinds.path, metavar="FILE", help="the file; - for stdin")
    verify.add_argument(
        "--key",
        action="append",
        metavar="KEY",
        help="a public key that you kept, of the log or of a witness (text, or a file with it)",
    )
    verify.add_argument(
        "--checkpoint",
        type=kinds.path,
        metavar="FILE",
        help="a checkpoint that you kept: it must be of the same log",
    )
    verify.add_argument(
        "--lang", choices=["en", "vi"], default="en", help="language of the words (default: en)"
    )
    witness = kinds.add(
        trace, "witness", _witness, "look at another cooperative's log, and sign that it only grew"
    )
    witness.add_argument("url", type=kinds.address, metavar="URL", help="address of its platform")
    witness.add_argument(
        "--folder",
        type=kinds.path,
        default=Path("nongso-witness"),
        metavar="DIR",
        help="your key and what you saw last (default: nongso-witness); keep it",
    )
    witness.add_argument("--name", help="at the first time: your key's name, e.g. htx.example/w")
    witness.add_argument(
        "--log-key", metavar="KEY", help="at the first time: the log's key from its notice board"
    )
    kinds.add(trace, "signer", _signer, "sign the log; nongso platform run starts it", settings)
    kinds.add(trace, "key", _show_key, "print the log's public key", settings)
    kinds.add(trace, "check", _check, "check the whole log against all events", settings)
    kinds.add(
        trace,
        "reindex",
        _reindex,
        "read the index of EPCIS anew; nobody records meanwhile",
        settings,
    )
    recount = kinds.add(
        trace, "recount", _recount, "put right the accounts of packs that check names", settings
    )
    recount.add_argument(
        "--why", required=True, metavar="REASON", help="stands in each event, as long as the log"
    )
    trust = kinds.add(trace, "trust", _trust, "take cosignatures of a witness", settings)
    trust.add_argument("key", metavar="KEY", help="the witness's public key")
    trust.add_argument("--name", help="its name for people")
    trust.add_argument("--remove", action="store_true", help="take them no more")
    rotate = kinds.add(trace, "rotate", _rotate, "replace the log's key by a new one", settings)
    rotate.add_argument(
        "--lost", action="store_true", help="the old key is gone, so it cannot confirm the new one"
    )
