"""Providers of models on loopback: they speak the wire formats of Anthropic, OpenAI, Gemini and Ollama, from a script.

    with ScriptedProvider([Answer({"facts": []}), Failure(529)]) as provider:
        …  # ask at provider.url, as whichever provider
    assert provider.requests[0].headers["x-api-key"] == "…"

A real client speaks to them over a real socket, so that what is tested is the whole way.
"""

from kept.testing.providers.replies import (
    Answer,
    Broken,
    CutOff,
    Failure,
    HalfAnswer,
    OtherTool,
    Prose,
    Raw,
    Refusal,
    Reply,
    Silence,
    Stall,
    Vectors,
)
from kept.testing.providers.server import Request, ScriptedProvider

__all__ = [
    "Answer",
    "Broken",
    "CutOff",
    "Failure",
    "HalfAnswer",
    "OtherTool",
    "Prose",
    "Raw",
    "Refusal",
    "Reply",
    "Request",
    "ScriptedProvider",
    "Silence",
    "Stall",
    "Vectors",
]
