"""Embeddings in the wire formats of OpenAI (and Ollama) and of Gemini."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from kept.testing.fakes import FakeEmbedder
from kept.testing.providers.replies import Vectors


def embed(path: str, body: Mapping[str, Any], reply: Vectors) -> Mapping[str, Any]:
    """The answer to a request for embeddings, in the format of its path."""
    gemini = "EmbedContents" in path
    texts = [request["content"]["parts"][0]["text"] for request in body["requests"]] if gemini else body["input"]
    rows = FakeEmbedder(reply.dimensions).embed_documents(texts)[: len(texts) - reply.missing] * reply.scale
    if gemini:
        return {"embeddings": [{"values": row.tolist()} for row in rows]}
    written = [
        base64.b64encode(row.astype("<f4").tobytes()).decode()
        if body.get("encoding_format") == "base64"
        else row.tolist()
        for row in rows
    ]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(written)]
    usage = {} if reply.tokens is None else {"usage": {"prompt_tokens": reply.tokens, "total_tokens": reply.tokens}}
    return {"object": "list", "data": data, "model": body["model"], **usage}
