"""SQuAD comes from the hub with one row a question, or from the authors as nested JSON."""

import json

from evalkit.tasks.data import read_rows


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
    """The row with its answers as a list of texts."""
    answers = row["answers"]
    texts = answers["text"] if isinstance(answers, dict) else [answer["text"] for answer in answers]
    row["answers"] = list(dict.fromkeys(texts))
    return row
