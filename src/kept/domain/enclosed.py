"""What an address in a message holds itself: a `data:` URL, or a file in bare base64, as Mem0's callers send local ones. Pure.

What the content says of itself counts for more than what its address says: providers refuse an image under the name of another.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

__all__ = ["Enclosed", "enclosed", "is_reference"]

PDF: Final = "application/pdf"
_SIGNATURES: Final = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    PDF: re.compile(rb"\s*%PDF-"),
}
"""How files begin that language models are shown, by media type."""
_DATA: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.ASCII | re.IGNORECASE)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.ASCII | re.IGNORECASE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_=\s-]+", re.ASCII)  # one set: two in a row would be tried in every way
LEAST_BARE: Final = 16
"""Characters of base64 that are taken for a file where nothing says that they are one: of words and paths of that length, which
may consist of the same characters, one in some 100,000 is text when it is decoded."""
LONGEST_PATH: Final = 64
"""Characters of an address without a scheme, a dot or a colon, up to which it may be a path; set by hand."""
_UNWRITTEN: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
"""Control characters that no text holds, but for tabs, line ends and page breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosed:
    """The content of an address.

    Attributes:
        media: Its type, in lower case, such as `image/png`; `text/…` only where it is text in UTF-8.
    """

    media: str
    data: bytes

    @property
    def text(self) -> str | None:
        """Its text, where it is one."""
        return self.data.decode("utf-8-sig") if self.media.startswith("text/") else None

    @property
    def url(self) -> str:
        """The content as a `data:` URL."""
        return f"data:{self.media};base64,{base64.b64encode(self.data).decode()}"


def enclosed(address: str) -> Enclosed | None:
    """What an address holds itself; None where that is nothing, cannot be decoded or is of no known type."""
    head = _DATA.match(address)
    if head is None:
        is_bare = len(address) >= LEAST_BARE and not _SCHEME.match(address)
        return _typed(_decoded(address), "") if is_bare else None
    declared, written = (head[1] or "text/plain").lower(), address[head.end() :]
    if head[3]:
        return _typed(_decoded(written), declared)
    return _typed(unquote_to_bytes(written), declared) if declared.startswith("text/") else None


def is_reference(address: str) -> bool:
    """Whether an address says where something is, and not what: one that text can keep."""
    if _SCHEME.match(address):
        return address[:5].lower() != "data:"
    is_blob = len(address) > LONGEST_PATH and _BASE64.fullmatch(address) is not None
    return bool(address) and not is_blob and enclosed(address) is None


def _decoded(written: str) -> bytes | None:
    compact = "".join(written.split()).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _typed(data: bytes | None, declared: str) -> Enclosed | None:
    if not data:
        return None
    media = next((media for media, signature in _SIGNATURES.items() if signature.match(data)), declared)
    if media in {"", "application/octet-stream"} or media.startswith("text/"):
        media = (media if media.startswith("text/") else "text/plain") if _is_text(data) else ""
    return Enclosed(media=media, data=data) if media else None


def _is_text(data: bytes) -> bool:
    try:
        return _UNWRITTEN.search(data.decode("utf-8-sig")) is None
    except UnicodeDecodeError:
        return False
