"""Invented rows in the shape of each public data set: the columns that the hub gives, none of its content."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from evalkit.tasks.discovery import bundled_folder

Row = Mapping[str, Any]
Maker = Callable[[int], Row]
"""The row of a number; different numbers give different rows."""

LANGUAGES = ("eng_Latn", "deu_Latn", "arb_Arab", "zho_Hans", "jpn_Jpan")


def _arc(n: int) -> Row:
    numbered = n % 2 == 1
    return {
        "id": f"INVENTED_{n}",
        "question": f"Which of these is invented number {n}?",
        "choices": {
            "text": [f"thing {n}-{m}" for m in range(4)],
            "label": list("1234" if numbered else "ABCD"),
        },
        "answerKey": "1234"[n % 4] if numbered else "ABCD"[n % 4],
    }


def _hellaswag(n: int) -> Row:
    return {
        "ind": n,
        "activity_label": "Baking bread",
        "ctx_a": f"A woman kneads {n + 2} loaves [step] on a table.",
        "ctx_b": "she",
        "ctx": f"A woman kneads {n + 2} loaves [step] on a table. she",
        "endings": [f"does thing {m} with all {n + 2} of them." for m in range(4)],
        "source_id": "invented",
        "split": "val",
        "split_type": "indomain",
        "label": str(n % 4),
    }


def _winogrande(n: int) -> Row:
    return {
        "sentence": f"Lamp {n} did not fit into the box because the _ was too tall.",
        "option1": f"lamp {n}",
        "option2": "box",
        "answer": str(n % 2 + 1),
    }


def _truthful_mc(n: int) -> Row:
    texts = [f"Answer {m} to question {n}" for m in range(5 - n % 3)]
    return {
        "question": f"What happens {n} times?",
        "mc1_targets": {"choices": texts, "labels": [1] + [0] * (len(texts) - 1)},
        "mc2_targets": {"choices": texts, "labels": [1] + [0] * (len(texts) - 1)},
    }


def _truthful_gen(n: int) -> Row:
    return {
        "type": "Adversarial",
        "category": "Health",
        "question": f"What happens after {n} days?",
        "best_answer": f"Nothing happens after {n} days",
        "correct_answers": [f"Nothing happens after {n} days", "It does no harm"],
        "incorrect_answers": ["You get ill"],
        "source": "https://example.org",
    }


def _squad(n: int, answerable: bool = True) -> Row:
    return {
        "id": f"invented-{n}",
        "title": f"Lighthouse {n % 2}",
        "context": f"Lighthouse {n} was built in {1870 + n} by the engineer Ada Brink.",
        "question": f"Who built lighthouse {n}?" if answerable else f"Who painted lighthouse {n}?",
        "answers": {
            "text": ["Ada Brink", "the engineer Ada Brink"] if answerable else [],
            "answer_start": [40, 27] if answerable else [],
        },
    }


def _drop(n: int) -> Row:
    none = {"day": "", "month": "", "year": ""}
    number = {"number": str(n + 7), "date": none, "spans": []}
    spans = {"number": "", "date": none, "spans": ["Ada Brink", "Tom Reed"]}
    date = {"number": "", "date": {"day": "3", "month": "May", "year": "1870"}, "spans": []}
    answer = (number, spans, date)[n % 3]
    return {
        "section_id": "invented_1",
        "query_id": f"invented-1-{n}",
        "passage": f"Orm had {n} boats in 1870. Ten years later it had {2 * n + 7}.",
        "question": f"How many boats did Orm gain, asked for the time number {n}?",
        "answer": {**answer, "worker_id": "", "hit_id": ""},
        "validated_answers": {key: [answer[key]] for key in ("number", "date", "spans")},
    }


def _mbpp(n: int) -> Row:
    return {
        "task_id": 9000 + n,
        "text": f"Write a function to add {n} to a number.",
        "code": f"def add(x):\r\n  return x + {n}",
        "test_list": [f"assert add(2) == {2 + n}", f"assert add(0) == {n}"],
        "test_setup_code": "",
        "challenge_test_list": [],
    }


def _humaneval(n: int) -> Row:
    return {
        "task_id": f"Invented/{n}",
        "prompt": f'def add(x: int) -> int:\n    """x and {n}."""\n',
        "canonical_solution": f"    return x + {n}\n",
        "test": f"def check(candidate):\n    assert candidate(2) == {2 + n}\n",
        "entry_point": "add",
    }


def _ifeval(n: int) -> Row:
    return {
        "key": n,
        "prompt": f"Write a note number {n} in at least 3 words. Do not use any commas.",
        "instruction_id_list": ["length_constraints:number_words", "punctuation:no_comma"],
        "kwargs": [{"relation": "at least", "num_words": 3, "keywords": None}, {"num_words": None}],
    }


def _exam(n: int) -> Row:
    return {
        "id": n,
        "question": f"下列第{n}组中，正确的是____",
        **{letter: f"第{n}组选项{letter}" for letter in "ABCD"},
        "answer": "ABCD"[n % 4],
        "explanation": "",
    }


def _cmmlu(n: int) -> Row:
    return {key.capitalize(): value for key, value in _exam(n).items() if key not in ("id", "explanation")}


def _chinese_reading(n: int) -> Row:
    return {
        "id": f"INVENTED_{n}_QUERY_0",
        "context": f"奥姆灯塔{n}号建于{1870 + n}年，由工程师阿达设计。",
        "question": f"{n}号灯塔是谁设计的？",
        "answers": {"text": ["阿达", "工程师阿达"], "answer_start": [14, 11]},
    }


def _c3(n: int) -> Row:
    options = ["星期五", "星期六", "星期日", "星期一"][: 4 - n % 2]
    return {
        "id": 7,  # the passage's number on the hub: several questions share it
        "context": [f"女：灯塔{n}号今天开门吗？", "男：冬天只有周六开，你明天再来吧。"],
        "question": "今天最可能是星期几？",
        "choice": options,
        "answer": options[n % len(options)],
    }


def _bbh(name: str) -> Maker:
    """Rows of a subtask: the worked examples that were written for it have its columns."""
    file = bundled_folder() / "bbh" / "few_shot" / f"{name.removeprefix('bbh_')}.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return lambda n: {
        "input": f"{rows[n % 2]['input']}{' ' * (n // 2)}",
        "target": rows[n % 2]["target"],
    }


def _labelled(column: str, n_labels: int) -> Maker:
    return lambda n: {column: f"This is text number {n} and it says little.", "label": n % n_labels}


MAKERS: Mapping[str, Maker] = {
    "ag_news": _labelled("text", 4),
    "arc_challenge": _arc,
    "arc_easy": _arc,
    "boolq": lambda n: {
        "question": f"can swan {n} fly",
        "answer": n % 2 == 0,
        "passage": f"Swan {n} is a bird.",
    },
    "c3": _c3,
    "ceval": _exam,
    "cmmlu": _cmmlu,
    "cmrc2018": _chinese_reading,
    "cnn_dailymail": lambda n: {
        "article": f"(CNN) Harbour {n} of Orm will be closed. Repairs take {n + 6} weeks.",
        "highlights": f"Harbour {n} of Orm closes .\nRepairs take {n + 6} weeks .",
        "id": f"{n:040}",
    },
    "drcd": _chinese_reading,
    "drop": _drop,
    "flores": lambda n: {
        "id": n,
        "URL": "https://example.org",
        "domain": "wikinews",
        "topic": "travel",
        **{f"sentence_{code}": f"Invented sentence number {n} written for {code}." for code in LANGUAGES},
    },
    "gsm8k": lambda n: {
        "question": f"A gardener plants 6 rows of {n + 400} tulips. How many are there?",
        "answer": f"6*{n + 400} = <<6*{n + 400}={6 * n + 2400}>>{6 * n + 2400}\n#### {6 * n + 2400:,}",
    },
    "hellaswag": _hellaswag,
    "humaneval": _humaneval,
    "ifeval": _ifeval,
    "imdb": lambda n: {"text": f"I went in {n} times.<br />And came out again.", "label": n % 2},
    "lambada": lambda n: {
        "text": f"Mara opened case number {n}, and there it was, the vio{'lin' * (n + 1)}."
    },
    "lcsts": lambda n: {
        "human_label": 5,
        "text": f"因东堤裂缝，奥姆港{n}号码头下周停航六周。",
        "summary": f"奥姆港{n}号码头停航六周",
    },
    "mbpp": _mbpp,
    "mgsm": lambda n: {
        "question": f"Frage: Wie viel ist {n} plus {n}?",
        "answer": f"Schritt-für-Schritt-Antwort: {n} + {n} = {2 * n}. Die Antwort ist {2 * n}.",
        "answer_number": 2 * n,
        "equation_solution": None,
    },
    "mmlu": lambda n: {
        "question": f"Which bone is number {n}?",
        "subject": "anatomy",
        "choices": [f"bone {n}-{m}" for m in range(4)],
        "answer": n % 4,
    },
    "nq_open": lambda n: {"question": f"who built lighthouse {n}", "answer": [f"Ada {n}", "Ada Brink"]},
    "piqa": lambda n: {
        "goal": f"To keep book {n} open",
        "sol1": f"lay ruler {n} across its pages.",
        "sol2": f"lay ruler {n} beside it.",
        "label": n % 2,
    },
    "squad_v1": _squad,
    "squad_v2": lambda n: _squad(n, answerable=n % 2 == 0),
    "sst2": lambda n: {"idx": n, **_labelled("sentence", 2)(n)},
    "triviaqa": lambda n: {
        "question": f"Which river is number {n}?",
        "question_id": f"invented_{n}",
        "answer": {
            "aliases": [f"Lenn {n}", "River Lenn"],
            "normalized_aliases": [f"lenn {n}", "river lenn"],
            "value": f"River Lenn {n}",
        },
    },
    "truthfulqa_gen": _truthful_gen,
    "truthfulqa_mc": _truthful_mc,
    "tweeteval": _labelled("text", 4),
    "wikitext": lambda n: {"page": f" = Lighthouse {n} = \n\n It is {n + 1} @.@ 5 m high , they say . \n"},
    "winogrande": _winogrande,
    "wmt": lambda n: {"source": f"Satz {n}.", "references": [f"This is sentence {n}.", f"Sentence {n}."]},
    "xsum": lambda n: {
        "document": f"Harbour {n} of Orm will be closed for {n + 6} weeks.",
        "summary": f"Harbour {n} is to be closed for {n + 6} weeks.",
        "id": f"9000000{n}",
    },
}
"""Task or group -> the maker of its rows."""


def rows_of(name: str, group: str | None, labels: int, start: int, count: int) -> list[Row]:
    """Rows from `start` on in the shape of a task's data set; labels are taken in turn."""
    make = MAKERS.get(name) or MAKERS.get(group or "") or _bbh(name)
    if group == "tweeteval":
        make = _labelled("text", labels)
    return [make(number) for number in range(start, start + count)]
