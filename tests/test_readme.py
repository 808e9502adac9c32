"""What the README names exists: tests of its promises, commands, files."""

import ast
import re
import shlex
from functools import lru_cache
from pathlib import Path

import pytest

from nongso.commands.__main__ import parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def promises() -> list[str]:
    """The rows of the promise table."""
    table = README.split("| promise | when it holds | the test |")[1]
    return [line for line in table.split("\n\n")[0].splitlines()[2:] if line.startswith("|")]


def named_tests() -> list[tuple[str, str]]:
    """File and function of every test in the promise table; "…" stands for the file before."""
    found = []
    file = ""
    for where, name in re.findall(r"`(tests/[\w/]+\.py|…)(?:::(\w+))?`", "\n".join(promises())):
        file = file if where == "…" else where
        found.append((file, name))
    return found


@lru_cache
def functions(file: Path) -> dict[str, ast.FunctionDef]:
    """The functions and methods of a file, by name."""
    tree = ast.parse(file.read_text())
    return {one.name: one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}


def within_reach(file: str) -> dict[str, ast.FunctionDef]:
    """What the tests of a file may call: its own functions, and those of its folder's parts."""
    found: dict[str, ast.FunctionDef] = {}
    for one in (ROOT / file).parent.glob("*.py"):
        if not one.name.startswith("test_"):
            found |= functions(one)
    return found | functions(ROOT / file)


def can_fail(test: ast.FunctionDef, known: dict[str, ast.FunctionDef], seen: set[str]) -> bool:
    """Say whether a test, or what it calls in its folder, asserts anything."""
    seen.add(test.name)
    for one in ast.walk(test):
        if isinstance(one, ast.Assert):
            return True
        called = getattr(one, "id", getattr(one, "attr", ""))
        if called in ("raises", "fail"):
            return True
        if called in known and called not in seen and can_fail(known[called], known, seen):
            return True
    return False


@pytest.mark.parametrize("row", promises())
def test_every_promise_names_its_test(row: str) -> None:
    assert re.search(r"`tests/[\w/]+\.py", row)


@pytest.mark.parametrize(("file", "name"), named_tests())
def test_the_test_of_a_promise_exists_and_can_fail(file: str, name: str) -> None:
    known = within_reach(file)
    text = (ROOT / file).read_text()
    wanted = [name] if name else re.findall(r"^def (test_\w+)", text, re.MULTILINE)
    assert wanted
    for one in wanted:
        assert re.search(rf"^def {one}\(", text, re.MULTILINE), one
        assert can_fail(known[one], known, set()), f"{one} asserts nothing"
        marks = " ".join(ast.unparse(mark) for mark in known[one].decorator_list)
        assert not re.search(r"mark\.skip\(|xfail", marks), f"{one} does not run"


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
    if words[-1] == "--help":
        with pytest.raises(SystemExit) as ended:
            parser().parse_args(words)
        assert ended.value.code == 0
    else:
        assert parser().parse_args(words).command


def test_the_files_that_it_links_to_are_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target
