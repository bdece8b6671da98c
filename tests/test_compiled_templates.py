"""Compiled page templates: the same pages, kept only where nobody else can write."""

from __future__ import annotations

from pathlib import Path

import jinja2

from evalkit.pages.compiled import compiled_templates


def render(folder: Path, source: str) -> str:
    """What a template makes, with its byte code in `folder`."""
    cache = compiled_templates(folder)
    loader = jinja2.DictLoader({"page.html": source})
    return (
        jinja2.Environment(loader=loader, bytecode_cache=cache, autoescape=True)
        .get_template("page.html")
        .render()
    )


def test_byte_code_is_taken_for_its_own_source_alone(tmp_path: Path) -> None:
    """The second time nothing is compiled; a changed template is."""
    folder = tmp_path / "pages"
    assert render(folder, "a{{ 1 + 1 }}") == render(folder, "a{{ 1 + 1 }}") == "a2"
    (file,) = folder.iterdir()
    before = file.read_bytes()
    assert render(folder, "b{{ 1 + 1 }}") == "b2"
    assert file.read_bytes() != before


def test_damaged_byte_code_is_compiled_again(tmp_path: Path) -> None:
    """A torn file costs nothing but time."""
    folder = tmp_path / "pages"
    render(folder, "a{{ 1 + 1 }}")
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert render(folder, "a{{ 1 + 1 }}") == "a2"


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    """Byte code is code: it comes from nowhere that is not the user's alone."""
    folder = tmp_path / "pages"
    folder.mkdir()
    folder.chmod(0o777)
    assert compiled_templates(folder) is None


def test_no_folder_is_no_error(tmp_path: Path) -> None:
    """Where nothing can be kept, templates are compiled each time."""
    (tmp_path / "file").write_text("")
    assert compiled_templates(tmp_path / "file" / "pages") is None
