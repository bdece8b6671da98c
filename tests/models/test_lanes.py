"""Lanes: what is not as we know it costs a lane, never a call, and is said."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from served import ask, failure, model_at, run, set_keys
from server import Server, serve

from evalkit.core.errors import CallError
from evalkit.core.records import Response
from evalkit.models import _litellm, fast_lane, lanes, seam
from evalkit.models.lite import LiteModel
from evalkit.models.seam import Fit, Verdicts
from evalkit.models.served import Served
from evalkit.models.template import Template


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)


def model(
    server: Server, folder: Path | None, lane: str | None = None, route: str = "openai/gpt-4"
) -> LiteModel:
    made = model_at(server, route)
    made._served = Served(made.resolved, lane, folder=folder, checks=1)  # type: ignore[arg-type]
    return made


def texts(made: LiteModel, n: int = 4) -> list[str | None]:
    """The texts of `n` answers, asked one after the other."""

    async def work() -> list[Response]:
        found = [await made.generate(ask(f"q{number}")) for number in range(n)]
        await made.aclose()
        return found

    return [response.text for response in asyncio.run(work())]


def raising(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


GLUE = (
    TypeError("LiteClient.post() got an unexpected keyword argument 'body'"),
    AttributeError("no such attribute"),
    KeyError("model"),
    ImportError("moved"),
    AssertionError(),
    RuntimeError("of a new kind"),
)


@pytest.mark.parametrize("error", GLUE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("lane", ["auto", "safe"])
def test_a_safe_lane_that_breaks_gives_way_to_plain_litellm(
    error: Exception, lane: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call is answered, once, and the run says in one line which lane broke, why and with what."""
    monkeypatch.setattr(lanes, "client_of", raising(error))
    with serve() as server:
        made = model(server, tmp_path, None if lane == "auto" else lane)
        assert texts(made) == ["ok"] * 4
        assert server.n_calls == 4
    assert made.lane == "stock"
    (said,) = [note for note in made.notes if note.startswith("warning")]
    assert type(error).__name__ in said
    assert "plain LiteLLM took over" in said
    assert seam.versions()["litellm"] in said


@pytest.mark.parametrize("error", GLUE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", ["fill", "holes", "compile_template", "_read"])
def test_a_fast_lane_that_breaks_gives_way_to_the_safe_one(
    error: Exception, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever in the fast lane it happens: no call is lost, none is made twice."""
    if place == "fill":
        monkeypatch.setattr(Template, "fill", raising(error))
    else:
        monkeypatch.setattr(fast_lane, place, raising(error))
    with serve() as server:
        made = model(server, tmp_path)
        assert texts(made) == ["ok"] * 4
        assert server.n_calls == 4
    assert [note for note in made.notes if note.startswith("warning: the fast lane")]
    assert made.lane in ("fast", "safe")


def test_a_broken_lane_is_remembered_and_tried_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run starts in the lane that works; --lane safe tries again."""
    with monkeypatch.context() as broken, serve() as server:
        broken.setattr(lanes, "client_of", raising(TypeError("moved")))
        texts(model(server, tmp_path))
    with serve() as server:
        later, asked = model(server, tmp_path), model(server, tmp_path, "safe")
        assert later.lane == "stock"
        assert texts(later) == ["ok"] * 4
        assert later.notes[0].startswith("warning: the safe lane does not fit LiteLLM")
        assert "until --lane safe finds" in later.notes[0]
        assert asked.lane == "safe"
        assert texts(asked) == ["ok"] * 4
        assert asked.lane == "safe"
        assert model(server, tmp_path).lane == "fast"


def test_a_log_that_no_longer_fits_costs_the_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The safe lane goes on with LiteLLM's own log, slower, and the probe has seen that it must."""
    monkeypatch.setattr(_litellm, "no_op_log", lambda: lambda model, kind: object())
    with serve() as server:
        made = model(server, tmp_path, "safe")
        assert texts(made) == ["ok"] * 4
    assert made.lane == "safe"
    assert Verdicts.open(tmp_path).fits == {"openai acompletion": Fit("openai", False)}


def test_what_litellm_itself_refuses_breaks_no_lane(tmp_path: Path) -> None:
    """A request that plain LiteLLM will not have either is the request's fault."""
    with serve() as server:
        made = model(server, tmp_path, "safe", "anthropic/claude-3-opus-20240229")
        request = ask("hi", response_format="nonsense")

        async def work() -> list[CallError]:
            found = []
            for _ in range(2):
                with pytest.raises(CallError) as caught:
                    await made.generate(request)
                found.append(caught.value)
            found.append((await made.generate(ask("fine"))).text)  # type: ignore[arg-type]
            await made.aclose()
            return found

        first, second, answer = asyncio.run(work())
        assert server.n_calls == 1
    assert answer == "ok"
    assert (first.kind, str(first)) == (second.kind, str(second))
    assert made.lane == "safe"


def test_a_good_reply_that_litellm_cannot_read_is_read_without_it(tmp_path: Path) -> None:
    """Groq's replies without a service tier, on which LiteLLM itself fails: paid once, read, and said."""
    with serve(lambda call: "42") as server:
        made = model(server, tmp_path, "safe", "groq/llama-3")
        assert texts(made, 2) == ["42", "42"]
        assert server.n_calls == 2
    (said,) = [note for note in made.notes if note.startswith("warning")]
    assert "could not read some replies, which were read without it" in said


def test_a_reply_that_nobody_can_read_is_asked_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not eight times: the sample fails, and LiteLLM's error is named as what it is."""
    monkeypatch.setattr(lanes, "read_ourselves", lambda exchange: None)
    with serve(lambda call: "42") as server:
        error = failure(model(server, tmp_path, "safe", "groq/llama-3"))
        assert server.n_calls == 2
    assert (error.kind, error.action) == ("invalid_response", "fail_sample")
    assert "AttributeError" in str(error)
    assert "itself failed" in str(error)
    assert "The answer begins" in str(error)


def test_plain_litellm_that_cannot_read_a_reply_asks_once_more(tmp_path: Path) -> None:
    """In the stock lane nothing is seen of the reply; its own fault shows in what LiteLLM raises."""
    with serve(lambda call: "42") as server:
        error = failure(model(server, tmp_path, "stock", "groq/llama-3"))
        assert server.n_calls == 2
    assert error.action == "fail_sample"


def test_a_probe_reaches_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which client fits is found out without a call, whatever the address of the model."""
    with serve() as server:
        made = model(server, tmp_path, "safe")

        async def probe() -> bool:
            await made._served._ladder.wake()
            made._served._ladder.recall()
            assert made._served._ladder._safe is not None
            fit = await made._served._ladder._safe._fit("acompletion")
            await made.aclose()
            return fit.quiet

        made._served._ladder.recall()
        assert asyncio.run(probe())
        assert (server.n_calls, server.connections) == (0, 0)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"made": 1e99}', b'{"made": 1, "fits": 3}', b"\xff"])
def test_damaged_verdicts_are_none(damage: bytes, tmp_path: Path) -> None:
    """A file that cannot be read is found out again."""
    kept = Verdicts.open(tmp_path)
    kept.fits["openai acompletion"] = Fit("openai", True)
    kept.keep()
    assert Verdicts.open(tmp_path).fits == kept.fits
    assert kept.path is not None
    kept.path.write_bytes(damage)
    again = Verdicts.open(tmp_path)
    assert (again.fits, again.broken) == ({}, {})


def test_models_on_plain_litellm_share_its_connections_and_close_them_last() -> None:
    """One model's end does not close what another still uses, and a second run in the process works."""
    with serve() as server:
        first, second = model(server, None, "stock"), model(server, None, "stock")

        async def work() -> None:
            assert (await first.generate(ask())).text == "ok"
            assert (await second.generate(ask())).text == "ok"
            await first.aclose()
            assert (await second.generate(ask())).text == "ok"
            await second.aclose()

        asyncio.run(work())
        assert texts(model(server, None, "stock"), 1) == ["ok"]


@pytest.mark.parametrize("lane", ["safe", "fast"])
@pytest.mark.parametrize("route", ["openai/gpt-4", "hosted_vllm/llama"])
def test_a_crowd_of_first_calls_waits_for_one_probe(route: str, lane: str, tmp_path: Path) -> None:
    """Sixty-four calls at once, as a run begins: none takes the lane for broken before it has been tried."""
    with serve() as server:
        made = model(server, tmp_path, lane, route)
        found = run(made, *[ask(f"q{number}") for number in range(64)])
        assert server.n_calls == 64
    assert {response.text for response in found} == {"ok"}
    assert made.lane == lane
    assert not [note for note in made.notes if note.startswith("warning")]


def test_what_litellm_says_of_two_requests_may_differ_in_its_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An odd request that LiteLLM refuses with an address of memory in its words costs no lane."""
    litellm = _litellm.load()
    plain = litellm.acompletion

    async def odd(**given: Any) -> Any:
        if given["messages"][-1]["content"] == "odd":
            raise TypeError(f"cannot send {object()!r}")
        return await plain(**given)

    monkeypatch.setattr(litellm, "acompletion", odd)
    with serve() as server:
        made = model(server, tmp_path, "safe")

        async def work() -> None:
            for text, fails in (("fine", False), ("odd", True), ("odd", True), ("fine", False)):
                if not fails:
                    assert (await made.generate(ask(text))).text == "ok"
                    continue
                with pytest.raises(CallError) as caught:
                    await made.generate(ask(text))
                assert caught.value.kind == "litellm"
            await made.aclose()

        asyncio.run(work())
        assert server.n_calls == 2
    assert made.lane == "safe"


def test_verdicts_do_not_grow_younger(tmp_path: Path) -> None:
    """What is found out later does not keep what was found out first beyond its week."""
    first = Verdicts.open(tmp_path)
    first.broken["safe openai"] = "moved"
    first.made = 1.0 + time.time() - 7 * 24 * 3600
    first.keep()
    second = Verdicts.open(tmp_path)
    assert second.broken
    second.fits["mistral acompletion"] = None
    second.keep()
    assert second.made == first.made


@pytest.mark.parametrize("broken", ["load", "get_llm_provider", "get_supported_openai_params"])
def test_a_litellm_that_cannot_even_be_asked_is_named(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that fails, or a name that is gone, is the fault of no server and of no code of the model."""
    error = ImportError("cannot import name X from pydantic")
    if broken == "load":
        monkeypatch.setattr(_litellm, "load", raising(error))
    else:
        monkeypatch.setattr(_litellm.load(), broken, raising(error))
    with serve() as server:
        caught = failure(model(server, tmp_path))
        assert server.n_calls == 0
    assert caught.kind == "litellm"
    assert f"LiteLLM {seam.versions()['litellm']} itself" in str(caught)
    assert "cannot import name X" in str(caught)


def test_connections_that_litellm_cannot_close_end_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered stays answered."""
    litellm = _litellm.load()
    close = litellm.close_litellm_async_clients

    async def fails_at_the_end() -> None:
        await close()
        raise RuntimeError("the loop is closed")

    monkeypatch.setattr(litellm, "close_litellm_async_clients", fails_at_the_end)
    with serve() as server:
        assert texts(model(server, None, "stock"), 1) == ["ok"]


def test_that_no_client_fits_is_found_out_anew(tmp_path: Path) -> None:
    """A probe that failed on a bad day does not leave a provider to plain LiteLLM for a week."""
    kept = Verdicts.open(tmp_path)
    kept.fits |= {"openai acompletion": Fit("openai", True), "mistral acompletion": None}
    kept.keep()
    assert Verdicts.open(tmp_path).fits == {"openai acompletion": Fit("openai", True)}
