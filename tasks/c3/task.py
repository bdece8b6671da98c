"""C3 的正确答案写作选项的文字，文章是一列句子；原仓库的文件每篇一组题。"""

import hashlib
import json

from evalkit.tasks.data import read_rows


def load_samples(path):
    """本地文件中的题目：原仓库的嵌套 JSON，或与 Hugging Face 同列的文件。"""
    content = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else None
    if not content or not isinstance(content[0], list):
        yield from read_rows(path)
        return
    for context, questions, _ in content:
        for question in questions:
            yield {"context": context, **question}


def map_row(row):
    """passage、question、choices 和 gold（正确选项的位置）；没有答案的题目略去。"""
    if row["answer"] not in row["choice"]:
        return None
    passage = "\n".join(row["context"])
    return {
        "passage_id": hashlib.sha256(passage.encode()).hexdigest()[:12],
        "passage": passage,
        "question": row["question"],
        "choices": list(row["choice"]),
        "gold": list(row["choice"]).index(row["answer"]),
    }
