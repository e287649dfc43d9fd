"""A corpus to time with: statements an agent might remember, questions about them, and a transcript, made from word lists.

The same on every machine and run. Nothing here is taken from anywhere: names of systems are compounds of two common words,
22,648 of them, so that the vocabulary grows with the corpus as it does in real use.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def _words(text: str, separator: str | None = None) -> tuple[str, ...]:
    return tuple(text.split(separator))


FIRST = _words(
    "acorn amber anchor apple arrow ash autumn badger bamboo barley basalt beacon berry birch bison blue bramble brass "
    "breeze bridge bright bronze brook canyon cedar chalk cherry cinder clay clear cliff clover cloud cobalt copper "
    "coral cotton crane crystal cypress dawn deep delta desert dove drift dune dusk eagle early east echo elder elm "
    "ember emerald evening falcon far fern field finch fire flax flint forest fox frost garden gentle glacier glass "
    "gold granite grass gravel green grove gull harbor harvest hawk hazel heath heron hickory hill hollow honey "
    "horizon indigo iris iron island ivory ivy jade jasper juniper kestrel lake lantern lark laurel leaf lemon "
    "lilac lime linen lion lotus lunar lynx maple marble marsh meadow mellow merry mint mist moon moss mountain "
    "north oak oat ocean olive opal orchard otter owl paper pearl pebble pepper pine plum polar pond poplar prairie "
    "quartz quiet rain raven red reed"
)
SECOND = _words(
    "arch bank barn basin bay beam bell bend board boat bolt bow box branch brick bucket cabin cairn camp cap card "
    "cart case cave chain chart chest chime clock coat coil coin comb core cove craft crate crest crown cup dale dash "
    "deck den desk dial dish dock dome door draft drum fall fare fence file fin flag flame fleet float floor flow "
    "fold fork fort frame gate gauge gear glade globe glow grain graph grid guard guide hall hand hatch haven head "
    "hinge hive hold home hook hoop horn house hub hull jar joint kiln kite knot lace ladder lamp lane latch lath "
    "ledge lens level lift light line link lock lodge loft log loom loop mark mast mat maze mesh mill mine mold "
    "nest net node note pad page pail pan patch path peak pen pier pin pipe pitch plank plate plot plow point pool "
    "port post press prop quay"
)
PEOPLE = _words(
    "Ada Ben Carla Dev Ewa Femi Gus Hana Ivo Jia Kofi Lena Milo Nora Omar Pia Quin Rosa Sami Tess Uri Vera Wes"
)

STORES = ("Postgres 16", "MySQL 8", "SQLite", "Redis 7", "ClickHouse", "DuckDB", "MongoDB", "Cassandra", "etcd", "S3")
LANGUAGES = ("Go", "Rust", "TypeScript", "Python 3.12", "Kotlin", "Elixir", "Java 21", "Zig", "Swift", "Scala")
TOPICS = _words(
    "invoices|refunds|sign-ups|exports|search suggestions|thumbnails|push messages|audit trails|price lists|holiday "
    "requests|shift plans|delivery slots|bank transfers|survey answers|map tiles|sensor readings|translations|contracts",
    separator="|",
)
REASONS = _words(
    "because the old one lost messages under load|since nobody on call could read its logs|to halve the nightly bill|"
    "after the third outage in a month|because the licence ran out|so that deploys take under five minutes|"
    "since the vendor stopped its support|to keep customer data inside the country|because tests were flaky on it",
    separator="|",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")

STATEMENTS = (
    "{person} said that {name} stores {topic} in {store}, {reason}.",
    "We moved {name} from {store} to {other} on {day}, {reason}.",
    "{name} is written in {language} and talks to {near} over port {port}, for {topic} only.",
    "The release of {name} happens on {day} at {hour}:30, and {person} has to approve it.",
    "{person} prefers {language} over {rival} for {name}, {reason}.",
    "Run `make {name}-check` before merging; it takes {port} ms and covers {topic} as well as {near}.",
    "The flaky test in src/{name}/{near}.py was a timezone bug in {topic}; {person} fixed it on {day}.",
    "{name} retries {topic} {count} times with a pause of {port} ms and then tells {person}.",
    "Never call {near} from {name} while {topic} are running, {reason}.",
    "The budget of {name} is {port} euros a month; {person} reviews it every {day} together with {topic}.",
    "{person} keeps the notes about {topic} in docs/{name}.md and the diagrams next to {near}.",
    "Customers asked for {topic} in {name}; we promised {near} for the week after {day}.",
)
QUESTIONS = (
    "Where does {name} store {topic}?",
    "Which language is {name} written in?",
    "Who approves the release of {name}?",
    "Why did we move {name} away from {store}?",
    "How often does {name} retry {topic}?",
    "What did {person} say about {topic}?",
    "What must not run while {name} is busy?",
    "When is the budget of {name} reviewed?",
)

_EPOCH = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_TURN = timedelta(minutes=3)


def statements(count: int, *, start: int = 0) -> Iterator[str]:
    """`count` statements of some 95 characters, numbers `start` onwards of one sequence; one in 400 of a million repeats."""
    return (_fill(STATEMENTS, number) for number in range(start, start + count))


def questions(count: int) -> Iterator[str]:
    """`count` questions; those about systems name ones that the first thousands of statements mention."""
    return (_fill(QUESTIONS, number * 7) for number in range(count))


def write_transcript(path: Path, messages: int) -> None:
    """Write a chat of `messages` messages, in turns of a user and an assistant, as JSON in the form of chat exports."""
    turns = [
        {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
            "role": "user" if number % 2 == 0 else "assistant",
            "content": text,
            "timestamp": (_EPOCH + number * _TURN).isoformat(),
        }
        for number, text in enumerate(statements(messages))
    ]
    path.write_text(json.dumps({"messages": turns}), encoding="utf-8")


def _fill(forms: tuple[str, ...], number: int) -> str:
    state = _Draws(number)
    # Numbers of one form are spread over all names; the last part makes each statement of a form its own.
    serial = number // len(forms)
    return forms[number % len(forms)].format(
        name=_name(serial * 7919 + number % len(forms)),
        near=_name(serial * 104729 + 13),
        person=state.of(PEOPLE),
        topic=state.of(TOPICS),
        store=state.of(STORES),
        other=state.of(STORES),
        language=state.of(LANGUAGES),
        rival=state.of(LANGUAGES),
        reason=state.of(REASONS),
        day=state.of(DAYS),
        hour=9 + state.below(8),
        port=100 + state.below(9000),
        count=2 + state.below(9),
    )


def _name(number: int) -> str:
    first, second = divmod(number % (len(FIRST) * len(SECOND)), len(SECOND))
    return FIRST[first] + SECOND[second]


class _Draws:
    """A sequence of numbers that looks random and is the same everywhere.

    Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014 (SplitMix64).
    """

    _MASK = (1 << 64) - 1

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, limit: int) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & self._MASK
        mixed = ((self._state ^ (self._state >> 30)) * 0xBF58476D1CE4E5B9) & self._MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & self._MASK
        return (mixed ^ (mixed >> 31)) % limit

    def of(self, choices: Sequence[str]) -> str:
        return choices[self.below(len(choices))]
