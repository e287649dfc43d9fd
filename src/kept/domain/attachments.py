"""Images and documents that came with messages: they wait in a job until they were read, and no longer. No log keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from kept.domain.digest import digest
from kept.domain.jobs import Job
from kept.domain.memory import Attachment, Message

ATTACHED: Final = "attachments"
"""Of a payload: images and documents by the number of their message."""
CAME_WITH: Final = "came_with"
"""Of a payload: `came_with` of an episode's messages by their number, so that one that is sent again is known when its attachments are gone."""
UNSHOWN: Final = "unshown"
"""Of an answer's value: numbers of the attachments, in their order, that the model was not shown, because its provider cannot take or has
refused them. It stays with the answer where that waits, so that whoever checks it knows what cannot have been seen."""


def attached(messages: Iterable[tuple[int, Message]]) -> dict[str, list[dict[str, Any]]]:
    """The attachments of numbered messages, by number, for a job's payload: they wait there until they were read, and no longer."""
    return {
        str(number): [attachment.to_json() for attachment in message.attachments]
        for number, message in messages
        if message.attachments
    }


def came_with(message: Message) -> str | None:
    """A digest of what a message came with; None where it came with nothing."""
    return digest(json.dumps([one.to_json() for one in message.attachments])) if message.attachments else None


def with_attachments(messages: Iterable[tuple[int, Message]], job: Job) -> list[Message]:
    """Numbered messages with the attachments that wait for them in a job."""
    waiting: Mapping[str, Any] = job.payload.get(ATTACHED, {})
    found = ((message, waiting.get(str(number), ())) for number, message in messages)
    return [replace(message, attachments=tuple(map(Attachment.from_json, own))) for message, own in found]


def shown(attachments: Sequence[Attachment], value: Mapping[str, Any]) -> list[Attachment]:
    """Those of a question's attachments that whoever gave this answer to it was shown."""
    unshown = value.get(UNSHOWN)
    hidden = unshown if isinstance(unshown, list) else []
    return [attachment for number, attachment in enumerate(attachments) if number not in hidden]


def without_attachments(job: Job) -> Job:
    """The job when what came with its messages was read."""
    return replace(job, payload={name: value for name, value in job.payload.items() if name != ATTACHED})
