"""Compiled requests that outlive a run: used again, never with a secret, never where something changed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from served import KEY, ask, failure, model_at, run, set_keys
from server import Call, Reply, Server, serve

from evalkit.core.records import Message, Request
from evalkit.models import memory as remembered
from evalkit.models.lite import LiteModel
from evalkit.models.served import Served

CHECKS = 2


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)


def model(server: Server, folder: Path, route: str = "hosted_vllm/llama", **settings: Any) -> LiteModel:
    """A model that remembers in `folder` what two comparisons have passed."""
    made = model_at(server, route, **settings)
    made._served = Served(made.resolved, folder=folder, checks=CHECKS)
    return made


def learn(server: Server, folder: Path, route: str = "hosted_vllm/llama", **settings: Any) -> None:
    """Three calls, after which the folder holds what was compiled."""
    made = model(server, folder, route, **settings)

    async def work() -> None:
        for number in range(CHECKS + 1):
            await made.generate(ask(f"{number}"))
        await made.aclose()

    asyncio.run(work())


def kept(folder: Path) -> list[Path]:
    """The files of compiled requests."""
    return list((folder / "requests").glob("*"))


def without_litellm(made: LiteModel) -> bool:
    """Whether the model's calls were made without LiteLLM."""
    return made._served._ladder.connection.litellm is None


@pytest.mark.parametrize(
    "route",
    ["openai/gpt-4", "hosted_vllm/llama", "anthropic/claude-3-opus-20240229", "gemini/gemini-2.5-flash"],
)
def test_a_later_run_sends_the_same_without_litellm(route: str, tmp_path: Path) -> None:
    """Body, headers, path and answer are those that LiteLLM made, and LiteLLM is not set up."""
    with serve({"0": "a", "1": "b", "2": "c"}) as server:
        learn(server, tmp_path, route)
        first = server.calls[0]
        later = model(server, tmp_path, route)
        response = run(later, ask("0"))[0]
        second = server.calls[-1]
    assert without_litellm(later)
    assert response.text == "a"
    assert second.path.partition("?")[0] == first.path.partition("?")[0]
    assert second.body == first.body
    names = ("authorization", "x-api-key", "x-goog-api-key", "content-type", "anthropic-version")
    assert [second.headers.get(name) for name in names] == [first.headers.get(name) for name in names]


def test_loglikelihoods_are_remembered_too(tmp_path: Path) -> None:
    """An echo call needs no LiteLLM in a later run."""
    request = Request("loglikelihood", "m", (Message("user", "a b"),), (" c",))
    with serve(lambda call: "x", echo=True) as server:
        made = model(server, tmp_path)
        first = run(made, *[request] * (CHECKS + 1))
        later = model(server, tmp_path)
        assert run(later, request)[0].loglikelihoods == first[0].loglikelihoods
    assert without_litellm(later)


def test_the_key_is_not_in_the_file_and_a_new_one_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept holds no key, is private, and takes the key of the day."""
    with serve(lambda call: "ok") as server:
        learn(server, tmp_path, "openai/gpt-4")
        (file,) = kept(tmp_path)
        assert KEY.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
        monkeypatch.setenv("TEST_KEY", "sk-another-9876543210")
        later = model(server, tmp_path, "openai/gpt-4")
        run(later, ask("0"))
        assert without_litellm(later)
        assert server.calls[-1].headers["authorization"] == "Bearer sk-another-9876543210"


def test_what_could_hold_a_secret_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers of the user's own, and keys too short to be found again, leave no file."""
    monkeypatch.setenv("TEAM", "secret-team-0123456789")
    monkeypatch.setenv("SHORT_KEY", "abc")
    with serve(lambda call: "ok") as server:
        learn(server, tmp_path, "openai/gpt-4", headers={"X-Team": "a"})
        learn(server, tmp_path, "openai/gpt-4", headers_env={"X-Team": "TEAM"})
        learn(server, tmp_path, "openai/gpt-4", api_key_env="SHORT_KEY")
    assert kept(tmp_path) == []


@pytest.mark.parametrize("change", ["variable", "params", "version", "old", "future", "damaged", "model"])
def test_nothing_is_taken_over_where_something_changed(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another environment, other parameters, another LiteLLM, an old or a damaged file: LiteLLM is asked."""
    settings: dict[str, Any] = {}
    with serve(lambda call: "ok") as server:
        learn(server, tmp_path)
        (file,) = kept(tmp_path)
        if change == "variable":
            monkeypatch.setenv("OPENAI_ORGANIZATION", "another")
        elif change == "params":
            settings["params"] = {"top_p": 0.5}
        elif change == "version":
            monkeypatch.setattr("importlib.metadata.version", lambda name: "0")
        elif change in ("old", "future"):
            document = orjson.loads(file.read_bytes())
            document["made"] += 3600 if change == "future" else -8 * 24 * 3600
            file.write_bytes(orjson.dumps(document))
        elif change == "damaged":
            file.write_bytes(file.read_bytes()[:-5])
        later = model(
            server, tmp_path, "hosted_vllm/other" if change == "model" else "hosted_vllm/llama", **settings
        )
        run(later, ask("0"))
        assert not without_litellm(later)


def test_other_parameters_of_a_call_are_asked_of_litellm(tmp_path: Path) -> None:
    """A parameter that no earlier run sent is not guessed."""
    with serve(lambda call: "ok") as server:
        learn(server, tmp_path)
        later = model(server, tmp_path)
        run(later, ask("0", temperature=0.5))
        assert not without_litellm(later)
        assert server.calls[-1].body["temperature"] == 0.5


@pytest.mark.parametrize("fault", ["429", "500", "reset", "truncated", "not-json", "empty-choices"])
def test_failures_mean_what_they_mean_to_litellm(fault: str, tmp_path: Path) -> None:
    """A remembered request that fails is judged like any other."""
    with serve(lambda call: "ok") as server:
        learn(server, tmp_path)
        server.faults = lambda call: fault  # type: ignore[assignment]
        errors = []
        for folder in (tmp_path, tmp_path / "empty"):
            made = model(server, folder)
            caught = failure(made, ask("0"))
            errors.append((str(caught), caught.kind, caught.action, caught.retry_after))
    assert errors[0] == errors[1]


def test_replies_that_are_not_plain_are_read_by_litellm(tmp_path: Path) -> None:
    """A refusal in its own field is a refusal, remembered request or not."""

    def answer(call: Call) -> str | Reply:
        return Reply(None, refusal="I will not.") if call.prompt == "odd" else "ok"

    with serve(answer) as server:
        learn(server, tmp_path, "openai/gpt-4")
        later = model(server, tmp_path, "openai/gpt-4")
        assert run(later, ask("odd"))[0].status == "refused"
    assert not without_litellm(later)


def test_a_long_run_compares_and_forgets_what_no_longer_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its first calls a remembered template is compared too; a difference takes it off the disk."""
    monkeypatch.setattr("evalkit.models.fast_lane._UNSHADOWED", 1)
    monkeypatch.setattr("evalkit.models.fast_lane._SHADOWED", 1.0)
    with serve(lambda call: "ok") as server:
        learn(server, tmp_path)
        (file,) = kept(tmp_path)
        changed = file.read_bytes().replace(b'\\"max_tokens\\":64}"]', b'\\"max_tokens\\":65}"]')
        file.write_bytes(changed)  # the frame of the request, not its parameters
        later = model(server, tmp_path)

        async def work() -> None:
            for number in range(3):
                await later.generate(ask(f"{number}"))
            await later.aclose()

        asyncio.run(work())
        assert [call.body["max_tokens"] for call in server.calls[-3:]] == [65, 64, 64]
    assert kept(tmp_path) == []
    assert any("sends something else" in note for note in later.notes)


def test_what_is_too_old_is_taken_away(tmp_path: Path) -> None:
    """The folder does not grow with every model that was ever asked."""
    old = tmp_path / "requests" / "old.json"
    old.parent.mkdir()
    old.write_text("{}")
    os.utime(old, (0, 0))
    with serve(lambda call: "ok") as server:
        learn(server, tmp_path)
    assert not old.exists()
    assert len(kept(tmp_path)) == 1


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """The run goes on; the next one imports LiteLLM again."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    with serve(lambda call: "ok") as server:
        learn(server, blocked)
    assert blocked.read_text() == ""


def test_it_is_kept_in_the_users_cache_folder() -> None:
    """Not in the workspace, which may be shared."""
    assert remembered.findings_folder() == Path(os.environ["XDG_CACHE_HOME"]) / "evalkit"
