"""The documentation hangs together: generated pages are current, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from documents import PAGES, ROOT, name

import evalkit
from evalkit.core.distribution import NAME

DOCS = ROOT / "docs"
FENCE = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)
TRANSLATED = ("index", "installation", "first_run", "own_task", "chinese", "scores", "answers")


def links(page: Path) -> Iterator[str]:
    """The targets of the links and pictures of a page, outside of code."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    yield from re.findall(r"\]\(([^)\s]+)\)", text)


def module(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_reference_is_what_the_program_says() -> None:
    """The pages of commands and of task.yaml are those that docs/make_cli.py makes of the program."""
    for file, text in module("make_cli").pages().items():
        kept = (DOCS / "reference" / file).read_text(encoding="utf-8")
        assert kept == text, f"docs/reference/{file} is not current; run: python docs/make_cli.py"


def test_python_interface_is_what_the_program_says() -> None:
    """The page of the interface is made of the program, and every public name is on it."""
    make_api = module("make_api")
    kept = (DOCS / "reference/api.md").read_text(encoding="utf-8")
    assert kept == make_api.page(), "docs/reference/api.md is not current; run: python docs/make_api.py"
    for public in set(evalkit.__all__) - {"__version__"}:
        assert f"### {public}\n" in kept or f"`{public}`" in kept, public


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files_that_there_are(page: Path) -> None:
    """Every relative link names a file of the repository; every other one is https."""
    for target in links(page):
        path, _, _ = target.partition("#")
        if "://" in target:
            assert target.startswith("https://"), f"{name(page)}: {target}"
        elif path:
            assert (page.parent / path).exists(), f"{name(page)}: {target} leads nowhere"


def test_navigation_names_every_page() -> None:
    """Each page of docs/ can be reached from the navigation, and each entry of it is a page."""

    def files(entry: object) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        else:
            for inner in entry.values() if isinstance(entry, dict) else entry:  # type: ignore[attr-defined]
                yield from files(inner)

    nav = list(files(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    assert sorted(nav) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_languages_link_to_each_other() -> None:
    """A page that is there in two languages says so at its beginning, in both."""
    for page in TRANSLATED:
        chinese = DOCS / "zh" / f"{page}.md"
        (english,) = [other for other in DOCS.rglob(f"{page}.md") if other != chinese]
        for here, there in ((chinese, english), (english, chinese)):
            targets = {(here.parent / target.partition("#")[0]).resolve() for target in links(here)}
            assert there in targets, f"{name(here)} does not link to {name(there)}"


def test_keys_of_the_configuration_are_documented() -> None:
    """Every setting of a model and every key under `run:` stands on the page of evalkit.yaml."""
    from dataclasses import fields

    from evalkit.models.settings import ModelSettings
    from evalkit.running import workspace

    page = (DOCS / "reference" / "evalkit_yaml.md").read_text(encoding="utf-8")
    for key in [*(field.name for field in fields(ModelSettings)), *workspace.RUN_KEYS]:
        assert f"`{key}`" in page, f"docs/reference/evalkit_yaml.md does not explain {key!r}"


def test_extras_that_pages_name_exist() -> None:
    """An extra that a page installs is one of the package's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for page in PAGES:
        for named in re.findall(rf"{NAME}\[([\w,]+)\]", page.read_text(encoding="utf-8")):
            unknown = set(named.split(",")) - set(project["optional-dependencies"])
            assert not unknown, f"{name(page)}: no extra {', '.join(unknown)}"


class Site(BaseHTTPRequestHandler):
    """A site with one page that is there, one that is gone, and one that no program may read."""

    def do_GET(self) -> None:
        """Answer with the status that the path names."""
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_check_of_external_links(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link that is gone fails the check and is named with its page; one that is refused is only named."""
    check = module("check_links")
    server = HTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    page = tmp_path / "page.md"
    page.write_text(f"[a]({url}/200#part), [b]({url}/404), [c]({url}/403), [d](inner.md), [a]({url}/200)")
    try:
        places = check.collect([page])
        answers = {link: check.ask(link) for link in places}
    finally:
        server.shutdown()
        server.server_close()
    assert answers == {f"{url}/200": "200", f"{url}/404": "404", f"{url}/403": "403"}
    assert check.report(answers, places) == 1
    assert f"404  {url}/404  (page.md)" in capsys.readouterr().out
    assert check.report({f"{url}/403": "403"}, places) == 0
