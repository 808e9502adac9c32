.DEFAULT_GOAL := help
.PHONY: help demo setup links check lint types test test-postgresql boards api-check quick bench lock pictures drill faults-ci faults-long real-logs

DATA ?= nongso-data
PORT ?= 8080
SPEED ?= 1
EXAMPLES ?= 1000
STATE ?= nongso-faults
bin := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## set everything up and run the whole system (DATA=folder PORT=8080 SPEED=1)
	@tools/setup.sh demo
	@exec $(bin)/nongso up --data "$(DATA)" --port "$(PORT)" --speed "$(SPEED)"

# The whole suite draws the same examples on each run: what was green stays green until something
# changes. The quick one draws new ones each time.
pytest := $(bin)/python -m pytest --hypothesis-profile=ci
# The order is ours (tests/conftest.py): what takes long comes first, so that no worker is alone with
# it at the end. A worker that dies ends the run as failed: its replacement may wait for ever.
beside := --dist loadfile --no-loadscope-reorder --max-worker-restart=0
# Deadlines of valves and nodes are held on a machine that does little else: these tests mostly wait
# for processes of their own, so two files run at a time, and nothing beside them.
alone := tests/valves tests/firmware tests/walks/test_whole_way.py tests/walks/test_killed_on_the_way.py tests/walks/test_damaged_house.py tests/walks/test_life_of_a_house.py tests/walks/test_alerts.py

test: setup ## all tests: most side by side, then those that hold deadlines
	$(pytest) -n auto $(beside) $(alone:%=--ignore=%)
	$(pytest) -n 2 $(beside) $(alone)

quick: setup ## the tests of single parts: no whole platform, house or browser
	$(bin)/python -m pytest -n auto $(beside) -m "not walk and not slow"

test-postgresql: setup ## tests of platform and traceability with the records in PostgreSQL
	RECORDS=postgresql $(bin)/python -m pytest -n auto $(beside) tests/platform tests/traceability

boards: setup ## whole boards: updates broken off and damaged, deploying by cable, watchdog, the official image for the Pico W (many minutes)
	BOARDS=1 $(bin)/python -m pytest tests/firmware

faults-ci: setup ## kills, partitions, power cuts, failing disks: minutes, the same seeds each time
	$(bin)/python tests/faults/run.py --tier ci

faults-long: setup ## the same for hours; may be ended and goes on (STATE=folder that remembers)
	$(bin)/python tests/faults/run.py --tier long --state "$(STATE)"

real-logs: setup ## every row of the real, dirty logs through broker, gateway and platform (minutes)
	LOGS=whole $(bin)/python -m pytest -s tests/gateway/test_real_logs.py

api-check: setup ## very many requests made from the API's own description (EXAMPLES=1000 of each call)
	API_EXAMPLES=$(EXAMPLES) API_SECONDS=86400 $(bin)/python -m pytest -s -k foreign tests/browser/test_api_contract.py

check: lint types ## style, types, doors between the rooms

bench: setup ## speed and size, as ratios within one run
	$(bin)/python bench/run.py

setup:
	@tools/setup.sh dev

links: setup
	@mkdir -p .dev/nongso
	@for room in agronomy gateway platform labels commands; do ln -sfn ../../$$room .dev/nongso/$$room; done
	@for room in wire node; do ln -sfn ../../firmware/lib/nongso/$$room .dev/nongso/$$room; done

lint: links
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	PYTHONPATH=.dev $(bin)/lint-imports

types: links
	$(bin)/mypy

pictures: setup ## draw the handbook's pictures anew from a running demo (DATA=folder)
	$(bin)/python tools/pictures.py --data "$(DATA)"

lock: ## pin all packages anew
	tools/lock.sh

drill: setup ## back a whole house up while it works, lose it, put it back (two minutes)
	PYTHONPATH=.dev $(bin)/python tools/restore_drill.py
