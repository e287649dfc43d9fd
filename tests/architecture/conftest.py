"""What the tests of the architecture look at: the source tree, and fresh processes."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kept

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def package() -> Path:
    """The folder of the package."""
    return Path(kept.__file__).parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def trees(package) -> dict[str, ast.Module]:
    """The syntax tree of every module of the package, by its path in it."""
    paths = sorted(package.rglob("*.py"))
    return {path.relative_to(package).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@pytest.fixture
def run_python(tmp_path):
    """Gives a function that runs a script in a fresh process, in an empty folder with an empty home, and returns its output."""
    home, folder = tmp_path / "home", tmp_path / "folder"
    home.mkdir()
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KEPT_", "XDG_"))}
    environment |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PYTHONPATH": str(Path(kept.__file__).parents[1]),
        "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every process compiles what it imports

    def run(script: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
        assert list(folder.iterdir()) == []
        assert list(home.iterdir()) == []
        return done.stdout

    return run
