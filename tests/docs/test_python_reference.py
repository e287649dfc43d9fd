"""Every public method and argument is in docs/reference/python.md, as it is."""

from __future__ import annotations

import inspect
import re

import pytest

from kept import Memory
from kept.engine.service import UNSET
from kept.sdk import shapes

METHODS = sorted(name for name, _ in inspect.getmembers(Memory, callable) if not name.startswith("_"))
COMMON = "Arguments that many calls take"


def call(name: str) -> str:
    """The call as documented: names and defaults, no annotations."""
    signature = inspect.signature(Memory if name == "Memory" else getattr(Memory, name))
    parameters = [
        p.replace(annotation=p.empty, default=_Unset if p.default is UNSET else p.default)
        for p in signature.parameters.values()
        if p.name != "self"
    ]
    prefix = "" if name == "Memory" else "Memory." if name == "from_config" else "memory."
    return f"{prefix}{name}{signature.replace(parameters=parameters, return_annotation=signature.empty)}"


class _Unset:
    """Shown where an argument that is left out changes nothing."""


def _shown(text: str) -> str:
    return re.sub(r"<class '[^']*_Unset'>", "UNSET", text)


@pytest.mark.parametrize("name", ["Memory", *METHODS])
def test_every_call_is_shown_as_it_is(reference, name):
    """The signature under a method's heading is the method's."""
    section = reference("python").section(f"`{name}`")
    shown = re.search(r"```text\n(.*?)\n```", section, re.DOTALL)
    assert shown, f"`{name}` shows no signature"
    assert re.sub(r"\s+", "", shown[1]) == re.sub(r"\s+", "", _shown(call(name)))


@pytest.mark.parametrize("name", METHODS)
def test_every_argument_is_explained(reference, name):
    """Where the method is described, or among the arguments that many calls take."""
    page = reference("python")
    prose = re.sub(r"(?s)```.*?```", "", page.section(f"`{name}`") + page.section(COMMON))
    explained = set(re.findall(r"`(\w+)`", prose))
    parameters = set(inspect.signature(getattr(Memory, name)).parameters) - {"self"}
    assert parameters - explained == set()


def test_nothing_is_described_that_is_not_there(reference):
    """Each heading of a method names a method."""
    described = [heading.strip("`") for heading in reference("python").headings(3)]
    assert sorted(described) == sorted(["Memory", *METHODS])


def test_every_key_of_a_memory_is_described(reference):
    """The shape of a memory lists what `shapes.memory` and `shapes.hit` may give."""
    described = set(re.findall(r"`(\w+)`", reference("python").section("Shapes")))
    given = set(re.findall(r'"(\w+)":', inspect.getsource(shapes.memory))) - {
        "name",
        "source",
        "relationship",
        "target",
    }
    assert given | {"score", "score_details"} <= described
