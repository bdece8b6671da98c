"""CMRC 2018：Hugging Face 上每题一行，原仓库为 SQuAD 式的嵌套 JSON。"""

import hashlib
import json

from evalkit.tasks.data import read_rows


def load_samples(path):
    """本地文件中的题目，无论哪种格式都展开为每题一行。"""
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
    """答案变为文字列表，并按篇章编号，同一篇的题目互不独立。"""
    answers = row["answers"]
    texts = answers["text"] if isinstance(answers, dict) else [answer["text"] for answer in answers]
    return {
        "id": row["id"],
        "passage_id": hashlib.sha256(row["context"].encode()).hexdigest()[:12],
        "context": row["context"],
        "question": row["question"],
        "answers": list(dict.fromkeys(texts)),
    }
