"""Requests and scores equal those of lm_eval 0.4.13, byte for byte, on the test tree."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from evalkit.core.errors import PromptError
from evalkit.interop.lm_eval import ChatOptions, DocRequests, LmEvalTask

N_DOCS = 3
KINDS = {"generate": "generate_until", "loglikelihood": "loglikelihood", "rolling": "loglikelihood_rolling"}
TASKS = (
    "choice_columns choice_inputs choice_letters choice_prefix choice_several generate_default "
    "generate_filters generate_prefix generate_several last_word python_filtered python_scored whole_text"
)


def chat_template(messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
    """The template that the golden file was made with."""
    text = "".join(f"<|{m['role']}|>\n{m['content']}<|end|>\n" for m in messages)
    return text + "<|assistant|>\n" if add_generation_prompt else text[: -len("<|end|>\n")]


TURNS, ONE_MESSAGE = ChatOptions(True, chat_template), ChatOptions(False, chat_template)
SETTINGS: dict[str, dict[str, Any]] = {
    "plain 0-shot": {"num_fewshot": 0},
    "plain 5-shot": {"num_fewshot": 5},
    "chat 0-shot": {"num_fewshot": 0, "chat": TURNS},
    "chat 5-shot, turns": {"num_fewshot": 5, "chat": TURNS, "system": "You are careful."},
    "chat 5-shot, one message": {"num_fewshot": 5, "chat": ONE_MESSAGE},
}


def as_arguments(asked: DocRequests) -> list[list[Any]]:
    """The items of a document as lm_eval's request arguments."""
    made = []
    for item in asked.items:
        tail = {"generate": [item.context, dict(item.params)], "rolling": [item.continuation]}
        made.append([KINDS[item.kind], *tail.get(item.kind, [item.context, item.continuation])])
    return made


def test_the_golden_file_covers_the_tree(golden: dict[str, Any]) -> None:
    """The golden file holds every task of the tree, from the version that the package names."""
    assert golden["lm_eval"] == "0.4.13"
    assert sorted(golden["tasks"]) == sorted(TASKS.split())


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", TASKS.split())
def test_requests_equal_those_of_lm_eval(
    name: str, setting: str, load: Callable[..., LmEvalTask], golden: dict[str, Any]
) -> None:
    """Contexts, continuations and generation parameters are the same; where lm_eval fails, we refuse."""
    theirs = golden["tasks"][name]["settings"][setting]
    asked = load(name).requests(limit=N_DOCS, **SETTINGS[setting])
    if theirs is None:
        with pytest.raises(PromptError, match="doc_to_target"):
            list(asked)
        return
    assert json.loads(json.dumps([as_arguments(one) for one in asked])) == theirs


@pytest.mark.parametrize("name", TASKS.split())
def test_scores_equal_those_of_lm_eval(
    name: str, load: Callable[..., LmEvalTask], golden: dict[str, Any]
) -> None:
    """The same responses come to the same numbers and the same standard errors (100 bootstrap replicates)."""
    task = load(name)
    given = golden["tasks"][name]
    scored = []
    for asked, responses in zip(task.requests(0, limit=N_DOCS), given["responses"], strict=True):
        answers = [[tuple(r) if isinstance(r, list) else r] * task.repeats for r in responses]
        scored.append(task.score(asked, answers))
    ours: dict[str, Any] = {}
    for key, (value, stderr) in task.aggregate(scored, bootstrap=100).items():
        metric, _, pipeline = key.rpartition(",")
        ours[key] = value
        ours[f"{metric}_stderr,{pipeline}"] = "N/A" if stderr is None else stderr
    assert ours.keys() == given["scores"].keys()
    for key, theirs in given["scores"].items():
        if isinstance(theirs, str):
            assert ours[key] == theirs, key
        else:
            assert math.isclose(ours[key], theirs, rel_tol=1e-9, abs_tol=1e-12), key


def test_the_real_datasets_package_gives_the_same_prompts(load: Callable[..., LmEvalTask]) -> None:
    """process_docs over `datasets.Dataset` and over our facade come to the same requests."""
    pytest.importorskip("datasets")
    for name in ("python_scored", "python_filtered"):
        ours = [one.items for one in load(name).requests(2)]
        assert [one.items for one in load(name, facade=False).requests(2)] == ours


def test_messages_without_a_template(load: Callable[..., LmEvalTask]) -> None:
    """For a chat server the context is the messages; a gen_prefix is a last message of the assistant."""
    asked = next(iter(load("choice_prefix").requests(1, ChatOptions(), system="Be brief.")))
    context = asked.items[0].context
    assert not isinstance(context, str)
    assert [message.role for message in context] == ["system", "user", "assistant", "user", "assistant"]
    assert context[-1].text == "The answer is"
    assert context[0].text == "Be brief."


def test_asking_twice_gives_the_same(load: Callable[..., LmEvalTask]) -> None:
    """Each call starts the few-shot stream anew; another seed draws other shots."""
    task = load("choice_columns")
    first = [one.items for one in task.requests(3)]
    assert [one.items for one in task.requests(3)] == first
    assert [one.items for one in task.requests(3, seed=1)] != first
    assert [one.items for one in task.requests(3, limit=2)] == first[:2]
