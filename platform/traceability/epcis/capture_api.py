"""Capture over HTTP: documents with a job, single events, and how jobs went."""

import json
from typing import Any
from urllib.parse import quote

from flask import Response, request, url_for
from sqlalchemy import select

from nongso.platform import accounts
from nongso.platform.accounts import allow, somebody
from nongso.platform.store import records, transaction
from nongso.platform.traceability.epcis import capture, reading
from nongso.platform.traceability.epcis.errors import EpcisError, invalid
from nongso.platform.traceability.epcis.front import (
    JSON_TYPES,
    READERS,
    VERSION,
    blueprint,
    captor,
    checked_name,
    json_answer,
    serves,
    style_for,
)
from nongso.platform.traceability.epcis.records import Job
from nongso.platform.traceability.epcis.terms import moment


@blueprint.post("/events")
@allow("clerk", scope="records")
def capture_one() -> tuple[Response, int]:
    """Capture a single event."""
    sent = _sent()
    if len(sent) != 1:
        raise invalid(f"expected one event, found {len(sent)}; several go to /epcis/capture")
    checked = capture.check(sent)
    with transaction() as session:
        outcome = capture.keep(captor(session), checked, capture.ROLLBACK)
    if outcome.refusals:
        taken = not checked.refusals
        name = "ResourceAlreadyExistsException" if taken else "ValidationException"
        told = capture.problems(outcome.refusals)
        raise EpcisError(name, str(outcome.refusals[0]), errors=told)
    answer = Response(status=201)
    answer.headers["Location"] = f"/epcis/events/{quote(outcome.kept[0], safe='')}"
    return answer, 201


@blueprint.post("/capture")
@allow("clerk", scope="records")
def capture_many() -> tuple[Response, int]:
    """Capture a document or a list of events; the job says how it went."""
    behaviour = request.headers.get("GS1-Capture-Error-Behaviour", capture.ROLLBACK)
    if behaviour not in capture.BEHAVIOURS:
        raise invalid("GS1-Capture-Error-Behaviour is rollback or proceed")
    checked = capture.check(_sent())
    with transaction() as session:
        asker = captor(session)
        outcome = capture.keep(asker, checked, behaviour)
        job = capture.job(asker, behaviour, checked, outcome)
    answer = Response(status=202)
    answer.headers["Location"] = url_for("epcis.capture_job", job_id=job.id)
    return answer, 202


def _sent() -> list[reading.Sent]:
    kind = request.content_type or "application/json"
    if kind.split(";")[0].strip().lower() not in JSON_TYPES:
        raise EpcisError("UnsupportedMediaTypeException", "send JSON or JSON-LD")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise EpcisError("UnsupportedMediaTypeException", "send it uncompressed")
    for name in ("GS1-EPCIS-Version", "GS1-CBV-Version"):
        if not serves(request.headers.get(name, VERSION)):
            raise EpcisError("NotAcceptableException", f"{name}: this is version {VERSION}")
    return reading.read(request.get_data(cache=False))


@blueprint.get("/capture")
@allow(*READERS, scope="read")
def capture_jobs() -> Response:
    """The newest jobs."""
    style_for(somebody())
    wanted = accounts.scoped(select(Job), Job.cooperative)
    jobs = records().scalars(wanted.order_by(Job.created_ms.desc(), Job.id).limit(100)).all()
    return json_answer(json.dumps([_job(one) for one in jobs]), media="application/json")


@blueprint.get("/capture/<job_id>")
@allow(*READERS, scope="read")
def capture_job(job_id: str) -> Response:
    """How a capture went."""
    style_for(somebody())
    wanted = accounts.scoped(select(Job), Job.cooperative).where(Job.id == checked_name(job_id))
    found = records().scalar(wanted)
    if found is None:
        raise EpcisError("NoSuchResourceException", "no such capture job")
    return json_answer(json.dumps(_job(found), ensure_ascii=False), media="application/json")


def _job(job: Job) -> dict[str, Any]:
    return {
        "captureID": job.id,
        "createdAt": moment(job.created_ms),
        "finishedAt": moment(job.finished_ms),
        "running": False,
        "success": job.success,
        "captureErrorBehaviour": job.behaviour,
        "events": job.events,
        "captured": job.captured,
        "errors": job.errors,
    }
