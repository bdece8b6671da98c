"""Run folders as the tests of the pages want them: all kinds of models, trouble, hostile strings."""

# ruff: noqa: E501
from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.core.records import (
    CellResult,
    Counts,
    Latency,
    Loglikelihood,
    Message,
    MetricValue,
    ModelInfo,
    Response,
    ResponseError,
    Run,
    SampleResult,
    Scale,
    TaskInfo,
    Usage,
    digest,
)
from evalkit.stats import mean_interval
from evalkit.store.folders import RunWriter, StoredRun, load_run

HOSTILE = (
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror='window.hacked=1'>",
    "<svg onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "{{ 7*7 }}{% raw %}${7*7}",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "user\u202etxt.exe \u2066isolated",
    "NUL\x00 and \ud800 lone",
    '" onmouseover="window.hacked=1',
    "<!--<script>",
    "[link](javascript:alert(1)) [bold]x[/bold]",
    "=1+1",
)
"""Strings that must stay text wherever a page shows them."""


@dataclass(frozen=True)
class Item:
    """A sample of a made-up task."""

    question: str
    target: str
    wrong: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class MadeTask:
    """A made-up task."""

    name: str
    language: str
    tags: tuple[str, ...]
    description: str
    headline: str
    kind: str
    chance: float | None
    items: tuple[Item, ...]
    prompts: Mapping[str, str]
    scale: Scale = "fraction"
    n: int = 48


TASKS = (
    MadeTask(
        "arithmetic_en",
        "en",
        ("reasoning", "math"),
        "Solve an everyday word problem and give the number.",
        "exact_match",
        "generate",
        0.0,
        (
            Item(
                "A bakery sells 14 loaves in the morning and twice as many in the afternoon. How many in all?",
                "42",
                "28",
            ),
            Item("Mei saves 35 dollars a week. After how many weeks has she saved 420 dollars?", "12", "14"),
            Item(
                "A train leaves at 8:40 and arrives at 11:15. How many minutes does it travel?", "155", "175"
            ),
        ),
        {
            "zero_shot": "Solve the problem. Answer with the number only.\n\nQuestion: {{ question }}\nAnswer:",
            "cot": "Question: {{ question }}\nLet's think step by step.",
            "few_shot": "{{ examples }}\nQuestion: {{ question }}\nAnswer:",
        },
    ),
    MadeTask(
        "sentiment_zh",
        "zh",
        ("classification",),
        "判断一段中文评论的情感：积极或消极。",
        "accuracy",
        "generate",
        0.5,
        (
            Item("这家餐厅的服务员态度很好，菜也上得快，下次还会带朋友来。", "积极", "消极"),
            Item("屏幕用了两周就出现亮线，客服一直推脱，实在让人失望。", "消极", "积极"),
            Item("说是“震撼巨制”，看完只觉得震撼于票价。", "消极", "积极"),
        ),
        {
            "zero_shot": "判断下面评论的情感，只回答“积极”或“消极”。\n\n评论：{{ text }}\n情感：",
            "few_shot": "{{ examples }}\n评论：{{ text }}\n情感：",
        },
    ),
    MadeTask(
        "everyday_choice_en",
        "en",
        ("multiple_choice", "common_sense", "reasoning"),
        "Pick the right one of four answers to a question of everyday knowledge.",
        "accuracy",
        "choice",
        0.25,
        (
            Item(
                "Why do people put salt on icy roads?",
                "It lowers the freezing point of water",
                "It makes the road darker",
                (
                    "It makes the road darker",
                    "It lowers the freezing point of water",
                    "It feeds the grass",
                    "It keeps birds away",
                ),
            ),
            Item(
                "What should you check before crossing a street?",
                "That no car is coming",
                "That your shoes are clean",
                (
                    "That no car is coming",
                    "That your shoes are clean",
                    "That the shops are open",
                    "That it is noon",
                ),
            ),
        ),
        {"zero_shot": "Question: {{ question }}\nAnswer:"},
    ),
    MadeTask(
        "reading_zh",
        "zh",
        ("question_answering", "reading"),
        "根据短文用原文中的词语回答问题。",
        "f1",
        "generate",
        0.0,
        (
            Item(
                "短文：景德镇位于江西省东北部，自宋代起以制瓷闻名，当地出产的高岭土是制作细瓷的主要原料。\n问题：制作细瓷的主要原料是什么？",
                "高岭土",
                "江西的泥土",
            ),
            Item(
                "短文：候鸟每年秋季南飞，鄱阳湖是白鹤最大的越冬地。\n问题：白鹤在哪里越冬？", "鄱阳湖", "南方"
            ),
        ),
        {
            "zero_shot": "{{ passage }}\n\n问题：{{ question }}\n回答：",
            "chat": "[system] 你是细心的读者。\n[user] …",
        },
    ),
    MadeTask(
        "translation_zh_en",
        "zh",
        ("translation",),
        "Translate a Chinese sentence into English.",
        "bleu",
        "generate",
        None,
        (
            Item(
                "会议推迟到下周三上午九点。",
                "The meeting has been put off to nine o'clock next Wednesday morning.",
                "Meeting is delayed.",
            ),
            Item(
                "他把伞忘在地铁上了。",
                "He left his umbrella on the underground.",
                "He forgot the umbrella at subway.",
            ),
        ),
        {"zero_shot": "把下面的句子翻译成英文。\n\n{{ source }}"},
        scale="percent",
        n=40,
    ),
    MadeTask(
        "summarisation_en",
        "en",
        ("summarisation",),
        "Summarise a passage in one or two sentences.",
        "rougeL",
        "generate",
        None,
        (
            Item(
                "The town of Millbrook has closed its last cinema after ninety years. The owners blame the roof, which "
                "would have cost more to mend than the house takes in within ten years. A group of residents is "
                "collecting money to reopen it as a co-operative.",
                "Millbrook's last cinema has closed because its roof is too costly; residents hope to reopen it.",
                "A cinema is in a town.",
            ),
        ),
        {"zero_shot": "Summarise the text in one or two sentences.\n\n{{ text }}"},
        n=20,
    ),
    MadeTask(
        "facts_en",
        "en",
        ("knowledge", "question_answering"),
        "Answer a general-knowledge question from memory in a few words.",
        "exact_match",
        "generate",
        0.0,
        (
            Item("Which river flows through Vienna?", "Danube", "Rhine"),
            Item("What is the chemical symbol of tungsten?", "W", "Tu"),
        ),
        {"zero_shot": "Answer with the answer alone.\n\nQuestion: {{ question }}\nAnswer:"},
    ),
    MadeTask(
        "language_modelling_zh",
        "zh",
        ("language_modelling",),
        "对一段中文散文逐字计算困惑度。",
        "bits_per_byte",
        "perplexity",
        None,
        (Item("江南的雨总是下得很轻，像是怕惊动了谁。石板路上积着浅浅的水，映出屋檐下的灯笼。", "", ""),),
        {"text": "{{ text }}"},
        scale="unbounded",
        n=12,
    ),
)

MODELS: Mapping[str, tuple[float, float | None, float]] = {
    "openai/gpt-4": (0.93, 0.00042, 0.92),
    "llama3": (0.78, 0.000012, 0.31),
    "anthropic/claude-sonnet-4-5": (0.92, 0.00031, 1.4),
    "hf/Qwen/Qwen2.5-7B-Instruct": (0.83, 0.000021, 0.12),
    "baseline/majority": (0.34, None, 0.0),
    "baseline/random": (0.22, None, 0.0),
}
"""Model -> skill, price of a call, latency."""


def build_run(
    root: Path,
    id: str = "2025-11-21_demo",
    models: tuple[str, ...] = tuple(MODELS),
    tasks: tuple[MadeTask, ...] = TASKS,
    *,
    hostile: bool = False,
    status: Any = "complete",
    created: str = "2025-11-21T22:40:00Z",
    n: int | None = None,
) -> ReadRun:
    """A run folder below `root`, read back."""
    writer = RunWriter(root / id)
    cells: list[CellResult] = []
    for task in tasks:
        for model in models:
            if task.kind == "perplexity" and not model.startswith(("hf/", "baseline/majority")):
                continue
            for variant in task.prompts:
                slug = f"{len(cells):03d}"
                results = [_result(task, model, variant, index, hostile) for index in range(n or task.n)]
                sink = writer.cell(slug)
                for position, result in enumerate(results):
                    sink.append(position, result)
                sink.close()
                cells.append(_cell(task, model, variant, slug, results))
    run = Run(
        id=id,
        name="",
        created=created,
        version="0.1.0",
        git={"commit": "5fdee160c1a9d0b6", "dirty": True},
        command=f"evalkit run --models {','.join(models[:3])} --tasks all",
        status=status,
        seed=0,
        limit=None,
        duration_s=83.4,
        tasks={task.name: _info(task, n or task.n) for task in tasks},
        models={model: _model(model) for model in models},
        cells=tuple(cells),
        versions={"sacrebleu": "2.5.1", "rouge-score": "0.1.2"},
    )
    writer.write(run)
    return ReadRun(load_run(root / id).run, root / id)


@dataclass
class ReadRun(StoredRun):
    """A stored run whose samples are read once, since many tests look at the same ones."""

    read: dict[str, list[SampleResult]] = field(default_factory=dict)

    def samples(self, slug: str) -> Iterator[SampleResult]:
        """The results of a cell."""
        if slug not in self.read:
            self.read[slug] = list(super().samples(slug))
        return iter(self.read[slug])

    def but(self, **changes: Any) -> ReadRun:
        """The run, changed."""
        return ReadRun(replace(self.run, **changes), self.folder, read=self.read)


def hostile_run(root: Path, id: str = "hostile") -> ReadRun:
    """A run in which names, prompts, answers and metadata are all hostile."""
    tasks = tuple(
        MadeTask(
            f"{text.encode('utf-8', 'replace').decode()}/{number}",
            "en",
            (text.encode("utf-8", "replace").decode(),),
            text.encode("utf-8", "replace").decode(),
            "exact_match",
            "generate",
            0.0,
            tuple(Item(clean(other), clean(other), clean(other)) for other in HOSTILE),
            {"zero_shot": clean(text), clean(text): clean(text)},
            n=len(HOSTILE),
        )
        for number, text in enumerate(HOSTILE[:2])
    )
    return build_run(root, id, tuple(clean(text) for text in HOSTILE), tasks, hostile=True)


def clean(text: str) -> str:
    """The text without lone surrogates, which no file of the store can hold."""
    return text.encode("utf-8", "replace").decode()


def _model(name: str) -> ModelInfo:
    skill = MODELS.get(name)
    route = "ollama_chat/llama3" if name == "llama3" else name
    return ModelInfo(
        name=name,
        asked=name,
        route=route,
        provider=route.partition("/")[0],
        capabilities=("generate", "chat"),
        price={"input": 3e-6, "output": 1.5e-5, "date": "2025-11-01"} if skill and skill[1] else None,
    )


def _info(task: MadeTask, n: int) -> TaskInfo:
    return TaskInfo(
        name=task.name,
        description=task.description,
        language=task.language,
        kind=task.kind,
        tags=task.tags,
        version="1",
        license="CC0-1.0",
        source="Written for evalkit.",
        digest=digest(task.name),
        data_revision=digest(task.description),
        n_samples=n,
        n_total=n,
        chance=task.chance,
        headline=task.headline,
        labels=tuple(dict.fromkeys(i.target for i in task.items)) if "classification" in task.tags else (),
        prompts=task.prompts,
    )


def _result(task: MadeTask, model: str, variant: str, index: int, hostile: bool) -> SampleResult:
    random_ = random.Random(f"{task.name}:{model}:{variant}:{index}")
    hard = random.Random(f"{task.name}:{index}").random()
    skill, price, latency = MODELS.get(model, (0.5, 0.001, 0.5))
    skill += {"cot": 0.05, "few_shot": 0.03, "chat": -0.04}.get(variant, 0.0)
    if task.language == "zh" and model == "llama3":
        skill -= 0.17
    item = task.items[index % len(task.items)]
    right = random_.random() * 0.6 + hard * 0.4 < skill
    roll = random_.random()
    common: dict[str, Any] = {
        "sample_id": f"{task.name.partition('_')[0]}-{index + 1:03d}"
        if not hostile
        else f"{index}:{item.question}",
        "repeat": 0,
        "request_digest": digest([task.name, model, variant, index]),
        "messages": (
            Message("system", "You are careful." if task.language == "en" else "你是一个认真的助手。"),
            Message("user", task.prompts[variant].split("{{")[0] + item.question),
        ),
        "target": (item.target,) if item.target else (),
        "choices": item.choices,
        "metadata": {"difficulty": round(hard, 2)} if not hostile else {item.question: [item.question]},
    }
    if task.kind == "perplexity":
        nll = 55.0 + 20 * hard + (0 if model.startswith("hf") else 60)
        return SampleResult(
            **{**common, "messages": ()},
            response=Response(loglikelihoods=(Loglikelihood(-nll, 42),)),
            answer=None,
            rule=None,
            span=None,
            scores={task.headline: None, "perplexity": None},
            stats={task.headline: (nll, 120.0)},
        )
    if model == "llama3" and roll < 0.02:
        return SampleResult(
            **common,
            response=Response(
                status="error",
                error=ResponseError(
                    "timeout", "litellm.Timeout: no answer within 60 s from http://localhost:11434"
                ),
                retries=3,
            ),
            answer=None,
            rule=None,
            span=None,
            scores={task.headline: None},
            stats={},
            unscored_reason="timeout",
        )
    answer = item.target if right else item.wrong
    if task.kind == "choice":
        best = item.choices.index(answer)
        return SampleResult(
            **common,
            response=Response(
                loglikelihoods=tuple(
                    Loglikelihood(-4.0 - 3.0 * random_.random() + (3.5 if i == best else 0), 7)
                    for i in range(len(item.choices))
                ),
                latency_s=latency or None,
                cost_usd=price,
                usage=Usage(64, 1),
            ),
            answer=answer,
            rule="loglikelihood",
            span=None,
            scores={task.headline: float(right)},
            stats={},
        )
    lead = {
        "en": ["Let me work it out.\n", "The answer is ", "", "Sure! "],
        "zh": ["我们来分析一下：\n", "答案是：", "", "好的，"],
    }[task.language][index % 4]
    if variant == "cot":
        lead = "First, we write down what is known. Then we compute step by step.\nThe answer is "
    text: str = f"{lead}{answer}."
    found: str | None = answer
    state: Any = "ok"
    if model == "llama3" and roll > 0.95:
        text, found, right, state = (
            f"{lead} I would say it depends on what is meant by",
            None,
            False,
            "truncated",
        )
    elif model.startswith("anthropic") and roll > 0.985:
        text, found, right, state = "I can't help with that request.", None, False, "refused"
    if hostile:
        text = f"before {item.question} after"
        found = item.question
    span = None if found is None or found not in text else (text.index(found), text.index(found) + len(found))
    graded = task.headline in ("f1", "rougeL", "bleu")
    value = (
        float(right)
        if not graded
        else round((0.8 if right else 0.2) + 0.2 * random_.random() * (1 if not right else 0.9), 4)
    )
    if graded and task.headline == "f1" and right:
        value = 1.0
    scale = 100.0 if task.scale == "percent" else 1.0
    return SampleResult(
        **common,
        response=Response(
            status=state,
            text=text,
            reasoning="The user asks for a number. 14 + 28 = 42." if model.startswith("anthropic") else None,
            finish_reason="length" if state == "truncated" else "stop",
            usage=Usage(
                96 + len(item.question) // 3,
                len(text) // 3 + 1,
                11 if model.startswith("anthropic") else None,
            ),
            cost_usd=price,
            latency_s=round(latency * (0.6 + random_.random()), 4) or None,
            from_cache=model == "openai/gpt-4" and roll < 0.3,
            model_reported="gpt-4-0613" if model == "openai/gpt-4" else None,
        ),
        answer=found,
        rule=None if found is None else ("number:last" if task.name.startswith("arith") else "first_line"),
        span=span,
        scores={
            task.headline: (0.0 if found is None else value) * scale,
            **({"f1": float(right)} if task.headline == "exact_match" else {}),
        },
        stats={},
    )


def _cell(task: MadeTask, model: str, variant: str, slug: str, results: list[SampleResult]) -> CellResult:
    scored = [result for result in results if result.unscored_reason is None]
    metrics: dict[str, MetricValue] = {}
    scale = 100.0 if task.scale == "percent" else 1.0
    if task.kind == "perplexity":
        nll = sum(result.stats[task.headline][0] for result in scored)
        size = sum(result.stats[task.headline][1] for result in scored)
        value = nll / size / 0.6931
        metrics[task.headline] = MetricValue(
            value,
            0.03,
            (value - 0.07, value + 0.07),
            "jackknife-t-log",
            len(scored),
            "bits_per_byte|v:1",
            False,
            "unbounded",
        )
        metrics["perplexity"] = MetricValue(
            412.7,
            31.0,
            (355.1, 480.2),
            "jackknife-t-log",
            len(scored),
            "perplexity|unit:token|v:1",
            False,
            "unbounded",
        )
    else:
        for name in scored[0].scores:
            values = np.array([result.scores[name] or 0.0 for result in scored]) / scale
            found = mean_interval(values)
            bounds = None if found.lo is None or found.hi is None else (found.lo * scale, found.hi * scale)
            metrics[name] = MetricValue(
                value=found.value * scale,
                stderr=None if found.stderr is None else found.stderr * scale,
                interval=bounds,
                interval_method="jackknife-t" if name == "bleu" else "gaffke",
                n=len(scored),
                signature=f"{name}|lang:{task.language}|norm:squad|v:evalkit-0.1.0",
                higher_is_better=True,
                scale=task.scale,
            )
    responses = [result.response for result in results]
    times = sorted(r.latency_s for r in responses if r.latency_s and not r.from_cache)
    inputs = [r.usage.input for r in responses if r.usage.input is not None]
    outputs = [r.usage.output for r in responses if r.usage.output is not None]
    costs = [r.cost_usd for r in responses if not r.from_cache and r.status != "error"]
    known = bool(costs) and None not in costs
    cached = [r for r in responses if r.from_cache]
    return CellResult(
        model=model,
        task=task.name,
        variant=variant,
        slug=slug,
        mode={"perplexity": "rolling", "choice": "loglikelihood"}.get(task.kind, "generate"),
        num_fewshot=3 if variant == "few_shot" else 0,
        repeats=1,
        params={"temperature": 0, "max_tokens": 64},
        prompt_digest=digest([task.name, variant]),
        data_digest=digest([task.name, len(results)]),
        counts=Counts(
            samples=len(results),
            scored=len(scored),
            unscored=len(results) - len(scored),
            no_answer=sum(r.answer is None and r.response.text is not None for r in results),
            refused=sum(r.status == "refused" for r in responses),
            truncated=sum(r.status == "truncated" for r in responses),
            errors=sum(r.status == "error" for r in responses),
            cached=len(cached),
        ),
        metrics=metrics,
        usage=Usage(sum(inputs) if inputs else None, sum(outputs) if outputs else None),
        cost_usd=sum(cost for cost in costs if cost) if known else None,
        cost_cached_usd=sum(r.cost_usd or 0.0 for r in cached) if cached else None,
        latency=Latency(
            mean=sum(times) / len(times), p50=times[len(times) // 2], p95=times[int(len(times) * 0.95)]
        )
        if times
        else Latency(),
    )
