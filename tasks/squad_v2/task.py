"""SQuAD comes from the hub with one row a question, or from the authors as nested JSON."""

import json

from evalkit.data import read_rows
from evalkit.language import normalize_answer


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
