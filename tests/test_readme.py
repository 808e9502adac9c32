"""What the README names exists: tests of its promises, commands, files."""

import re
import shlex
from pathlib import Path

import pytest

from nongso.commands.__main__ import parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def named_tests() -> list[tuple[str, str]]:
    """File and function of every test in the promise table; "…" stands for the file before."""
    found = []
    file = ""
    for where, name in re.findall(r"`(tests/[\w/]+\.py|…)(?:::(\w+))?`", README):
        file = file if where == "…" else where
        found.append((file, name))
    return found


@pytest.mark.parametrize(("file", "name"), named_tests())
def test_the_test_of_a_promise_exists(file: str, name: str) -> None:
    text = (ROOT / file).read_text()
    assert re.search(rf"^def {name or 'test_'}", text, re.MULTILINE)


def test_promises_are_found_at_all() -> None:
    assert len(named_tests()) >= 8


def nongso_commands() -> list[str]:
    text = re.sub(r"#.*", "", README)
    return [
        line.strip().removeprefix(".venv/bin/")
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.strip().removeprefix(".venv/bin/").startswith("nongso ")
    ]


@pytest.mark.parametrize("command", nongso_commands())
def test_the_readmes_commands_are_understood(command: str) -> None:
    words = shlex.split(command)[1:]
    assert parser().parse_args(words).command


def test_the_files_that_it_links_to_are_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target
