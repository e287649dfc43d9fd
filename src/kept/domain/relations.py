"""The relations that a text states, by rule: "Ana lives in Berlin" is (Ana, lives_in, Berlin).

A clause is read as subject, verb and object, in words. What no rule knows is no relation; neither is what is asked, denied, supposed,
quoted, or past ("I used to live in…"). A missed relation costs little, an invented one is believed, so each rule is narrow.
English is read well; German, Spanish and French where people speak of themselves or of somebody by name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Final, Literal

from kept.domain import relation_words as words
from kept.domain.entities import is_common
from kept.domain.memory import Relation
from kept.domain.relationships import canonical, is_single_valued

__all__ = ["MAX_RELATIONS", "relations"]

MAX_RELATIONS: Final = 16
"""Relations kept of one text: a statement states one or two, more are a list."""
_SCANNED: Final = 2_000
"""Characters looked at: statements have at most 600, and whole messages state what they state early."""
_VERB_WITHIN: Final = 8
"""Words in which the verb must come: before a later one stands no name."""
_MOST_WORDS: Final = 4
"""Words of a subject or object: longer ones are descriptions."""

# --- verbs ---

_Form = Literal["base", "third", "past", "progressive", "passive"]
_FORMS: Final[tuple[_Form, ...]] = ("base", "third", "past", "progressive", "passive")
_Wants = Literal["thing", "taste", "name", "value", "code", "path", "port", "address"]


@dataclass(frozen=True, slots=True)
class _Verb:
    """What a verb states.

    Attributes:
        relationship: Between subject and object.
        after: Words of which one must follow it, separated by blanks.
        wants: What the object must look like.
        inverse: Whether the object comes first (`is used by`).
    """

    relationship: str
    after: str = ""
    wants: _Wants = "thing"
    inverse: bool = False


_VERBS: Final = (
    # A verb, and its words: base | third person | past | progressive | passive. The first that finds its object counts.
    (_Verb("uses"), "use | uses | | using |"),
    (_Verb("uses", wants="name"), "| | adopted chose picked | |"),
    (_Verb("uses", "by", "name", inverse=True), "| | | | used"),
    (_Verb("prefers"), "prefer | prefers | | |"),
    (_Verb("likes", wants="taste"), "like love enjoy | likes loves enjoys | | loving enjoying |"),
    (_Verb("dislikes", wants="taste"), "hate dislike detest | hates dislikes detests | | |"),
    (_Verb("depends_on", "on upon"), "depend rely | depends relies | | relying |"),
    (_Verb("works_at", "at for", "name"), "work | works | | working | employed"),
    (_Verb("works_on", "on", "name"), "work | works | | working |"),
    (_Verb("job", "as"), "work | works | | working |"),
    (_Verb("joined", wants="name"), "| | joined | |"),
    (_Verb("path", "in at under", "path"), "live | lives sits | | | located stored defined kept saved"),
    (_Verb("lives_in", "in near", "name"), "live reside | lives resides | | living |"),
    (_Verb("lives_in", "in", "name"), "| | | | based"),
    (_Verb("moved_to", "to", "name"), "| | moved relocated | |"),
    (_Verb("travels_to", "to", "name"), "fly travel | flies travels | | flying travelling traveling |"),
    (_Verb("married_to", "to", "name"), "| | | | married"),
    (_Verb("married_to", wants="name"), "| | married | |"),
    (_Verb("engaged_to", "to", "name"), "| | | | engaged"),
    (_Verb("born_in", "in", "name"), "| | | | born"),
    (_Verb("from", "from", "name"), "come | comes | | |"),
    (_Verb("replaced"), "| replaces | replaced | replacing |"),
    (_Verb("replaced", "by with", inverse=True), "| | | | replaced superseded"),
    (_Verb("written_in", "in", "name"), "| | | | written implemented"),
    (_Verb("built_with", "with on", "name"), "| | | | built"),
    (_Verb("deploys_to", "to on", "name"), "deploy | deploys | | | deployed"),
    (_Verb("hosted_on", "on at", "name"), "| | | | hosted"),
    (_Verb("port", "on at", "port"), "run listen | runs listens | | running listening | exposed served"),
    (_Verb("address", "on at", "address"), "run listen | runs listens | | running listening | served hosted"),
    (_Verb("runs_on", "on", "name"), "run | runs | | running |"),
    (_Verb("owns", "by", "name", inverse=True), "| | | | owned"),
    (_Verb("owns"), "own | owns | | |"),
    (_Verb("maintains", "by", "name", inverse=True), "| | | | maintained"),
    (_Verb("maintains"), "maintain | maintains | | maintaining |"),
    (_Verb("manages", wants="name"), "manage | manages | | managing |"),
    (_Verb("created", "by", "name", inverse=True), "| | | | created founded written"),
    (_Verb("created", wants="name"), "| | created founded invented | |"),
    (_Verb("speaks", wants="name"), "speak | speaks | | |"),
    (_Verb("plays", wants="taste"), "play | plays | | |"),
    (_Verb("studies_at", "at", "name"), "study | studies | | studying |"),
    (_Verb("allergic_to", "to"), "| | | | allergic"),
    (_Verb("name", wants="name"), "| | | | called named"),
    (_Verb("imports", wants="code"), "| imports | | |"),
    (_Verb("calls", wants="code"), "| calls | | |"),
    (_Verb("extends", wants="code"), "| extends implements | | |"),
    (_Verb("requires", wants="name"), "require | requires | | |"),
    (_Verb("supports", wants="name"), "| supports | | |"),
    (_Verb("drives", wants="name"), "drive | drives | | |"),
    # German
    (_Verb("lives_in", "in bei", "name"), "wohne lebe wohnen leben | wohnt lebt | | |"),
    (_Verb("works_at", "bei f\u00fcr", "name"), "arbeite arbeiten | arbeitet | | |"),
    (_Verb("uses"), "benutze verwende nutze benutzen verwenden nutzen | benutzt verwendet nutzt | | |"),
    (_Verb("likes", wants="taste"), "mag liebe m\u00f6gen lieben | mag liebt | | |"),
    (_Verb("dislikes", wants="taste"), "hasse hassen | hasst | | |"),
    (_Verb("prefers"), "bevorzuge bevorzugen | bevorzugt | | |"),
    (_Verb("speaks", wants="name"), "spreche sprechen | spricht | | |"),
    (_Verb("name", wants="name"), "hei\u00dfe heisse | | | |"),
    (_Verb("from", "aus", "name"), "komme kommen | kommt | | |"),
    # Spanish
    (_Verb("lives_in", "en", "name"), "vivo vivimos | vive | | |"),
    (_Verb("works_at", "en para", "name"), "trabajo trabajamos | trabaja | | |"),
    (_Verb("uses"), "uso usamos utilizo utilizamos | usa utiliza | | |"),
    (_Verb("likes", wants="taste"), "gusta gustan encanta encantan | | | |"),
    (_Verb("dislikes", wants="taste"), "odio odiamos | odia | | |"),
    (_Verb("prefers"), "prefiero preferimos | prefiere | | |"),
    (_Verb("speaks"), "hablo | habla | | |"),
    (_Verb("name", wants="name"), "llamo | | | |"),
    # French
    (_Verb("lives_in", "\u00e0 en au", "name"), "habite vis habitons vivons | habite vit | | |"),
    (_Verb("works_at", "chez pour", "name"), "travaille travaillons | travaille | | |"),
    (_Verb("uses"), "utilise utilisons | utilise | | |"),
    (_Verb("likes", wants="taste"), "aime adore aimons adorons | aime adore | | |"),
    (_Verb("dislikes", wants="taste"), "d\u00e9teste d\u00e9testons | d\u00e9teste | | |"),
    (_Verb("prefers"), "pr\u00e9f\u00e8re pr\u00e9f\u00e9rons | pr\u00e9f\u00e8re | | |"),
    (_Verb("speaks"), "parle | parle | | |"),
    (_Verb("name", wants="name"), "m'appelle | | | |"),
)
_BE: Final = frozenset({"am", "is", "are", "bin", "ist", "sind", "soy", "es", "somos", "suis", "est", "sommes"})
_WAS: Final = frozenset({"was", "were"})
_LASTING: Final = frozenset({"replaced", "created", "written_in", "born_in"})
"""What was done and stays so; else the past says nothing of now."""
_NAMING: Final = frozenset({"hei\u00dft", "heisst", "llama", "s'appelle"})
_HAVE: Final = frozenset({"have", "has", "habe", "hat", "tengo", "tiene", "ai"})
_CALLED: Final = frozenset({"named", "called", "namens", "llamado", "llamada", "nomm\u00e9", "nomm\u00e9e"})
_SWITCHED: Final = frozenset({"switched", "migrated", "upgraded", "moved"})
_DECIDED: Final = frozenset({"decided", "agreed"})
"""Before `to use`: what was decided holds."""
_USES: Final = _Verb("uses")


@cache
def _verbs() -> dict[_Form, dict[str, tuple[_Verb, ...]]]:
    """What each form of a verb may state."""
    found: dict[_Form, dict[str, tuple[_Verb, ...]]] = {form: {} for form in _FORMS}
    for verb, forms in _VERBS:
        for form, spelled in zip(_FORMS, forms.split("|"), strict=True):
            for word in spelled.split():
                found[form][word] = (*found[form].get(word, ()), verb)
    return found


@cache
def _predicates() -> frozenset[str]:
    """Words of which one stands in every clause that states something."""
    finite = {word for form in ("base", "third", "past") for word in _verbs()[form]}
    return frozenset(finite) | _BE | _WAS | _NAMING | _HAVE | _SWITCHED | _DECIDED | _CONTRACTED


@cache
def _kinship() -> frozenset[str]:
    """Words for people and pets whose names may stand behind them."""
    return words.KIN | words.PETS | words.ABROAD.keys()


_CONTRACTED: Final = frozenset({"i'm", "we're", "i've", "we've"})
_CONTRACTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "i'm": ("I", "am"),
    "we're": ("we", "are"),
    "i've": ("I", "have"),
    "we've": ("we", "have"),
}


def relations(text: str, *, speaker: str | None = None) -> tuple[Relation, ...]:
    """The relations that `text` states, at most 16, in order, each once. Looks at the first 2,000 characters.

    Args:
        text: One or more sentences.
        speaker: Whom the first person means; without one, what it says is left out.
    """
    text = text[:_SCANNED].replace("\u2019", "'")
    lower = text.lower()
    spoken = lower.split()
    has_kin = _may_name_kin(spoken)
    if not has_kin and _predicates().isdisjoint(spoken) and "j'" not in lower:
        return ()
    found: dict[tuple[str, str, str], Relation] = {}
    for sentence in _sentences(text):
        stated = _read_clauses(sentence, speaker)
        for one in chain(stated, _appositions(sentence, speaker)) if speaker and has_kin else stated:
            found.setdefault((one.source.casefold(), one.relationship, one.target.casefold()), one)
    return tuple(found.values())[:MAX_RELATIONS]


def _read_clauses(sentence: _Sentence, speaker: str | None) -> Iterator[Relation]:
    for clause in _split(sentence.parts, sentence.spoken):
        yield from _read(_from_subject(clause), speaker)


# --- clauses ---

_FENCED: Final = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_QUOTED: Final = re.compile(
    r"\"([^\"\n]{1,500})\"|\u201c([^\u201d\n]{1,500})\u201d|\u00ab([^\u00bb\n]{1,500})\u00bb|\u201e([^\u201c\n]{1,500})\u201c"
)
_LEADING_MARK: Final = re.compile(r"^\s*(?:[-*\u2022+]\s+|\d{1,3}[.)]\s+|#{1,6}\s+|\[[ xX]\]\s+)*")
_SENTENCE_END: Final = re.compile(
    r"(?<=[.!?])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bSt\.)(?<!\bvs\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!Mrs\.)\s+"
)
_JOINTS: Final = frozenset({"but", "while", "whereas", "aber", "pero", "mais", "\u2014", "\u2013"})
"""Words between clauses."""
_BEGINS_CLAUSE: Final = frozenset(
    "i we my our he she they it the this ich wir er sie mein meine yo mi je mon ma il elle i'm we're i've we've".split()  # noqa: SIM905 - one word after the other
)
"""Words after which an "and" joins clauses rather than things."""
_BEGINS_OWN: Final = frozenset({"i", "we", "my", "our", "ich", "wir", "je", "yo", "i'm", "we're", "i've", "we've"})
"""Words with which a clause may begin after a mere comma."""
_MOST_QUOTED_WORDS: Final = 3
"""Longer quotations are speech, not names."""
_MOST_OPENERS: Final = 4
"""Words that may stand before a subject: "so, actually, currently …"."""
_LONGEST_CLAUSE: Final = 40
"""Words read of a clause: none of ours needs more."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """The words of a sentence, as written and in lower case."""

    parts: list[str]
    spoken: list[str]


def _sentences(text: str) -> Iterator[_Sentence]:
    """The sentences that may state something: none that asks or supposes, nor somebody else's words."""
    if "```" in text:
        text = _FENCED.sub(" ", text)
    if '"' in text or not text.isascii():
        text = _QUOTED.sub(_short_quotation, text)
    for line in text.split("\n"):
        body = _LEADING_MARK.sub("", line, count=1)
        if body.startswith(">"):
            continue
        for sentence in _SENTENCE_END.split(body) if ". " in body or "! " in body or "? " in body else (body,):
            spoken = sentence.lower().split()
            if "?" in sentence[-3:] or not words.SUPPOSED.isdisjoint(spoken):
                continue
            yield _Sentence(sentence.split(), spoken)


def _short_quotation(m: re.Match[str]) -> str:
    inner = m[m.lastindex or 0]
    return (
        inner if len(inner.split()) <= _MOST_QUOTED_WORDS and _predicates().isdisjoint(inner.lower().split()) else "\0"
    )


def _split(parts: list[str], spoken: list[str]) -> Iterator[list[str]]:
    """The clauses of a sentence that have a verb of ours in time."""
    begin = 0
    for at, word in enumerate(spoken):
        following = spoken[at + 1] if at + 1 < len(spoken) else ""
        if word in _JOINTS or (word in words.AND and following in _BEGINS_CLAUSE):
            end = at
        elif word[-1] == ";" or (word[-1] == "," and following in _BEGINS_OWN) or not following:
            end = at + 1
        else:
            continue
        if _has_verb(spoken[begin : min(end, begin + _VERB_WITHIN + _MOST_OPENERS)]):
            yield parts[begin:end]
        begin = at + 1


def _has_verb(spoken: Sequence[str]) -> bool:
    return not _predicates().isdisjoint(spoken) or any(word.startswith("j'") for word in spoken)


def _from_subject(clause: list[str]) -> list[str]:
    """The words of a clause from its subject on, contractions written out."""
    found = clause[:_LONGEST_CLAUSE]
    begin = 0
    while begin < len(found) and _opens(found[begin]):
        begin += 1
    del found[:begin]
    if found and "'" in found[0]:
        lower = found[0].lower()
        if lower in _CONTRACTED:
            found[:1] = _CONTRACTIONS[lower]
        elif lower.startswith("j'"):
            found[:1] = ("je", found[0][2:])
    return found


def _opens(word: str) -> bool:
    core = word.rstrip(",:").lower()
    return core in words.OPENERS and (core != "no" or word.endswith(","))


# --- subjects ---


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What a clause is about.

    Attributes:
        names: Of the entities.
        person: `first`, `third` or `plural`, which the verb must agree with.
        owner: Whose `attribute` it is, where it is somebody's.
        is_person: Whether it is the speaker or has a name of its own, so that it can be somebody.
        is_described: Whether it is described (`the staging DB`) rather than named.
        stated: What the subject itself states (`my sister Maria`).
        speaker: Who says so.
    """

    names: tuple[str, ...]
    person: Literal["first", "third", "plural"] = "third"
    owner: str | None = None
    attribute: str | None = None
    is_person: bool = False
    is_described: bool = False
    stated: tuple[Relation, ...] = ()
    speaker: str | None = None

    @property
    def head(self) -> str:
        """The last word of its name."""
        return self.names[0].split()[-1].lower() if self.names else ""

    @property
    def trait(self) -> str:
        """The last word of the attribute, by which it is known: `hair_colour` is a colour."""
        return (self.attribute or "").rsplit("_", 1)[-1]


def _subject(found: Sequence[str], speaker: str | None) -> _Subject | None:
    """What these words name, if they name something."""
    parts = [_core(word) for word in found]
    while parts and parts[-1].lower() in words.ADVERBS:
        del parts[-1]
    if not parts or not all(map(_is_word, parts)) or any(_ends_label(word) for word in found[: len(parts)]):
        return None
    if any(word.lower() in words.AND for word in parts):
        return _several(parts, speaker)
    owner_ends = next((at for at, word in enumerate(parts) if word.lower().endswith("'s")), None)
    if owner_ends is not None:
        owner = _subject([*parts[:owner_ends], parts[owner_ends][:-2]], speaker)
        return _owned(owner.names[0], parts[owner_ends + 1 :]) if owner and owner.names else None
    return _single(parts, speaker)


def _single(parts: Sequence[str], speaker: str | None) -> _Subject | None:
    first = parts[0].lower()
    if len(parts) == 1 and first in words.FIRST_PERSON:
        return _Subject(names=(speaker,), person="first", is_person=True) if speaker else None
    if len(parts) > 1 and first in words.OWN:
        return _owned(speaker, parts[1:], ours=first in words.OURS)
    if len(parts) > 1 and first in words.DEFINITE:
        return _described(parts[1:])
    if _is_name(parts) or (len(parts) == 1 and parts[0].islower() and _is_term(parts[0])):
        return _Subject(names=(" ".join(parts),), is_person=parts[0][0].isupper())
    return None


def _is_word(word: str) -> bool:
    return any(map(str.isalnum, word)) and _NO_NAME.isdisjoint(word)


def _ends_label(word: str) -> bool:
    """Whether a word ends what stands before a clause rather than in it: `**Materials**:`."""
    return word.endswith((",", ")")) or ":" in word[-3:]


def _several(parts: Sequence[str], speaker: str | None) -> _Subject | None:
    """Two who do the same: Ana and Bob."""
    at = next(at for at, word in enumerate(parts) if word.lower() in words.AND)
    both = (_subject(parts[:at], speaker), _subject(parts[at + 1 :], speaker))
    named = [one for one in both if one is not None and one.is_person]
    if len(named) != len(both):
        return None
    return _Subject(names=tuple(name for one in named for name in one.names), person="plural", is_person=True)


def _owned(owner: str | None, parts: Sequence[str], *, ours: bool = False) -> _Subject | None:
    """What somebody has: `my dog`, `Ana's sister Maria`, `the API's port`."""
    if owner is None or not parts:
        return None
    named = [word for word in parts if not word.islower()] if parts[0].islower() else []
    what = parts[: len(parts) - len(named)]
    if not _is_described(what or parts) or (named and parts[len(what) :] != named):
        return None
    attribute = _attribute(what or parts)
    if named and attribute.split("_")[-1] in words.KIN | words.PETS and _is_name(named):
        name = " ".join(named)
        stated = Relation(source=owner, relationship=attribute, target=name)
        return _Subject(names=(name,), is_person=True, stated=(stated,))
    words_of_it = " ".join(parts)
    return _Subject(
        names=(words_of_it if ours else f"{owner}'s {words_of_it}",),
        person="plural" if _is_plural(parts) else "third",
        owner=owner,
        attribute=_attribute(parts),
        is_described=ours,
    )


def _described(parts: Sequence[str]) -> _Subject | None:
    """What is described: `the staging DB`; `the port of the API`, whose port it is."""
    at = next((at for at, word in enumerate(parts) if word.lower() in {"of", "von", "de", "del"}), None)
    if at:
        whose = [word for word in parts[at + 1 :] if word.lower() not in words.ARTICLES]
        what = parts[:at]
        if not whose or not _is_described(whose) or not _is_described(what):
            return None
        return _Subject(names=(), owner=" ".join(whose), attribute=_attribute(what))
    if not _is_described(parts):
        return None
    name = " ".join(parts)
    if len(parts) > 1 and parts[-1].lower() in words.TECHNICAL_TRAITS and parts[0].lower() not in words.WHICH:
        return _Subject(names=(name,), owner=" ".join(parts[:-1]), attribute=parts[-1].lower(), is_described=True)
    return _Subject(names=(name,), person="plural" if _is_plural(parts) else "third", is_described=True)


def _is_described(parts: Sequence[str]) -> bool:
    lower = {word.lower() for word in parts}
    return (
        0 < len(parts) <= _MOST_WORDS
        and lower.isdisjoint(words.FUNCTION_WORDS)
        and lower.isdisjoint(words.VAGUE)
        and all(map(_is_word, parts))
    )


def _is_plural(parts: Sequence[str]) -> bool:
    return parts[-1].endswith("s") and not parts[-1].endswith(("ss", "us", "is"))


def _attribute(parts: Sequence[str]) -> str:
    name = canonical("_".join(parts))
    return words.ABROAD.get(name, name)


# --- what is said of a subject ---


def _read(clause: Sequence[str], speaker: str | None) -> Iterator[Relation]:
    """What one clause states."""
    if clause and clause[0].lower() in words.SUBJECTLESS:
        clause = ("yo", *clause)
    for at in range(1, min(len(clause), _VERB_WITHIN)):
        verb = clause[at].lower()
        if verb not in _predicates():
            continue
        subject = _subject(clause[: at - (verb == "llama")], speaker)
        if subject is not None:
            if subject.is_person and speaker:
                subject = replace(subject, speaker=speaker)
            yield from subject.stated
            yield from _said(subject, verb, clause[at + 1 :])
            for more in range(at + 2, len(clause) - 1):  # Ana lives in Berlin and works at Acme
                if clause[more].lower() in words.AND and (verb := clause[more + 1].lower()) in _predicates():
                    yield from _said(subject, verb, clause[more + 2 :])
            return


def _said(subject: _Subject, verb: str, rest: Sequence[str]) -> Iterator[Relation]:
    rest = _without_adverbs(rest)
    if not rest or _is_denied(rest):
        return
    if verb in _BE:
        yield from _being(subject, rest)
    elif verb in _WAS:
        known = _verbs()["passive"].get(rest[0].lower(), ())
        yield from _first_that_fits(subject, [one for one in known if one.relationship in _LASTING], rest[1:])
    elif verb in _NAMING:
        yield from _naming(subject, rest)
    elif verb in _HAVE:
        yield from _having(subject, rest)
    elif verb in _DECIDED:
        yield from _deciding(subject, rest)
    else:
        yield from _doing(subject, verb, rest)


def _doing(subject: _Subject, verb: str, rest: Sequence[str]) -> Iterator[Relation]:
    """Verbs of the table, in the form that agrees with the subject; and changes from one thing to another."""
    if verb in _SWITCHED and (changed := list(_switching(subject, verb, rest))):
        yield from changed
    elif verb == "replaced" and (at := _place(rest, {"with"})) is not None:
        yield from _replacing(subject, rest[:at], rest[at + 1 :])
    else:
        forms: tuple[_Form, ...] = ("third", "past") if subject.person == "third" else ("base", "past")
        known = next((_verbs()[form][verb] for form in forms if verb in _verbs()[form]), ())
        if verb != "replaced" or subject.person != "first":  # who replaced something stands not in its place
            yield from _first_that_fits(subject, known, rest)


def _first_that_fits(subject: _Subject, verbs: Sequence[_Verb], rest: Sequence[str]) -> Iterator[Relation]:
    for verb in verbs if rest else ():
        if verb.after and rest[0].lower() not in verb.after.split():
            continue
        targets = _objects(
            rest[1:] if verb.after else rest, verb.wants, several=not is_single_valued(verb.relationship)
        )
        if targets:
            for name in subject.names:
                for target in targets:
                    yield _relation(target, verb, name) if verb.inverse else _relation(name, verb, target)
            return


def _relation(source: str, verb: _Verb, target: str) -> Relation:
    return Relation(source=source, relationship=verb.relationship, target=target)


def _being(subject: _Subject, rest: Sequence[str]) -> Iterator[Relation]:
    """After a form of `be`: what somebody is doing, what was done to something, and what something is."""
    first = rest[0].lower()
    forms: tuple[_Form, ...] = ("progressive", "passive")
    for form in forms:
        if first in _verbs()[form]:
            yield from _first_that_fits(subject, _verbs()[form][first], _without_adverbs(rest[1:]))
            return
    for reading in (_relative, _placed, _valued, _classed):
        if found := list(reading(subject, rest)):
            yield from found
            return


def _relative(subject: _Subject, rest: Sequence[str]) -> Iterator[Relation]:
    """Maria is my sister; Maria is the sister of Ana; Maria is Ana's best friend."""
    if not subject.is_person:
        return
    parts = _until_cut(rest)
    at = next((at for at, word in enumerate(parts) if word.lower() in words.KIN), None)
    if at is None:
        return
    after = rest[at + 1 :]
    if parts[0].lower() == "the" and after and after[0].lower() == "of" and _is_described(parts[1 : at + 1]):
        owners, what = _objects(after[1:], "name", several=False), parts[1 : at + 1]
    elif at and parts[0].endswith("'s") and _is_name([parts[0][:-2]]) and at + 1 == len(parts):
        owners, what = [parts[0][:-2]], parts[1 : at + 1]
    elif at and parts[0].lower() in words.OWN and subject.speaker and subject.person != "first":
        owners, what = [subject.speaker], parts[1 : at + 1]
    else:
        return
    for owner in owners:
        for name in subject.names:
            yield Relation(source=owner, relationship=_attribute(what), target=name)


def _placed(subject: _Subject, rest: Sequence[str]) -> Iterator[Relation]:
    """Where something is, when it is, where somebody is from, how old."""
    if not subject.names:
        return
    name, first = subject.names[0], rest[0].lower()
    if first in {"on", "at", "in", "under"}:
        wanted: tuple[tuple[str, _Wants], ...] = (("port", "port"), ("address", "address"), ("path", "path"))
        for relationship, wants in wanted:
            if not subject.is_person and (found := _objects(rest[1:], wants, several=False)):
                yield Relation(source=name, relationship=relationship, target=found[0])
                return
        if subject.head in words.EVENTS and (when := _day(rest[1:])):
            yield Relation(source=name, relationship="when", target=when)
    elif first in {"from", "aus", "de"} and subject.is_person:
        for place in _objects(rest[1:], "name", several=False):
            yield Relation(source=name, relationship="from", target=place)
    elif subject.is_person and first.isdigit() and (len(rest) == 1 or rest[1].lower().startswith("year")):
        yield Relation(source=name, relationship="age", target=first)
    elif subject.is_person and _core(rest[0]).lower() in words.DIETS:
        yield Relation(source=name, relationship="diet", target=_core(rest[0]).lower())


def _valued(subject: _Subject, rest: Sequence[str]) -> Iterator[Relation]:
    """My favourite colour is green; the staging DB is Postgres 16; the release is on Friday."""
    if subject.head in words.EVENTS and (when := _day(rest)):
        yield Relation(source=subject.names[0], relationship="when", target=when)
    elif subject.attribute and subject.owner:
        if (value := _value(subject, rest)) is not None:
            yield Relation(source=subject.owner, relationship=subject.attribute, target=value)
    elif subject.is_described and subject.person == "third" and rest[0].lower() not in {"a", "an"}:
        is_chosen = subject.names[0].lower().startswith(("default ", "preferred "))
        for value in _objects(rest, "thing" if is_chosen else "name", several=False):
            if any(map(str.isalpha, value)):
                yield Relation(source=subject.names[0], relationship="is", target=value)


def _value(subject: _Subject, rest: Sequence[str]) -> str | None:
    """What a trait is: any words of what is open to all (a favourite food), a name or number of the rest."""
    attribute = subject.attribute or ""
    is_open = subject.trait in words.OPEN_TRAITS or attribute.startswith(("favourite_", "default_", "preferred_"))
    values = _objects(rest, "thing" if is_open else "value", several=False)
    if not values or (rest[0].lower() in {"a", "an"} and not is_open):
        return None
    value = values[0]
    if value.islower() and (value.split()[0].endswith(("ed", "ly")) or value.split()[0] in words.LIGHT_GERUNDS):
        return None
    is_known = is_open or subject.trait in words.TRAITS or subject.trait in words.KIN | words.PETS
    return value if is_known or any(map(str.isalpha, value)) else None


def _classed(subject: _Subject, rest: Sequence[str]) -> Iterator[Relation]:
    """Ana is a nurse."""
    parts = [_core(word) for word in _until_cut(rest[1:])]
    is_somebody = subject.is_person or subject.trait in words.KIN | words.PETS
    is_occupation = rest[0].lower() in {"a", "an"} and bool(parts) and parts[-1].lower() in words.OCCUPATIONS
    if is_somebody and is_occupation and _is_described(parts):
        for name in subject.names:
            yield Relation(source=name, relationship="is_a", target=" ".join(parts))


def _naming(subject: _Subject, rest: Sequence[str]) -> Iterator[Relation]:
    """Mein Hund heißt Rex; mi perro se llama Rex; mon chien s'appelle Rex."""
    if subject.owner and subject.attribute:
        for name in _objects(rest, "name", several=False):
            yield Relation(source=subject.owner, relationship=subject.attribute, target=name)


def _having(subject: _Subject, rest: Sequence[str]) -> Iterator[Relation]:
    """We have switched…; I have been using…; Ana has a dog named Rex."""
    first = rest[0].lower()
    if first == "been" and len(rest) > 1:
        after = rest[1].lower()
        if after in _verbs()["progressive"] or after in _verbs()["passive"]:
            yield from _being(subject, rest[1:])
    elif first in _SWITCHED or first in _verbs()["past"]:
        yield from _said(subject, first, rest[1:])
    elif first in words.ARTICLES and (at := _place(rest, _CALLED)) is not None:
        what = rest[1:at]
        if _is_described(what) and _attribute(what).split("_")[-1] in words.KIN | words.PETS:
            for name in _objects(rest[at + 1 :], "name", several=False):
                for owner in subject.names:
                    yield Relation(source=owner, relationship=_attribute(what[-1:]), target=name)


def _deciding(subject: _Subject, rest: Sequence[str]) -> Iterator[Relation]:
    """We decided to use Postgres; we agreed to switch from npm to pnpm."""
    if len(rest) > 2 and rest[0].lower() == "to":  # noqa: PLR2004 - to, verb, object
        verb = rest[1].lower()
        if verb in {"use", "adopt"}:
            yield from _first_that_fits(subject, (_USES,), rest[2:])
        elif verb in {"switch", "migrate", "move"}:
            yield from _switching(subject, "switched", rest[2:])


def _switching(subject: _Subject, verb: str, rest: Sequence[str]) -> Iterator[Relation]:
    """From one thing to another: the new one is used and replaced the old. Who moved may have moved house."""
    to, origin = _place(rest, {"to"}), _place(rest, {"from"})
    if to is None or min(to, to if origin is None else origin) > 0:
        return
    new = _objects(rest[to + 1 :], "name" if verb == "moved" else "thing", several=False)
    if not new or rest[to + 1].lower() in {"a", "an"}:
        return
    for name in subject.names:
        yield Relation(source=name, relationship="moved_to" if verb == "moved" else "uses", target=new[0])
    if origin is not None and verb != "moved":
        for old in _objects(rest[origin + 1 :], "thing", several=False):
            yield Relation(source=new[0], relationship="replaced", target=old)


def _replacing(subject: _Subject, old: Sequence[str], new: Sequence[str]) -> Iterator[Relation]:
    """We replaced Redis with Valkey."""
    olds, news = _objects(old, "thing", several=False), _objects(new, "thing", several=False)
    if olds and news and new[0].lower() not in {"a", "an"}:
        yield Relation(source=news[0], relationship="replaced", target=olds[0])
        for name in subject.names:
            yield Relation(source=name, relationship="uses", target=news[0])


def _place(found: Sequence[str], wanted: Collection[str]) -> int | None:
    return next((at for at, word in enumerate(found) if word.lower() in wanted), None)


def _without_adverbs(rest: Sequence[str]) -> Sequence[str]:
    at = 0
    while at < len(rest) and rest[at].lower() in words.ADVERBS:
        at += 1
    return rest[at:]


def _is_denied(rest: Sequence[str]) -> bool:
    """Whether the clause denies what it says, before its first comma."""
    for word in rest:
        if _core(word).lower() in words.DENIED:
            return True
        if word.endswith((",", ".")):
            return False
    return False


# --- what a name stands beside ---

_MOST_BEFORE_NAME: Final = 3
"""Words between `my` and a name: `my older sister Ana`; longer ones are clauses."""


def _appositions(sentence: _Sentence, speaker: str) -> Iterator[Relation]:
    """My sister Eve, wherever in a sentence she stands."""
    for at, word in enumerate(sentence.spoken if _may_name_kin(sentence.spoken) else ()):
        is_given = at > 0 and sentence.spoken[at - 1] in words.GIVING
        if word in words.OWN and not is_given:
            subject = _owned(speaker, _kin_and_name(sentence.parts[at + 1 :]))
            yield from subject.stated if subject else ()


def _may_name_kin(spoken: Sequence[str]) -> bool:
    return not words.OWN.isdisjoint(spoken) and not _kinship().isdisjoint(spoken)


def _kin_and_name(found: Sequence[str]) -> list[str]:
    """The words up to the end of the first name, which must come soon, and without a mark before it."""
    named = next((at for at, word in enumerate(found[: _MOST_BEFORE_NAME + 1]) if not word.islower()), 0)
    if not named or found[named - 1].lower() not in _kinship() or any(map(_ends_label, found[:named])):
        return []
    parts = list(found[:named])
    for word in found[named : named + _MOST_WORDS]:
        core = _core(word).removesuffix("'s")
        if not _looks_named(core):
            break
        parts.append(core)
        if word != core:
            break
    return parts


# --- objects ---

_NO_NAME: Final = frozenset("\\|=<>{}[]()\0")
"""Characters of markup and formulas, which name nothing."""
_MARKS: Final = ".,;:!?\"'`*()[]{}<>\u201c\u201d\u2026"
_ENDS: Final = (".", "!", "?", ";", ":", ")")
_CODE: Final = re.compile(r"[\w$.:/\\-]*(?:_\w|\w\.\w|::|/\w|\\\w|\(\)|[a-z][A-Z])[\w$.:/\\()-]*")
_FILE_PATH: Final = re.compile(r"(?:[~.\w@-]*[/\\][\w.@~/\\-]+|[\w-]+\.[a-z]{1,5}\d?|~)/?")
_ADDRESS: Final = re.compile(
    r"\w+://\S+|localhost(?::\d+)?(?:/\S*)?|[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:/\S*)?|[\w-]+:\d{2,5}"
)
_PORT: Final = re.compile(r":?(\d{2,5})")
_SHAPES: Final[Mapping[str, re.Pattern[str]]] = {"code": _CODE, "path": _FILE_PATH, "address": _ADDRESS, "port": _PORT}
"""What is known by its form."""
_ENGLISH_ARTICLES: Final = frozenset({"the", "a", "an"})


def _core(word: str) -> str:
    if word.lower() in words.TITLES:
        return word
    return word.strip(_MARKS) if word[-1:] in _MARKS or word[:1] in _MARKS else word


def _until_cut(found: Sequence[str]) -> list[str]:
    """The words up to where an object ends."""
    parts: list[str] = []
    for word in found:
        if parts and _core(word).lower() in words.CUTS | words.AND:
            break
        parts.append(_core(word))
        if word.endswith((*_ENDS, ",")):
            break
    return parts


def _objects(found: Sequence[str], wants: _Wants, *, several: bool) -> list[str]:
    """What the words after a verb name: one thing, or the things of a list; nothing where it is left open (`X or Y`)."""
    phrases = _listed(_extent(found, wants))
    first = _fitting(phrases[0], wants)
    if first is None:
        return []
    others = [_fitting(phrase, wants) for phrase in phrases[1:]] if several else []
    return [first, *(other for other in others if other)]


def _extent(found: Sequence[str], wants: _Wants) -> Sequence[str]:
    """The words up to where an object ends; none where it is open, or only said what it is of."""
    for at, word in enumerate(found):
        lower = _core(word).lower()
        if lower in words.OR:
            return ()
        if _ends_object(found, at, wants):
            return () if lower == "of" else found[:at]
        if word.endswith(_ENDS) and word.lower() not in words.TITLES:
            return found[: at + 1]
    return found


def _ends_object(found: Sequence[str], at: int, wants: _Wants) -> bool:
    word, lower = found[at], _core(found[at]).lower()
    if lower in words.ARTICLES and (at == 0 or found[at - 1].endswith(",") or found[at - 1].lower() in words.AND):
        return wants == "taste" and lower in _ENGLISH_ARTICLES  # the one before us, not the kind
    if lower in words.AND:
        return at + 1 < len(found) and found[at + 1].lower() in _predicates()
    is_mark = not any(map(str.isalnum, word)) or (at > 0 and word[0] in "([{\\")
    return (lower in words.CUTS or is_mark) and not _joins_name(found, at, wants)


def _joins_name(found: Sequence[str], at: int, wants: _Wants) -> bool:
    """Whether a small word stands inside a name: University of Oslo, Bank of the West."""
    return (
        wants in {"name", "value", "thing", "taste"}
        and 0 < at < len(found) - 1
        and found[at].lower() in words.JOINING
        and (found[at - 1][:1].isupper() or found[at - 1].lower() in words.JOINING)
        and (found[at + 1][:1].isupper() or found[at + 1].lower() in words.JOINING)
    )


def _listed(extent: Sequence[str]) -> list[list[str]]:
    """The phrases of a list, without articles; only the first where no "and" says that it is a list."""
    phrases: list[list[str]] = [[]]
    joined = False
    for word in extent:
        core = _core(word)
        if core.lower() in words.AND:
            joined = True
            phrases.append([])
            continue
        if core and (phrases[-1] or core.lower() not in words.ARTICLES):
            phrases[-1].append(core.removeprefix("l'").removeprefix("d'"))
        if word.endswith(","):
            if joined:
                break
            phrases.append([])
    return phrases if joined else phrases[:1]


def _fitting(parts: Sequence[str], wants: _Wants) -> str | None:
    """The phrase, if it is what is wanted."""
    if wants in _SHAPES:
        if len(parts) > 1 and parts[0].lower() == wants:
            parts = parts[1:]  # port 8080
        m = _SHAPES[wants].fullmatch(parts[0]) if len(parts) == 1 else None
        return m[m.lastindex or 0] if m else None
    fits = (
        _is_phrase(parts)
        and {
            "thing": True,
            "taste": parts[0].lower() not in words.LIGHT_GERUNDS and parts[-1].lower() not in words.ROLES,
            "name": _is_name(parts),
            "value": _is_name(parts) or any(map(str.isdigit, parts[0])),
        }[wants]
    )
    return " ".join(parts) if fits else None


def _is_phrase(parts: Sequence[str]) -> bool:
    """Whether these words may name something by themselves."""
    lower = [word.lower() for word in parts]
    return (
        0 < len(parts) <= _MOST_WORDS
        and lower[0] not in words.NO_OBJECT
        and lower[-1] not in words.VAGUE
        and words.DENIED.isdisjoint(lower)
        and (words.FUNCTION_WORDS.isdisjoint(lower) or _is_name(parts))
        and not any(word.endswith(words.CONTRACTED_ENDINGS) for word in lower)
        and all(map(_is_word, parts))
    )


def _is_name(parts: Sequence[str]) -> bool:
    """Whether these words are a proper name: `Ana Silva`, `Postgres 16`, `University of Oslo`, `main.py`."""
    if not 0 < len(parts) <= _MOST_WORDS or not _looks_named(parts[0]) or not _looks_named(parts[-1]):
        return False
    if not all(_looks_named(word) or word.lower() in words.JOINING for word in parts):
        return False
    return (
        parts[0] == "New"
        or not is_common(parts[0])
        or (len(parts) > 1 and not is_common(parts[-1]) and parts[0].isupper())
    )


def _looks_named(word: str) -> bool:
    return bool(word) and (not word.islower() or _CODE.fullmatch(word) is not None) and "\0" not in word


def _is_term(word: str) -> bool:
    """Whether a word in lower case may name something: `pnpm`, `kept`, `staging`."""
    return len(word) > 2 and word not in words.FUNCTION_WORDS and not is_common(word)  # noqa: PLR2004 - shorter are no names


def _day(rest: Sequence[str]) -> str | None:
    """The day or hour that the words name: `Friday`, `March 3`, `3pm`."""
    parts = [_core(word) for word in rest[:4]]
    if parts and parts[0].lower() in {"on", "at", "in"}:
        del parts[0]
    named: list[str] = []
    for part in parts:
        lower = part.lower()
        if lower not in words.DAYS and not part[:1].isdigit() and not (named and lower == "at"):
            break
        named.append(part)
    while named and named[-1].lower() == "at":
        del named[-1]
    return " ".join(named) or None
