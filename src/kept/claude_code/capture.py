"""What is kept of a session: what was said in a turn, what failed, and what a compaction leaves out of sight.

Pure: from what a hook brought to what is to be stored. Secrets and `<private>` parts are out before anything else sees a text, and
so is what was injected.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

from kept.claude_code.echoes import Echoes
from kept.claude_code.kinds import LASTING, kind_of
from kept.claude_code.memories import Capture, Owner
from kept.claude_code.repository import Repository
from kept.domain.digest import digest
from kept.domain.redaction import redact
from kept.domain.statements import statements
from kept.domain.text import clean, normalise, sentences

MOST_CHARACTERS: Final = 20_000
"""Of one message: what a person types or reads in one turn. Of a longer one its beginning and its end are kept."""
MOST_FILES: Final = 20
MOST_FAILURES: Final = 5
"""Of one turn; further ones are nearly always the same."""
_PRIVATE_MARK: Final = re.compile(r"\[redacted:private\]")
_SUMMARY: Final = re.compile(r"<summary>(.*?)(?:</summary>|\Z)", re.DOTALL)
_ANALYSIS: Final = re.compile(r"<analysis>.*?(?:</analysis>|\Z)", re.DOTALL)
_OPEN_HEADING: Final = re.compile(
    r"(?:^|\n)\s*(?:#+\s*|\d+[.)]\s*|\*\*)*(?:pending tasks?|(?:optional )?next steps?|open (?:work|questions?)|remaining(?: work)?)\b[^\n]*\n",
    re.IGNORECASE,
)
_HEADING: Final = re.compile(r"\n\s*(?:#+\s|\d+[.)]\s+\**[A-Z]|\*\*[A-Z])")
_LIST_MARK: Final = re.compile(r"^\s*(?:[-*•]|\d+[.)]|#+)\s+(?:[\w ,/-]{1,40}:\s+)?")
"""With the label that a summary's sections and items begin with."""
_ITEM: Final = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(.+)$", re.MULTILINE)
_DIGEST_BYTES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Where and when something was said.

    Attributes:
        cwd: The folder.
        files: Files touched in the turn, relative to the repository.
        today: For what expires.
        retention_days: After how many days passing things do.
        ignore: Globs of files that are not spoken of.
    """

    owner: Owner
    repository: Repository
    session_id: str
    prompt_id: str
    cwd: str
    today: date
    retention_days: int
    files: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def capture(self, event: str, content: str, **fields: Any) -> Capture:
        """A capture of this turn. `content` is what tells it from another one of the same event."""
        metadata = self.metadata | fields.pop("metadata", {})
        return Capture(
            key=f"{self.session_id}:{self.prompt_id}:{event}:{_digest(content)}",
            project=self.owner.project,
            user_id=self.owner.user_id,
            app_id=self.owner.app_id,
            run_id=self.session_id or None,
            metadata=metadata,
            **fields,
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """What every memory of the session carries."""
        files = [path for path in self.files if not is_ignored(path, self.ignore)][:MOST_FILES]
        found = {
            "source": "claude-code",
            "session_id": self.session_id,
            "branch": self.repository.branch,
            "commit": self.repository.commit,
            "cwd": self.cwd,
            "files": files,
        }
        return {name: value for name, value in found.items() if value}

    @property
    def expiry(self) -> str:
        """The last day of what passes."""
        return (self.today + timedelta(days=self.retention_days)).isoformat()


def said(
    circumstances: Circumstances,
    event: str,
    messages: Iterable[tuple[str, str]],
    echoes: Echoes,
    *,
    metadata: Mapping[str, Any] | None = None,
    agent_id: str | None = None,
) -> list[Capture]:
    """What is kept of messages: the user's words and whatever is decided or agreed on for good, the rest for a while.

    Args:
        circumstances: Where and when.
        event: The hook that brought them.
        messages: Roles and contents, as received.
        echoes: What the session was given.
        metadata: More that is known of them.
        agent_id: The subagent that said them.
    """
    lasting: list[tuple[str, str]] = []
    passing: list[tuple[str, str]] = []
    for role, content in messages:
        text = presentable(content, role, echoes, circumstances.ignore)
        if role == "user":
            lasting.append((role, text))
        elif role == "tool":
            passing.append((role, text))  # an error that says "must" agrees on nothing
        else:
            kept, rest = _parted(text)
            lasting.append((role, kept))
            passing.append((role, rest))
    return [
        circumstances.capture(
            f"{event}/{name}",
            "\x1f".join(text for _, text in group),
            messages=tuple(group),
            expires_on=expires_on,
            metadata=dict(metadata or {}),
            agent_id=agent_id,
        )
        for name, given, expires_on in (("lasting", lasting, None), ("passing", passing, circumstances.expiry))
        if (group := [(role, text) for role, text in given if text.strip()])
    ]


def stated(circumstances: Circumstances, text: str, echoes: Echoes) -> Capture | None:
    """What the user asked to remember, as one memory of his own words; None when nothing of it may be kept."""
    told = presentable(text, "user", echoes, circumstances.ignore)
    if not told:
        return None
    return circumstances.capture("Remember", told, messages=(("user", told),), infer=False)


def before_compaction(
    circumstances: Circumstances, trigger: str, prompts: Iterable[str], echoes: Echoes
) -> Capture | None:
    """The state that a compaction begins with: what was asked and not yet answered, and which files were touched."""
    asked = " ".join(filter(None, (presentable(prompt, "user", echoes, circumstances.ignore) for prompt in prompts)))
    files = circumstances.metadata.get("files", [])
    if not asked and not files:
        return None
    lines = [f"State before a compaction ({trigger or 'auto'})."]
    lines += [f"Asked and in progress: {asked}"] if asked else []
    lines += [f"Files touched: {', '.join(files)}."] if files else []
    text = "\n".join(lines)
    return circumstances.capture(
        "PreCompact",
        text,
        messages=(("assistant", text),),
        infer=False,
        expires_on=circumstances.expiry,
        metadata={"type": "session_state"},
    )


def after_compaction(circumstances: Circumstances, summary: str, echoes: Echoes) -> list[Capture]:
    """The summary as it is, for a while; what is decided in it for good; what it calls open, as open work for a while."""
    text = presentable(summary_of(summary), "assistant", echoes, circumstances.ignore)
    if not text:
        return []
    whole = circumstances.capture(
        "PostCompact",
        text,
        messages=(("assistant", text),),
        infer=False,
        expires_on=circumstances.expiry,
        metadata={"type": "compact_summary"},
    )
    pending = tuple(open_items(text))
    lasting = tuple(
        dict.fromkeys(point for point in _points(text) if kind_of(point) in LASTING and point not in pending)
    )
    facts = replace(whole, messages=(), speaker="assistant", metadata=circumstances.metadata)
    captures = [whole]
    if lasting:
        captures.append(replace(facts, key=f"{whole.key}/lasting", facts=lasting, expires_on=None))
    if pending:
        open_work = circumstances.metadata | {"type": "open_work"}
        captures.append(replace(facts, key=f"{whole.key}/open", facts=pending, metadata=open_work))
    return captures


def missing(
    circumstances: Circumstances, prompts: Iterable[str], known: Collection[str], echoes: Echoes
) -> list[Capture]:
    """Prompts of which nothing is stored, from a transcript.

    Args:
        circumstances: Where and when.
        prompts: What the user said.
        known: Normalised texts of what is stored of the session.
        echoes: What the session was given.
    """
    captures = []
    for prompt in prompts:
        text = presentable(prompt, "user", echoes, circumstances.ignore)
        found = {normalise(part) for part in (text, *(statement.text for statement in statements(text)))}
        if text and not found & set(known):
            told = replace(circumstances, prompt_id="transcript", files=())
            captures.append(told.capture("transcript", text, messages=(("user", text),)))
    return captures


def summary_of(raw: str) -> str:
    """The summary in a model's raw answer, without its thinking."""
    without = _ANALYSIS.sub("", raw)
    match = _SUMMARY.search(without)
    return (match[1] if match else without).strip()


def open_items(summary: str) -> Iterator[str]:
    """What a summary lists as pending or next."""
    for heading in _OPEN_HEADING.finditer(summary):
        end = _HEADING.search(summary, heading.end() - 1)
        section = summary[heading.end() : end.start() if end else len(summary)]
        yield from (item.strip() for item in _ITEM.findall(section))


def presentable(text: str, role: str, echoes: Echoes, ignore: Collection[str] = ()) -> str:
    """A text that may be stored: bounded, without secrets, private parts, echoes, and statements about ignored files."""
    told = _PRIVATE_MARK.sub("", redact(clean(text)).text)
    if len(told) > MOST_CHARACTERS:
        half = MOST_CHARACTERS // 2
        told = f"{told[:half]}\n\n{told[-half:]}"
    told = echoes.without(told, role)
    if ignore and told:
        told = "\n\n".join(
            statement.text
            for statement in statements(told)
            if not any(is_ignored(word, ignore) for word in _paths(statement.text))
        )
    return told.strip()


def is_ignored(path: str, patterns: Collection[str]) -> bool:
    """Whether a path, or the end of it, matches one of the globs."""
    plain = path.replace("\\", "/")
    return any(fnmatchcase(plain, pattern) or fnmatchcase(plain, f"*/{pattern}") for pattern in patterns)


def _points(summary: str) -> Iterator[str]:
    """The sentences of a summary, one by one and without its list marks: the extractor would keep a list with its heading."""
    for line in summary.splitlines():
        yield from sentences(_LIST_MARK.sub("", line).strip())


def _paths(text: str) -> Iterator[str]:
    """Words that can be paths, without the marks around them."""
    return (word.strip("\"'`()[]{}<>,;:!?").rstrip(".") for word in text.split())


def _parted(text: str) -> tuple[str, str]:
    """Statements that last, and the rest."""
    lasting: list[str] = []
    passing: list[str] = []
    for statement in statements(text):
        (lasting if kind_of(statement.text) in LASTING else passing).append(statement.text)
    return "\n\n".join(lasting), "\n\n".join(passing)


def _digest(content: str) -> str:
    return digest(content, _DIGEST_BYTES)
