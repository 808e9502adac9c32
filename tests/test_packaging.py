"""The list of packages in pyproject.toml is the tree on disk, and platform is still Python's."""

import ast
import platform
import subprocess
import sys
import tomllib
import zipfile
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_on_disk_is_packaged():
    on_disk = set()
    for name, folder in SETUPTOOLS["package-dir"].items():
        on_disk.add(name)
        if name == "nongso.firmware":  # travels as data, to be copied to boards
            continue
        base = ROOT / folder
        for init in base.rglob("__init__.py"):
            on_disk.add(".".join((name, *init.parent.relative_to(base).parts)))
    assert set(SETUPTOOLS["packages"]) == on_disk


def test_no_module_of_traceability_imports_itself_by_way_of_others():
    room = ROOT / "platform" / "traceability"
    names = {
        file: ".".join(file.relative_to(room).with_suffix("").parts) for file in room.rglob("*.py")
    }
    leans_on = {}
    for file, name in names.items():
        imports = [
            n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.ImportFrom)
        ]
        asked = {f"{one.module}.{a.name}" for one in imports for a in one.names}
        asked |= {str(one.module) for one in imports}
        leans_on[name] = {one.removeprefix("nongso.platform.traceability.") for one in asked}
        leans_on[name] &= set(names.values())
    assert len(leans_on["lots"]) > 2
    list(TopologicalSorter(leans_on).static_order())  # raises CycleError with the way round


def test_platform_folder_does_not_hide_the_standard_library():
    assert not (ROOT / "platform" / "__init__.py").exists()
    done = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.system())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == platform.system()


def test_python_m_pytest_works_from_the_root():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that a server would install, built from what git holds and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        file = ROOT / name
        if name and file.is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(file.read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source],
        check=True,
        capture_output=True,
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [
        ("platform/templates", "*.html"),
        ("platform/static", "*.css"),
        ("platform/translations", "*.po"),
        ("platform/migrations", "*.py"),
        ("gateway/devices", "*.toml"),
        ("gateway/simulated/board", "*.py"),
        ("labels/layouts", "*.toml"),
        ("firmware", "*.py"),
    ],
)
def test_wheel_carries_what_is_not_a_python_module(wheel, folder, pattern):
    carried = set(wheel.namelist())
    there = [p.relative_to(ROOT) for p in (ROOT / folder).rglob(pattern)]
    there = [p for p in there if "__pycache__" not in p.parts]
    assert there, f"nothing like {pattern} in {folder}"
    assert {f"nongso/{p}" for p in there} <= carried
