"""What a page shows works: its examples run and its links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

import kept

LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)(?: \"[^\"]*\")?\)|!\[[^\]\n]*\]\(([^)\s]+)\)")
OUTSIDE = re.compile(r"^(https?|mailto):")

RUN = """
import json, sys

namespace = {"__name__": "__main__"}
name, blocks = json.load(sys.stdin)
for line, text in blocks:
    exec(compile("\\n" * (line - 1) + text, name, "exec"), namespace)
"""


@pytest.mark.timeout(60)
def test_examples_run(page, tmp_path):
    """The Python blocks of a page, one after the other, in an empty folder with a store of their own."""
    blocks = [(block.line, block.text) for block in page.blocks if block.info == "python"]
    if not blocks:
        return
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEPT_")}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        check=False,
        input=json.dumps([str(page.path), blocks]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment
        | {
            "KEPT_DATABASE": f"sqlite:///{tmp_path.as_posix()}/kept.db",
            "KEPT_CONFIG": str(tmp_path / "kept.toml"),
            "PYTHONPATH": str(Path(kept.__file__).parents[1]),
            "PYTHONUTF8": "1",
        },
    )
    assert done.returncode == 0, done.stderr


def test_examples_are_python(page):
    """Blocks that are not run are at least compiled."""
    for block in page.blocks:
        if block.info.split()[:1] == ["python"]:
            assert block.info in {"python", "python notest"}
            compile("\n" * (block.line - 1) + block.text, str(page.path), "exec")


def test_links_lead_somewhere(page, root):
    """Links inside the repository name a file that is there, and a heading in it."""
    broken = [link for link in _links(page.prose) if not OUTSIDE.match(link) and not _resolves(link, page.path, root)]
    assert broken == []


def _links(prose: str) -> list[str]:
    without_code = re.sub(r"`[^`\n]*`", "", prose)
    return [link or image for link, image in LINK.findall(without_code)]


def _resolves(link: str, page: Path, root: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / unquote(path)).resolve() if path else page
    if not target.exists() or not target.is_relative_to(root):
        return False
    return not anchor or anchor in _anchors(target.read_text(encoding="utf-8"))


def _anchors(text: str) -> set[str]:
    """Anchors of headings, as GitHub makes them."""
    without_code = re.sub(r"(?ms)^ *(`{3,}|~{3,}).*?^ *\1 *$", "", text)
    anchors: set[str] = set()
    for heading in re.findall(r"(?m)^#+ (.+)$", without_code):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 1
        while anchor in anchors:
            anchor = f"{anchor.rstrip('0123456789-')}-{number}"
            number += 1
        anchors.add(anchor)
    return anchors
