"""What becomes of a failed call: the one place where LiteLLM's exceptions become `CallError`.

Three witnesses are heard, the most reliable first: the wire (did the connection hold, which status, which
headers), the provider's own words in the reply, and the class of LiteLLM's exception. The class alone is not
enough: a refused connection and a missing key both come as InternalServerError(500).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType

from evalkit.core.errors import CallAction, CallError
from evalkit.models.causes import (
    REFUSED,
    Verdict,
    by_status,
    by_words,
    error_in,
    names_no_model,
    retry_after,
    shuts_account,
    tls_cure,
    verdict_of,
)
from evalkit.models.documents import UnreadableError, read_document, writable
from evalkit.models.wire import Exchange, WireError

__all__ = ["EXCEPTIONS", "RefusedError", "classify", "holds_answer", "own_fault", "retry_after", "translated"]

_RETRY: CallAction = "retry"
_FAIL: CallAction = "fail_sample"
_STOP: CallAction = "stop_model"

EXCEPTIONS: Mapping[str, Verdict] = {
    "AuthenticationError": ("authentication", _STOP),
    "PermissionDeniedError": ("permission", _STOP),
    "NotFoundError": ("not_found", _STOP),
    "PaymentRequiredError": ("quota", _STOP),
    "BudgetExceededError": ("budget", _STOP),
    "LiteLLMUnknownProvider": ("not_found", _STOP),
    "UnsupportedParamsError": ("unsupported", _STOP),
    "ModelNotMappedError": ("unsupported", _STOP),
    "UnsupportedEndpointError": ("unsupported", _STOP),
    "EndpointNotSupportedByModelError": ("unsupported", _STOP),
    "RateLimitError": ("rate_limit", _RETRY),
    "Timeout": ("timeout", _RETRY),
    "ServiceUnavailableError": ("server", _RETRY),
    "BadGatewayError": ("server", _RETRY),
    "InternalServerError": ("server", _RETRY),
    "MidStreamFallbackError": ("server", _RETRY),
    "APIConnectionError": ("connection", _RETRY),
    "APIResponseValidationError": ("invalid_response", _RETRY),
    "JSONSchemaValidationError": ("invalid_response", _RETRY),
    "APIError": ("server", _RETRY),
    "OpenAIError": ("server", _RETRY),
    "MockException": ("server", _RETRY),
    "ContextWindowExceededError": ("context_length", _FAIL),
    "BadRequestError": ("bad_request", _FAIL),
    "UnprocessableEntityError": ("bad_request", _FAIL),
    "InvalidRequestError": ("bad_request", _FAIL),
    "ImageFetchError": ("bad_request", _FAIL),
    "VectorStoreSearchError": ("bad_request", _FAIL),
    "ContentPolicyViolationError": (REFUSED, _FAIL),
    "RejectedRequestError": (REFUSED, _FAIL),
    "GuardrailRaisedException": (REFUSED, _FAIL),
    "GuardrailInterventionNormalStringError": (REFUSED, _FAIL),
    "BlockedPiiEntityError": (REFUSED, _FAIL),
    "ModifyResponseException": (REFUSED, _FAIL),
    "SensitiveDataRouteException": (REFUSED, _FAIL),
}
"""Exception classes of litellm.exceptions -> what they mean on their own; others mean what their bases do."""

_NO_KEY = re.compile(
    r"missing credentials|api_key client option must be set|missing (an )?(\w+ )?api[_ ]key|"
    r"api key (is )?(not set|missing|required)|no api key|set \w+_API_KEY|could not resolve authentication",
    re.IGNORECASE,
)
_NO_SERVER = re.compile(
    r"connection (refused|reset|error|aborted)|cannot connect|connect call failed|server disconnected|"
    r"all connection attempts failed|name or service not known|temporary failure in name resolution|"
    r"nodename nor servname|network is unreachable|connection closed",
    re.IGNORECASE,
)
_NO_SENSE = re.compile(
    r"unable to get json|expecting value|jsondecodeerror|invalid response|unexpected response|"
    r"empty or invalid|unable to convert|received none|error processing",
    re.IGNORECASE,
)
_OWN = (TypeError, AttributeError, LookupError, NameError, ImportError, AssertionError, RuntimeError)
"""What code raises that meets something it was not written for: no server says such a thing."""


class RefusedError(Exception):
    """The provider would not answer: a response of status `refused`, not an error."""


@contextmanager
def translated(
    name: str,
    exchange: Exchange,
    redact: Callable[[str], str],
    cures: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[None]:
    """Nothing; inside of it, whatever LiteLLM raises becomes a CallError or a RefusedError.

    `name` is the model's, for the message; `exchange` is what the wire saw; `cures` (kind -> what to do) end
    the message. An exception that is no call's
    failure (cancellation, a bug of ours in an unrelated class) passes.
    """
    try:
        yield
    except (CallError, RefusedError):
        raise
    except TimeoutError:
        limit = "in time" if exchange.deadline_s is None else f"within {exchange.deadline_s:g} s"
        raise CallError(f"{name}: no answer {limit}", kind="timeout", action="retry") from None
    except Exception as error:
        failure = classify(error, exchange, name, redact, cures)
        raise failure from None  # LiteLLM's own chain holds prompts and, at times, keys


def classify(
    error: BaseException,
    exchange: Exchange,
    name: str,
    redact: Callable[[str], str] = str,
    cures: Mapping[str, str] = MappingProxyType({}),
) -> CallError | RefusedError:
    """The CallError (or RefusedError) that `error` means."""
    words = _words(error, exchange)
    kind, action = _judge(error, exchange, words)
    said = writable(_brief(error, exchange, redact))
    if kind == "litellm":
        sentence = _litellms_own(error, exchange, said)
    else:
        status = exchange.status if exchange.status is not None and exchange.status >= 400 else None
        head = kind.replace("_", " ")
        sentence = f"{head} (HTTP {status}): {said}" if status else f"{head}: {said}"
    message = f"{name}: {sentence}"
    if kind == REFUSED:
        return RefusedError(message)
    cure = tls_cure(_connection(error, exchange)) if kind == "connection" else cures.get(kind)
    if cure:
        message = f"{message.rstrip('.')}; {cure}"
    wait = retry_after(_headers(error, exchange), words) if action == "retry" else None
    return CallError(message, kind=kind, action=action, retry_after=wait)


def _judge(error: BaseException, exchange: Exchange, words: str) -> Verdict:
    """(kind, action) from the wire, then the provider's words, then the class."""
    wire = _fault(error, exchange)
    if wire is not None:
        return ("not_found", _STOP) if wire.kind == "redirect" else (wire.kind, _RETRY)
    by_class = _by_class(error)
    status = exchange.status or _status(error)
    if by_class[0] in ("context_length", "budget", "unsupported"):
        return by_class
    if by_class[0] == REFUSED and not shuts_account(words):
        return by_class
    if exchange.status is not None and exchange.status < 400:
        return _judge_good(error, exchange)
    if status is None or 400 <= status < 500:
        found = by_words(status, words)
        if found is not None:
            return found
        if status in (400, 404, 422, None) and names_no_model(words):
            return ("not_found", _STOP)
    if exchange.status is not None:
        return by_status(exchange.status, by_class)
    return _judge_silent(error, exchange, words, by_class)


def _judge_good(error: BaseException, exchange: Exchange) -> Verdict:
    """Of a reply under a status that means success, which LiteLLM could not, or would not, read."""
    body = _body(exchange)
    if not body:
        return ("invalid_response", _RETRY)
    if holds_answer(body):
        return ("litellm", _RETRY)
    code, said = error_in(body) or (None, "")
    found = by_words(code or 400, said)
    if found is not None or code is None:
        return found or ("invalid_response", _RETRY)
    return verdict_of(code, said)


def _judge_silent(error: BaseException, exchange: Exchange, words: str, by_class: Verdict) -> Verdict:
    """Of a call to which the wire saw no reply: the class says 500 all the same."""
    if _NO_KEY.search(words):
        return ("authentication", _STOP)
    if _NO_SERVER.search(words):
        return ("connection", _RETRY)
    if exchange.observed and exchange.sent is None and by_class[1] != _STOP:
        return ("litellm", _FAIL)  # it could not turn the request into a call
    status = _status(error)
    if own_fault(error) is not None and status in (None, 500):
        return ("litellm", _RETRY)
    if by_class[0] in ("server", "connection") and _NO_SENSE.search(words):
        return ("invalid_response", _RETRY)
    if by_class[0] == "bad_request" and status is not None and status >= 500:
        return by_status(status, by_class)  # LiteLLM goes by the words of some servers' errors
    if by_class[0] in ("server", "connection", "bad_request") and status not in (None, 500):
        return by_status(status or 500, by_class)
    return by_class


def is_our_glue(error: BaseException) -> bool:
    """Whether the error tells of code that met something unexpected, rather than of a server or a call."""
    validation = type(error).__name__ == "ValidationError" and type(error).__module__.startswith("pydantic")
    return isinstance(error, _OWN) or validation


def own_fault(error: BaseException) -> BaseException | None:
    """The error in the chain that is no server's; None when there is none."""
    return next((cause for cause in _chain(error) if is_our_glue(cause)), None)


def _litellms_own(error: BaseException, exchange: Exchange, said: str) -> str:
    """The sentence of a failure that LiteLLM has to itself."""
    kind = type(own_fault(error) or error).__name__
    what = (
        "could not read the server's answer" if exchange.status is not None
        else "failed before anything was sent" if exchange.observed and exchange.sent is None
        else "failed"
    )  # fmt: skip
    return f"LiteLLM {_version()} itself {what} ({kind}): {said}"


@lru_cache(maxsize=1)
def _version() -> str:
    """LiteLLM's version."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("litellm")
    except PackageNotFoundError:
        return "of unknown version"


def holds_answer(body: bytes) -> bool:
    """Whether the reply has the form of an answer, of any provider's."""
    try:
        document = read_document(body)
    except UnreadableError:
        return False
    return isinstance(document, dict) and any(
        document.get(name) for name in ("choices", "candidates", "content", "output", "message", "data")
    ) and not document.get("error")  # fmt: skip


def _by_class(error: BaseException) -> Verdict:
    """What the nearest known class of the exception means; a server error for a stranger."""
    for kind in type(error).__mro__:
        if kind.__name__ in EXCEPTIONS:
            return EXCEPTIONS[kind.__name__]
    return ("server", _RETRY)


def _headers(error: BaseException, exchange: Exchange) -> Mapping[str, str]:
    """The reply's headers: the wire's, else LiteLLM's memory of them."""
    if exchange.headers:
        return exchange.headers
    for source in (
        getattr(error, "litellm_response_headers", None),
        getattr(getattr(error, "response", None), "headers", None),
    ):
        if source:
            return dict(source)
    return {}


def _status(error: BaseException) -> int | None:
    """The HTTP status that the exception claims; None when it claims none."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _fault(error: BaseException, exchange: Exchange) -> WireError | None:
    """Why no usable reply came, as the wire saw it; None when one came, or the wire saw nothing."""
    return exchange.fault or next((each for each in _chain(error) if isinstance(each, WireError)), None)


def _connection(error: BaseException, exchange: Exchange) -> str:
    """All that was said of a connection that failed."""
    return " ".join(str(cause) for cause in _chain(_fault(error, exchange) or error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it came from."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _body(exchange: Exchange) -> bytes:
    """What the server sent, as far as it was kept."""
    return exchange.body or exchange.reply_body or b""


def _words(error: BaseException, exchange: Exchange) -> str:
    """Everything that was said: the exception's text and the reply's body."""
    return f"{error} {exchange.body[:8000].decode('utf-8', 'replace')}"


def _brief(error: BaseException, exchange: Exchange, redact: Callable[[str], str]) -> str:
    """What the provider said, on one line, without LiteLLM's prefixes; redacted before it is shortened."""
    wire = _fault(error, exchange)
    text = str(wire) if wire is not None else _said(_body(exchange)) or str(error)
    text = re.sub(
        r"^(litellm\.)?(\w+(Error|Exception|Timeout)?: )*(\w+Exception (\w+ )?- )?", "", text, count=1
    )
    text = (_said(text.encode("utf-8", "replace")) if text.startswith("{") else None) or text
    text = redact(" ".join(text.partition("Traceback (most recent")[0].split()))
    return text if len(text) <= 500 else f"{text[:500]}…"


def _said(body: bytes) -> str | None:
    """The message of an error document; None when the body is no such thing."""
    found = error_in(body) if body else None
    return found[1] or None if found else None
