"""Understanding: what becomes of what was said when a language model reads it, and of all that can go wrong with that."""

from __future__ import annotations

import base64
import functools
import itertools
import re
import time
import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kept.adapters.embedders.wordllama import WordLlamaEmbedder
from kept.adapters.extractors.rules import RuleExtractor
from kept.adapters.inmemory import InMemoryLog
from kept.adapters.inmemory_control import InMemoryJobs
from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.domain.parts import CONTEXT_MESSAGES
from kept.domain.scope import Scope
from kept.domain.spending import SpendingLimit
from kept.engine.material import KNOWN, REPEATED
from kept.engine.models import Models
from kept.engine.service import Service
from kept.engine.understanding import MAX_ATTEMPTS, REFUSED_PAUSE, Reading
from kept.errors import (
    AttachmentsRefusedError,
    ConfigurationError,
    ConflictError,
    ModelAnswerError,
    ModelUnavailableError,
    StoreBusyError,
)
from kept.testing.fakes import FixedClock
from kept.testing.models import ScriptedModel

ANA = Scope(user_id="ana", run_id="monday")
HOME = {"t": "Ana lives in Berlin.", "s": [1], "k": "profile", "c": 0.9}
DOG = {"t": "Ana has a dog called Rex.", "s": [2], "k": "profile", "c": 0.9}
MOVED = {"t": "Ana lives in Hamburg.", "s": [1], "k": "profile", "c": 0.9}


@functools.cache
def embedder():
    return WordLlamaEmbedder()


class FaultyEmbedder:
    """Fails the next times that a text is embedded."""

    def __init__(self, text, *faults):
        self._text, self._faults = text, list(faults)

    @property
    def identity(self):
        return embedder().identity

    def embed_query(self, text):
        return embedder().embed_query(text)

    def embed_documents(self, texts):
        if self._faults and self._text in texts:
            raise self._faults.pop(0)
        return embedder().embed_documents(texts)


class FaultyLog(InMemoryLog):
    """Fails the next writes."""

    faults = ()

    def write(self):
        if self.faults:
            fault, *self.faults = self.faults
            raise fault
        return super().write()


class Store:
    """A store whose language model follows a script."""

    def __init__(self, answers=(), *, contradiction=None, limits=(), settings=None, embeds=None):
        numbers = itertools.count()
        ids = lambda: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{next(numbers)}"))  # noqa: E731
        self.log, self.clock = FaultyLog(), FixedClock()
        self.jobs = InMemoryJobs(self.log)
        self.model = ScriptedModel(answers)
        self.judge = contradiction and ScriptedModel(contradiction, name="scripted:judge")
        self.ledger = InMemoryLedger()
        models = {"extraction": self.model, "contradiction": self.judge or self.model}
        self.service = Service(
            log=self.log,
            embedder=embeds or embedder(),
            extractor=RuleExtractor(),
            clock=self.clock,
            ids=ids,
            reading=Reading(
                jobs=self.jobs,
                models=Models(models, self.ledger, clock=self.clock, ids=ids, limits=limits),
                settings_of=lambda _: settings or {},
            ),
        )

    def say(self, *turns, scope=ANA, **options):
        """Add turns, `"text"`, parts or `(role, text)`, and have them read: the add's result and the jobs as they ended."""
        messages = [
            {"role": "user", "name": "Ana", "content": turn}
            if not isinstance(turn, tuple)
            else dict(zip(("role", "content"), turn, strict=True))
            for turn in turns
        ]
        result = self.service.add(scope, messages, awaited=True, **options)
        self.clock.advance(timedelta(minutes=1))
        return result, [part.job for part in self.service.understand(scope, result)]

    def read_due(self):
        """What a worker would do now: the jobs as they ended."""
        ended = []
        while more := self.service.understanding.run_due():
            ended += more
        return ended

    def facts(self, **options):
        records, _ = self.service.list(Scope(user_id="*"), newest_first=False, **options)
        return [record for record in records if record.kind == "fact"]

    def texts(self, **options):
        return [record.text for record in self.service.list(Scope(user_id="*"), newest_first=False, **options)[0]]


def answer(*facts):
    return {"f": list(facts)}


def test_a_conversation_becomes_facts_that_point_at_their_words():
    store = Store([answer(HOME)])
    result, [job] = store.say("I live in Berlin, near the river.")
    [fact] = store.facts()
    assert (fact.text, fact.type, fact.confidence, fact.speaker) == ("Ana lives in Berlin.", "profile", 0.9, "Ana")
    assert (fact.episode_id, fact.position) == (result.stored[0].memory.episode_id, 0)
    assert fact.scope == ANA
    assert job.status == "SUCCEEDED"
    assert [entry["event"] for entry in job.results] == ["ADD"]
    assert store.service.source("default", fact.id).content == "I live in Berlin, near the river."


def test_statements_stay_beside_the_facts():
    store = Store([answer(HOME)])
    store.say("I live in Berlin, near the river.")
    assert store.texts() == ["I live in Berlin, near the river.", "Ana lives in Berlin."]


def test_each_fact_is_an_operation_that_undo_takes_back():
    store = Store([answer(HOME, {"t": "Ana likes rowing.", "s": [1], "k": "preference", "c": 0.9})])
    _, [job] = store.say("I live in Berlin, near the river, and I like rowing.")
    operations = [entry["operation_id"] for entry in job.results]
    assert len(set(operations)) == 2
    store.service.undo(ANA, operations[0])
    assert [fact.text for fact in store.facts()] == ["Ana likes rowing."]


# --- resolution ---


def test_a_contradiction_closes_what_it_contradicts_and_links_both():
    store = Store([answer(HOME), answer(MOVED | {"contradicts": ["m1"]})])
    store.say("I live in Berlin, near the river.")
    _, [job] = store.say("I live in Hamburg now.")
    old, new = store.facts()
    assert (old.state, old.superseded_by, old.valid_to) == ("superseded", new.id, new.created_at)
    assert new.supersedes[0] == old.id
    assert "SUPERSEDE" in [entry["event"] for entry in job.results]
    found = [
        hit.memory.text for hit in store.service.search(Scope(user_id="ana"), "Where does Ana live?", latest_only=True)
    ]
    assert "Ana lives in Hamburg." in found
    assert "Ana lives in Berlin." not in found


def test_a_closed_fact_takes_the_statement_of_the_same_words_with_it():
    """Else the sentence it was made of would go on saying it."""
    store = Store([answer(HOME), answer(MOVED | {"contradicts": ["m1"]})])
    store.say("I live in Berlin.")
    store.say("I live in Hamburg now.")
    assert store.texts(latest_only=True) == ["I live in Hamburg now.", "Ana lives in Hamburg."]


def test_a_resolution_is_undone_as_a_whole():
    store = Store([answer(HOME), answer(MOVED | {"contradicts": ["m1"]})])
    store.say("I live in Berlin.")
    _, [job] = store.say("I live in Hamburg now.")
    store.service.undo(ANA, job.results[0]["operation_id"])
    assert store.texts(latest_only=True) == ["I live in Berlin.", "Ana lives in Berlin.", "I live in Hamburg now."]


def test_the_log_says_why():
    store = Store([answer(HOME), answer(MOVED | {"contradicts": ["m1"]})])
    store.say("I live in Berlin.")
    store.say("I live in Hamburg now.")
    old, new = store.facts()
    why = store.service.history("default", new.id)[0].revision.changes["why"]
    assert why["by"] == "scripted:model"
    assert [(entry["memory_id"], entry["verdict"]) for entry in why["supersedes"]] == [(old.id, "contradicts")]
    assert "Berlin" not in str(why)


def test_a_fact_that_is_known_is_reinforced():
    store = Store([answer(HOME), answer(HOME | {"same": "m1"})])
    store.say("I live in Berlin.")
    store.say("As I said: I live in Berlin.")
    [fact] = store.facts()
    assert fact.reinforced == 1


PORT = {
    "t": "The API listens on port 8080 from 2026-05-01.",
    "s": [1],
    "k": "decision",
    "c": 0.8,
    "from": "2026-05-01",
    "e": [["API", "service"]],
    "r": [["API", "listens on", "port 8080"]],
}


def test_a_fact_in_the_words_of_its_statement_takes_the_place_of_that():
    """It was said once, and is found once; with all that the model says of it, and what the caller said of the statement."""
    store = Store([answer(PORT)])
    _, [job] = store.say(PORT["t"], metadata={"team": "billing"})
    [fact] = store.facts(latest_only=False)
    assert store.texts(latest_only=False) == [PORT["t"]]
    assert (fact.type, fact.confidence, fact.valid_from.isoformat()) == ("decision", 0.8, "2026-05-01T00:00:00+00:00")
    assert [(one.source, one.relationship, one.target) for one in fact.relations] == [
        ("API", "listens_on", "port 8080")
    ]
    assert fact.entity_refs[0].kind == "service"
    assert fact.metadata["team"] == "billing"
    assert fact.reinforced == 0
    assert [entry["event"] for entry in job.results] == ["UPDATE"]
    assert list(store.service.verify()) == []


def test_an_undo_gives_the_statement_back_whose_place_a_fact_took():
    store = Store([answer(PORT)])
    result, [job] = store.say(PORT["t"])
    store.service.undo(ANA, job.results[0]["operation_id"])
    before, [now] = result.stored[0].memory, store.service.list(ANA)[0]
    assert (now.kind, now.type, now.relations, now.valid_from) == ("statement", None, before.relations, None)
    assert list(store.service.verify()) == []


def test_a_statement_that_was_given_back_is_read_anew_when_it_is_said_again():
    """As any words are whose fact is gone."""
    store = Store([answer(PORT), answer(PORT)])
    _, [job] = store.say(PORT["t"])
    store.service.undo(ANA, job.results[0]["operation_id"])
    store.say(PORT["t"])
    [fact] = store.facts()
    assert (fact.type, fact.reinforced) == ("decision", 1)


def test_a_fact_in_the_words_of_its_statement_closes_what_it_contradicts():
    """And is found once."""
    lisbon, porto = (
        {"t": f"The office is in {city}.", "s": [1], "k": "profile", "c": 0.9} for city in ("Lisbon", "Porto")
    )
    store = Store([answer(lisbon), answer(porto | {"contradicts": ["m1"]})])
    store.say(lisbon["t"])
    _, [job] = store.say(porto["t"])
    old, new = store.facts(latest_only=False)
    assert store.texts() == [lisbon["t"], porto["t"]]
    assert (old.state, old.superseded_by, new.supersedes) == ("superseded", new.id, (old.id,))
    store.service.undo(ANA, job.results[0]["operation_id"])
    assert [(one.text, one.kind, one.state) for one in store.service.list(ANA, newest_first=False)[0]] == [
        (lisbon["t"], "fact", "active"),
        (porto["t"], "statement", "active"),
    ]


def test_a_fact_in_the_words_of_a_statement_that_stood_elsewhere_is_a_repeat():
    """Said twice, and the statement's place taken."""
    store = Store([answer(), answer(HOME)])
    store.say(HOME["t"])
    store.say("As said, Ana lives in Berlin, near the river.")
    [fact] = store.facts()
    assert (fact.reinforced, fact.type) == (1, "profile")


def test_what_is_immutable_stays_a_statement():
    """A fact of the same words neither changes it nor counts as a repeat."""
    store = Store([answer(PORT)])
    store.say(PORT["t"], immutable=True)
    [record] = store.service.list(ANA)[0]
    assert (record.kind, record.type, record.reinforced) == ("statement", None, 0)


def test_what_was_true_before_is_stored_as_closed():
    """Told later, true earlier: it closes nothing."""
    earlier = {"t": "Ana lived in Bonn since 2019-01-01.", "s": [1], "k": "profile", "c": 0.9, "from": "2019-01-01"}
    store = Store([answer(HOME), answer(earlier | {"contradicts": ["m1"]})])
    store.say("I live in Berlin.")
    store.say("Since 2019-01-01 I lived in Bonn.")
    home, before = store.facts()
    assert home.state == "active"
    assert (before.state, before.superseded_by, before.valid_to) == ("superseded", home.id, home.created_at)
    assert before.id in home.supersedes


@pytest.mark.parametrize(
    ("turn", "fact"),
    [
        (("assistant", "Ana lives in Hamburg."), MOVED | {"t": "Ana lives in the city of Hamburg."}),
        ("Maybe I live in Hamburg soon.", MOVED | {"c": 0.3}),
        (
            "Postgres listens on port 5432.",
            {"t": "The Postgres listens on port 5432.", "s": [1], "k": "profile", "c": 1},
        ),
    ],
    ids=["an assistant's word", "a guess", "another subject"],
)
def test_a_model_cannot_have_a_memory_closed_by(turn, fact):
    """It only proposes. The fact itself is kept, and the log says why it closed nothing."""
    store = Store([answer(HOME), answer(fact | {"contradicts": ["m1"]})])
    store.say("I live in Berlin.")
    store.say(turn)
    old, new = store.facts()
    assert old.state == "active"
    assert store.service.history("default", new.id)[0].revision.changes["why"]["refused"][0]["memory_id"] == old.id


def test_another_model_may_judge_contradictions():
    """Where one is configured, its word stands in place of the reader's."""
    store = Store([answer(HOME), answer(MOVED)], contradiction=[{"v": [{"f": 1, "m": 1, "is": "contradicts"}]}])
    store.say("I live in Berlin.")
    store.say("I live in Hamburg now.")
    old, _ = store.facts()
    assert old.state == "superseded"
    assert len(store.judge.prompts) == 1


def test_the_judge_is_asked_once_for_all_facts_of_a_part():
    likes = {"t": "Ana likes rowing.", "s": [1], "k": "preference", "c": 0.9}
    judged = [
        {"v": [{"f": 2, "m": 1, "is": "contradicts"}, {"f": 7, "m": 1, "is": "same"}, {"f": 1, "m": 9, "is": "same"}]}
    ]
    store = Store([answer(HOME), answer(likes, MOVED)], contradiction=judged)
    store.say("I live in Berlin.")
    store.say("I like rowing, and I live in Hamburg now.")
    assert [(fact.text, fact.state) for fact in store.facts()] == [
        ("Ana lives in Berlin.", "superseded"),
        ("Ana likes rowing.", "active"),
        ("Ana lives in Hamburg.", "active"),
    ]
    assert len(store.judge.prompts) == 1


# --- failure ---


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModelUnavailableError("The model is down."), "down"),
        (ModelAnswerError("Half a JSON."), "Half"),
        (ConfigurationError("The key was refused."), "refused"),
        (RuntimeError("secret detail"), "RuntimeError"),
    ],
    ids=["down", "nonsense", "refused", "a fault of ours"],
)
def test_a_model_that_fails_costs_nothing_but_time(error, words):
    """What was said is stored and found; the job says what happened and is tried again."""
    store = Store([error, answer(HOME)])
    _, [job] = store.say("I live in Berlin.")
    assert (job.status, job.attempts) == ("PENDING", 1)
    assert words in job.error
    assert "secret" not in job.error
    assert store.texts() == ["I live in Berlin."]
    store.clock.advance(timedelta(hours=2))
    [job] = store.read_due()
    assert (job.status, job.error) == ("SUCCEEDED", None)
    assert [fact.text for fact in store.facts()] == ["Ana lives in Berlin."]


def test_a_job_is_given_up_after_some_attempts():
    store = Store([ModelUnavailableError("down")] * MAX_ATTEMPTS)
    _, [job] = store.say("I live in Berlin.")
    while job.status == "PENDING":
        store.clock.advance(timedelta(hours=2))
        [job] = store.read_due()
    assert (job.status, job.attempts) == ("FAILED", MAX_ATTEMPTS)


def test_what_was_given_up_is_tried_again_when_somebody_asks():
    """From its first attempt, and what was said before is not lost."""
    store = Store([ModelUnavailableError("down")] * MAX_ATTEMPTS + [answer(HOME)])
    _, [job] = store.say("I live in Berlin.")
    while job.status == "PENDING":
        store.clock.advance(timedelta(hours=2))
        [job] = store.read_due()
    assert store.read_due() == []
    assert store.service.understanding.hasten() == 1
    [job] = store.read_due()
    assert (job.status, job.attempts, job.error) == ("SUCCEEDED", 1, None)
    assert [fact.text for fact in store.facts()] == ["Ana lives in Berlin."]
    assert store.service.understanding.hasten() == 0


@pytest.mark.parametrize("read_between", [True, False])
def test_what_was_given_up_is_not_read_twice_when_the_same_words_came_again(read_between):
    store = Store([ModelUnavailableError("down")] * MAX_ATTEMPTS + [answer(HOME)])
    _, [job] = store.say("I live in Berlin.")
    while job.status == "PENDING":
        store.clock.advance(timedelta(hours=2))
        [job] = store.read_due()
    _, [again] = store.say("I live in Berlin.")
    assert again.id != job.id
    if read_between:
        store.read_due()
    store.service.understanding.hasten()
    while store.read_due():
        continue
    assert [fact.text for fact in store.facts()] == ["Ana lives in Berlin."]
    assert len(store.model.prompts) == MAX_ATTEMPTS + 1


def test_what_a_limited_number_of_parts_leaves_waits_for_its_time_as_before():
    """The next add does not have it begun in the background."""
    store = Store([ModelUnavailableError("busy", retry_after_s=3_600)] * 3 + [answer()])
    jobs = [store.say(text)[1][0] for text in ("I live in Berlin.", "I like green tea.", "My dog is called Rex.")]
    done = store.service.catch_up(1)
    assert ([job.id for job in done.ended], done.left.waiting) == ([jobs[0].id], 2)
    assert [store.jobs.find("default", job.id).run_after for job in jobs[1:]] == [job.run_after for job in jobs[1:]]
    assert store.read_due() == []


def test_what_is_due_counts_among_a_limited_number_of_parts():
    """It is read first, and no more is made due than is read."""
    store = Store([ModelUnavailableError("busy", retry_after_s=3_600), answer(), answer()])
    _, [later] = store.say("I live in Berlin.")
    due = store.service.add(ANA, "I like green tea.").extractions
    assert [job.id for job in store.service.catch_up(1).ended] == list(due)
    assert store.read_due() == []
    assert [job.id for job in store.service.catch_up(1).ended] == [later.id]


def test_of_what_was_given_up_as_much_is_tried_again_as_is_read():
    """And told."""
    store = Store([ModelUnavailableError("down")] * 2 * MAX_ATTEMPTS + [answer(), answer()])
    for text in ("I live in Berlin.", "I like green tea."):
        store.say(text)
    while store.service.understanding.waiting().waiting:
        store.clock.advance(timedelta(hours=2))
        store.read_due()
    done = [store.service.catch_up(1) for _ in range(3)]
    assert [(one.retried, len(one.ended), one.left.waiting) for one in done] == [(1, 1, 0), (1, 1, 0), (0, 0, 0)]


def test_a_model_that_asks_for_patience_gets_it():
    store = Store([ModelUnavailableError("busy", retry_after_s=90), answer(HOME)])
    _, [job] = store.say("I live in Berlin.")
    assert job.run_after - job.updated_at == timedelta(seconds=90)


def test_where_a_limit_is_reached_reading_waits():
    """Nothing is asked, and the waiting counts as no attempt."""
    store = Store([answer(HOME)], limits=[SpendingLimit(name="llm_daily_tokens", per="day", tokens=3_200)])
    store.say("I live in Berlin.")
    _, [job] = store.say("My sister Mia visits Rome.")
    assert (job.status, job.attempts) == ("PENDING", 0)
    assert "llm_daily_tokens" in job.error
    assert job.run_after.date() > store.clock().date()
    assert len(store.model.prompts) == 1
    assert "My sister Mia visits Rome." in store.texts()


@pytest.mark.parametrize("per", ["day", "job"])
def test_what_no_limit_has_room_for_waits_for_a_higher_one(per):
    """Looked at each hour, however often that is, and without a call; or when somebody asks for it."""
    store = Store([answer(HOME)], limits=[SpendingLimit(name="low", per=per, tokens=0)])
    store.say("I live in Berlin.")
    for _ in range(MAX_ATTEMPTS + 1):
        store.service.understanding.hasten()
        [job] = store.service.understanding.run_due()
    assert (job.status, job.attempts) == ("PENDING", 0)
    assert job.run_after == store.clock() + REFUSED_PAUSE
    assert store.model.prompts == []


# --- nothing twice, and nothing that was taken away ---


def test_the_same_words_are_read_once():
    store = Store([answer(HOME)])
    first, _ = store.say("I live in Berlin.")
    second, [job] = store.say("I live in Berlin.")
    assert second.extractions == first.extractions
    assert job.status == "SUCCEEDED"
    assert len(store.model.prompts) == 1


ROLLING = [
    "I live in Berlin.",
    ("assistant", "Great!"),
    "I like green tea.",
    ("assistant", "Noted."),
    "My dog is called Rex.",
]


@pytest.mark.parametrize("system", [False, True])
def test_of_a_conversation_that_is_sent_again_with_each_turn_only_what_is_new_is_read(system):
    """What was read before stands among the earlier turns, so that the new one is understood."""
    store = Store(lambda _: answer())
    start = [("system", "You are kind.")] if system else []
    for end in range(1, len(ROLLING) + 1, 2):
        store.say(*start, *ROLLING[:end], scope=Scope(user_id="ana"))
    turns = [prompt.content.split("<turns>")[1].splitlines()[2:-1] for prompt in store.model.prompts]
    assert turns == [
        ["1 Ana: I live in Berlin."],
        ["1 assistant: Great!", "2 Ana: I like green tea."],
        ["1 assistant: Noted.", "2 Ana: My dog is called Rex."],
    ]
    earlier = store.model.prompts[-1].content.split("</earlier>")[0]
    assert [text in earlier for text in ("I live in Berlin.", "Great!", "I like green tea.")] == [True] * 3


def read_by(store):
    """The turns that each question to the model asked about, in order."""
    blocks = (re.findall(r"<turns>\n(.*?)\n</turns>", prompt.content, re.DOTALL) for prompt in store.model.prompts)
    lines = (line for asked in blocks for line in ["", *"\n".join(asked).splitlines()])
    found = []
    for line in lines:
        if not line:
            found.append([])
        elif not line.startswith("#"):
            found[-1].append(line.partition(": ")[2])
    return found


BERLIN, TEA, REX, CELLO = "I live in Berlin.", "I like green tea.", "My dog is called Rex.", "I play the cello."


@pytest.mark.parametrize(
    ("adds", "read"),
    [
        (
            [["Monday the 2nd.", BERLIN, TEA], ["Tuesday the 3rd.", BERLIN, TEA, REX]],
            [["Monday the 2nd.", BERLIN, TEA], ["Tuesday the 3rd.", REX]],
        ),
        ([[BERLIN, TEA, REX], [BERLIN, CELLO, TEA, REX]], [[BERLIN, TEA, REX], [CELLO]]),
        ([[BERLIN, TEA, REX], [TEA, CELLO, BERLIN]], [[BERLIN, TEA, REX], [CELLO]]),
        ([[BERLIN], [TEA], [REX, BERLIN, TEA]], [[BERLIN], [TEA], [REX]]),
        ([[BERLIN, "She does.", TEA], [REX, "She does.", TEA]], [[BERLIN, "She does.", TEA], [REX, "She does."]]),
        ([[BERLIN, TEA, "Yes."], [BERLIN, "Yes."]], [[BERLIN, TEA, "Yes."], ["Yes."]]),
        ([[BERLIN, "Yes.", TEA], ["Yes.", TEA, REX]], [[BERLIN, "Yes.", TEA], [REX]]),
        (
            [[BERLIN], [BERLIN, "Yes."], [BERLIN, "Yes.", TEA], [BERLIN, "Yes.", TEA, "Yes."]],
            [[BERLIN], ["Yes."], [TEA], ["Yes."]],
        ),
    ],
    ids=[
        "behind a changed first message",
        "around a new message",
        "in another order",
        "from several conversations",
        "not what means another one before it",
        "not alone after another one",
        "the end of a conversation",
        "the same answer to another question",
    ],
)
def test_what_was_read_is_not_read_again_wherever_it_stands(adds, read):
    store = Store(lambda _: answer())
    for turns in adds:
        store.say(*turns)
    assert read_by(store) == read


@pytest.mark.parametrize(
    ("turns", "read"),
    [([TEA, CELLO, BERLIN], [CELLO, BERLIN]), ([BERLIN, CELLO, TEA], [CELLO])],
    ids=["told once more", "sent again"],
)
def test_what_was_closed_since_is_read_when_it_is_told_once_more(turns, read):
    """It is true again; not where the conversation is only sent again, in its order."""
    store = Store([answer(HOME), answer(MOVED | {"contradicts": ["m1"]}), answer(HOME | {"s": [2]})])
    for said in ([BERLIN, TEA], ["I live in Hamburg now."], turns):
        store.say(*said)
    assert read_by(store)[-1] == read


DENTIST = "I have a dentist appointment tomorrow."


@pytest.mark.parametrize(
    ("first", "then", "after", "read"),
    [
        ([DENTIST], [DENTIST], timedelta(days=60), [DENTIST]),
        ([DENTIST], [DENTIST], timedelta(hours=1), None),
        ([DENTIST, TEA], [BERLIN, DENTIST], timedelta(days=60), [BERLIN, DENTIST]),
        ([DENTIST, TEA], [BERLIN, DENTIST], timedelta(hours=1), [BERLIN]),
        ([DENTIST, TEA], [DENTIST, TEA, BERLIN], timedelta(days=60), [BERLIN]),
        (["I was in Rome on 2026-03-05."], ["I was in Rome on 2026-03-05."], timedelta(days=60), None),
    ],
    ids=["alone", "alone, the same day", "with others", "with others, the same day", "in its order", "with a date"],
)
@pytest.mark.parametrize("is_told", [False, True], ids=["by the clock", "by the time that is given"])
def test_what_means_another_day_is_read_when_it_is_told_once_more(first, then, after, read, is_told):
    """`tomorrow` of another day is another; not where the conversation is only sent again, in its order."""
    store = Store(lambda _: answer())
    for turns in (first, then):
        store.say(*turns, **({"timestamp": store.clock.now.isoformat()} if is_told else {}))
        store.clock.advance(after)
    assert read_by(store) == [first, *([read] if read else [])]


def test_what_is_told_once_more_is_read_with_the_time_that_is_given():
    """Also where no statement says when that was, since each was only a repeat."""
    store = Store(lambda _: answer())
    for day in ("2025-01-05", "2025-03-09"):
        store.say(DENTIST, timestamp=f"{day}T10:00:00Z")
    assert "# Sunday 2025-03-09 10:00" in store.model.prompts[-1].content


def test_what_was_read_before_stands_where_it_was_said():
    """Before what follows it, as an earlier turn."""
    store = Store(lambda _: answer())
    store.say(BERLIN, TEA, scope=Scope(user_id="ana"))
    store.say(REX, BERLIN, TEA, CELLO, scope=Scope(user_id="ana"))
    lines = [line for line in store.model.prompts[-1].content.splitlines() if not line.startswith("#")]
    assert lines[lines.index("<turns>") :] == [
        *("<turns>", f"1 Ana: {REX}", "</turns>"),
        *("<earlier>", f"Ana: {BERLIN}", f"Ana: {TEA}", "</earlier>"),
        *("<turns>", f"2 Ana: {CELLO}", "</turns>"),
    ]


def test_a_name_that_stands_between_what_is_read_is_of_the_message_that_says_it():
    store = Store([answer(), answer(EVE | {"s": [2]})])
    sister = "My sister Eve visits Hamburg."
    first, _ = store.say(sister)
    store.say(TEA, sister, "She lives in Bonn now, near her sister.")
    [fact] = store.facts()
    assert (fact.text, fact.derived_from) == (EVE["t"], {first.stored[0].memory.id})


def test_a_deleted_turn_is_none_between_what_is_read_either():
    store = Store([answer(), answer()])
    first, _ = store.say(BERLIN, TEA)
    store.service.add(ANA, [{"role": "user", "content": text, "name": "Ana"} for text in (REX, BERLIN, TEA, CELLO)])
    store.service.delete("default", [first.stored[0].memory.id])
    store.read_due()
    assert [text in store.model.prompts[-1].content for text in (BERLIN, TEA)] == [False, True]


def test_an_image_that_is_sent_again_is_not_shown_again():
    """A client sends it with each new message."""

    def photo(content):
        data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + content).decode()
        return [{"type": "text", "text": "My dog Rex visits Hamburg."}, {"type": "image_url", "image_url": data}]

    store = Store(lambda _: answer())
    store.model._accepts = frozenset({"image"})
    for more in ([], [TEA], [TEA, CELLO]):
        store.say(BERLIN, photo(b"Rex"), *more)
    assert [len(prompt.attachments) for prompt in store.model.prompts] == [1, 0, 0]
    assert read_by(store)[1:] == [[TEA], [CELLO]]
    store.say(BERLIN, photo(b"Max"), TEA, CELLO)
    assert len(store.model.prompts[-1].attachments) == 1


def test_what_came_with_an_image_is_read_again():
    """Its words do not say what it shows."""
    store = Store(lambda _: answer())
    caption = "My dog Rex visits Hamburg."
    for turns in ([BERLIN, caption, TEA], [BERLIN, [{"type": "text", "text": caption}, PHOTO], TEA, CELLO]):
        store.say(*turns)
    asked = read_by(store)
    assert [[text in turns for text in (BERLIN, caption, TEA, CELLO)] for turns in asked] == [
        [True, True, True, False],
        [False, True, False, True],
    ]


def test_a_turn_whose_reader_is_gone_is_read_with_what_is_new():
    """However many readings have stood on it since: they did not read it."""
    down = [ModelUnavailableError("down")] * MAX_ATTEMPTS
    store = Store([ModelUnavailableError("down"), answer(), *down[1:], answer()])
    _, [first] = store.say(BERLIN)
    store.say(BERLIN, TEA)
    while store.jobs.find("default", first.id).status == "PENDING":
        store.clock.advance(timedelta(hours=2))
        store.read_due()
    store.say(BERLIN, TEA, REX)
    assert [read_by(store)[number] for number in (1, -1)] == [[TEA], [BERLIN, REX]]


def test_a_turn_whose_facts_were_deleted_is_read_with_what_is_new():
    store = Store([answer(HOME), answer(), answer(HOME)])
    store.say(BERLIN)
    [fact] = store.facts()
    store.say(BERLIN, TEA)
    store.service.delete("default", [fact.id])
    store.say(BERLIN, TEA, REX)
    assert read_by(store) == [[BERLIN], [TEA], [BERLIN, REX]]


def test_a_turn_is_not_lost_with_a_reading_that_only_stood_on_it():
    """That one failed; who read the turn did not."""
    store = Store([answer(), *[ModelUnavailableError("down")] * MAX_ATTEMPTS, answer()])
    store.say(BERLIN)
    _, [job] = store.say(BERLIN, TEA)
    while store.jobs.find("default", job.id).status == "PENDING":
        store.clock.advance(timedelta(hours=2))
        store.read_due()
    store.say(BERLIN, TEA, REX)
    assert read_by(store)[-1] == [TEA, REX]


def test_a_long_message_of_which_a_piece_was_not_read_is_read_again():
    """Whichever piece it was."""
    long = " ".join(f"On day {day} I walked {day} miles along the river." for day in range(200))
    down = [ModelUnavailableError("down")] * MAX_ATTEMPTS
    store = Store([down[0], answer(), *down[1:], answer(), answer()])
    store.say(long)
    while store.service.understanding.waiting().waiting:
        store.clock.advance(timedelta(hours=2))
        store.read_due()
    asked = len(store.model.prompts)
    store.say(long, TEA)
    assert len(store.model.prompts) == asked + 2


def test_a_job_that_an_earlier_version_kept_knows_how_many_turns_were_read():
    """From the beginning."""
    store = Store(lambda _: answer())
    store.say(BERLIN)
    store.clock.advance(timedelta(minutes=1))
    [waiting] = store.service.add(ANA, [{"role": "user", "content": text} for text in (BERLIN, TEA)]).extractions
    with store.log.changing() as contents:
        job = contents.jobs[waiting]
        contents.jobs[waiting] = replace(job, payload=dict(job.payload) | {KNOWN: 1})
    store.read_due()
    store.service.add(ANA, [{"role": "user", "content": text} for text in (BERLIN, TEA, REX)])
    store.read_due()
    assert read_by(store) == [[BERLIN], [TEA], [REX]]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=3), min_size=1, max_size=7),
    st.booleans(),
)
def test_whatever_is_sent_again_is_read_once(adds, is_dated):
    """Of any conversation that grows at any place: what stands alone once, and what is new at once; a changed first message or not."""
    store, history, numbers = Store(lambda _: answer()), [], itertools.count()
    for day, insertions in enumerate(adds):
        before, new = len(store.model.prompts), []
        for place, stands in insertions:
            number = next(numbers)
            text = f"On day {number} I walked along the river." if stands else f"She walked {number} miles there."
            history.insert(min(place, len(history)), text)
            new.append(text)
        date = [f"Today is the {day + 1}th day."] if is_dated else []
        if history or date:
            store.say(*date, *history, scope=Scope(user_id="ana"))
        assert {*new, *date} <= {text for turns in read_by(store)[before:] for text in turns}
    read = Counter(text for turns in read_by(store) for text in turns)
    assert {text: times for text, times in read.items() if times > 1 and not text.startswith("She")} == {}


def test_a_long_conversation_that_is_sent_again_is_read_from_where_it_goes_on():
    """Parts in which nothing is new make no call."""
    store = Store(lambda _: answer())
    turns = [f"On day {day} I walked {day} miles along the river and wrote about it." for day in range(130)]
    for end in (110, 120, 130):
        _, jobs = store.say(*turns[:end])
        assert {job.status for job in jobs} == {"SUCCEEDED"}
    _, again = store.say(*turns)
    assert [job.id for job in again] == [job.id for job in jobs]
    asked = [prompt.content.split("<turns>")[1] for prompt in store.model.prompts]
    assert [text.count("walked") for text in asked] == [103, 7, 10, 10]


def test_what_waits_to_be_read_grows_with_what_was_said():
    """Each part keeps what its own turns repeat, not what all of them do."""
    store = Store(lambda _: answer())
    old = [f"On day {day} I walked {day} miles along the river." for day in range(300)]
    new = [f"In week {week} I cooked {week} dishes of rice." for week in range(300)]
    add = lambda turns: store.service.add(ANA, [{"role": "user", "content": text} for text in turns])  # noqa: E731
    add(old)
    jobs = [store.jobs.find("default", one) for one in add(itertools.chain(*zip(old, new, strict=True))).extractions]
    kept = [len(job.payload[REPEATED]) for job in jobs]
    assert len(jobs) > 3
    assert len(old) <= sum(kept) <= len(old) + CONTEXT_MESSAGES * len(jobs)


def test_messages_in_another_order_take_no_longer_than_new_ones():
    """Each is a run of its own; past some runs the rest is new, and not compared with every other."""
    store = Store(lambda _: answer())
    messages = [{"role": "user", "content": f"On day {day} I walked along the river."} for day in range(1_500)]
    took = []
    for said in (messages, messages[::-1]):
        began = time.process_time()
        store.service.add(ANA, said)
        took.append(time.process_time() - began)
    assert took[1] < 3 * took[0]


def test_a_turn_before_what_is_new_is_no_source_of_a_fact():
    """Of a fact it was taken when it was read."""
    store = Store([answer(), answer(HOME | {"s": [1]})])
    store.say("I live in Berlin.")
    store.say("I live in Berlin.", "I like green tea.")
    assert store.facts() == []


def test_a_conversation_that_is_asked_about_otherwise_is_read_again():
    """With other wishes it gives other facts."""
    store = Store(lambda _: answer())
    store.say("I live in Berlin.", "I like green tea.")
    store.say("I live in Berlin.", "I like green tea.", "My dog is called Rex.", wishes={"includes": "homes"})
    assert "1 Ana: I live in Berlin." in store.model.prompts[1].content


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("I live in  Berlin. ", ANA),
        ("I live in Berlin.", Scope(user_id="ana", run_id="tuesday")),
        ("I live in Berlin.", Scope(user_id="ana")),
    ],
    ids=["other blanks", "another session", "no session"],
)
def test_the_same_sentence_is_read_once_for_its_owner(text, scope):
    store = Store([answer(HOME)])
    store.say("I live in Berlin.")
    _, [job] = store.say(text, scope=scope)
    assert job.status == "SUCCEEDED"
    assert len(store.model.prompts) == 1


@pytest.mark.parametrize(
    "scope",
    [Scope(user_id="bob", run_id="monday"), Scope(user_id="ana", agent_id="a"), Scope(user_id="ana", app_id="b")],
)
def test_the_same_sentence_is_read_again_for_another_owner(scope):
    store = Store(lambda _: answer())
    store.say("I live in Berlin.")
    store.say("I live in Berlin.", scope=scope)
    assert len(store.model.prompts) == 2


def test_a_sentence_that_means_what_was_said_before_it_is_read_in_each_session():
    store = Store(lambda _: answer())
    store.say("She lives in Bonn.")
    store.say("She lives in Bonn.", scope=Scope(user_id="ana", run_id="tuesday"))
    assert len(store.model.prompts) == 2


TEA_ASKED, BEER_ASKED = ("assistant", "Do you like tea?"), ("assistant", "Do you like beer?")
CHESS = "She plays chess."


@pytest.mark.parametrize(
    ("adds", "read"),
    [
        ([[TEA_ASKED], ["Yes."], [BEER_ASKED], ["Yes."]], [["Yes."], ["Yes."]]),
        ([[TEA_ASKED], ["Yes."], ["Yes."]], [["Yes."]]),
        ([["I know Mia."], [CHESS], ["I know Eve."], [CHESS]], [[CHESS], [CHESS]]),
        ([["I know Mia."], [CHESS], [CHESS]], [[CHESS]]),
        (
            [["Hello from Lisbon harbour.", "Yes."], [BEER_ASKED], ["Hello from Lisbon harbour.", "Yes."]],
            [["Hello from Lisbon harbour.", "Yes."]],
        ),
    ],
    ids=["to another question", "sent again", "of somebody else", "a statement sent again", "behind what stands alone"],
)
def test_a_turn_that_is_added_alone_is_read_where_it_means_another_before_it(adds, read):
    store = Store(lambda _: answer())
    for turns in adds:
        store.say(*turns)
    assert [turns for turns in read_by(store) if turns[-1] in ("Yes.", CHESS)] == read


def test_a_fact_made_of_a_turn_is_none_that_was_said_before_it():
    """Else the same turn would mean another when it is sent again."""
    store = Store([answer(), answer({"t": "Mia plays chess.", "s": [1], "k": "profile", "c": 0.9})])
    for text in ("I know Mia.", CHESS, CHESS):
        store.say(text)
    assert [fact.text for fact in store.facts()] == ["Mia plays chess."]
    assert len(store.model.prompts) == 2


def test_an_answer_that_was_paid_for_is_kept_until_its_facts_are_stored():
    """Whatever goes wrong after it: here the model that judges contradictions is down for a while."""
    judged = [ModelUnavailableError("down"), {"v": [{"f": 1, "m": 1, "is": "contradicts"}]}]
    store = Store([answer(HOME), answer(MOVED)], contradiction=judged)
    store.say("I live in Berlin.")
    _, [job] = store.say("I live in Hamburg now.")
    assert (job.status, len(store.model.prompts)) == ("PENDING", 2)
    store.clock.advance(timedelta(hours=1))
    [job] = store.read_due()
    assert (job.status, job.content) == ("SUCCEEDED", None)
    assert len(store.model.prompts) == 2
    assert [fact.state for fact in store.facts()] == ["superseded", "active"]


@pytest.mark.parametrize(
    ("faults", "at_first"),
    [
        ([ModelUnavailableError("The embedder is down.")], []),
        ([ModelAnswerError("The embedder answered nonsense.")] * 2, [HOME["t"]]),
        ([ConfigurationError("The embedder's key was refused.")], []),
    ],
    ids=["down", "nonsense", "refused"],
)
def test_a_fact_that_could_not_be_embedded_is_stored_with_the_next_try(faults, at_first):
    """Once, and without another question to the model; so is one whose neighbour was stored."""
    store = Store([answer(HOME, DOG)], embeds=FaultyEmbedder(DOG["t"], *faults))
    _, [job] = store.say("I live in Berlin.", "I have a dog called Rex.")
    assert (job.status, job.error) == ("PENDING", str(faults[0]))
    assert [fact.text for fact in store.facts()] == at_first
    store.clock.advance(timedelta(hours=2))
    [job] = store.read_due()
    assert (job.status, job.content, len(store.model.prompts)) == ("SUCCEEDED", None, 1)
    assert [fact.text for fact in store.facts()] == [HOME["t"], DOG["t"]]
    assert [entry["event"] for entry in job.results] == ["ADD", "ADD"]


def test_facts_that_a_busy_store_did_not_take_are_stored_with_the_next_try():
    def busy(_):
        store.log.faults = [StoreBusyError("held")]
        return answer(HOME)

    store = Store(busy)
    _, [job] = store.say("I live in Berlin.")
    assert (job.status, store.facts()) == ("PENDING", [])
    store.clock.advance(timedelta(minutes=1))
    [job] = store.read_due()
    assert (job.status, [fact.text for fact in store.facts()], len(store.model.prompts)) == (
        "SUCCEEDED",
        [HOME["t"]],
        1,
    )


def test_an_erase_of_one_fact_reaches_the_answer_that_waits_for_another():
    fault = ModelAnswerError("The embedder answered nonsense.")
    store = Store([answer(HOME, DOG)], embeds=FaultyEmbedder(DOG["t"], fault, fault))
    _, [job] = store.say("I live in Berlin, near the river.", "I have a dog called Rex.")
    [fact] = store.facts()
    store.service.erase("default", [fact.id])
    assert store.jobs.find("default", job.id).content is None


def test_a_fact_that_no_try_can_store_is_refused():
    """What else was read is stored."""
    store = Store([answer(HOME, DOG)], embeds=FaultyEmbedder(DOG["t"], *[ConflictError("no")] * 2))
    _, [job] = store.say("I live in Berlin.", "I have a dog called Rex.")
    assert (job.status, [fact.text for fact in store.facts()]) == ("SUCCEEDED", [HOME["t"]])
    assert {"event": "REFUSED", "reason": "conflict"} in job.results


def test_an_erase_reaches_an_answer_whose_facts_are_not_stored_yet():
    store = Store([answer(HOME), answer(MOVED)], contradiction=[ModelUnavailableError("down")])
    store.say("I live in Berlin.")
    result, [job] = store.say("I live in Hamburg now.")
    assert "Hamburg" in job.content
    store.service.erase("default", [result.stored[0].memory.id])
    assert store.jobs.find("default", job.id).content is None
    store.clock.advance(timedelta(hours=1))
    assert store.read_due() == []


def test_the_same_words_of_another_person_are_read_for_them():
    store = Store([answer(HOME), answer(HOME)])
    store.say("I live in Berlin.")
    store.say("I live in Berlin.", scope=Scope(user_id="bob"))
    assert [fact.user_id for fact in store.facts()] == ["ana", "bob"]


def test_words_whose_facts_were_deleted_are_read_anew():
    store = Store([answer(HOME), answer(HOME)])
    store.say("I live in Berlin.")
    store.service.delete_all(Scope(user_id="ana"))
    store.say("I live in Berlin.")
    assert [fact.text for fact in store.facts()] == ["Ana lives in Berlin."]


def test_an_add_that_is_repeated_with_its_key_is_read_once():
    store = Store([answer(HOME)])
    store.say("I live in Berlin.", idempotency_key="once")
    store.say("I live in Berlin.", idempotency_key="once")
    assert len(store.model.prompts) == 1
    assert len(store.facts()) == 1


@pytest.mark.parametrize("take", ["delete", "erase"])
def test_what_was_taken_away_before_it_was_read_is_not_brought_back(take):
    """Neither sent to a model nor stored as a fact."""
    store = Store([ModelUnavailableError("down")])
    result, _ = store.say("I live in Berlin.")
    memory = result.stored[0].memory
    store.service.delete("default", [memory.id]) if take == "delete" else store.service.erase("default", [memory.id])
    store.clock.advance(timedelta(hours=1))
    store.read_due()
    assert len(store.model.prompts) == 1
    assert store.facts() == []


@pytest.mark.parametrize("take", ["delete", "erase"])
def test_what_is_taken_away_while_the_model_reads_is_not_brought_back(take):
    store = Store()

    def read(_prompt):
        [record] = store.service.list(Scope(user_id="ana"))[0]
        store.service.delete("default", [record.id]) if take == "delete" else store.service.erase(
            "default", [record.id]
        )
        return answer(HOME)

    store.model._answer = read
    store.say("I live in Berlin.")
    assert store.facts() == []


def test_an_erase_reaches_the_facts_made_of_the_same_words():
    """And the statement, when the fact is erased: of either nothing is left anywhere. What says something else stays."""
    store = Store([answer(HOME), answer(HOME)])
    for kind in ("statement", "fact"):
        store.say("I live in Berlin. Tea is my favourite drink.")
        chosen = next(
            record
            for record in store.service.list(Scope(user_id="ana"))[0]
            if "Berlin" in record.text and record.kind == kind
        )
        store.service.erase("default", [chosen.id])
        assert store.texts() == ["Tea is my favourite drink."]
        assert "Berlin" not in repr(vars(store.log))


# --- what it is asked ---


def test_a_project_says_what_it_wants():
    store = Store([answer()], settings={"custom_instructions": "Only what concerns tea."})
    store.say("I live in Berlin.")
    assert "Only what concerns tea." in store.model.prompts[0].instructions


def test_a_call_says_what_it_wants_in_place_of_the_project():
    store = Store([answer()], settings={"custom_instructions": "Only what concerns tea."})
    store.say("I live in Berlin.", wishes={"custom_instructions": "Homes.", "excludes": "Health."})
    instructions = store.model.prompts[0].instructions
    assert "Homes." in instructions
    assert "Health." in instructions
    assert "concerns tea" not in instructions


def test_earlier_turns_of_the_session_come_along():
    store = Store([answer(), answer()])
    store.say("My sister Mia visits Rome.")
    store.say("She arrives on Friday.")
    assert "Mia" in store.model.prompts[1].content


EVE = {"t": "Eve, Ana's sister, lives in Bonn.", "s": [1], "k": "profile", "c": 0.9}


@pytest.mark.parametrize("scope", [ANA, Scope(user_id="ana")], ids=["an earlier turn", "a memory nearby"])
def test_a_turn_that_says_she_becomes_a_fact_about_whom_an_earlier_one_names(scope):
    """As a client has it that adds one turn at a time."""
    store = Store([answer(), answer(EVE)])
    first, _ = store.say("My sister Eve finished her studies.", scope=scope)
    store.say("She lives in Bonn now, near her sister.", scope=scope)
    [fact] = store.facts()
    assert fact.text == EVE["t"]
    assert fact.derived_from == {first.stored[0].memory.id}


def test_an_erase_of_what_named_somebody_reaches_the_fact_that_took_the_name_from_there():
    store = Store([answer(), answer(EVE)])
    first, _ = store.say("My sister Eve finished her studies.")
    store.say("She lives in Bonn now, near her sister.")
    store.service.erase("default", [first.stored[0].memory.id])
    assert store.texts() == ["She lives in Bonn now, near her sister."]
    assert "Eve" not in repr(vars(store.log))


@pytest.mark.parametrize("take", ["delete", "erase"])
def test_a_name_that_is_taken_away_while_the_model_reads_is_not_brought_back(take):
    store = Store([answer()])
    first, _ = store.say("My sister Eve finished her studies.")

    def read(_prompt):
        named = first.stored[0].memory.id
        store.service.delete("default", [named]) if take == "delete" else store.service.erase("default", [named])
        return answer(EVE)

    store.model._answer = read
    store.say("She lives in Bonn now, near her sister.")
    assert store.facts() == []


def test_a_name_of_an_earlier_part_of_a_long_text_is_known_in_the_next():
    """In which it stands in the turns before."""
    turns = [f"On day {day} I walked {day} miles along the river and wrote about it." for day in range(200)]
    store = Store(lambda _: answer())
    store.say(*turns)
    first = len([line for line in store.model.prompts[0].content.splitlines() if "I walked" in line])
    turns[first - 1] = "My sister Eve finished her studies."
    turns[first] = (
        "She lives in Bonn now, near her sister, " + "where there is a river too, " * 10
    )  # more than fits the first
    store = Store(lambda prompt: answer(EVE) if "\n1 Ana: She lives" in prompt.content else answer())
    _, jobs = store.say(*turns)
    [stored] = [entry for job in jobs for entry in job.results]
    fact = store.service.get("default", stored["id"])
    assert (fact.text, fact.position) == (EVE["t"], first)
    assert [store.service.get("default", one).text for one in fact.derived_from] == [turns[first - 1]]


def test_nobody_elses_memories_come_along():
    store = Store([answer(), answer()])
    store.say("I live in Berlin.", scope=Scope(user_id="bob"))
    store.say("I live in Berlin too.")
    assert "bob" not in store.model.prompts[1].content
    assert "memories" not in store.model.prompts[1].content


def test_what_waits_from_before_does_not_hold_up_an_add():
    """A caller waits for the words it brought, not for an import that is still being read."""
    store = Store([answer(HOME)])
    store.service.add(ANA, "My sister Mia visits Rome.")
    _, [job] = store.say("I live in Berlin.")
    assert job.status == "SUCCEEDED"
    assert len(store.model.prompts) == 1


def test_verbatim_adds_and_finished_facts_are_not_read():
    store = Store()
    _, jobs = store.say("I live in Berlin.", infer=False)
    store.service.add(ANA, facts=["Ana lives in Berlin."])
    assert jobs == []
    assert store.model.prompts == []


def test_a_long_conversation_is_read_in_parts():
    store = Store(lambda _: answer())
    _, jobs = store.say(
        *(f"On day {day} I walked {day} miles along the river and wrote about it." for day in range(400))
    )
    assert len(jobs) > 1
    assert {job.status for job in jobs} == {"SUCCEEDED"}
    assert len(store.model.prompts) == len(jobs)


# --- images and documents ---

PHOTO = {"type": "image_url", "image_url": {"url": "https://photos.example/rex.jpg"}}


@pytest.mark.parametrize("sees", [True, False])
def test_an_image_goes_to_a_model_that_can_see_it_and_stays_a_reference_for_others(sees):
    store = Store(lambda _: answer())
    store.model._accepts = frozenset({"image"} if sees else ())
    store.say("Look at Rex, my dog.", scope=ANA)
    message = {"role": "user", "content": [{"type": "text", "text": "This is Rex, my dog."}, PHOTO]}
    result = store.service.add(ANA, [message], awaited=True)
    [part] = store.service.understand(ANA, result)
    assert [one.url for one in store.model.prompts[-1].attachments] == (
        ["https://photos.example/rex.jpg"] if sees else []
    )
    assert "https://photos.example/rex.jpg" in store.model.prompts[-1].content
    assert "attachments" not in part.job.payload


@pytest.mark.parametrize("refused", [True, False])
def test_of_an_image_that_a_provider_refused_nothing_is_believed(refused):
    """What was added is read all the same; a model that saw it may have read there what the words do not say."""
    tag = answer({"t": "Rex wears the tag 4711.", "s": [1], "k": "profile", "c": 0.9})
    store = Store([AttachmentsRefusedError("no eyes"), tag] if refused else [tag])
    store.model._accepts = frozenset({"image"})
    _, [job] = store.say([{"type": "text", "text": "This is Rex, my dog."}, PHOTO])
    assert job.status == "SUCCEEDED"
    assert [fact.confidence for fact in store.facts()] == ([] if refused else [0.5])


def test_a_document_that_is_text_is_read_by_the_rules_and_by_any_model():
    """As what a document says; Mem0's callers send it in base64."""
    store = Store([answer({"t": "The wifi password of the cabin is tulip.", "s": [2], "k": "profile", "c": 0.9})])
    written = base64.b64encode(b"# Cabin\n\nThe wifi password of the cabin is tulip.\n").decode()
    store.say([{"type": "text", "text": "Here are my notes on the cabin."}, {"type": "mdx_url", "mdx_url": written}])
    assert "document: # Cabin" in store.model.prompts[-1].content
    assert not store.model.prompts[-1].attachments
    [fact] = store.facts()
    assert (fact.speaker, fact.position) == ("document", 1)
    assert "Cabin\n\nThe wifi password of the cabin is tulip." in store.texts()
    assert not any(written[:20] in text for text in store.texts())


def test_a_deleted_turn_is_no_context_either():
    store = Store([answer(), answer()])
    first, _ = store.say("My sister Mia visits Rome.", "Rowing keeps me fit.")
    store.service.delete("default", [first.stored[0].memory.id])
    turns = [f"On day {day} I walked {day} miles along the river and wrote about it." for day in range(200)]
    private = "My password hint is the name of my first cat."
    result = store.service.add(ANA, [*turns[:100], private, *turns[100:]])
    hidden = next(one.memory for one in result.stored if one.memory.text == private)
    store.service.delete("default", [hidden.id])
    store.model._answer = lambda _: answer()
    jobs = store.read_due()
    assert len(jobs) > 1
    assert not any(text in prompt.content for prompt in store.model.prompts[1:] for text in (private, "Mia"))


@pytest.mark.parametrize("added_before", [False, True], ids=["before a part", "between what is read"])
def test_no_piece_of_a_deleted_long_message_is_context(added_before):
    """Of a message in pieces, what is shown may be the end of any of them."""
    store = Store(lambda _: answer())
    long = " ".join(f"On day {day} I secretly walked {day} miles along the river." for day in range(300))
    made = store.say(long)[0].stored if added_before else ()
    asked = len(store.model.prompts)
    turns = [TEA, long, REX] if added_before else [long, TEA]
    result = store.service.add(ANA, [{"role": "user", "content": text, "name": "Ana"} for text in turns])
    store.service.delete("default", [one.memory.id for one in (*made, *result.stored) if "secretly" in one.memory.text])
    store.read_due()
    prompts = store.model.prompts[asked:]
    assert any(TEA in prompt.content for prompt in prompts)
    assert not any("secretly" in prompt.content for prompt in prompts)
