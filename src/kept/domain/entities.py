"""The entities a text mentions, by rule, and the known names a query mentions.

Names, quoted terms and the things code is made of (identifiers, paths, packages, versions, errors). Mentions are joined by
their `key`. Rules cannot know every name: they aim to link two texts about the same thing, not to annotate either.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from kept.domain.memory import EntityRef
from kept.domain.text import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "MAX_ENTITIES",
    "Entity",
    "EntityKind",
    "KnownNames",
    "NameMention",
    "entities",
    "entity_refs",
    "is_common",
    "name_key",
    "names_in",
    "without_names",
]

EntityKind = Literal[
    "name", "quoted", "identifier", "path", "url", "package", "version", "error_code", "email", "handle"
]

MAX_ENTITIES: Final = 32
"""Entities kept of one text: a longer list links everything to everything."""
_SCANNED: Final = 20_000
"""Characters looked at: beyond the length of chat messages, and bounds the work on pasted files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One entity of a text.

    Attributes:
        name: As first written.
        kind: What sort of thing it is.
        key: Normalised form by which mentions are joined: NFKC, lower case, single spaces, no possessive.
    """

    name: str
    kind: EntityKind
    key: str


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


_CALENDAR: Final = _words(
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun january february march "
    "april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec"
)
_COMMON: Final = (
    STOP_WORDS
    | _CALENDAR
    | _words(
        """
        about absolutely according actually add added adding again ah aha all almost alright also although always amazing another any
        anybody anyone anything anyway apparently apply are aren't around as ask aside at avoid aw awesome awww back based basically be because
        before best better both bring btw build but bye call can can't change check choose clean clear click close code come commit
        compare congrats congratulations consider continue cool copy correct could couldn't create currently cute dear definitely delete deploy despite did
        didn't do does doesn't don't done double down during each easy edit either else enable end enjoy ensure even eventually
        every everybody everyone everything exactly example excellent except expected expect explain fair fantastic far feel few
        final finally find fine first five fix following for four from fun further fyi generally get getting give given glad go good
        goodbye got gotcha great guess had happy hasn't have haven't having he he'd he'll he's hello help her here here's hey hi him his hm hmm
        hold honestly hope hopefully how however i i'd i'll i'm i've if imagine implement import important in indeed inside install
        instead interesting into is isn't it it's it'd it'll its just keep kind know last lastly later let let's like list listen
        literally load look looking looks lol long lots love lovely main make many may maybe me meanwhile merge might mind mine more
        morning most mostly move much must my naturally near need never new next nice night no nobody none nope not note nothing now
        obviously oh ok okay old omg on once one only oops open or originally other otherwise ouch our out over overall ours own part
        people perfect perhaps personally pick play please plus point possibly previously pretty print probably put quick quickly quite
        rather read ready really recently regarding remember remove rename replace restart return review right run running same save say
        second see seems send seriously set several shall she she'd she'll she's should show similarly simply since six so some somebody someone
        something sometimes somewhere soon sorry sounds specifically start step still stop such super sure surely switch take talk ten test
        thank thanks that that's the their theirs them then there there's therefore these they they'd they'll they're they've thing things think
        third this those though three through throughout thus time to today together tomorrow tonight too totally true truly try turn
        two type typically ugh um under understood unfortunately unless unlike until up update upgrade use used using usually very wait
        was wasn't watch way we we'd we'll we're we've welcome well were weren't what what's whatever when whenever where wherever whether
        which while who who's whoever whole why will wish with within without wonderful won't work works would wouldn't wow write wrong yay
        yeah year years yep yes yesterday yet you you'd you'll you're you've your yours yup
        answer api app apis app's asap ascii aws's bug bugs byte cases class command config context cpu css csv data database default
        detail details docs dom eof error errors eta faq feature features file files folder function gpu gui hint html http https id ide
        ids imo info input interface issue issues json key line method mode model module name number option output overview pdf ping
        plan pr problem project prs query question ram reason repo result results sdk section server sql ssh ssl step steps string
        summary table task tasks tests text tip tips tls todo token tool tools tv txt ui uri url urls usage user users utf value version
        wip warning xml yaml yml zip am pm
        """
    )
)
"""Words that are no names although a sentence, a heading or a shout may write them with a capital."""
_NEXT_VERBS: Final = _words(
    "is was has had said says and likes loves wants works will would can could does did also told asked thinks lives went got made "
    "came knows used just really never always still might should plays runs prefers uses owns"
)
"""Words after which a capital at the start of a sentence is believed to be a name."""
_WORD_ENDINGS: Final = ("ing", "ly", "tion", "ment", "ness", "ed", "ies", "able", "ful")
"""Endings of common words, not of names, at the start of a sentence."""
_ERRNO: Final = (
    r"E(?:CONNREFUSED|CONNRESET|CONNABORTED|NOENT|ACCES|PERM|EXIST|TIMEDOUT|ADDRINUSE|PIPE|NOTFOUND|MFILE|NOSPC|ISDIR|NOTDIR|INVAL"
    r"|AGAIN|BUSY|HOSTUNREACH|NETUNREACH|NOMEM|RESOLVE|NOTEMPTY|ROFS|LOOP|BADF|INTR|AI_AGAIN|LIFECYCLE|JSONPARSE|INTEGRITY)"
)
_FILE_TYPES = (
    r"py|pyi|js|jsx|ts|tsx|mjs|cjs|json|jsonl|ya?ml|toml|md|mdx|rst|txt|csv|tsv|html?|css|scss|sql|sh|bash|zsh|ps1|rs|go|java|kt|swift|rb|php"
    r"|c|h|cc|cpp|hpp|cs|xml|ini|cfg|conf|env|lock|log|pdf|docx?|xlsx?|pptx?|png|jpe?g|gif|svg|ipynb|vue|svelte|proto|gradle|tf|db|sqlite|zip|gz"
)

# --- patterns, most specific first; each is tried only when a character it needs is there ---

_URL: Final = re.compile(
    r"\b(?:https?|ftp|wss?|ssh|file|git\+https?)://[^\s<>\"'`\u201d]{1,500}|\bwww\.[^\s<>\"'`\u201d]{3,500}"
)
_EMAIL: Final = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}(?![\w@])")
_SCOPED: Final = re.compile(r"(?<![\w@/.])@[a-z0-9][\w.-]{0,60}/[a-z0-9][\w.-]{0,80}")
_HANDLE: Final = re.compile(r"(?<![\w@/.])@([A-Za-z_][\w-]{1,38})(?![\w@])")
_TICKED: Final = re.compile(r"`([^`\n]{1,100})`")
_QUOTED: Final = re.compile(r"\"([^\"\n]{2,60})\"|\u201c([^\u201c\u201d\n]{2,60})\u201d|(?<!\w)'([^'\n]{2,60})'(?!\w)")
_MOST_QUOTED_WORDS: Final = 6
"""Longer quotations are speech, not terms."""
_INSTALL: Final = re.compile(
    r"\b(?:pip3? install|npm (?:i|install|add)|yarn add|pnpm (?:i|install|add)|uv (?:add|pip install)|poetry add|cargo (?:add|install)"
    r"|go (?:get|install)|gem install|brew install|apt(?:-get)? install|conda install|composer require)"
    r"((?:[ ]+(?:-{1,2}[\w=-]{1,40}|[\"']?@?[A-Za-z0-9][\w./\[\],@<>=~!^+-]{0,80}[\"']?)){1,8})"
)
_PACKAGE: Final = re.compile(r"(?<!\S)[\"']?(@?[A-Za-z0-9][\w./-]*(?<![.,]))")
_PROSE: Final = _words("and or to then for in on with it the a an via using from as first again")
"""Words at which a sentence goes on after the packages to install."""
_IMPORT: Final = re.compile(
    r"(?m:^)[ \t>.]{0,12}import[ ]+([A-Za-z_][\w.]{0,80})(?=[ \t]*(?:$|,|;|\n|as\b))|\bfrom[ ]+([A-Za-z_.][\w.]{0,80})[ ]+import\b"
    r"|\b(?:from|require\()[ ]*[\"'](@?[A-Za-z][\w@./-]{0,80})[\"']"
)
_WINDOWS_PATH: Final = re.compile(
    r"(?<![\w])[A-Za-z]:\\[^\s:*?\"<>|`']{1,300}|(?<!\S)\\\\[\w.$-]{1,60}(?:\\[\w.$-]{1,80}){1,20}"
)
_POSIX_PATH: Final = re.compile(
    r"(?<![\w:/.~@-])(?:~|\.{1,2}|[\w.@+-]{1,80})?(?:/[\w.@+-]{1,80}){1,30}/?(?::\d{1,7}(?::\d{1,5})?)?"
)
_FILE: Final = re.compile(
    rf"(?<![\w./\\@-])[\w-][\w.-]{{0,80}}\.(?:{_FILE_TYPES})(?::\d{{1,7}}(?::\d{{1,5}})?)?(?![\w/-])"
)
_HAS_EXTENSION: Final = re.compile(r"\.[A-Za-z]\w{0,7}(?::\d|$)")
_LINE_NUMBER: Final = re.compile(r":\d+(?::\d+)?$")
_ERROR: Final = re.compile(
    rf"\b(?:{_ERRNO}|ERR_[A-Z0-9_]{{2,60}}|E\d{{4}}|TS\d{{4,5}}|SQLSTATE[ \[]*\w{{5}}|ORA-\d{{5}}|SIG(?:KILL|SEGV|TERM|INT|ABRT|HUP|PIPE|BUS)"
    r"|HTTP[ /]\d{3}(?![.\d])|0x[0-9A-Fa-f]{8})\b"
)
_EXCEPTION: Final = re.compile(r"\b(?:[A-Za-z_]\w{0,40}\.){0,5}[A-Z]\w{1,50}(?:Error|Exception|Warning)\b")
_VERSION: Final = re.compile(
    r"(?<![\w.-])(?:v\d{1,4}(?:\.\d{1,5}){0,3}|\d{1,4}(?:\.\d{1,5}){2})(?:[-.+]?(?:a|b|rc|alpha|beta|dev|post)[.-]?\d{0,4})?(?![\w/]|\.\d)"
    r"|\b[A-Z][A-Za-z.+#]{1,30} \d{1,3}\.\d{1,4}(?:\.\d{1,5})?(?![\w%/:]|\.\d)"
)
_DIGIT: Final = re.compile(r"\d")
_SYMBOL: Final = re.compile(
    r"(?<![\w.$/@\\-])[A-Za-z_$][\w$]{0,80}(?:(?:\.|::|->)[A-Za-z_]\w{0,60}){0,8}(?:\(\)|-\d{1,6}(?![\w-]))?(?![\w@$])"
)
_IDENTIFIER: Final = re.compile(
    r".*\(\)"  # call()
    r"|[A-Za-z_]\w*(?:(?:\.|::|->)[a-z_]\w+)+"  # dotted.name
    r"|(?=.*[A-Za-z].*)_{0,2}[A-Za-z0-9]+(?:_+[A-Za-z0-9]+)+_{0,2}"  # snake_case, CONSTANT_CASE
    r"|[a-z]+(?:[A-Z][A-Za-z0-9]*)+"  # camelCase
    r"|(?:[A-Z]+[a-z0-9]+){2,}[A-Z]*"  # PascalCase
    r"|[A-Z]{2,10}-\d+"  # ticket
)
_DOMAIN: Final = re.compile(r"(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|ai|app|co|edu|gov)")
_SHORT_DOTTED: Final = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]")

_UPPER = (
    r"A-Z\u00c0-\u00d6\u00d8-\u00de\u0141\u015a\u0160\u017b\u017d\u010c\u0106\u015e\u0130\u0391-\u03a9\u0400-\u042f"
)
_NAME_WORD = rf"[{_UPPER}](?:[\w&]|[-'\u2019](?=\w)){{1,40}}"
_NAME: Final = re.compile(
    rf"(?<![\w.@/\\#$'\u2019-])(?:(?:Dr|Mr|Mrs|Ms|Prof|St)\.[ ])?{_NAME_WORD}"
    rf"(?:[ ](?:(?:of|of the|de|de la|del|da|van|von|van der|bin|al)[ ])?(?:{_NAME_WORD}|[{_UPPER}]\.(?=[ ][{_UPPER}]))){{0,5}}"
)
_POSSESSIVE: Final = re.compile(r"['\u2019][sS]?$")
_MARKS_AROUND: Final = ".,;:!?\"'()[]*\u201c\u201d\u2019\u2026"
_BEFORE_NAME: Final = 4
"""Characters before a name in which the end of the last sentence shows."""
_FOLLOWING: Final = 24
"""Characters after a name in which the next word shows: a choice, longer than the verbs that are looked for."""
_SHOUTED_WORDS: Final = 3
"""This many words in capitals in a row are a shout or a heading, not a name."""


def name_key(name: str) -> str:
    """The form by which names are joined: NFKC, lower case, single spaces, no possessive."""
    folded = name if name.isascii() else unicodedata.normalize("NFKC", name)
    return _POSSESSIVE.sub("", " ".join(folded.casefold().split()))


def _odd_runs(text: str) -> list[tuple[str, int, int]]:
    """Runs of words that are no plain words (digits, marks or capitals inside), with their spans.

    Paths, identifiers, versions and errors are only sought there: most words of most texts are plain.
    """
    runs: list[tuple[str, int, int]] = []
    at = 0
    joins = False
    for word in text.split():
        core = word.strip(_MARKS_AROUND)
        tail = core[1:]
        if not core or (core.isalpha() and tail == tail.lower()) or ("'" in core and core.replace("'", "").isalpha()):
            joins = False
            continue
        start = text.index(word, at)
        at = start + len(word)
        if joins:
            start = runs.pop()[1]
        runs.append((text[start:at], start, at))
        joins = True
    return runs


class _Scan:
    """The finds of one text: what is taken by a more specific rule is not found again."""

    __slots__ = ("_found", "_taken", "odd", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.odd = _odd_runs(text)
        self._taken = bytearray(len(text))
        self._found: list[tuple[int, Entity]] = []

    def is_free(self, start: int, end: int) -> bool:
        return self._taken.find(1, start, end) < 0

    def add(self, start: int, end: int, kind: EntityKind, name: str, key: str | None = None) -> None:
        key = name_key(name) if key is None else key
        if key and self.is_free(start, end):
            self._taken[start:end] = b"\1" * (end - start)
            self._found.append((start, Entity(name=name, kind=kind, key=key)))

    def is_open(self, start: int, end: int) -> bool:
        """Whether anything between `start` and `end` is still free."""
        return self._taken.find(0, start, end) >= 0

    def add_all(self, pattern: re.Pattern[str], kind: EntityKind, start: int, end: int) -> None:
        for m in pattern.finditer(self.text, start, end):
            self.add(*m.span(), kind, m[0])

    def entities(self) -> list[Entity]:
        distinct: dict[str, Entity] = {}
        for _, entity in sorted(self._found, key=lambda found: found[0]):
            distinct.setdefault(entity.key, entity)
        return list(distinct.values())[:MAX_ENTITIES]


def _find_addresses(scan: _Scan) -> None:
    text = scan.text
    if "://" in text or "www." in text:
        for m in _URL.finditer(text):
            name = m[0].rstrip(".,;:!?)]}*")
            scan.add(m.start(), m.start() + len(name), "url", name, name.casefold().rstrip("/"))
    if "@" in text:
        for m in _EMAIL.finditer(text):
            scan.add(*m.span(), "email", m[0].rstrip("."))
        for m in _SCOPED.finditer(text):
            scan.add(*m.span(), "package", m[0].rstrip("."))
        for m in _HANDLE.finditer(text):
            scan.add(*m.span(), "handle", m[0])


def _find_packages(scan: _Scan) -> None:
    text = scan.text
    if "install" in text or " add " in text or " get " in text or "npm i" in text or "composer" in text:
        for m in _INSTALL.finditer(text):
            for package in _PACKAGE.finditer(m[1]):
                if package[1] in _PROSE:
                    break
                start = m.start(1) + package.start(1)
                scan.add(start, start + len(package[1]), "package", package[1])
    if "import" in text or "require(" in text or 'from "' in text or "from '" in text:
        for m in _IMPORT.finditer(text):
            if not (name := m[m.lastindex or 0]).startswith("."):
                scan.add(*m.span(m.lastindex or 0), "package", name)


def _find_paths(scan: _Scan) -> None:
    for text, start, end in scan.odd:
        if "\\" in text:
            for m in _WINDOWS_PATH.finditer(scan.text, start, end):
                name = m[0].rstrip(".,;!)")
                scan.add(m.start(), m.start() + len(name), "path", name)
        if "/" in text:
            _find_posix_paths(scan, start, end)
        if "." in text:
            for m in _FILE.finditer(scan.text, start, end):
                scan.add(*m.span(), "path", m[0], _LINE_NUMBER.sub("", m[0].casefold()))


def _find_posix_paths(scan: _Scan, start: int, end: int) -> None:
    for m in _POSIX_PATH.finditer(scan.text, start, end):
        name = m[0].rstrip(".")
        is_path = name[0] in "/~." or name.count("/") > 1 or _HAS_EXTENSION.search(name)
        if is_path and not name.replace("/", "").isdigit():
            key = _LINE_NUMBER.sub("", name.casefold()).rstrip("/")
            scan.add(m.start(), m.start() + len(name), "path", name, key)


def _find_code(scan: _Scan) -> None:
    for text, start, end in scan.odd:
        lower = text.lower()
        if lower != text:
            if "error" in lower or "exception" in lower or "warning" in lower:
                scan.add_all(_EXCEPTION, "error_code", start, end)
            scan.add_all(_ERROR, "error_code", start, end)
        elif "0x" in text:
            scan.add_all(_ERROR, "error_code", start, end)
        if _DIGIT.search(text):
            # "Python 3.11": the word before a bare number is an ordinary one.
            before = scan.text.rfind(" ", 0, start - 1) + 1 if start else 0
            scan.add_all(_VERSION, "version", before, end)
        if scan.is_open(start, end):
            for m in _SYMBOL.finditer(scan.text, start, end):
                _add_symbol(scan, m)


def _add_symbol(scan: _Scan, m: re.Match[str]) -> None:
    name = m[0]
    if _DOMAIN.fullmatch(name.lower()):
        scan.add(*m.span(), "url", name)
    elif _IDENTIFIER.fullmatch(name) and not _SHORT_DOTTED.fullmatch(name):
        scan.add(*m.span(), "identifier", name, name_key(name.removesuffix("()")))


def _find_quoted(scan: _Scan) -> None:
    text = scan.text
    if "`" in text:
        for m in _TICKED.finditer(text):
            name = m[1].strip()
            if scan.is_free(*m.span()) and name:
                kind: EntityKind = "quoted" if " " in name else "identifier"
                scan.add(*m.span(), kind, name, name_key(name.removesuffix("()")))
    if '"' in text or "'" in text or "\u201c" in text:
        for m in _QUOTED.finditer(text):
            name = m[m.lastindex or 0].strip(" .,!?;:")
            words = name.split()
            if 0 < len(words) <= _MOST_QUOTED_WORDS and any(word.casefold() not in STOP_WORDS for word in words):
                scan.add(*m.span(), "quoted", name)


def _find_names(scan: _Scan) -> None:
    text = scan.text
    if text.isupper():
        return
    has_headings = "# " in text
    mid_sentence: set[str] = set()
    doubtful: list[tuple[int, int, str]] = []
    for m in _NAME.finditer(text):
        start, words = _trimmed(m)
        if not words or (len(words) >= _SHOUTED_WORDS and all(map(str.isupper, words))):
            continue
        name = _POSSESSIVE.sub("", " ".join(words))
        end = start + len(name)
        if has_headings and text.startswith("#", text.rfind("\n", 0, start) + 1):
            continue
        if (
            len(words) == 1
            and start == m.start()
            and _starts_sentence(text, start)
            and not _is_believed(text, start, name)
        ):
            doubtful.append((start, end, name))
        else:
            mid_sentence.add(name)
            scan.add(start, end, "name", name)
    for start, end, name in doubtful:
        if name in mid_sentence:
            scan.add(start, end, "name", name)


def _trimmed(m: re.Match[str]) -> tuple[int, list[str]]:
    """A run of capitalised words without the common words at its ends, and where it then begins."""
    words = m[0].split(" ")
    start = m.start()
    while words and is_common(words[0]) and (len(words) == 1 or words[0] != "New"):  # New York
        start += len(words[0]) + 1
        del words[0]
    while words and words[0] in ("of", "the", "de", "la"):
        start += len(words[0]) + 1
        del words[0]
    while words and (words[-1].casefold() in _COMMON or words[-1].endswith(("'m", "'re", "'ll"))):
        del words[-1]
    return start, words


def is_common(word: str) -> bool:
    """Whether a word is no name although it may be written with a capital: `The`, `Monday`, `API`, `Thanks`."""
    lower = word.casefold()
    return lower in _COMMON or _POSSESSIVE.sub("", lower) in _COMMON


def _starts_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - _BEFORE_NAME) : start]
    return not before.strip(" \t*_>#\"'(\u201c-") or before.rstrip(" *_\"'(\u201c-")[-1:] in ".!?:\n\u2026\u2022"


def _is_believed(text: str, start: int, name: str) -> bool:
    """Whether a capitalised word at the start of a sentence is a name, by its form and by what follows."""
    end = start + len(name)
    following = text[end : end + _FOLLOWING]
    if name.isupper() or following[:2] in ("'s", "\u2019s"):
        return True
    if name.endswith(_WORD_ENDINGS):
        return False
    if following[:1] in ",!?":
        return True
    word = following[1:].split(" ", 1)[0].rstrip(".,!?'\n") if following[:1] == " " else ""
    return word in _NEXT_VERBS or (word.islower() and word.endswith("ed") and not name.endswith("s"))


def entities(text: str) -> list[Entity]:
    """The entities that `text` mentions, at most 32, distinct by key, in order of appearance.

    Looks at the first 20,000 characters.
    """
    scan = _Scan(text[:_SCANNED])
    _find_addresses(scan)
    _find_packages(scan)
    _find_paths(scan)
    _find_code(scan)
    _find_quoted(scan)
    _find_names(scan)
    return scan.entities()


def entity_refs(text: str) -> tuple[EntityRef, ...]:
    """The entities of `text` as a memory keeps them."""
    return tuple(EntityRef(name=found.name, kind=found.kind, key=found.key) for found in entities(text))


# --- known names in a query ---

_TOKEN: Final = re.compile(r"[\w@][\w@./\\:+#'\u2019-]*")
_MARKS_AFTER: Final = ".,:?!'\u2019/\\-"
_LEAST_SHORT_FORM: Final = 3
"""Letters of the shortest short form (`Mel`): two letters begin too many words."""
_MOST_NAME_WORDS: Final = 6
"""Words of a known name that a query is searched for: a choice, as many capitalised words as a name in a text may have."""
_UNSPACED: Final = (
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]"  # compiled on first use: large sets take milliseconds
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMention:
    """A known name in a query.

    Attributes:
        name: The known name.
        start: Where its mention begins in the query.
        end: Where its mention ends, a possessive included.
    """

    name: str
    start: int
    end: int


class KnownNames:
    """Names (speakers, users, entity keys) prepared for `names_in`; build once for many queries.

    Immutable, so threads may share one.
    """

    __slots__ = ("_by_first", "_by_key", "_firsts", "_longest", "_unspaced")

    def __init__(self, names: Iterable[str]) -> None:
        self._by_key: dict[str, str] = {}
        by_first: dict[str, set[str]] = {}
        for name in names:
            key = name_key(name)
            if not key:
                continue
            self._by_key.setdefault(key, name)
            by_first.setdefault(key.split(" ", 1)[0], set()).add(key)
        self._by_first = by_first
        self._firsts = sorted(by_first)
        self._longest = min(_MOST_NAME_WORDS, max((key.count(" ") + 1 for key in self._by_key), default=1))
        self._unspaced = sorted((key for key in self._by_key if re.search(_UNSPACED, key)), key=len, reverse=True)

    def find(self, words: str) -> str | None:
        """The known name that is exactly `words` (normalised), if any."""
        return self._by_key.get(words)

    def find_short(self, word: str) -> str | None:
        """The one known name whose first word is `word` or begins with it; None when none or several do."""
        if keys := self._by_first.get(word):
            return self._by_key[next(iter(keys))] if len(keys) == 1 else None
        if len(word) < _LEAST_SHORT_FORM:
            return None
        at = bisect_left(self._firsts, word)
        following = [first for first in self._firsts[at : at + 2] if first.startswith(word)]
        if len(following) != 1 or len(self._by_first[following[0]]) != 1:
            return None
        return self._by_key[next(iter(self._by_first[following[0]]))]

    @property
    def longest(self) -> int:
        """Words of the longest name, at most six."""
        return self._longest

    @property
    def unspaced(self) -> list[str]:
        """Keys of names in scripts without spaces, longest first."""
        return self._unspaced


def names_in(query: str, known: KnownNames | Iterable[str]) -> list[NameMention]:
    """The known names that `query` mentions, in order, never overlapping.

    A name counts in any case and with a possessive. A short form counts when it is capitalised, is no common word and fits one known name
    only: the first word of a full name (`Caroline` for `Caroline Meyer`) or its beginning from three letters on (`Mel` for
    `Melanie`).

    Args:
        query: What is asked.
        known: Names, or names prepared as `KnownNames`; of a mapping its keys.
    """
    names = known if isinstance(known, KnownNames) else KnownNames(known)
    tokens = [
        (m.start(), m.start() + len(token), token)
        for m in _TOKEN.finditer(query)
        if (token := m[0].rstrip(_MARKS_AFTER))
    ]
    keys = [name_key(token) for _, _, token in tokens]
    found: list[NameMention] = []
    i = 0
    while i < len(tokens):
        name, count = _mention_at(names, tokens, keys, i)
        if name is not None:
            found.append(NameMention(name=name, start=tokens[i][0], end=tokens[i + count - 1][1]))
        i += count
    return sorted([*found, *_unspaced_mentions(query, names, found)], key=lambda mention: mention.start)


def _mention_at(
    names: KnownNames, tokens: list[tuple[int, int, str]], keys: list[str], i: int
) -> tuple[str | None, int]:
    """The name that the query mentions at token `i`, and how many tokens that takes."""
    for count in range(min(names.longest, len(keys) - i), 0, -1):
        name = names.find(" ".join(keys[i : i + count]))
        if name is not None and (count > 1 or keys[i] not in _COMMON or (i > 0 and tokens[i][2][0].isupper())):
            return name, count
    if tokens[i][2][0].isupper() and keys[i] not in _COMMON:
        return names.find_short(keys[i]), 1
    return None, 1


def _unspaced_mentions(query: str, names: KnownNames, found: list[NameMention]) -> list[NameMention]:
    """Names in scripts that write no spaces, wherever they stand."""
    mentions: list[NameMention] = []
    for key in names.unspaced:
        start = query.find(key)
        end = start + len(key)
        if start >= 0 and not any(start < other.end and other.start < end for other in [*found, *mentions]):
            mentions.append(NameMention(name=names.find(key) or key, start=start, end=end))
    return mentions


_GAP = "\0"
_JOINED_GAPS: Final = re.compile(r"\0(?:\s?(?:,|&|,?\s(?:and|or|vs\.?|with)\s)\s?\0)+")
_LED_GAP: Final = re.compile(
    r"\s(?:to|with|by|from|for|of|about|and|or|between|at|than|like|as|does|did)\s\0(?=\s?(?:[?.!,;:]|$))"
)
_SPACE_BEFORE_MARK: Final = re.compile(r"\s(?=[?.!,;:])")


def without_names(query: str, mentions: Iterable[NameMention]) -> str:
    """`query` without the mentioned names, tidied, for embedding.

    A conjunction between two names and a preposition left without its object go too. A query of nothing but names comes
    back as it is.
    """
    parts: list[str] = []
    at = 0
    for mention in mentions:
        parts += (query[at : mention.start].replace(_GAP, " "), _GAP)
        at = mention.end
    if not parts:
        return query
    parts.append(query[at:].replace(_GAP, " "))
    text = _JOINED_GAPS.sub(_GAP, " ".join("".join(parts).split(" ")))
    text = _LED_GAP.sub("", text).replace(_GAP, " ")
    text = _SPACE_BEFORE_MARK.sub("", " ".join(text.split())).strip(" ,;:")
    return text if any(map(str.isalnum, text)) else query
