"""A real server that is not ours, `transformers serve`, asked through LiteLLM: chat and completions."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_models
from server import closed_port

from evalkit.core.records import Message, Request, Response
from evalkit.models.making import make_model
from evalkit.models.resolution import resolve_model
from evalkit.models.settings import ModelSettings

pytest.importorskip("fastapi", reason="transformers[serving] is not installed")
pytest.importorskip("uvicorn", reason="transformers[serving] is not installed")

PATIENCE_S = 300
MESSAGES = (Message("system", "Answer shortly."), Message("user", "今天天气 and the fox?"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with a chat template."""
    place = tmp_path_factory.mktemp("served") / "tiny-llama"
    return tiny_models.make_llama(place, chat_template=tiny_models.CHAT_TEMPLATE)


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server, once it is well."""
    port = closed_port()
    command = [
        str(Path(sys.executable).parent / "transformers"), "serve", str(folder), "--host", "127.0.0.1",
        "--port", str(port), "--device", "cpu",
    ]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    log = tmp_path_factory.mktemp("log") / "serve.log"
    with log.open("w") as sink:
        process = subprocess.Popen(command, env=environment, stdout=sink, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _healthy(port):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def ask(name: str, settings: ModelSettings, messages: tuple[Message, ...], **params: object) -> Response:
    """The response of the model to a generate request."""

    async def once() -> Response:
        model = make_model(resolve_model(name, {name: settings}))
        try:
            asked = {"temperature": 0, "max_tokens": 12, **params}
            return await model.generate(Request("generate", settings.model, messages, params=asked))
        finally:
            await model.aclose()

    return asyncio.run(once())


@pytest.mark.parametrize("provider", ["hosted_vllm", "openai"])
def test_chat_of_the_server_is_that_of_the_same_weights_in_process(
    monkeypatch: pytest.MonkeyPatch, url: str, folder: Path, provider: str
) -> None:
    """Served and in-process, the same weights and template give the same text and count the same tokens."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    served = ask("served", ModelSettings(f"{provider}/{folder}", api_base=url), MESSAGES)
    own = ask("own", ModelSettings(f"hf/{folder}", options={"device": "cpu"}), MESSAGES)
    assert served.text == own.text
    assert served.text
    assert (served.status, served.finish_reason) == (own.status, own.finish_reason)
    assert (served.usage.input, served.usage.output) == (own.usage.input, own.usage.output)


def test_completions_of_the_server_go_on_from_the_bare_prompt(
    monkeypatch: pytest.MonkeyPatch, url: str, folder: Path
) -> None:
    """A text completion puts no template round the prompt, as the in-process model without a template."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    prompt = (Message("user", "The quick brown fox"),)
    served = ask("served", ModelSettings(f"text-completion-openai/{folder}", api_base=url), prompt)
    options = {"device": "cpu", "chat_template": "off"}
    own = ask("own", ModelSettings(f"hf/{folder}", options=options), prompt)
    assert served.text == own.text
    assert served.text
    assert served.usage.input == own.usage.input
