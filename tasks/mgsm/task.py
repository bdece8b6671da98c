"""MGSM comes from the hub with four columns, or from the authors as TSV without a head."""

import csv
import re

from evalkit.tasks.data import read_rows


def load_samples(path):
    """The rows of a local file: the authors' TSV (question, number), or any file with the hub's columns."""
    if path.suffix != ".tsv":
        yield from read_rows(path)
        return
    with path.open(encoding="utf-8", newline="") as file:
        for question, number in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield {"question": question, "answer_number": number}


def map_row(row):
    """question, number, and for worked problems the steps, without the labels before them."""
    return {
        "question": _unlabelled(row["question"]),
        "number": str(row["answer_number"]).replace(",", ""),
        "rationale": _unlabelled(row.get("answer") or ""),
    }


LABELS = (
    *("Question", "Frage", "Pregunta", "Задача", "问题", "問題", "Swali", "ప్రశ్న", "โจทย์", "প্রশ্ন"),
    *("Step-by-Step Answer", "Schritt-für-Schritt-Antwort", "Respuesta paso a paso"),
    *("Réponse étape par étape", "Пошаговоерешение", "Пошаговое решение", "逐步解答", "ステップごとの答え"),
    *("Jibu la Hatua kwa Hatua", "దశలవారీగా సమాధానం", "คำตอบทีละขั้นตอน", "ধাপে ধাপে উত্তর"),
)
_LABEL = re.compile(rf"({'|'.join(map(re.escape, LABELS))})\s*[:：]\s*")


def _unlabelled(text):
    """The text without the label of its language with which it may begin; any other colon is its own."""
    return _LABEL.sub("", text.strip(), count=1) if _LABEL.match(text.strip()) else text.strip()
