"""Categories: what a project sorts its memories under, and the rules that sort by words. Pure.

Without a language model a memory is sorted by two signs: how close its embedding is to the category's name, description and examples
(`engine.categories`), and whether it holds one of the category's cues, which are words that hardly mean anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from kept.domain.text import terms
from kept.errors import InvalidInputError

MAX_CATEGORIES: Final = 100
MAX_NAME: Final = 100
MAX_DESCRIPTION: Final = 2_000
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
        """What it is about, in words to be embedded."""
        about = f"{self.name.replace('_', ' ')}. {self.description}".strip()
        return [about, *([" ".join(self.cues)] if self.cues else []), *self.examples]


def _default(name: str, description: str, cues: str, *examples: str) -> Category:
    return Category(name=name, description=description, cues=tuple(cues.split()), examples=examples)


DEFAULTS: Final[tuple[Category, ...]] = (
    _default(
        "personal_details",
        "who a person is: name, age, birthday, address, phone, nationality, language, where they live",
        "birthday nickname surname nationality",
        "My name is Anna and I am 34 years old.",
        "I live in Berlin and come from Portugal.",
    ),
    _default(
        "family",
        "relatives and the household: partner, children, parents, siblings, pets",
        "wife husband daughter son mother father mom dad sister brother grandmother grandfather aunt uncle niece nephew "
        "cousin kids twins girlfriend boyfriend fiancé dog cat puppy kitten",
        "My daughter Mira starts school in September.",
        "My husband and I have two kids and a dog.",
    ),
    _default(
        "professional_details",
        "job, employer, career, colleagues, education, skills, projects at work",
        "employer colleague coworker salary resume career promotion degree university internship freelance engineer "
        "nurse teacher lawyer accountant manager startup company office boss studied",
        "I work as a software engineer at a startup.",
        "She studied law and became a partner at her firm.",
    ),
    _default(
        "sports",
        "sports played or followed, training, matches, teams, races",
        "football soccer basketball tennis marathon cycling climbing swimming yoga gym surfing skiing volleyball golf "
        "hockey rugby workout",
        "I run a marathon every spring.",
        "He plays football for the local team.",
    ),
    _default(
        "travel",
        "trips, flights, hotels, holidays, places visited or to be visited",
        "flight hotel airport passport visa vacation itinerary trip airbnb luggage abroad",
        "We fly to Lisbon in May and stay in a hotel near the river.",
        "I want to visit Japan next year.",
    ),
    _default(
        "food",
        "eating and drinking: dishes, recipes, restaurants, diets, tastes",
        "vegetarian vegan recipe restaurant breakfast lunch dinner coffee tea pizza pasta sushi cheese wine beer cook "
        "cooking baking bread soup dessert",
        "I love spicy Thai food and cook every evening.",
        "She drinks her coffee without sugar.",
    ),
    _default(
        "music",
        "music listened to or made: songs, bands, concerts, instruments",
        "concert guitar piano violin drums album playlist song songs band jazz orchestra singer sing sings choir music",
        "I play the guitar in a band.",
        "His favourite album is by a jazz pianist.",
    ),
    _default(
        "health",
        "health, illness, allergies, medication, doctors, sleep, mental wellbeing",
        "allergic allergy allergies doctor medication asthma diabetes therapy surgery dentist symptoms migraine pregnant "
        "insomnia vaccine hospital diagnosed insulin hurts pain headache",
        "I am allergic to peanuts.",
        "He takes medication for high blood pressure.",
    ),
    _default(
        "technology",
        "software, hardware, programming, tools, devices, systems and how they are set up",
        "python typescript javascript rust database postgres sqlite server api docker kubernetes laptop linux editor "
        "deploy deployment compiler repository framework endpoint backend frontend windows macos build code",
        "The billing service runs on Postgres 15.",
        "We use TypeScript with strict mode and deploy on Tuesdays.",
    ),
    _default(
        "hobbies",
        "what somebody does for pleasure in their free time: crafts, games, collecting, reading, gardening",
        "hobby hobbies gardening painting knitting chess pottery photography crossword puzzles woodworking collecting",
        "In my free time I paint watercolours.",
        "He collects stamps and plays chess.",
    ),
    _default(
        "fashion",
        "clothes, shoes, style, brands worn, sizes",
        "dress shoes sneakers jacket jeans outfit wardrobe handbag jewelry clothes",
        "I wear mostly black clothes and white sneakers.",
        "Her shoe size is 38.",
    ),
    _default(
        "entertainment",
        "films, series, books, games, theatre, shows watched or read",
        "movie movies film films documentary netflix series novel podcast theater theatre cinema videogame episode",
        "We watched the new science fiction series on Friday.",
        "Her favourite film is an old western.",
    ),
    _default(
        "milestones",
        "events that mark a life: weddings, births, graduations, moves, new jobs, anniversaries",
        "wedding married graduated graduation anniversary engaged retired retirement newborn funeral",
        "We got married in June.",
        "She graduated from university last week.",
    ),
    _default(
        "user_preferences",
        "what somebody likes, prefers, wants or dislikes, and how they want things done or answered",
        "prefer prefers preference dislike please always never",
        "I prefer dark mode.",
        "Please answer in short sentences.",
    ),
    _default(OTHER, "", ""),
)
"""Mem0's fifteen, by name; descriptions, cues and examples are ours."""


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


def cued(text: str, categories: Sequence[Category]) -> list[bool]:
    """Which categories have a cue in a text."""
    found = set(terms(text))
    return [bool(found & _cue_terms(category.cues)) for category in categories]


@lru_cache(maxsize=256)
def _cue_terms(cues: tuple[str, ...]) -> frozenset[str]:
    return frozenset(term for cue in cues for term in terms(cue))
