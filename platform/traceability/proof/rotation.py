"""Replacing the log's keys: prepared by the operator, taken up by the signer."""

from sqlalchemy.orm import Session

from nongso.platform.store import Records
from nongso.platform.traceability.proof import reading
from nongso.platform.traceability.proof.custody import Custody, CustodyError, Keys
from nongso.platform.traceability.proof.signing import LOG_KEY


def prepare(records: Records, custody: Custody, *, lost: bool) -> Keys:
    """Make new keys, which the signer takes up at its next look. Raises ``CustodyError``.

    The old key confirms the new one. ``lost`` says that there is no old key any more: then
    whoever kept its public half is told that nobody confirmed the new one.
    """
    with records.session() as session:
        origin = _origin(session)
    there = custody.keys()
    if there is None and not lost:
        raise CustodyError(
            f"The keys {custody.file} are not there. Put your copy back; if there is none, say "
            "--lost: then everybody who kept the public key will be told."
        )
    if there is not None and lost:
        raise CustodyError(
            f"The keys {custody.file} are there, so they are not lost. Leave out --lost: then the "
            "old key confirms the new one."
        )
    return custody.make_next(origin)


def _origin(session: Session) -> str:
    keys = reading.keys(session, LOG_KEY)
    if not keys:
        raise CustodyError("The log has no key yet. The signer makes the first one when it runs.")
    return keys[0].name
