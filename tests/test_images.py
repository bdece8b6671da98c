"""Images in prompts: addresses and files of the task's folder, in every message where they belong."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from server import serve

import evalkit
from evalkit.core.errors import PromptError
from evalkit.core.records import ImagePart, TextPart
from evalkit.tasks.discovery import list_tasks
from evalkit.tasks.images import image_urls
from evalkit.tasks.task import Task, load_task

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
SENT = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def make(folder: Path, prompt: dict[str, Any], rows: list[dict[str, Any]]) -> Task:
    """A task with this prompt; the rows are samples and, under other ids, worked examples."""
    home = folder / "tasks" / "seen"
    home.mkdir(parents=True)
    (home / "a.png").write_bytes(PNG)
    (folder / "tasks" / "outside.png").write_bytes(PNG)
    spec = {
        "name": "seen",
        "data": {"file": "samples.jsonl"},
        "target": "answer",
        "prompts": {"plain": {"user": "{{ q }}", **prompt}},
        "few_shot": {"file": "shots.jsonl"},
        "metrics": ["exact_match"],
    }
    (home / "task.yaml").write_text(json.dumps(spec))
    (home / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "shots.jsonl").write_text(json.dumps({"q": "shot?", "answer": "S", "image": "a.png"}) + "\n")
    (entry,) = list_tasks([(folder / "tasks", "workspace")]).values()
    return load_task(entry)


def content(task: Task, variant: str = "plain") -> list[Any]:
    """The contents of the messages of the first sample."""
    made = task.variant(variant)
    sample = next(task.samples())
    messages = made.render(sample, made.choose_shots(task.few_shot_pool(), sample, 0))
    return [message.content for message in messages]


ROW = {"id": "1", "q": "What?", "answer": "x", "image": "a.png"}


def test_file_of_the_task_is_sent_as_data(tmp_path: Path) -> None:
    """A column that names a file of the folder becomes a data address before the question."""
    task = make(tmp_path, {"images": ["image"]}, [ROW])
    assert content(task) == [(ImagePart(SENT), TextPart("What?"))]


def test_addresses_and_lists_are_taken_as_they_are(tmp_path: Path) -> None:
    """http(s) and data addresses are sent unchanged, several in their order; none gives plain text."""
    urls = ["https://example.org/a.png", SENT]
    task = make(tmp_path, {"images": "image"}, [{**ROW, "image": urls}, {**ROW, "id": "2", "image": None}])
    assert content(task) == [(ImagePart(urls[0]), ImagePart(urls[1]), TextPart("What?"))]
    assert task.variant("plain").render(list(task.samples())[1])[0].content == "What?"


def test_template_makes_an_address_and_never_a_path(tmp_path: Path) -> None:
    """A template may write an address; a file name that it writes is not read."""
    task = make(tmp_path, {"images": ["https://example.org/{{ id }}.png"]}, [ROW])
    assert content(task)[0][0] == ImagePart("https://example.org/1.png")
    task = make(tmp_path / "other", {"images": ["{{ image }}"]}, [ROW])
    with pytest.raises(PromptError, match="no http"):
        content(task)


@pytest.mark.parametrize(
    "name",
    ["../outside.png", "/etc/passwd", "/etc/hosts.png", "file:///etc/hosts.png", "link.png", "a\x00.png",
     "task.yaml", "missing.png", "data:text/html,x", "ftp://example.org/a.png", "sub/../../outside.png"],
)  # fmt: skip
def test_other_paths_are_never_read(tmp_path: Path, name: str) -> None:
    """No name in the data reaches a file outside the folder, or one that is no image."""
    task = make(tmp_path, {"images": ["image"]}, [{**ROW, "image": name}])
    (task.folder / "link.png").symlink_to(tmp_path / "tasks" / "outside.png")
    with pytest.raises(PromptError, match="images"):
        content(task)


def test_value_that_is_no_text_is_refused() -> None:
    """A number is no image."""
    with pytest.raises(PromptError, match="not int"):
        image_urls(3, None, "here")


def test_worked_examples_bring_their_images(tmp_path: Path) -> None:
    """In one text each image stands before its question; in turns, in the message of its turn."""
    task = make(tmp_path, {"images": ["image"], "few_shot": 1}, [ROW])
    image = ImagePart(SENT)
    assert content(task) == [(image, TextPart("shot? S\n\n"), image, TextPart("What?"))]
    turns = {"images": ["image"], "few_shot": {"count": 1, "multiturn": True}}
    task = make(tmp_path / "turns", turns, [ROW])
    assert content(task) == [(image, TextPart("shot?")), "S", (image, TextPart("What?"))]


def test_techniques_keep_the_images(tmp_path: Path) -> None:
    """A technique that wraps the task's prompt shows its images too."""
    task = make(tmp_path, {"images": ["image"]}, [ROW])
    assert content(task, "cot")[0][0] == ImagePart(SENT)


def test_images_are_part_of_the_prompts_digest(tmp_path: Path) -> None:
    """A prompt with images is another prompt."""
    one = make(tmp_path, {"images": ["image"]}, [ROW]).variant("plain")
    other = make(tmp_path / "other", {}, [ROW]).variant("plain")
    assert one.digest() != other.digest()


def test_served_model_gets_images_and_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """End to end: what arrives at the server is the conversation, with images as typed parts."""
    make(tmp_path, {"images": ["image"], "few_shot": {"count": 1, "multiturn": True}}, [ROW])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with serve(lambda call: "x", models=["gpt-4o"]) as server:
        (tmp_path / "evalkit.yaml").write_text(
            f"models:\n  eye: {{model: openai/gpt-4o, api_base: '{server.url}'}}\n"
        )
        stored = evalkit.run(models=["eye"], tasks=["seen"], cache="off")
        bodies = [call.body for call in server.calls if "messages" in (call.body or {})]
    assert stored.run.cells[0].metrics["exact_match"].value == 1.0
    image = {"type": "image_url", "image_url": {"url": SENT}}
    assert bodies[-1]["messages"] == [
        {"role": "user", "content": [image, {"type": "text", "text": "shot?"}]},
        {"role": "assistant", "content": "S"},
        {"role": "user", "content": [image, {"type": "text", "text": "What?"}]},
    ]
