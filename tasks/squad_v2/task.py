"""SQuAD comes from the hub with one row a question, or from the authors as nested JSON."""

import json

from evalkit import metric
from evalkit.core.language import normalize_answer
from evalkit.metrics import build_metrics
from evalkit.tasks.data import read_rows

_EXACT, _F1 = build_metrics(
    [{"name": "exact_match", "normalize": "prose", "numeric": "off"}, "f1"], language="en"
)


def load_samples(path):
    """The questions of a local file, flat whatever its shape."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else None
    if not isinstance(content, dict):
        yield from read_rows(path)
        return
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield {
                    "id": question["id"],
                    "title": article["title"],
                    "context": paragraph["context"],
                    "question": question["question"],
                    "answers": question["answers"],
                }


def map_row(row):
    """The row with its answers as a list of texts; where there is none `unanswerable`, or a blank reply."""
    answers = row["answers"]
    texts = answers["text"] if isinstance(answers, dict) else [answer["text"] for answer in answers]
    # As the official script: a text of which its normal form leaves nothing, such as ".", is no gold answer.
    row["answers"] = [text for text in dict.fromkeys(texts) if normalize_answer(text, "en")]
    row["answerable"] = bool(row["answers"])
    row["answers"] = row["answers"] or ["unanswerable", ""]
    return row


def _part(scorer, answerable):
    """The mean of a metric over the questions that have an answer, or over those that have none."""

    def statistics(case):
        counts = case.fields["answerable"] is answerable
        return (scorer.score(case), 1) if counts else (0, 0)

    return metric(value=lambda hits, n: hits / n, possible=[(0, 1), (1, 1)])(statistics)


HasAns_exact, HasAns_f1 = _part(_EXACT, True), _part(_F1, True)
NoAns_exact, NoAns_f1 = _part(_EXACT, False), _part(_F1, False)
