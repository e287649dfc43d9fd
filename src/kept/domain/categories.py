"""Categories: what a project sorts its memories under, and the rules that sort by words. Pure.

Without a language model a memory is sorted by two signs: how close its embedding is to the category's name, description and examples
(`engine.categories`), and whether it holds one of the category's cues, which are words that hardly mean anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kept.domain.default_categories import DEFAULT_CATEGORIES
from kept.domain.text import terms
from kept.errors import InvalidInputError

MAX_CATEGORIES: Final = 100
MAX_NAME: Final = 100
MAX_DESCRIPTION: Final = 2_000
"""Bounds of a project's own list: what a person still oversees, and a name and some paragraphs for each."""
OTHER: Final = "misc"
"""What is near none of the others, where a project has a category of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """What memories are sorted under.

    Attributes:
        cues: Words that hardly mean anything else.
        examples: Sentences that belong to it.
    """

    name: str
    description: str = ""
    cues: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def texts(self) -> list[str]:
        """What it is about, in sentences to be embedded."""
        return [f"{self.name.replace('_', ' ')}. {self.description}".strip(), *self.examples]


DEFAULTS: Final[tuple[Category, ...]] = tuple(
    Category(
        name=name,
        description=description,
        cues=tuple(cues.split()),
        examples=tuple(line.strip() for line in examples.strip().splitlines()),
    )
    for name, (description, cues, examples) in DEFAULT_CATEGORIES.items()
)
"""Mem0's fifteen."""


def parse_categories_setting(raw: object, *, described: bool = False) -> tuple[Category, ...]:
    """A project's (or a call's) own categories: `{name: description}` objects or names, in a list or as one object.

    Args:
        raw: As callers write it.
        described: Whether each must have a description, as in a call.

    Raises:
        InvalidInputError: Something else, or too many.
    """
    listed: Sequence[Any] = [{name: about} for name, about in raw.items()] if isinstance(raw, Mapping) else raw  # type: ignore[assignment]
    if not isinstance(listed, (list, tuple)):
        raise InvalidInputError("custom_categories must be a list of {name: description} objects.")
    found: dict[str, Category] = {}
    for item in listed:
        pairs = item.items() if isinstance(item, Mapping) else [(item, "")]
        for name, about in pairs:
            category = _category(name, about, described=described)
            found[category.name] = category
    if len(found) > MAX_CATEGORIES:
        raise InvalidInputError(f"{len(found)} custom_categories; a project has at most {MAX_CATEGORIES}.")
    return tuple(found.values())


def _category(name: object, about: object, *, described: bool) -> Category:
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInputError(f"A category's name must be a text of 1 to {MAX_NAME} printable characters.")
    text = "" if about is None else about
    if not isinstance(text, str) or len(text) > MAX_DESCRIPTION:
        raise InvalidInputError(
            f"The description of category {name[:40]!r} must be a text of at most {MAX_DESCRIPTION:,} characters."
        )
    if described and not text.strip():
        raise InvalidInputError(f"Category {name[:40]!r} needs a description here: {{name: description}}.")
    known = next((default for default in DEFAULTS if default.name == name.strip()), None)
    if known is not None and not text.strip():
        return known
    return Category(name=name.strip(), description=text.strip())


def cue_index(categories: Sequence[Category]) -> dict[str, list[int]]:
    """From each term of a cue to the places of the categories that have it. A name of one word is a cue as well."""
    index: dict[str, list[int]] = {}
    for place, category in enumerate(categories):
        cues = (*category.cues, category.name) if category.name.isalpha() else category.cues
        for term in {term for cue in cues for term in terms(cue)}:
            index.setdefault(term, []).append(place)
    return index


def cued(text: str, index: Mapping[str, Sequence[int]]) -> set[int]:
    """Places of the categories that have a cue in a text."""
    return {place for term in terms(text) for place in index.get(term, ())}
