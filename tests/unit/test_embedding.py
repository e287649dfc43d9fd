"""Whom embeddings are for: what an embedder at a provider costs, wherever the engine embeds."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext

import pytest

from kept.adapters.inmemory import InMemoryLog
from kept.adapters.inmemory_control import InMemoryRegistry
from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.domain.exporting import to_export
from kept.domain.memory import Draft
from kept.domain.scope import Scope
from kept.domain.spending import SpendingListing
from kept.engine.categories import Categories
from kept.engine.embedding import CountedEmbedder, asked_for
from kept.engine.ingest import AddRequest
from kept.engine.maintain import By
from kept.engine.models import Models
from kept.engine.retrieve import TakesLongerError
from kept.errors import ModelRefusedError, ModelUnavailableError, StoreBusyError
from kept.ports import ReadSession
from kept.testing.fakes import FakeEmbedder, FakePaidEmbedder, FixedClock, SequentialIds, record

ACME = Scope(project="acme", user_id="ana")
EVERYTHING = SpendingListing()


class WatchedLog(InMemoryLog):
    """A log that knows whether it is being written."""

    writing = False

    @contextmanager
    def write(self):
        with super().write() as transaction:
            self.writing = True
            try:
                yield transaction
            finally:
                self.writing = False


class Ledger(InMemoryLedger):
    """A ledger that fails where a store of one file would wait for itself."""

    def __init__(self, log, *, is_busy=False):
        super().__init__(log)
        self.log = log
        self.is_busy = is_busy

    def record(self, call):
        assert not self.log.writing, "The ledger is written within a write of the log."
        if self.is_busy:
            raise StoreBusyError(f"Call {call.id} waits.")
        super().record(call)


class Paid:
    """An engine whose embedder costs something, and what was recorded of that."""

    def __init__(self, make_engine, **options):
        self.log = WatchedLog()
        self.ledger = Ledger(self.log, **options)
        self.models = Models({}, self.ledger, clock=FixedClock(), ids=SequentialIds())
        self.embedder = FakePaidEmbedder()
        self.open(make_engine)

    def open(self, make_engine, series=1):
        """The same store in another process, which has asked its embedder nothing yet."""
        self.counted = CountedEmbedder(FakePaidEmbedder(), lambda: self.models)
        self.counted._embedder.failures = self.embedder.failures
        self.engine = make_engine(self.log, embedder=self.counted, series=series)
        self.service = self.engine.service

    def calls(self):
        return self.ledger.page(EVERYTHING, limit=1_000)

    def forget(self):
        """Begin a new ledger."""
        for call in self.calls():
            del self.log.contents.calls[call.id]


@pytest.fixture
def paid(make_engine):
    return Paid(make_engine)


def imported(paid):
    exported = to_export(record("I like coffee", scope=ACME))
    paid.service.import_sessions(Scope(project="acme"), [ReadSession(records=(exported,))])


def sorted_(paid):
    categories = Categories(paid.counted, InMemoryRegistry())
    categories.sort_text("acme", "I play tennis")


def past(paid):
    head = paid.service.head()
    paid.service.update("acme", paid.memory.id, text="I like milk")
    paid.forget()
    paid.engine.find("tea", ACME, as_of=head)


WORK = {
    "add": lambda paid: paid.engine.say("I like coffee", scope=ACME),
    "adds of several": lambda paid: paid.service.add_many([AddRequest(scope=ACME, facts=[Draft(text="I like cake")])]),
    "import": imported,
    "search": lambda paid: paid.engine.find("tea", ACME),
    "search in the past": past,
    "update": lambda paid: paid.service.update("acme", paid.memory.id, text="I like milk"),
    "rebuild": lambda paid: paid.service.rebuild("acme"),
    "rebuild of all": lambda paid: paid.service.rebuild(),
    "warm": lambda paid: paid.service.warm(ACME),
    "categories": sorted_,
}


@pytest.mark.parametrize("work", WORK)
def test_whatever_the_engine_embeds_is_recorded_for_its_project(paid, work):
    (paid.memory,) = paid.engine.say("I like tea", scope=ACME)
    paid.forget()
    WORK[work](paid)
    assert {(call.project, call.task, call.outcome) for call in paid.calls()} == {("acme", "embedding", "answered")}


def test_adds_of_several_projects_are_recorded_for_each_and_kept_in_their_order(paid):
    scopes = [Scope(project=project, user_id="ana") for project in ("acme", "other", "acme")]
    paid.service.add_many(
        [AddRequest(scope=scope, facts=[Draft(text=f"fact {number}")]) for number, scope in enumerate(scopes)]
    )
    paid.forget()
    assert paid.engine.texts(scopes[0]) == ["fact 0", "fact 2"]
    for number, scope in enumerate(scopes):
        assert paid.engine.find(f"fact {number}", scope)[0] == f"fact {number}"
    assert [call.project for call in paid.calls()[::-1]] == ["acme", "other", "acme"]


@pytest.mark.parametrize(
    ("job_ids", "recorded"), [(["job-1"], "job-1"), (["job-1", "job-2"], None), ([None], None)], ids=str
)
def test_what_is_embedded_for_one_job_is_recorded_for_it(paid, job_ids, recorded):
    """What is embedded for several together is none's alone."""
    requests = [AddRequest(scope=ACME, facts=[Draft(text=f"fact of {one}")], job_id=one) for one in job_ids]
    paid.service.add_many(requests)
    assert {call.job_id for call in paid.calls()} == {recorded}


def test_what_is_asked_for_nobody_is_recorded_for_the_default_project(paid):
    """The length of the vectors, before a search."""
    assert paid.counted.identity.dimensions == 32
    paid.counted.embed_query("tea")
    assert [call.project for call in paid.calls()] == ["default"] * 2


CHANGES = {
    "delete": lambda paid: paid.service.delete("acme", [paid.memory.id]),
    "delete all": lambda paid: paid.service.delete_all(ACME),
    "invalidate": lambda paid: paid.service.invalidate("acme", paid.memory.id),
    "feedback": lambda paid: paid.service.feedback("acme", paid.memory.id, "POSITIVE"),
    "undo": lambda paid: paid.service.undo(ACME),
    "supersede": lambda paid: paid.service._maintain.supersede("acme", [paid.other.id], paid.memory.id, By()),
    "erase": lambda paid: paid.service.erase("acme", [paid.memory.id]),
    "messages without a statement": lambda paid: paid.service.add(ACME, [{"role": "user", "content": "ok"}]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_embeds_nothing_asks_no_provider(make_engine, paid, change):
    """Not even how long the vectors are: within a write it would hold up everybody, and could not be recorded."""
    paid.memory, paid.other = paid.engine.say("I like tea", "Tea is what I like", scope=ACME)
    paid.forget()
    paid.open(make_engine, series=2)
    CHANGES[change](paid)
    assert paid.calls() == []


def test_a_rebuild_after_an_erase_asks_within_no_write(make_engine, paid):
    """Where nothing is left to embed."""
    (memory,) = paid.engine.say("I like tea", scope=ACME)
    paid.service.erase("acme", [memory.id])
    paid.open(make_engine, series=2)
    paid.service.rebuild()
    assert paid.engine.texts(ACME) == []


@pytest.mark.parametrize("is_paid", [True, False], ids=["a provider", "this process"])
def test_a_search_that_asks_a_provider_is_never_quick(make_engine, is_paid):
    """Whoever must not wait, such as a server's event loop, is told so before anything is asked."""
    paid = Paid(make_engine)
    engine = paid.engine if is_paid else make_engine()
    engine.say("I like tea", scope=ACME)
    engine.find("tea", ACME)
    paid.forget()
    with pytest.raises(TakesLongerError) if is_paid else nullcontext():
        engine.find("tea", ACME, quick=True)
    assert paid.calls() == []


class Waited(FakePaidEmbedder):
    """A provider that notes what it was asked, and whether others would have waited for a partition meanwhile."""

    def __init__(self):
        super().__init__()
        self.places, self.asked, self.held = {}, [], []

    def _request(self, texts):
        self.asked += texts
        self.held += [place for place, one in self.places.items() if one.lock.locked()]
        return super()._request(texts)


SAID = ["Mira likes green tea", "I met Mira on 3 May 2023 at the wedding", "I like coffee"]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("green tea", ["green tea"]),
        ("What does ana like?", ["What does like?"]),
        ("What did I like before the wedding?", ["the wedding", "What did I like before the wedding?"]),
    ],
    ids=["as it stands", "without a name that the partition knows", "an event from which it counts"],
)
@pytest.mark.parametrize("user_id", ["ana", "*"], ids=["one partition", "several"])
def test_nobody_waits_for_a_partition_while_a_provider_embeds_a_query(make_engine, query, asked, user_id):
    """Searches of one user would wait for each other's answers, and all of them for one that never comes."""
    provider, models = Waited(), Models({}, InMemoryLedger(), clock=FixedClock(), ids=SequentialIds())
    engine, here = make_engine(embedder=CountedEmbedder(provider, lambda: models)), make_engine(embedder=FakeEmbedder())
    for each in (engine, here):
        each.say(*SAID, scope=Scope(user_id="ana"))
        each.say(*SAID, scope=Scope(user_id="bob"))
    scope = Scope(user_id=user_id)
    engine.find("warm", scope)
    provider.places = engine.service._residents._places
    provider.asked.clear()
    assert engine.find(query, scope) == here.find(query, scope)
    assert provider.held == []
    assert set(asked) <= set(provider.asked)
    assert len(set(provider.asked)) == len(provider.asked)


def test_a_search_that_can_find_nothing_asks_no_provider(paid):
    paid.engine.say("I like tea", scope=ACME)
    paid.engine.find("tea", ACME)
    paid.forget()
    assert paid.engine.find("tea", Scope(project="acme", user_id="ana", run_id="none")) == []
    assert paid.calls() == []


def test_a_request_that_failed_is_recorded_too_and_raised_as_it_came(paid):
    paid.engine.say("I like tea", scope=ACME)
    paid.forget()
    paid.embedder.failures.append(error := ModelUnavailableError("Down."))
    with pytest.raises(ModelUnavailableError) as caught:
        paid.engine.find("tea", ACME)
    assert caught.value is error
    assert [(call.project, call.outcome) for call in paid.calls()] == [("acme", "failed")]


@pytest.mark.parametrize("error", [ModelUnavailableError("Down."), ModelRefusedError("No such key.")], ids=repr)
def test_adds_of_many_ask_a_provider_that_is_down_or_refuses_once(paid, error):
    """Halving them, to find which one is at fault, would ask it twice as often as there are adds."""
    assert paid.counted.identity
    paid.forget()
    paid.embedder.failures += [error, *[ModelUnavailableError("Still.")] * 20]
    requests = [AddRequest(scope=ACME, facts=[Draft(text=f"fact {number}")]) for number in range(8)]
    assert paid.service.add_many(requests) == [error] * 8
    assert [call.outcome for call in paid.calls()] == ["failed"]
    assert paid.engine.texts(ACME) == []


def test_vectors_that_are_paid_for_are_not_lost_when_they_cannot_be_recorded(make_engine, caplog):
    paid = Paid(make_engine, is_busy=True)
    paid.engine.say("I like tea", scope=ACME)
    assert paid.engine.find("tea", ACME) == ["I like tea"]
    assert {record.message for record in caplog.records} == {"embeddings not recorded"}
    assert "tea" not in caplog.text


def test_an_embedder_that_costs_nothing_is_what_it_was():
    """Nothing stands between it and who asks."""
    embedder = FakeEmbedder()
    assert asked_for(embedder, "acme", "job-1") is embedder
