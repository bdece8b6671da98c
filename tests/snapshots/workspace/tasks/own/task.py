"""An extractor and a metric of its own."""

from evalkit import extractor, metric


@extractor
def first_word(text):
    """The first word of the reply."""
    return text.split()[0] if text.split() else None


@metric(higher_is_better=True)
def shares_letter(case):
    """Whether answer and target begin alike."""
    return float((case.answer or "")[:1] == case.target[0][:1])
