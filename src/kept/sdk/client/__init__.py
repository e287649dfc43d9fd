"""The clients of a server: `MemoryClient` and `AsyncMemoryClient`.

clients     the two classes: where to send, and as whom
calls       what they can do with memories
parts       what they can do with projects, events, keys, links and retention
answers     what calls give
exchange    one request, its retries and its errors, without I/O
runners     the two ways to run a call
"""

from __future__ import annotations

from kept.sdk.client.clients import AsyncMemoryClient, MemoryClient

__all__ = ["AsyncMemoryClient", "MemoryClient"]
