"""The released Mem0 client for Node, through every method against `kept serve`; what holds is in `npm/mem0.test.cjs`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NPM = Path(__file__).parent / "npm"
MODULES = Path(sys.prefix) / "npm" / "node_modules"
"""Where `make` installs what `npm/package.json` names."""


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_released_npm_client_works(server, tmp_path):
    """Every method, each against a project of its own; the output names what does not hold."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed: the npm client was not tested")
    if not (MODULES / "mem0ai").is_dir():
        pytest.skip(f"The npm client is not in {MODULES.parent.name}: it was not tested; `make lint` installs it")
    environment = os.environ | {
        "KEPT_TEST_URL": server.url,
        "KEPT_TEST_ADMIN_KEY": server.admin_key,
        "MEM0_DIR": str(tmp_path),
        "MEM0_TELEMETRY": "false",
        "NODE_PATH": str(MODULES),
    }
    done = subprocess.run(
        [node, "--test", str(NPM / "mem0.test.cjs")],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
