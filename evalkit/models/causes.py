"""What a server's refusal means: its HTTP status, and its own words, which hold whatever the status says."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Mapping
from typing import Any

from evalkit.core.errors import CallAction
from evalkit.models.documents import UnreadableError, read_document

__all__ = [
    "REFUSED",
    "Verdict",
    "by_status",
    "by_words",
    "error_in",
    "names_no_model",
    "retry_after",
    "shuts_account",
    "tls_cure",
    "verdict_of",
]

Verdict = tuple[str, CallAction]
"""(kind, action) of a `CallError`."""

REFUSED = "refused"
"""The kind of what is no error: the provider's filter, or the model, would not answer."""

_RETRY: CallAction = "retry"
_FAIL: CallAction = "fail_sample"
_STOP: CallAction = "stop_model"

_STATUS: Mapping[int, Verdict] = {
    400: ("bad_request", _FAIL),
    401: ("authentication", _STOP),
    402: ("quota", _STOP),
    403: ("permission", _STOP),
    404: ("not_found", _STOP),
    405: ("not_found", _STOP),
    408: ("timeout", _RETRY),
    409: ("server", _RETRY),
    413: ("context_length", _FAIL),
    422: ("bad_request", _FAIL),
    425: ("server", _RETRY),
    429: ("rate_limit", _RETRY),
    504: ("timeout", _RETRY),
}

# The providers' own words, Chinese ones included.
_QUOTA = re.compile(
    r"insufficient[_ ]quota|exceeded_current_quota|insufficient[_ ]balance|credit balance is too low|"
    r"billing_hard_limit|billing_not_active|arrearage|余额不足|欠费|账户.{0,6}异常|"
    r"\blimit[\"']?\s*[:=]?\s*0(?![\d.,]*\d)(?!\s*\w*\s*(left|remaining))",
    re.IGNORECASE,
)
"""A limit of 0 is no rate: the account may not use this model."""
_POLICY = re.compile(
    r"content[_ ]?(policy|filter|safety|moderation)|content management policy|responsibleaipolicy|"
    r"safety[_ ](system|check|filter|reason|guideline|polic)|data_?inspection_?failed|inappropriate content|"
    r"content exists risk|considered high risk|sensitive_?content|moderation|guardrail|prohibited[_ ]content|"
    r"violat\w+[^.\n]{0,40}\b(polic|guideline|terms|rules)|(usage|acceptable[_ ]use)[_ ](guideline|polic)|"
    r"\bflagged (as|by|for)\b|(prompt|input|content)( was| has been)? (blocked|flagged)|"
    r"harmful (content|intent)|jailbreak|敏感|违规|违反.{0,12}(政策|规定|法规|准则|规范)|内容安全|审核",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"\b(account|api[_ -]?key|access|user)\b[^.\n]{0,60}\b(terminated|suspended|deactivated|disabled|banned|"
    r"revoked|blocked)|(organi[sz]ation|project|team|workspace)\b[^.\n]{0,60}\b(terminated|suspended|"
    r"deactivated|disabled|banned)|account_deactivated|(账号|账户).{0,12}(封|停用|禁用|冻结)",
    re.IGNORECASE,
)
_CONTEXT = re.compile(
    r"context[_ ]length|maximum context|context[_ ]window|prompt is too long|input is too long|"
    r"range of input length|exceeds? the (available )?context|too many (input )?tokens|"
    r"maximum (number of )?(input )?tokens|longer than the maximum model length|输入.{0,8}过长",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(
    r"(request|prompt|input|message)s? (is |was |are )?too (large|long|big)\b|"
    r"reduce (your |the )?(message|prompt|input|request)s? (size|length)|tokens must be reduced",
    re.IGNORECASE,
)
_NUMBER = (
    r"[^\d\n]{0,40}?(?<![\w.-])(\d[\d,_]*+(?:\.\d+)?(?:k\b)?)"
    r"(?!\s*(?:m?s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)\b)"
)
_REQUESTED = re.compile(
    rf"\brequested\b{_NUMBER}|\brequest (?:of|size|is|has|with|contains|uses|needs|requires)\b{_NUMBER}|"
    r"(\d[\d,_]*+)(?: \w+)?\s*>\s*\d",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    rf"\b(?:limit|maximum|max|allowed)\b{_NUMBER}|\d(?: \w+)?\s*>\s*(\d[\d,_]*+)", re.IGNORECASE
)
_SIZES = re.compile(r"token|\bTP[MD]\b|characters?|bytes|length|size|too large", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model[_ ]not[_ ]found|model not exist|no such model|unknown model|invalid model|"
    r"model\b[^.\n]{0,120}?(does not exist|not found|is not available|not supported by any provider)|"
    r"模型不存在",
    re.IGNORECASE,
)

_TLS = re.compile(
    r"certificate|\bssl\b.{0,40}(error|fail|alert)|self[- ]signed|sslv3|tlsv1|"
    r"hostname mismatch|wrong version number",
    re.IGNORECASE,
)


def verdict_of(status: int | None, words: str) -> Verdict:
    """What a status and the provider's words mean; a fault of the server's where neither tells."""
    found = by_words(status, words)
    return found or (("server", _RETRY) if status is None else by_status(status, ("server", _RETRY)))


def by_words(status: int | None, words: str) -> Verdict | None:
    """What the provider's words mean beside this status; None when they tell nothing that it does not."""
    if _POLICY.search(words) and not shuts_account(words):
        return (REFUSED, _FAIL)
    if _QUOTA.search(words):
        return ("quota", _STOP)
    if status == 429:
        return ("context_length", _FAIL) if _too_large(words) else None
    return ("context_length", _FAIL) if _CONTEXT.search(words) else None


def shuts_account(words: str) -> bool:
    """Whether the words say that the whole account is shut, if for what it asked: no prompt's refusal."""
    return _ACCOUNT.search(words) is not None


def _too_large(words: str) -> bool:
    """Whether a request can never pass a limit, by its numbers, else by its words: waiting does not help."""
    requested, limit = _REQUESTED.search(words), _LIMIT.search(words)
    if requested and limit and _SIZES.search(words):
        return _tokens(requested) > _tokens(limit)
    return bool(_TOO_LARGE.search(words))


def _tokens(match: re.Match[str]) -> float:
    text = re.sub(r"[,_]", "", next(group for group in match.groups() if group)).lower()
    return float(text.removesuffix("k")) * (1000 if text.endswith("k") else 1)


def tls_cure(words: str) -> str:
    """What to do about a connection that failed with these words; empty where TLS did not refuse it."""
    if not _TLS.search(words):
        return ""
    if re.search(r"hostname mismatch|doesn't match|not valid for|IP address mismatch", words, re.IGNORECASE):
        return (
            "the certificate is for another name: correct api_base, or set SSL_CERT_FILE to the PEM file of "
            "an authority that vouches for this one"
        )
    if re.search(r"wrong version number|unknown protocol", words, re.IGNORECASE):
        return (
            "the server speaks no TLS at this address: write http:// in api_base, or look at HTTPS_PROXY "
            "and SSL_CERT_FILE"
        )
    return (
        "no authority known here vouches for the server's certificate: set SSL_CERT_FILE to the PEM file of "
        "your own (export SSL_CERT_FILE=/path/to/ca.pem)"
    )


def names_no_model(words: str) -> bool:
    """Whether the words say that the model does not exist."""
    return _NO_MODEL.search(words) is not None


def by_status(status: int, fallback: Verdict) -> Verdict:
    """What an HTTP status means; `fallback` below 400."""
    if status in _STATUS:
        return _STATUS[status]
    if status >= 500:
        return ("server", _RETRY)
    return ("bad_request", _FAIL) if status >= 400 else fallback


def retry_after(headers: Mapping[str, str], words: str = "") -> float | None:
    """The seconds that the server wants us to wait, at least 0; None when it does not say.

    Read from `retry-after-ms` (OpenAI, Azure), `retry-after` (seconds or a date), Google's `retryDelay`, and
    sentences ("try again in 1h2m3s", "retry after 7 seconds").
    """
    low = {str(key).lower().removeprefix("llm_provider-"): str(value) for key, value in headers.items()}
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        seconds = _seconds(low.get(name, ""))
        if seconds is not None:
            return seconds / unit
    try:
        date = email.utils.parsedate_to_datetime(low.get("retry-after", ""))
        return max(0.0, date.timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        pass  # nonsense is as good as nothing
    delay = re.search(r'"?retryDelay"?\s*:\s*"?(\d+(?:\.\d+)?)s', words)
    if delay:
        return float(delay.group(1))
    again = _AGAIN.search(words)
    if again is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|mil|[dhms])", again.group(1).lower())
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


_AGAIN = re.compile(
    r"(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|days?|hours?|minutes?|"
    r"seconds?|[dhms])[\s,]*)+)",
    re.IGNORECASE,
)
_UNITS = {"ms": 1e-3, "mil": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(text: str) -> float | None:
    """The number, at least 0; None for what is no finite number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None


def error_in(body: bytes) -> tuple[int | None, str] | None:
    """(the status that an error document names, its message); None when the body is no such thing.

    Some servers tell of errors under HTTP 200.
    """
    try:
        document: Any = read_document(body)
    except UnreadableError:
        return None
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return None
    for place in (document.get("error"), document.get("base_resp"), document):
        said = place if isinstance(place, str) else _message(place)
        if said is not None:
            return _code(place), said
    return (_code(document["error"]), "") if isinstance(document.get("error"), dict) else None


def _message(place: Any) -> str | None:
    """The message in an error, under any of the names that providers give it."""
    if not isinstance(place, dict):
        return None
    for name in ("message", "detail", "msg", "error_msg", "status_msg", "error_message"):
        value = place.get(name)
        if isinstance(value, list) and value and isinstance(value[0], dict):  # FastAPI: what is wrong where
            value = "; ".join(str(each.get("msg", each)) for each in value if isinstance(each, dict))
        if isinstance(value, str) and value:
            return value
    return None


def _code(place: Any) -> int | None:
    """The HTTP status in an error; None when it names none."""
    code = place.get("code", place.get("status")) if isinstance(place, dict) else None
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code[:4])
    return code if type(code) is int and 400 <= code < 600 else None
