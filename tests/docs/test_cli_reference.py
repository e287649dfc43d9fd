"""docs/reference/cli.md is what the commands say of themselves."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from kept.cli.app import SECTIONS, cli
from kept.cli.failures import EXIT_CODES
from kept.cli.reference import render

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_page_is_up_to_date():
    """`python -m kept.cli.reference docs/reference/cli.md` writes it."""
    assert PAGE.read_text(encoding="utf-8") == render()


@pytest.mark.parametrize("name", [name for commands in SECTIONS.values() for name in commands])
def test_every_command_and_option_is_on_the_page(name):
    page = PAGE.read_text(encoding="utf-8")
    command = cli.get_command(None, name)
    section = page.partition(f"### kept {name}\n")[2].partition("\n### ")[0]
    everywhere = page.partition("## Options of every command")[2].partition("\n## ")[0]
    assert section
    for option in command.params:
        if isinstance(option, click.Option):
            assert all(spelling in section + everywhere for spelling in option.opts)


def test_every_exit_code_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    assert [code for code in EXIT_CODES if f"| {code} | " not in page] == []
