"""A local model behind the protocol of all models: requests, chat templates, a whole run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models

import evalkit
from evalkit.core.records import Message, Request
from evalkit.models.hf import HfModel, make_hf
from evalkit.models.hf.encoding import render_prompt
from evalkit.models.hf.loading import describe
from evalkit.models.hf.options import HfOptions
from evalkit.models.resolution import resolve_model

CPU = HfOptions(device="cpu")


@pytest.fixture(scope="module")
def chat_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama whose tokenizer has a chat template."""
    return tiny_models.make_llama(
        tmp_path_factory.mktemp("chat") / "llama", chat_template=tiny_models.CHAT_TEMPLATE
    )


def test_many_requests_at_once(tiny: Callable[[str], Path]) -> None:
    """Concurrent requests are answered each with its own numbers, and usage counts the prompt."""
    model = make_hf(resolve_model(f"hf/{tiny('gpt2')}"))
    requests = [
        Request(
            "loglikelihood", model.name, (Message("user", f"There are {n} sheep"),), (" in the field", ".")
        )
        for n in range(30)
    ]

    async def ask() -> list[evalkit.core.records.Response]:
        together = await asyncio.gather(*(model.loglikelihood(request) for request in requests))
        alone = [await model.loglikelihood(requests[7]), await model.loglikelihood(requests[29])]
        await model.aclose()
        return [*together, *alone]

    found = asyncio.run(ask())
    for one, other in ((7, 30), (29, 31)):
        for a, b in zip(found[one].loglikelihoods, found[other].loglikelihoods, strict=True):
            assert a.logprob == pytest.approx(b.logprob, abs=1e-4)
    assert all(response.usage.input for response in found)
    assert any("GPT2LMHeadModel" in note and "float32 on cpu" in note for note in model.notes)


def test_template_or_plain_text(chat_folder: Path) -> None:
    """auto asks likelihoods in plain text and generates through the template; on uses it for both."""
    text = (Message("system", "Be careful."), Message("user", "Yes or no?"))
    found = {}
    for choice in ("auto", "on", "off"):
        options = HfOptions(device="cpu", chat_template=choice)
        model = HfModel("x", describe(str(chat_folder), options, name="x"), options)
        found[choice] = (
            model._template("loglikelihood"),
            model._template("generate"),
            "chat" in model.capabilities,
        )
    assert [bool(part) for part in found["auto"]] == [False, True, True]
    assert [bool(part) for part in found["on"]] == [True, True, True]
    assert [bool(part) for part in found["off"]] == [False, False, False]
    about = describe(str(chat_folder), CPU, name="x")
    rendered = render_prompt(about.chat_template, about, text)
    assert rendered.text == "<s><|system|>\nBe careful.</s>\n<|user|>\nYes or no?</s>\n<|assistant|>\n"
    assert rendered.templated


def test_prefill_stays_open(chat_folder: Path) -> None:
    """After a last message of the assistant the model goes on inside it."""
    about = describe(str(chat_folder), CPU, name="x")
    messages = (Message("user", "Capital?"), Message("assistant", "It is"))
    assert render_prompt(about.chat_template, about, messages).text.endswith("<|assistant|>\nIt is")


def test_a_template_without_system_role_gets_it_before_the_first_message(chat_folder: Path) -> None:
    """The system text is not lost, and the prompt says where it went."""
    about = describe(str(chat_folder), CPU, name="x")
    messages = (Message("system", "Be careful."), Message("user", "Yes?"))
    found = render_prompt(tiny_models.NO_SYSTEM_TEMPLATE, about, messages)
    assert found.text == "[user] Be careful.\n\nYes?\n[assistant] "
    assert "no system role" in found.notes[0]


def test_lm_eval_tasks_ask_in_plain_text(chat_folder: Path) -> None:
    """The twin without a template has no chat and another identity, and shares the weights."""
    model = HfModel("x", describe(str(chat_folder), CPU, name="x"), CPU)
    twin = model.without_template()
    assert "chat" not in twin.capabilities
    assert twin.identity != model.identity
    assert twin._worker is model._worker


def test_a_run_with_parameters_of_loading(
    tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--param reaches the loading; the cache answers the second run, without weights."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "farm").mkdir()
    (tmp_path / "farm" / "data.jsonl").write_text(
        "".join(f'{{"id": "{n}", "q": "How many sheep, {n}?", "a": {n % 2}}}\n' for n in range(6))
    )
    (tmp_path / "farm" / "task.yaml").write_text(
        "name: farm\ndescription: Sheep.\nlanguage: en\nlicense: CC0-1.0\nsource: own\n"
        "data: {file: data.jsonl}\nkind: choice\nchoices: [many, few]\ntarget: '{{ a }}'\n"
        "prompts: {direct: '{{ q }}'}\nmetrics: [accuracy]\n"
    )
    name = f"hf/{tiny('gpt2')}"
    settings = {"dtype": "float32", "max_length": 64, "device": "cpu"}
    run = evalkit.run([name], ["./farm"], params=settings, out=tmp_path / "reports").run
    cell = run.cells[0]
    assert (cell.counts.scored, cell.counts.cached, cell.mode) == (6, 0, "loglikelihood")
    assert any("at most 64 tokens" in note for note in run.models["hf/gpt2"].notes)

    def never(*args: object) -> None:
        raise AssertionError("weights were loaded")

    monkeypatch.setattr("evalkit.models.hf.model.load", never)
    again = evalkit.run([name], ["./farm"], params=settings, out=tmp_path / "reports").run
    assert again.cells[0].counts.cached == 6
