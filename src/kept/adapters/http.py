"""Posts to addresses that strangers chose: never to this machine or a private network, never longer than a time-out.

The name is resolved once, every address it has is checked, and the connection is made to the one that was checked, so that a name which
resolves differently the next moment reaches nothing. Redirects are answers like any other.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from kept.errors import InvalidInputError

TOTAL_S: Final = 10.0
"""From the first byte to the last, however slowly the other side drips."""
CONNECT_S: Final = 5.0
_REFUSED: Final = "is an address of this machine or of a private network (KEPT_WEBHOOKS_ALLOW_PRIVATE=true allows it)"
_INNER: Final = tuple(
    map(ipaddress.ip_network, ("100.64.0.0/10", "168.63.129.16/32", "fec0::/10", "64:ff9b:1::/48", "::ffff:0:0:0/96"))
)
"""Inner networks that count as global: of carriers, a cloud's host service (the others, as 169.254.169.254, are link-local), of sites,
and of translators to IPv4 that are for one network alone."""
_TRANSLATED: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""Where the last 32 bits are an IPv4 address that the network delivers to (RFC 6052, RFC 4291)."""


class HttpSender:
    """Posts to webhooks.

    Args:
        allow_private: Whether private addresses, and this machine's, are allowed.
        total_s: Longest time of one delivery, in seconds.
    """

    def __init__(self, *, allow_private: bool = False, total_s: float = TOTAL_S) -> None:
        self._allow_private = allow_private
        self._total_s = total_s

    def check(self, url: str) -> None:
        """Refuse an address that would not be delivered to. A name that nobody knows (yet) is accepted.

        Raises:
            InvalidInputError: It is this machine's, or of a private network.
        """
        parts = urlsplit(url)
        try:
            self._addresses(parts.hostname or "", parts.port or 443)
        except PermissionError as error:
            raise InvalidInputError(f"url: {parts.hostname} {_REFUSED}.") from error
        except OSError:
            return

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body; the answer's status. What else the answer holds is not read.

        Raises:
            OSError: Nothing was delivered, or no answer came in time.
        """
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if secure else 80)
        address = self._addresses(host, port)[0]
        connection = _Pinned(host, port, address=address, secure=secure)
        overdue = threading.Timer(self._total_s, connection.cut)
        overdue.daemon = True
        overdue.start()
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body=body, headers=dict(headers))
            status = connection.getresponse().status
        except (http.client.HTTPException, OSError) as error:
            if not connection.was_cut:
                raise error if isinstance(error, OSError) else _NoHttpError(type(error).__name__) from error
            status = 0
        finally:
            overdue.cancel()
            connection.close()
        if connection.was_cut:
            raise TimeoutError(f"no answer within {self._total_s:g} s")
        return status

    def _addresses(self, host: str, port: int) -> list[str]:
        """Every address of a host.

        Raises:
            PermissionError: One of them is refused.
            OSError: The host has none.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise ConnectionError("the host's name cannot be resolved") from error
        addresses = [str(place[4][0]) for place in found]
        if not self._allow_private and any(map(_is_private, addresses)):
            raise PermissionError(f"{host} {_REFUSED}")
        return addresses


class _NoHttpError(ConnectionError):
    """The answer is no HTTP."""


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was checked, under the name that was asked for."""

    def __init__(self, host: str, port: int, *, address: str, secure: bool) -> None:
        super().__init__(host, port, timeout=CONNECT_S)
        self._address = address
        self._secure = secure
        self.was_cut = False

    def connect(self) -> None:
        """Connect to the address; with TLS, verify the name."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """End it from another thread."""
        self.was_cut = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                self.sock.close()


def _is_private(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        found = _carried(found) or found
    return (
        not found.is_global
        or found.is_multicast
        or any(found in network for network in _INNER if network.version == found.version)
    )


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to, if it does."""
    if any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
