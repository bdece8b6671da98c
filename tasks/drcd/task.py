"""DRCD：Hugging Face 上每題一行，原倉庫為 SQuAD 式的巢狀 JSON。"""

import hashlib
import json

from evalkit.tasks.data import read_rows


def load_samples(path):
    """本機檔案中的題目，無論哪種格式都展開為每題一行。"""
    content = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else None
    if not isinstance(content, dict):
        yield from read_rows(path)
        return
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield {
                    "id": question["id"],
                    "context": paragraph["context"],
                    "question": question["question"],
                    "answers": question["answers"],
                }


def map_row(row):
    """答案變為文字列表，並按篇章編號，同一篇的題目互不獨立。"""
    answers = row["answers"]
    texts = answers["text"] if isinstance(answers, dict) else [answer["text"] for answer in answers]
    return {
        "id": row["id"],
        "passage_id": hashlib.sha256(row["context"].encode()).hexdigest()[:12],
        "context": row["context"],
        "question": row["question"],
        "answers": list(dict.fromkeys(texts)),
    }
