#!/bin/sh
# Writes the pinned lists in requirements/ anew from pyproject.toml. Needs uv in the .venv.
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
[ -x "$uv" ] || .venv/bin/pip install --quiet uv
common="--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate"
# dev is the widest list; the others are cut from it, so that versions agree
$uv pip compile $common --extra demo --extra boards --extra postgres --group dev -o requirements/dev.lock pyproject.toml
$uv pip compile $common --extra demo --group bootstrap -c requirements/dev.lock -o requirements/demo.lock pyproject.toml
$uv pip compile $common --extra gateway --group bootstrap -c requirements/dev.lock -o requirements/gateway.lock pyproject.toml
