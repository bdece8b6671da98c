"""The Jinja environment, and the finished page: style and script inlined and pinned by their digests."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import orjson
from markupsafe import Markup

from evalkit.core.version import __version__
from evalkit.pages import formats
from evalkit.pages.compiled import compiled_templates
from evalkit.pages.shards import Shard, pack
from evalkit.pages.translations import AUTO, LANGUAGE_TAGS, LANGUAGES, Translator, load_texts

FOLDER = Path(__file__).parent / "templates"

STYLES = ("base", "controls", "tables", "charts", "samples", "print")
"""Style sheets of all pages; a page adds its own after them."""
SCRIPTS = ("dom", "language", "shards", "tables", "diff", "filters", "browser", "sample")
"""Modules of all pages; those that a page adds follow, and main.js starts them."""

# What could end an element or a line of script, or show the source of a page in a false order.
_UNSAFE = re.compile("[<>&\u2028\u2029\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")

_POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
)


@dataclass(frozen=True)
class Page:
    """What a page is made of."""

    template: str
    """The template's file name."""
    language: str
    """The language in which it opens: en, zh, or auto for the reader's own."""
    context: Mapping[str, Any]
    """What the template shows."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What the script needs, as JSON."""
    shards: Sequence[Shard] = ()
    """The samples, compressed."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What the page offers to save: name -> content."""
    scripts: tuple[str, ...] = ()
    """Modules of its own, from templates/js; each may add a function to `starters`."""
    styles: tuple[str, ...] = ()
    """Style sheets of its own, from templates/css."""


@functools.cache
def environment() -> jinja2.Environment:
    """The templates: everything is escaped, and a name that is not there is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=compiled_templates(),
    )
    env.filters.update(
        score=formats.score,
        interval=formats.interval,
        count=formats.count,
        dollars=formats.dollars,
        seconds=formats.seconds,
        tokens=formats.tokens,
        visible=formats.visible,
        breakable=formats.breakable,
    )
    env.globals.update(share=formats.share, UNKNOWN=formats.UNKNOWN)
    return env


@functools.cache
def style(own: tuple[str, ...] = ()) -> str:
    """The style sheet of a page; the dark colours are written once, for both ways to ask for them."""
    dark = _read("css/dark.css")
    sheets = [
        _read("css/light.css"),
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{\n{dark}}} }}\n"
        f":root[data-theme=dark] {{\n{dark}}}\n",
        *(_read(f"css/{name}.css") for name in (*STYLES[:-1], *own, STYLES[-1])),
    ]
    return "".join(sheets)


@functools.cache
def script(own: tuple[str, ...] = ()) -> str:
    """The script of a page: the modules in order, in one scope of their own."""
    modules = "\n".join(_read(f"js/{name}.js") for name in (*SCRIPTS, *own, "main"))
    return f'(() => {{\n"use strict";\n{modules}}})();\n'


@functools.cache
def policy(scripts: tuple[str, ...] = (), styles: tuple[str, ...] = ()) -> str:
    """The content security policy: this script and this style, nothing else, nothing from anywhere."""
    return _POLICY.format(script=_sha256(script(scripts)), style=_sha256(style(styles)))


def render_page(page: Page) -> str:
    """The page as one HTML document that opens from disk and asks for nothing."""
    language = "en" if page.language == AUTO else page.language
    translator = Translator(language)
    html = (
        environment()
        .get_template(page.template)
        .render(
            **page.context,
            t=translator.span,
            words=translator.text,
            mark=translator.mark,
            attr=translator.attribute,
            name=translator.name,
            said=translator.said,
            lang=language,
            lang_tag=LANGUAGE_TAGS[language],
            follows_reader=page.language == AUTO,
            version=__version__,
            policy=policy(page.scripts, page.styles),
            style=Markup(style(page.styles)),
            script=Markup(script(page.scripts)),
            texts=embed({name: dict(load_texts(name)) for name in LANGUAGES}),
            data=embed(page.data),
            shards=page.shards,
            files={file: pack(content) for file, content in page.files.items()},
        )
    )
    return formats.scrub(html)


def embed(value: Any) -> Markup:
    """JSON that can stand inside a script element: no character of it can end or open a tag."""
    text = formats.dump(value, orjson.OPT_SORT_KEYS).decode()
    return Markup(_UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@functools.cache
def _read(path: str) -> str:
    return (FOLDER / path).read_text(encoding="utf-8")
