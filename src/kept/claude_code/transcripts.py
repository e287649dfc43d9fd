"""What a session's transcript still tells, where its hooks did not: what the user said in turns that never ended.

The transcript is written beside the session and may lag behind it, so hooks come first and this fills in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kept.claude_code.prompts import is_spoken
from kept.errors import KeptError

MOST_BYTES: Final = 20_000_000
"""Of a transcript that is read beside a session; larger ones are imported by `kept import`."""
MOST_MESSAGES: Final = 20
"""Of the user's, the latest: a turn that never ended is among the last."""


def user_said(transcript: Path) -> list[str]:
    """The user's latest messages, oldest first; none when the transcript vanished or cannot be read."""
    from kept.adapters.readers.claude_code import ClaudeCodeReader

    try:
        if transcript.stat().st_size > MOST_BYTES:
            return []
        sessions = list(ClaudeCodeReader().read(transcript))
    except (KeptError, OSError):
        return []
    said = [message.content for session in sessions for message in session.messages if message.role == "user"]
    return [text for text in said if is_spoken(text)][-MOST_MESSAGES:]
