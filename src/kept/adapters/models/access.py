"""How a provider of models is reached: its address, and the key that is shown to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kept.errors import ConfigurationError
from kept.ports import Clock

__all__ = ["KEYLESS", "OAUTH_PREFIX", "Access", "claude_code_token"]

OAUTH_PREFIX: Final = "sk-ant-oat"
"""How Anthropic's OAuth tokens begin; its API keys begin with `sk-ant-api`."""

KEYLESS: Final = "none-needed"
"""What is shown to a server that asks for no key: client libraries insist on one."""

_MS: Final = 1000
_ELSEWHERE: Final = "set KEPT_ANTHROPIC_TOKEN or ANTHROPIC_API_KEY instead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a provider is reached.

    Attributes:
        key: Gives the key, anew for each request, because a sign-in is renewed by whoever made it; None for a provider
            that finds its credentials by a way of its own.
        source: Where the key comes from, in words for people.
        advice: What to set when the provider refuses, in words for people.
        base_url: Address in place of the provider's own.
        openais: Names of headers that the environment has for OpenAI, in small letters; no other provider is sent them.
    """

    key: Callable[[], str] | None = field(default=None, repr=False)
    source: str = "the provider's own ways"
    advice: str = "see the provider's documentation"
    base_url: str | None = None
    openais: frozenset[str] = frozenset()


def claude_code_token(path: Path, clock: Clock) -> str:
    """The OAuth token of Claude Code's own sign-in.

    Args:
        path: Its file.
        clock: Says whether it has expired.

    Raises:
        ConfigurationError: There is none, or it has expired; Claude Code alone can renew it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"Claude Code's sign-in is not at {path}. Sign in with Claude Code; on macOS it is in the keychain, where Kept "
            f"does not look: {_ELSEWHERE}."
        ) from error
    except (OSError, RecursionError, ValueError):
        raise ConfigurationError(f"{path} cannot be read as Claude Code's sign-in; {_ELSEWHERE}.") from None
    token, expires = _sign_in(content)
    if not token:
        raise ConfigurationError(f"{path} holds no sign-in of Claude Code; sign in with it, or {_ELSEWHERE}.")
    if expires is not None and expires <= clock():
        raise ConfigurationError(
            f"Claude Code's sign-in expired at {expires:%Y-%m-%d %H:%M} UTC; start Claude Code, which renews it, or {_ELSEWHERE}."
        )
    return token


def _sign_in(content: Any) -> tuple[str, datetime | None]:
    """Token and time of expiry, if that can be read; an empty token where there is none."""
    entry = content.get("claudeAiOauth") if isinstance(content, dict) else None
    if not isinstance(entry, dict) or not isinstance(token := entry.get("accessToken"), str):
        return "", None
    try:
        return token, datetime.fromtimestamp(entry["expiresAt"] / _MS, UTC)
    except (ArithmeticError, LookupError, OSError, TypeError, ValueError):
        return token, None  # whether it still holds is for Anthropic to say
