"""The API keeps what its description promises, whatever is sent: a foreign program tries.

Schemathesis makes requests from the description alone, right ones and wrong ones, and holds the
answers against it. Here a short look; ``make api-check`` sends many more.
"""

import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path

import jsonschema_rs
import pytest
from office import NODE_1
from phones import Server

EXAMPLES = os.environ.get("API_EXAMPLES", "15")
SECONDS = float(os.environ.get("API_SECONDS", "240"))


def filled(server: Server) -> Server:
    """A farm with readings, so that the answers hold something."""
    place, now = server.place, int(time.time())
    readings = [["soil_moisture", now - n * 60, 45.0, 0] for n in range(1, 200)]
    place.bring(place.readings(NODE_1, *readings, ["soil_moisture", now, None, 3]))
    place.ask("/api/v1/zones/tan-binh-1-k1/water", {"seconds": 60, "id": str(uuid.uuid4())})
    return server


@pytest.mark.parametrize("role", ["clerk", "farmer"])
def test_a_foreign_program_finds_no_answer_that_was_not_described(
    server: Server, role: str, tmp_path: Path
) -> None:
    place = filled(server).place
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{server.url}/api/v1/openapi.json",
            "--header",
            f"Authorization: Bearer {place.tokens[role]}",
            "--max-examples",
            EXAMPLES,
            "--exclude-path-regex",
            "/gateways/",  # tested with the bytes that a gateway sends
            "--suppress-health-check",
            "all",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=tmp_path,  # it keeps notes where it runs
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
    counted = re.search(r"Test cases:\s+(.*)", done.stdout)
    assert counted is not None, done.stdout[-6000:]
    print(f"{role}: {counted.group(1)}")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/greenhouses",
        "/api/v1/series?greenhouse=tan-binh-1&metric=soil_moisture",
        "/api/v1/zones/tan-binh-1-k1/runs",
        "/api/v1/lots",
        "/api/v1/alerts",
    ],
)
def test_answers_that_hold_something_fit_their_description(server: Server, path: str) -> None:
    place = filled(server).place
    document = place.client().get("/api/v1/openapi.json").json
    bare = path.partition("?")[0].replace("tan-binh-1-k1", "{zone_id}")
    call = document["paths"][bare]["get"]
    schema = call["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    answer = place.ask(path, user="clerk")
    assert answer.status_code == 200
    jsonschema_rs.validator_for(whole).validate(answer.json)


def test_the_description_for_people_shows_every_call(server: Server) -> None:
    place = server.place
    document = place.client().get("/api/v1/openapi.json").json
    page = place.client().get("/api/v1/").text
    for path in document["paths"]:
        assert path in page
    assert not re.search("(src|href)=.http", page)
