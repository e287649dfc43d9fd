"""Imports point one way, and nothing that is shipped for tests is used by what is not."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest


def test_imports_point_one_way(root, package):
    """The contracts of pyproject.toml hold."""
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", script, "--no-cache", "--no-logo"],
        check=False,
        capture_output=True,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(package.parent), "PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_nothing_but_tests_uses_what_is_shipped_for_tests(trees):
    """`kept.testing` is for adapter authors; no other module imports it."""
    users = {
        path
        for path, tree in trees.items()
        if not path.startswith("testing/") and any(name.startswith("kept.testing") for name in _imported(tree))
    }
    assert users == set()


@pytest.mark.parametrize(
    ("package_name", "homes"),
    [
        ("sqlite3", ("adapters/", "cli/doctor.py")),  # the doctor names its version
        ("tokenizers", ("adapters/embedders/",)),
        ("onnxruntime", ("adapters/embedders/onnx.py",)),
        ("fastembed", ("adapters/embedders/fastembed.py",)),
        ("wordllama", ("adapters/embedders/wordllama.py",)),
        ("click", ("cli/",)),
        ("anyio", ("sdk/", "rest/", "adapters/models/", "adapters/embedders/remote.py")),
        ("pydantic_ai", ("adapters/models/", "adapters/embedders/remote.py", "testing/providers/")),
        ("anthropic", ("adapters/models/connection.py",)),
        ("genai_prices", ("adapters/models/",)),
        ("jsonschema_rs", ("adapters/models/",)),
        ("platformdirs", ("settings.py",)),
        ("Stemmer", ("domain/text.py",)),
        ("fastapi", ("rest/",)),
        ("starlette", ("rest/",)),
        ("uvicorn", ("rest/running.py", "rest/connections.py", "rest/sharing.py")),
        ("limits", ("rest/limits.py", "rest/counters.py")),
        ("prometheus_client", ("rest/operate.py",)),
        ("mcp", ("rest/mcp_transport.py",)),
        ("jwt", ("rest/oauth.py",)),
        ("httpx2", ("sdk/client/", "rest/inventory.py", "adapters/models/connection.py")),
    ],
)
def test_a_library_is_imported_in_its_own_room_only(trees, package_name, homes):
    """So that it can be replaced there, and an extra is missed nowhere else."""
    users = {
        path
        for path, tree in trees.items()
        if package_name in {name.partition(".")[0] for name in _imported(tree)} and not path.startswith(homes)
    }
    assert users == set()


def _imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names
