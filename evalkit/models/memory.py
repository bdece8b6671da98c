"""Compiled requests that outlive a run: so that the next one need not import LiteLLM, which takes seconds.

What is kept is what LiteLLM made of a model's parameters and the frame of its requests, once both lanes have
agreed on them. It holds for a week, and only for the same LiteLLM, evalkit, settings and environment. The
API key is cut out of it; what cannot be kept without a secret is not kept. JSON, in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from evalkit.core.project import cache_folder
from evalkit.core.redaction import Redactor
from evalkit.core.version import __version__
from evalkit.models import _litellm, providers
from evalkit.models.parameters import Plan
from evalkit.models.resolution import Resolved
from evalkit.models.template import Template

__all__ = ["Memory", "TemplateKey", "findings_folder"]

TemplateKey = tuple[str, bytes, tuple[str, ...]]
"""(LiteLLM's function, its other arguments as JSON, the shape of the texts)."""

_FORMAT = 1
_KEPT_S = 7 * 24 * 3600.0
"""Seconds after which LiteLLM is asked afresh."""
_KEY = "\0key\0"
"""Stands where the API key was."""
_LONG_ENOUGH = 8
"""Characters of a key that can be told from other words."""
_HEARD = re.compile(
    r"LITELLM|API|BASE|URL|URI|HOST|PROXY|HEADER|ORG|PROJECT|VERSION|REGION|ENDPOINT|DEPLOYMENT|PARAMS|MODEL"
)
"""Variables that LiteLLM may read, by a part of their names: generous, for a change costs one import."""
_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)S?$")


def findings_folder() -> Path:
    """Where compiled requests (`requests/`) and findings about LiteLLM (`lanes/`) are kept: in the user's
    cache folder."""
    return Path(cache_folder())


@dataclass(slots=True)
class Memory:
    """The compiled requests of one model, from a file and back into it."""

    path: Path | None
    """The file; None when nothing is to be kept."""
    plans: dict[bytes, Plan] = field(default_factory=dict)
    """What is sent for a set of parameters, by the parameters as JSON."""
    templates: dict[TemplateKey, Template] = field(default_factory=dict)

    @classmethod
    def open(cls, resolved: Resolved, folder: Path | None, key: str | None, checks: int) -> Memory:
        """What is known of the model; empty when nothing is, or it is too old, or cannot be read.

        `key` is the model's API key, which goes back to where it was cut out; `checks` is how many
        comparisons each template has behind it.
        """
        settings = resolved.settings
        if folder is None or settings.headers or settings.headers_env:
            return cls(None)  # headers of one's own may hold anything
        memory = cls(folder / "requests" / f"{_identity(resolved, key, checks)}.json")
        # A damaged or foreign file is as good as none: LiteLLM is asked again.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            memory._read(memory.path.read_bytes() if memory.path else b"", key, checks)
        return memory

    def _read(self, content: bytes, key: str | None, checks: int) -> None:
        document = orjson.loads(content)
        if not 0 <= time.time() - float(document["made"]) <= _KEPT_S:
            return
        plans = {
            text.encode(): Plan(sent, tuple(stops), tuple(notes))
            for text, sent, stops, notes in document["plans"]
        }
        templates = {}
        for function, rest, shape, kept in document["templates"]:
            headers = {name: value.replace(_KEY, key or "") for name, value in kept["headers"].items()}
            templates[(function, rest.encode(), tuple(shape))] = Template(
                kept["url"],
                headers,
                tuple(segment.encode() for segment in kept["segments"]),
                tuple(kept["order"]),
                kept["trims"],
                passed=checks,
                name=kept["name"],
                remembered=True,
            )
        self.plans, self.templates = plans, templates

    def keep(
        self,
        plans: Mapping[bytes, Plan],
        templates: Mapping[TemplateKey, Template],
        key: str | None,
        redactor: Redactor,
    ) -> None:
        """Nothing; writes what is worth it, without the key, where the folder can be written."""
        if self.path is None or not templates:
            return
        if key is not None and len(key) < _LONG_ENOUGH:
            return  # too short to be told from other words
        found = []
        for (function, rest, shape), template in templates.items():
            headers = {n: v.replace(key, _KEY) if key else v for n, v in template.headers.items()}
            kept = {
                "url": template.url,
                "headers": headers,
                "segments": [segment.decode() for segment in template.segments],
                "order": template.order,
                "trims": template.trims,
                "name": template.name,
            }
            found.append((function, rest.decode(), shape, kept))
        texts = [(text.decode(), plan.sent, plan.stops, plan.notes) for text, plan in plans.items()]
        document = {"made": time.time(), "plans": texts, "templates": found}
        try:
            content = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
        except TypeError:
            return  # parameters that JSON has no form for
        text = content.decode()
        if (
            (key and key in text)
            or redactor.knows(text)
            or any("@" in each.url for each in templates.values())
        ):
            return  # an address may hold a key, or a password
        temporary = self.path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):  # nothing is lost but time
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_bytes(b"")
            temporary.chmod(0o600)
            temporary.write_bytes(content)
            temporary.replace(self.path)
            _sweep(self.path.parent)

    def forget(self) -> None:
        """Nothing; takes the file away."""
        self.plans, self.templates = {}, {}
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Nothing; takes away what is too old to be used again."""
    for file in folder.glob("*.json"):
        if time.time() - file.stat().st_mtime > _KEPT_S:
            file.unlink(missing_ok=True)


def _identity(resolved: Resolved, key: str | None, checks: int) -> str:
    """The digest of all that decides what LiteLLM makes of a call, but for the key itself."""
    from importlib.metadata import version

    settings = resolved.settings
    heard = {
        name: value
        for name, value in sorted({**_litellm.ENVIRONMENT, **os.environ}.items())
        if _HEARD.search(name.upper()) and not _SECRET.search(name.upper())
    }
    parts = [
        _FORMAT,
        __version__,
        version("litellm"),
        resolved.route,
        providers.address(resolved.provider, settings),
        settings.api_version,
        dict(settings.params),
        key is not None,
        checks,
        heard,
    ]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()
