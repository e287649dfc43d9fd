"""What an add stores, what it reinforces, and what it refuses as a whole."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from kept.adapters.inmemory import InMemoryLog
from kept.domain.scope import Scope
from kept.errors import ConflictError, InvalidInputError, KeptError, NotFoundError, ScopeError, StoreBusyError
from kept.testing.fakes import START

ALICE = Scope(user_id="alice")
CHAT = [
    {"role": "system", "content": "Always answer in French."},
    {"role": "user", "content": "Hello! I moved to Bonn yesterday. I work as a nurse.", "name": "Zoë"},
    {"role": "assistant", "content": "Bonn has a botanical garden near the river."},
]


def add(engine, messages=(), scope=ALICE, **options):
    return engine.service.add(scope, messages, **options)


def ids(result):
    return [stored.memory.id for stored in result.stored]


def events(result):
    return [stored.event for stored in result.stored]


# --- messages ---


def test_verbatim_messages_are_stored_whole(engine):
    """With who said them, when, and where they stand in the episode."""
    result = add(engine, CHAT, infer=False, timestamp="2025-05-01T10:00:00Z")
    user, assistant = (stored.memory for stored in result.stored)
    assert user.text == CHAT[1]["content"]
    assert (user.kind, user.speaker, user.role, user.position) == ("message", "Zoë", "user", 1)
    assert (assistant.speaker, assistant.role, assistant.position) == ("assistant", "assistant", 2)
    assert user.created_at == datetime(2025, 5, 1, 10, tzinfo=UTC)
    assert user.recorded_at == START
    assert user.episode_id == assistant.episode_id


def test_statements_are_taken_out_of_messages(engine):
    """Greetings are dropped, sentences come apart, and each is attributed and dated."""
    result = add(engine, CHAT, timestamp="2025-05-02T10:00:00Z")
    said = [(stored.memory.text, stored.memory.speaker, stored.memory.position) for stored in result.stored]
    assert said == [
        ("I moved to Bonn yesterday.", "Zoë", 1),
        ("I work as a nurse.", "Zoë", 1),
        ("Bonn has a botanical garden near the river.", "assistant", 2),
    ]
    assert result.stored[0].memory.metadata["dates"][0]["from"] == "2025-05-01"


@pytest.mark.parametrize("infer", [True, False])
def test_system_messages_are_kept_as_source_only(engine, infer):
    """Nobody said them; the episode has them."""
    result = add(engine, CHAT, infer=infer)
    assert all("French" not in stored.memory.text for stored in result.stored)
    episode = engine.log.episode("default", result.stored[0].memory.episode_id)
    assert [message.content for message in episode.messages] == [message["content"] for message in CHAT]


@pytest.mark.parametrize("infer", [True, False])
def test_a_call_that_holds_nothing_worth_keeping_keeps_its_source(engine, infer):
    """And says that it stored nothing."""
    result = add(engine, {"role": "system", "content": "Be brief."}, infer=infer)
    assert result.stored == ()
    assert result.operation_id is not None
    assert engine.service.statistics().messages == 1


def test_a_message_time_wins_over_the_calls(engine):
    """Each message is dated by what is nearest to it."""
    messages = [{"role": "user", "content": "one", "timestamp": "2025-01-01"}, {"role": "user", "content": "two"}]
    one, two = (stored.memory for stored in add(engine, messages, infer=False, timestamp="2025-06-01").stored)
    assert (one.created_at.month, two.created_at.month) == (1, 6)


def test_entities_are_found_by_rule(engine):
    """And can be filtered by."""
    (memory,) = engine.say("The build of `kept-core` fails with ERR_42 in src/app/main.py")
    assert "src/app/main.py" in memory.entities
    assert engine.texts(filters={"entity": "src/app/main.py"}) == [memory.text]


@pytest.mark.parametrize("messages", [(), [], ""])
def test_nothing_to_add_is_refused_or_stores_nothing(engine, messages):
    """An empty list is a mistake; an empty message is merely empty."""
    if messages == "":
        assert add(engine, messages).stored == ()
        return
    with pytest.raises(InvalidInputError, match="nothing to add"):
        add(engine, messages)


@pytest.mark.parametrize("scope", [Scope(), Scope(user_id="*"), Scope(user_id="a", agent_id="*")])
def test_a_memory_belongs_to_somebody(engine, scope):
    """A bare or open scope cannot be stored under."""
    with pytest.raises(ScopeError):
        add(engine, "tea", scope)


# --- repeats ---


def test_an_exact_repeat_reinforces(engine):
    """White space aside, within a call and between calls."""
    (first,) = engine.say("I drink tea")
    again = add(engine, ["I  drink\ttea ", "I drink tea"], infer=False)
    assert events(again) == ["REINFORCE", "REINFORCE"]
    assert set(ids(again)) == {first.id}
    assert engine.service.get("default", first.id).reinforced == 2
    assert engine.texts() == ["I drink tea"]


@pytest.mark.parametrize(
    "other",
    [
        Scope(user_id="bob"),
        Scope(user_id="alice", run_id="r"),
        Scope(user_id="alice", agent_id="a"),
        Scope(user_id="alice", app_id="a"),
        Scope(agent_id="alice"),
        Scope(project="other", user_id="alice"),
    ],
)
def test_the_same_text_elsewhere_is_another_memory(engine, other):
    """Of another user, run, agent, app or project."""
    engine.say("I drink tea")
    assert events(add(engine, "I drink tea", other, infer=False)) == ["ADD"]


def test_the_same_text_of_another_speaker_is_another_memory(engine):
    """Two people may share a taste."""
    for name in ("Zoë", "Bob"):
        result = add(engine, {"role": "user", "content": "I drink tea", "name": name}, infer=False)
        assert events(result) == ["ADD"]
    assert events(add(engine, {"role": "assistant", "content": "I drink tea"}, infer=False)) == ["ADD"]


def test_what_was_deleted_and_is_said_again_is_new(engine):
    """It was taken away on purpose; now it is back, with a history of its own."""
    (first,) = engine.say("I drink tea")
    engine.service.delete("default", [first.id])
    (second,) = engine.say("I drink tea")
    assert second.id != first.id
    assert engine.texts() == ["I drink tea"]


def test_what_was_closed_and_is_said_again_is_new(engine):
    """It is true again, from now on."""
    (old,) = engine.say("I live in Rome")
    engine.service.invalidate("default", old.id)
    assert events(add(engine, "I live in Rome", infer=False)) == ["ADD"]


def test_what_came_back_after_it_was_closed_is_reinforced(engine):
    """A third time is a repeat of the second, not of the closed first."""
    (old,) = engine.say("I live in Rome")
    engine.service.invalidate("default", old.id)
    (back,) = engine.say("I live in Rome")
    assert ids(add(engine, "I live in Rome", infer=False)) == [back.id]


@pytest.mark.parametrize(
    ("first", "second", "lasting"),
    [
        ("2026-01-05", None, None),
        (None, "2026-01-05", None),
        ("2026-01-05", "2026-01-09", date(2026, 1, 9)),
        ("2026-01-09", "2026-01-05", date(2026, 1, 9)),
        ("2020-01-01", None, None),
    ],
)
def test_what_is_said_again_lasts_as_long_as_it_would_when_new(engine, first, second, lasting):
    """An expired memory that is said again is found again."""
    (memory,) = engine.say("the code is 7", expiration_date=first)
    engine.say("the code is 7", expiration_date=second)
    assert engine.service.get("default", memory.id).expires_on == lasting
    assert engine.find("code") == ["the code is 7"]


# --- facts ---


def test_facts_are_stored_as_they_are_handed_over(engine):
    """Entities, relations and validity included; what the call says of all is added."""
    fact = {
        "text": "Alice lives in Bonn",
        "entities": [{"name": "Bonn", "kind": "place"}],
        "relations": [{"source": "Alice", "relationship": "lives_in", "target": "Bonn"}],
        "valid_from": "2025-01-01",
        "valid_to": "2026-06-01",
        "metadata": {"a": 1},
    }
    (stored,) = add(engine, facts=[fact], metadata={"a": 0, "b": 2}, categories=["home"], immutable=True).stored
    memory = stored.memory
    assert (memory.kind, memory.entities, memory.relations[0].target) == ("fact", ("bonn",), "Bonn")
    assert (memory.valid_from.year, memory.valid_to.month) == (2025, 6)
    assert (memory.metadata, memory.categories, memory.immutable) == ({"a": 1, "b": 2}, ("home",), True)
    assert memory.episode_id is not None
    assert memory.position is None


def test_superseding_closes_the_old_fact(engine):
    """From when the new one holds, with a reference to it."""
    (old,) = engine.say("I live in Rome")
    new = {"text": "I live in Bonn", "supersedes": [old.id], "valid_from": "2026-01-01T09:00:00Z"}
    result = add(engine, facts=[new])
    closed = engine.service.get("default", old.id)
    assert (closed.state, closed.superseded_by) == ("superseded", ids(result)[0])
    assert closed.valid_to == datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert result.superseded == (old.id,)
    assert result.stored[0].memory.supersedes == (old.id,)


def test_superseding_does_not_lengthen_what_ended_before(engine):
    """A fact that was over stays over."""
    (old,) = add(
        engine, facts=[{"text": "I live in Rome", "valid_from": "2020-01-01", "valid_to": "2024-01-01"}]
    ).stored
    add(engine, facts=[{"text": "I live in Bonn", "supersedes": [old.memory.id]}])
    assert engine.service.get("default", old.memory.id).valid_to == datetime(2024, 1, 1, tzinfo=UTC)


def test_a_short_id_can_be_superseded(engine):
    """A context block cites eight characters."""
    (old,) = engine.say("I live in Rome")
    result = add(engine, facts=[{"text": "I live in Bonn", "supersedes": [old.id[:8]]}])
    assert result.superseded == (old.id,)


def test_a_fact_that_supersedes_its_own_text_is_stored(engine):
    """It is true from another time on."""
    (old,) = engine.say(facts=["I live in Rome"])
    result = add(engine, facts=[{"text": "I live in Rome", "supersedes": [old.id]}])
    assert events(result) == ["ADD"]
    assert engine.service.get("default", old.id).state == "superseded"


def snapshot(engine):
    return engine.log.head(), engine.service.statistics(), engine.texts(), engine.service.operations("default")


@pytest.mark.parametrize("named", ["unknown", "foreign", "erased", "immutable", "other-project"])
def test_superseding_what_may_not_be_stores_nothing(engine, named):
    """Neither the fact, nor its companions, nor the source."""
    foreign = engine.say("bob's", scope=Scope(user_id="bob"))[0].id
    elsewhere = engine.say("elsewhere", scope=Scope(project="other", user_id="alice"))[0].id
    fixed = engine.say("fixed", immutable=True)[0].id
    erased = engine.say("erased")[0].id
    engine.service.erase("default", [erased])
    target = {
        "unknown": "00000000-0000-4000-8000-00000000ffff",
        "foreign": foreign,
        "erased": erased,
        "immutable": fixed,
        "other-project": elsewhere,
    }[named]
    before = snapshot(engine)
    with pytest.raises(ConflictError if named == "immutable" else NotFoundError, match=target):
        add(engine, "Some words as well", facts=["companion", {"text": "new", "supersedes": [target]}])
    assert snapshot(engine) == before


# --- idempotency ---


def test_a_used_idempotency_key_gives_the_first_answer(engine):
    """Whatever is sent with it."""
    first = add(engine, "I drink tea", infer=False, idempotency_key="k")
    second = add(engine, "I drink coffee", infer=False, idempotency_key="k")
    assert second == replace(first, replayed=True)
    assert engine.texts() == ["I drink tea"]


def test_an_idempotency_key_replays_a_supersede(engine):
    """The whole answer, not only what is new."""
    (old,) = engine.say("I live in Rome")
    fact = {"text": "I live in Bonn", "supersedes": [old.id]}
    first = add(engine, facts=[fact], idempotency_key="k")
    assert add(engine, facts=[fact], idempotency_key="k") == replace(first, replayed=True)


@pytest.mark.parametrize("other", [Scope(user_id="bob"), Scope(user_id="alice", run_id="r"), Scope(agent_id="alice")])
def test_an_idempotency_key_of_another_scope_is_another_key(engine, other):
    """Nobody gets another's answer, nor loses a memory to it."""
    add(engine, "alice's secret", infer=False, idempotency_key="k")
    result = add(engine, "bob's note", other, infer=False, idempotency_key="k")
    assert [stored.memory.text for stored in result.stored] == ["bob's note"]
    assert not result.replayed


def test_a_failed_call_does_not_use_its_key_up(engine):
    """The repeat may do better."""
    with pytest.raises(NotFoundError):
        add(engine, facts=[{"text": "x", "supersedes": ["unknown"]}], idempotency_key="k")
    assert events(add(engine, facts=["x"], idempotency_key="k")) == ["ADD"]


def race(count, call):
    """What each of several threads got that made a call at once."""
    barrier, answers = threading.Barrier(count), [None] * count

    def run(number):
        barrier.wait()
        answers[number] = call(number)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_calls_that_race_with_one_key_one_stores(engine):
    """The others get its answer."""
    answers = race(6, lambda n: add(engine, f"note {n}", infer=False, idempotency_key="k"))
    assert len({answer.operation_id for answer in answers}) == 1
    assert all(answer.stored == answers[0].stored for answer in answers)
    assert [answer.replayed for answer in answers].count(False) == 1
    assert len(engine.texts()) == 1


# --- many at once ---


class CountingLog(InMemoryLog):
    """Counts its writes."""

    writes = 0

    @contextmanager
    def write(self):
        self.writes += 1
        with super().write() as transaction:
            yield transaction


def requests(engine, *texts, scope=ALICE, **options):
    return [engine.service.request(scope, text, **({"infer": False} | options)) for text in texts]


def facts(engine, *given):
    return [engine.service.request(ALICE, facts=[fact]) for fact in given]


def outcomes(answers):
    """Events of each answer, or the name of its error."""
    return [type(answer).__name__ if isinstance(answer, KeptError) else events(answer) for answer in answers]


def test_many_adds_share_one_write(make_engine):
    """Each is its own operation, which can be taken back alone, and they are answered in order."""
    engine = make_engine(CountingLog())
    answers = engine.service.add_many(
        requests(engine, "one", "two") + requests(engine, "three", scope=Scope(user_id="b"))
    )
    assert engine.log.writes == 1
    assert [answer.stored[0].memory.text for answer in answers] == ["one", "two", "three"]
    assert len({answer.operation_id for answer in answers}) == 3
    engine.service.undo(ALICE, answers[0].operation_id)
    assert engine.texts() == ["two"]
    assert engine.texts(Scope(user_id="b")) == ["three"]
    assert engine.findings() == []


def test_many_adds_store_what_they_would_store_one_by_one(make_engine):
    """Repeats and supersessions inside a batch included."""
    together, apart = make_engine(), make_engine()
    old = [engine.say("We use MySQL.")[0].id for engine in (together, apart)]
    assert old[0] == old[1]
    given = [
        {"facts": [{"text": "We use Postgres.", "supersedes": [old[0]]}]},
        {"facts": ["We use Postgres."]},
        {"facts": ["We use MySQL.", "We deploy on Tuesdays."]},
        {"messages": CHAT},
    ]
    many = together.service.add_many([together.service.request(ALICE, **options) for options in given])
    single = [add(apart, **options) for options in given]
    assert outcomes(many) == outcomes(single) == [["ADD"], ["REINFORCE"], ["ADD", "ADD"], ["ADD"] * 3]
    assert [answer.superseded for answer in many] == [answer.superseded for answer in single]
    assert together.texts() == apart.texts()
    assert together.find("Which database?") == apart.find("Which database?")


def test_no_adds_are_no_write(make_engine):
    """Nor is a batch in which nothing is left to store."""
    engine = make_engine(CountingLog())
    assert engine.service.add_many([]) == []
    assert outcomes(engine.service.add_many(requests(engine, "tea", scope=Scope()))) == ["ScopeError"]
    assert engine.log.writes == 0


@pytest.mark.parametrize("place", range(5))
def test_one_that_cannot_be_stored_holds_up_no_other(engine, place):
    """Wherever it stands; it leaves nothing behind, not even its key."""
    good = [f"fact {n}" for n in range(4)]
    bad = {"text": "bad", "supersedes": ["unknown"]}
    answers = engine.service.add_many(facts(engine, *good[:place], bad, *good[place:]))
    assert isinstance(answers.pop(place), NotFoundError)
    assert outcomes(answers) == [["ADD"]] * 4
    assert engine.texts() == good
    assert engine.service.statistics().operations == 4
    assert engine.findings() == []


def test_of_many_adds_with_one_key_the_first_stores(engine):
    """The others, and the same batch once more, get its answer."""
    batch = requests(engine, "one", "two", idempotency_key="k") + requests(engine, "three")
    first = engine.service.add_many(batch)
    assert [answer.replayed for answer in first] == [False, True, False]
    assert first[1].stored == first[0].stored
    again = engine.service.add_many(batch)
    assert [answer.operation_id for answer in again][:2] == [first[0].operation_id] * 2
    assert outcomes(again) == [["ADD"], ["ADD"], ["REINFORCE"]]
    assert sorted(engine.texts()) == ["one", "three"]


def test_a_message_that_two_of_many_adds_bring_is_stored_once(engine):
    """The second one skips it, as it would alone."""
    first, second = engine.service.add_many(
        [engine.service.request(ALICE, said(*numbers), infer=False) for numbers in ((1, 2), (2, 3))]
    )
    assert (len(first.stored), first.skipped_messages) == (2, 0)
    assert (len(second.stored), second.skipped_messages) == (1, 1)
    assert engine.texts() == ["note 1", "note 2", "note 3"]


def test_a_busy_store_answers_all_of_many_adds_at_once(make_engine):
    """Each alone would wait as long again."""

    class BusyLog(CountingLog):
        def write(self):
            self.writes += 1
            raise StoreBusyError

    engine = make_engine(BusyLog())
    assert outcomes(engine.service.add_many(requests(engine, "one", "two", "three"))) == ["StoreBusyError"] * 3
    assert engine.log.writes == 1


# --- sources ---


def said(*numbers):
    return [{"role": "user", "content": f"note {n}", "id": f"m{n}"} for n in numbers]


def test_a_message_brought_before_is_skipped(engine):
    """In this call and in later ones."""
    first = add(engine, said(1, 2, 2), infer=False)
    assert (len(first.stored), first.skipped_messages) == (2, 1)
    second = add(engine, said(2, 3), infer=False)
    assert [stored.memory.text for stored in second.stored] == ["note 3"]
    assert second.skipped_messages == 1
    third = add(engine, said(1, 2, 3), infer=False)
    assert (third.operation_id, third.stored, third.skipped_messages) == (None, (), 3)


def test_positions_point_at_the_message_also_when_others_were_skipped(engine):
    """A memory names its source."""
    add(engine, said(1), infer=False)
    (stored,) = add(engine, said(1, 2), infer=False).stored
    episode = engine.log.episode("default", stored.memory.episode_id)
    assert episode.messages[stored.memory.position].content == stored.memory.text


def test_the_same_message_id_of_another_user_is_another_message(engine):
    """Ids are the caller's, and each user's own."""
    add(engine, said(1), infer=False)
    assert len(add(engine, said(1), Scope(user_id="bob"), infer=False).stored) == 1


def test_of_imports_that_race_each_message_is_stored_once(engine):
    """Whoever comes second finds it known."""
    answers = race(4, lambda _: add(engine, said(*range(20)), infer=False))
    assert sum(len(answer.stored) for answer in answers) == 20
    assert sum(answer.skipped_messages for answer in answers) == 60
    assert engine.service.statistics().messages == 20


# --- size and progress ---


def test_progress_is_told_to_the_end(engine):
    """For a bar."""
    told = []
    add(engine, [f"note {n}" for n in range(30)], infer=False, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (30, 30)


def test_a_long_message_is_one_memory_and_found_by_its_end(engine):
    """200 KB of it."""
    text = "filler words and more of them. " * 6_500 + "The zeppelin landed."
    (memory,) = engine.say(text)
    assert memory.text == text.strip() or memory.text == text
    assert engine.service.search(ALICE, "zeppelin")[0].memory.id == memory.id
    assert engine.findings() == []


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("a\x00b tea", "tea"),
        ("tea \ud800 time", "tea"),
        ("\u202eשלום עולם", "שלום"),
        ("私は東京でお茶を飲みます", "東京"),
        ("我们在北京开会", "北京"),
        ("🍏🍏 for lunch", "lunch"),
        ("naïve café", "café"),
        ("a\u2028b\u2029c tea", "tea"),
    ],
)
def test_any_script_round_trips_and_is_found(engine, text, query):
    """Cleaned of what no file can hold, and nothing else."""
    (memory,) = engine.say(text)
    assert memory.text == text.replace("\x00", "").replace("\ud800", "\ufffd")
    assert engine.find(query) == [memory.text]
    assert engine.service.get("default", memory.id) == memory
    assert engine.findings() == []


@pytest.mark.parametrize("when", ["0001-01-01", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", 0, -62_135_596_800])
def test_far_away_times_are_kept_and_found(engine, when):
    """From the first year to the last."""
    (memory,) = engine.say("We meet next year, on Sunday", timestamp=when, infer=True)
    assert engine.find("meet") == [memory.text]
    assert engine.service.context(ALICE, "meet", budget_tokens=100).ids == (memory.id,)
    assert engine.find("last week", reference_date=when) == [memory.text]


def test_a_memory_dated_in_the_future_is_found_today(engine):
    """Plans are memories too."""
    engine.say("We meet", timestamp=START + timedelta(days=400))
    assert engine.find("meet") == ["We meet"]
