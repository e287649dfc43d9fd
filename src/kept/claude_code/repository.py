"""Which repository a session works in: read from git's own files, so that no process is started.

A repository is known by its remote, so it stays the same when its folder moves, in each clone and in each worktree; without a
remote by the path of its main work tree; without git by the folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SECTION: Final = re.compile(r'\s*\[\s*([\w.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]')
_URL_KEY: Final = re.compile(r"\s*url\s*=\s*(\S.*?)\s*$", re.IGNORECASE)
_SCP: Final = re.compile(r"(?:[^@/:\s]+@)?([\w.-]{2,}):(?!//)(.+)")
"""`git@host:owner/name`; a single letter before the colon is a Windows drive."""
_ADDRESS: Final = re.compile(r"\w[\w+.-]*://(?:[^@/]*@)?([^/:]+)(?::\d+)?/(.+)")
_HEAD: Final = "ref: refs/heads/"
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}")
SHORT_COMMIT: Final = 12
"""Characters of a commit's id: unique in the largest repositories there are."""
_MAX_BYTES: Final = 1_000_000
"""Of a file of git's that is read; packed references of large repositories are some hundred kilobytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where a session works.

    Attributes:
        name: Under which its memories are kept: `host/owner/name` of its remote, else an absolute path.
        root: The folder that holds its files.
        branch: What is checked out; None when no branch is, or outside git.
        commit: The beginning of its id; None before the first one, or outside git.
    """

    name: str
    root: Path
    branch: str | None = None
    commit: str | None = None

    def relative(self, path: str) -> str:
        """A file's path inside the repository, with slashes; as given when it lies elsewhere."""
        try:
            return Path(path).relative_to(self.root).as_posix()
        except ValueError:
            return path


def find_repository(folder: Path) -> Repository:
    """The repository that a folder belongs to. A folder that vanished, or cannot be read, is known by its path."""
    for root in (folder, *folder.parents):
        git = _git_folder(root / ".git")
        if git is not None:
            return _described(root, git)
    return Repository(name=folder.as_posix(), root=folder)


def remote_name(url: str) -> str | None:
    """`host/owner/name` of a remote's address, in lower case, without user, port and `.git`; None for a local path."""
    match = _ADDRESS.fullmatch(url) or _SCP.fullmatch(url)
    if match is None:
        return None
    path = match[2].strip("/").removesuffix(".git").strip("/")
    return f"{match[1]}/{path}".casefold() if path else None


def _described(root: Path, git: Path) -> Repository:
    common = _followed(git, _text(git / "commondir")) or git
    head = _text(git / "HEAD")
    branch = head.removeprefix(_HEAD) if head.startswith(_HEAD) else None
    commit = head if branch is None else _commit(git, common, f"refs/heads/{branch}")
    main = common.parent if common.name == ".git" else root
    return Repository(
        name=_remote(_text(common / "config")) or main.as_posix(),
        root=root,
        branch=branch,
        commit=commit[:SHORT_COMMIT] if commit and _COMMIT.fullmatch(commit) else None,
    )


def _git_folder(place: Path) -> Path | None:
    """Where git keeps the repository of a work tree: the folder itself, or what a file of that name points to."""
    try:
        if place.is_dir():
            return place if (place / "HEAD").is_file() else None
        if not place.is_file():
            return None
    except OSError:
        return None
    content = _text(place)
    return _followed(place.parent, content.removeprefix("gitdir:").strip()) if content.startswith("gitdir:") else None


def _followed(base: Path, pointer: str) -> Path | None:
    if not pointer:
        return None
    try:
        return (base / pointer).resolve()
    except (OSError, RuntimeError):
        return None


def _commit(git: Path, common: Path, ref: str) -> str:
    for folder in (git, common):
        if found := _text(folder / ref):
            return found
    for line in _text(common / "packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            return commit
    return ""


def _remote(config: str) -> str | None:
    """The name of `origin`, else of the first remote that has one."""
    found = {remote: name for remote, url in _remote_urls(config) if (name := remote_name(url))}
    return found.get("origin") or next(iter(found.values()), None)


def _remote_urls(config: str) -> Iterator[tuple[str, str]]:
    remote = None
    for line in config.splitlines():
        if section := _SECTION.match(line):
            remote = section[2] if section[1].lower() == "remote" else None
        elif remote is not None and (url := _URL_KEY.match(line)):
            yield remote, url[1].strip('"')


def _text(path: Path) -> str:
    """A small file's text, trimmed; empty when it is not there or cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace").strip()
    except (OSError, ValueError):
        return ""
