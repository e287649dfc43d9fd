"""The built wheel, in an environment with nothing else, does what the README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import kept

ROOT = Path(__file__).parents[2]
MAX_DEPENDENCIES = 10
MAX_INSTALLED_MB = 200

USE = """
from kept import Memory

with Memory("sqlite:///acceptance.db") as memory:
    memory.add("user prefers TypeScript over JavaScript", user_id="user123")

with Memory("sqlite:///acceptance.db") as memory:
    print(memory.search("what tech stack?", user_id="user123")["results"][0]["memory"])
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_installs_and_works(tmp_path):
    """Build, install into a fresh environment, look at its weight, and use both doors from an empty folder."""
    wheel = _build(tmp_path / "wheels")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith(".dist-info/METADATA"))).decode()
    required = HeaderParser().parsestr(metadata).get_all("Requires-Dist", [])
    assert len([line for line in required if "extra ==" not in line]) <= MAX_DEPENDENCIES
    assert "kept/py.typed" in names
    assert [name for name in names if re.match(r"kept/examples/\w", name)]
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/"))]

    folder = tmp_path / "folder"
    folder.mkdir()
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    before = _size_mb(tmp_path / "env")
    _run(scripts / "python", "-m", "pip", "install", "--quiet", str(wheel), cwd=folder)
    assert _size_mb(tmp_path / "env") - before <= MAX_INSTALLED_MB

    assert kept.__version__ in _run(scripts / "kept", "--version", cwd=folder)
    assert _run(scripts / "kept", "demo", cwd=folder)
    assert list(folder.iterdir()) == []
    assert _run(scripts / "python", "-c", USE, cwd=folder).strip() == "user prefers TypeScript over JavaScript"


def _build(folder: Path) -> Path:
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT), cwd=ROOT)
    (wheel,) = folder.glob("kept-*.whl")
    return wheel


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def _run(*command: str | Path, cwd: Path) -> str:
    kept_out = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    environment = {name: v for name, v in os.environ.items() if name not in kept_out and not name.startswith("KEPT_")}
    environment |= {"KEPT_CONFIG": str(cwd / "none.toml"), "KEPT_USER_ID": "user123"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
