"""Tokens of an external OAuth authority: whose they are, what they allow, until when. This server issues none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

import jwt

from kept.domain.access import Principal, Role
from kept.domain.scope import DEFAULT_PROJECT, Scope
from kept.errors import AuthenticationError, ConfigurationError, ForbiddenError
from kept.settings import Settings

SCOPES: Final = ("memories:read", "memories:write", "admin")
_ROLES: Final[tuple[tuple[str, Role], ...]] = (
    ("admin", "OWNER"),
    ("memories:write", "WRITER"),
    ("memories:read", "READER"),
)
"""The role that a scope gives, highest first."""
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that others can check and only the authority make; a shared secret would let this server make tokens."""
LEEWAY_S: Final = 30
"""How far two machines' clocks may differ."""
KEYS_TIMEOUT_S: Final = 5.0
"""For the authority to give its keys; a client waits meanwhile."""
KEYS_LIFE_S: Final = 300
"""How long a key that the authority withdrew is still believed."""
CONNECTOR: Final = "mcp"
PROJECT_CLAIM: Final = "kept_project"
DENIED: Final = "The token is malformed, expired, or not meant for this server."


class Authority:
    """An authority whose tokens are accepted.

    Args:
        issuer: As its tokens name it.
        audience: As its tokens name this server.
        jwks_url: Where its keys are.
        user_claim: The claim that says whose memories the token is for.
    """

    def __init__(self, *, issuer: str, audience: str, jwks_url: str, user_claim: str) -> None:
        self.issuer = issuer
        self._audience = audience
        self._user_claim = user_claim
        self._keys = jwt.PyJWKClient(jwks_url, lifespan=KEYS_LIFE_S, timeout=KEYS_TIMEOUT_S)

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The one that the settings name, if they do.

        Raises:
            ConfigurationError: They name half of one.
        """
        named = {
            "issuer": settings.oauth_issuer,
            "audience": settings.oauth_audience,
            "jwks_url": settings.oauth_jwks_url,
        }
        missing = [f"oauth_{name}" for name, value in named.items() if value is None]
        if len(missing) == len(named):
            return None
        if missing:
            raise ConfigurationError(f"An OAuth authority needs {', '.join(missing)} too.")
        given: dict[str, Any] = named
        return cls(**given, user_claim=settings.oauth_user_claim)

    def issued(self, secret: str) -> bool:
        """Whether something looks like a token, and not like a key: an object in base64, and two parts more."""
        return secret.startswith("eyJ") and secret.count(".") == 2  # noqa: PLR2004 - header, payload, signature

    def recognise(self, token: str) -> tuple[Principal, datetime]:
        """Who asks with a token, and until when. Asks the authority for its keys now and then.

        Raises:
            AuthenticationError: It is none, or not for this server.
            ForbiddenError: It allows nothing here.
        """
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                issuer=self.issuer,
                audience=self._audience,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", self._user_claim]},
            )
        except jwt.PyJWTError as error:
            raise AuthenticationError(DENIED) from error
        role = _role(claims)
        user = Scope.of(user_id=claims[self._user_claim]).user_id
        principal = Principal(
            project=str(claims.get(PROJECT_CLAIM) or DEFAULT_PROJECT),
            name=str(user),
            key_id=f"oauth:{user}",
            role=role,
            bound={} if role == "OWNER" else {"user_id": (str(user),)},
            connector=CONNECTOR,
        )
        return principal, datetime.fromtimestamp(claims["exp"] + LEEWAY_S, UTC)


def _role(claims: Mapping[str, Any]) -> Role:
    """The highest role that the token's scopes give.

    Raises:
        ForbiddenError: None.
    """
    given = claims.get("scope", claims.get("scp", ""))
    scopes = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
    for scope, role in _ROLES:
        if scope in scopes:
            return role
    raise ForbiddenError(f"The token has none of the scopes {', '.join(SCOPES)}.")
