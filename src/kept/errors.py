"""Every error Kept raises on purpose.

The tree::

    KeptError
    ├── InvalidInputError (also ValueError)   the caller's argument cannot be used
    │   ├── FilterError                       a filter is malformed or names an unknown field
    │   └── ScopeError                        no scope was given, or an id in it is malformed
    ├── NotFoundError (also LookupError,      no such memory, operation, revision or file
    │                  ValueError)
    ├── ConflictError                         the request contradicts what is stored
    ├── AuthenticationError                   no key, or one that is unknown, expired or revoked
    ├── ForbiddenError                        the key is not allowed to do that
    ├── RateLimitError                        more requests than the key is allowed
    ├── EventFailedError                      the server acknowledged the work and could not do it
    ├── WaitTimeoutError (also TimeoutError)  the work was waited for long enough; it goes on
    ├── ServerError                           the server failed, or is no server of memories
    │   └── UnreachableError                  the server cannot be reached
    ├── ModelError                            a language model was of no use this time
    │   ├── ModelUnavailableError             it is down, too slow, or refuses for now
    │   ├── ModelAnswerError                  what it answered cannot be used
    │   └── SpendingLimitError                asking it would exceed a limit of spending
    ├── ConfigurationError (also ValueError)  a setting, an adapter or an extra is missing or wrong
    └── StoreError                            the store cannot do what was asked
        ├── StoreBusyError                    other processes held the store for too long
        ├── StoreFullError                    no room left on the device
        ├── StoreReadOnlyError                the file or its folder cannot be written
        ├── StoreCorruptError                 not a database, truncated, or damaged
        └── SchemaVersionError                written by a newer Kept than this one

Each class has a stable `code` (kebab-case) that doors pass on; the docstring is the default message. An error never
carries a memory's text.
"""

from __future__ import annotations

from typing import ClassVar


class KeptError(Exception):
    """Kept could not do what was asked."""

    code: ClassVar[str] = "kept-error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class InvalidInputError(KeptError, ValueError):
    """The caller's argument cannot be used."""

    code = "invalid-input"


class FilterError(InvalidInputError):
    """The filter is malformed."""

    code = "invalid-filter"


class ScopeError(InvalidInputError):
    """At least one of user_id, agent_id, app_id or run_id is needed."""

    code = "invalid-scope"


class NotFoundError(KeptError, LookupError, ValueError):
    """Nothing is stored under that id."""

    code = "not-found"


class ConflictError(KeptError):
    """The request contradicts what is stored."""

    code = "conflict"


class AuthenticationError(KeptError):
    """The key is missing, unknown, expired or revoked."""

    code = "unauthenticated"


class ForbiddenError(KeptError):
    """The key is not allowed to do that."""

    code = "forbidden"


class RateLimitError(KeptError):
    """More requests than the key is allowed; wait and try again.

    Attributes:
        retry_after_s: Whole seconds until one is allowed again.
        limits: What a server's answer said of its limits, by the names of its headers.
    """

    code = "rate-limited"

    def __init__(self, message: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.limits: dict[str, str] = {}


class EventFailedError(KeptError):
    """The server acknowledged the work and could not do it."""

    code = "event-failed"


class WaitTimeoutError(KeptError, TimeoutError):
    """The work is not done yet; it goes on, and can be waited for again."""

    code = "wait-timeout"


class ServerError(KeptError):
    """The server failed, or what answered is no server of memories."""

    code = "server-error"


class UnreachableError(ServerError):
    """The server cannot be reached."""

    code = "unreachable"


class ModelError(KeptError):
    """A language model was of no use this time; what was said is stored all the same.

    Attributes:
        input_tokens: What the failed call cost, as far as the model said; 0 when it never began. None when nobody knows,
            as after a time-out of a request that was sent: then it counts as all that it could have cost.
        output_tokens: The same of its answer.
    """

    code = "model"

    def __init__(
        self, message: str | None = None, *, input_tokens: int | None = 0, output_tokens: int | None = 0
    ) -> None:
        super().__init__(message)
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens


class ModelUnavailableError(ModelError):
    """The language model is down, too slow, or refuses for now; it is asked again later.

    Attributes:
        retry_after_s: Seconds that it asked to be left alone; None when it said nothing.
    """

    code = "model-unavailable"

    def __init__(self, message: str | None = None, *, retry_after_s: float | None = None, **spent: int | None) -> None:
        super().__init__(message, **spent)
        self.retry_after_s = retry_after_s


class ModelAnswerError(ModelError):
    """What the language model answered cannot be used; nothing was taken from it."""

    code = "model-answer"


class AttachmentsRefusedError(ModelAnswerError):
    """A provider refuses a question, perhaps only for the images and documents with it; without them it can be asked again."""

    code = "attachments-refused"


class SpendingLimitError(ModelError):
    """Asking the language model would exceed a limit of spending; it waits until there is room again.

    Attributes:
        limit: Which limit.
        retry_after_s: Seconds until there is room again; None when nothing but a higher limit makes room.
    """

    code = "spending-limit"

    def __init__(self, message: str | None = None, *, limit: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.limit = limit
        self.retry_after_s = retry_after_s


class ConfigurationError(KeptError, ValueError):
    """A setting is missing or wrong."""

    code = "configuration"


class ModelRefusedError(ConfigurationError):
    """A provider of language models was asked, and refuses the credentials or does not know the model."""

    code = "model-refused"


class StoreError(KeptError):
    """The store cannot do what was asked."""

    code = "store"


class StoreBusyError(StoreError):
    """Other processes held the store for too long; nothing was written. Try again."""

    code = "store-busy"


class StoreFullError(StoreError):
    """There is no room left on the device; nothing was written."""

    code = "store-full"


class StoreReadOnlyError(StoreError):
    """The store cannot be written: the file or its folder is read-only."""

    code = "store-read-only"


class StoreCorruptError(StoreError):
    """The file is not a Kept database, or it is damaged; it was left as it was."""

    code = "store-corrupt"


class SchemaVersionError(StoreError):
    """The store was written by a newer Kept; it was left as it was. Upgrade Kept to open it."""

    code = "schema-version"
