"""What a response says: the answer, where it stands, and the option that it chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalkit.core.records import Extraction, Request, Response, Sample
from evalkit.metrics.extractors import Extractor
from evalkit.tasks.choices import base_mode, in_data_order, is_circular, letter_likelihoods, rotation
from evalkit.tasks.prompts import letter

UNSUPPORTED = "no_logprobs"
"""The reason of samples whose model gives no likelihoods: they are not asked."""
_ROTATION = "rotation "
"""How the note begins that says what was chosen in a rotation."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in a response."""

    response: Response
    """The response, its likelihoods in the order of the data."""
    answer: str | None = None
    """None when nothing could be read."""
    extraction: Extraction | None = None
    """Where the answer stands; None when it is not a part of the text."""
    chosen: int | None = None
    """The position of the chosen option in the data; None where there are no options, or none was chosen."""
    reason: str | None = None
    """Why there is nothing to score; None when there is."""


def read_response(
    mode: str, extractor: Extractor, sample: Sample, request: Request, response: Response
) -> Reading:
    """What a response to a sample says."""
    if response.status == "error":
        return Reading(response, reason=response.error.kind if response.error else "error")
    if mode == "rolling":
        return Reading(response, reason=None if response.loglikelihoods else UNSUPPORTED)
    if is_circular(mode):
        return _read_rotations(base_mode(mode), extractor, sample, response)
    return _read_one(base_mode(mode), extractor, sample, request.order, response)


def _read_one(
    mode: str, extractor: Extractor, sample: Sample, order: Sequence[int], response: Response
) -> Reading:
    n = len(sample.choices)
    if mode in ("loglikelihood", "letter_logprobs"):
        if len(response.loglikelihoods) != n:
            return Reading(response, reason=UNSUPPORTED)
        response = replace(response, loglikelihoods=in_data_order(response.loglikelihoods, order))
        likelihoods = [item.logprob for item in response.loglikelihoods]
        chosen = max(range(n), key=likelihoods.__getitem__)  # ties: the first
        return Reading(response, sample.choices[chosen], chosen=chosen)
    listed = [sample.choices[place] for place in order] if order else sample.choices
    options = listed if mode == "letter_generate" else ()
    extraction = extractor.extract(response.text, options) if response.text else None
    if extraction is None:
        return Reading(response)
    if mode != "letter_generate":
        return Reading(response, extraction.answer, extraction)
    place = _place(extraction.answer, n)
    if place is None:
        return Reading(response)
    chosen = order[place] if order else place
    return Reading(
        _with_probabilities(response, extraction, n, order), sample.choices[chosen], extraction, chosen
    )


def _with_probabilities(response: Response, extraction: Extraction, n: int, order: Sequence[int]) -> Response:
    """The response with the likelihood of each option, where the model shows what it might have said."""
    if not response.tokens:
        return response
    found = letter_likelihoods(response.tokens, extraction.start, n, order)
    kept = tuple(note for note in response.notes if not note.startswith("letters: "))
    if found is None:
        note = "letters: their probabilities are not known, the letter is no token of its own"
        return replace(response, loglikelihoods=(), notes=(*kept, note))
    likelihoods, n_missing = found
    note = "letters: probabilities of the letter's token, renormalised over the letters"
    if n_missing:
        note += f"; {n_missing} not among the likeliest tokens, taken as impossible"
    return replace(response, loglikelihoods=likelihoods, notes=(*kept, note))


def _read_rotations(mode: str, extractor: Extractor, sample: Sample, response: Response) -> Reading:
    """What all rotations say: an option that is right only where each of them chose a right one.

    The answer is the first wrong one; without a wrong one, none where a rotation has none.
    """
    n = len(sample.choices)
    readings = [
        _read_one(mode, extractor, sample, rotation(n, number), part)
        for number, part in enumerate(response.parts)
    ]
    if len(readings) != n:
        return Reading(response, reason="no_rotations")
    lacking = next((reading for reading in readings if reading.reason is not None), None)
    if lacking is not None:
        return Reading(response, reason=lacking.reason)
    right = [reading.chosen is not None and reading.chosen in sample.gold for reading in readings]
    parts = tuple(
        replace(
            reading.response,
            notes=(
                *(note for note in reading.response.notes if not note.startswith(_ROTATION)),
                f"{_ROTATION}{number} of {n}: "
                + (f"chose {reading.answer!r}" if reading.chosen is not None else "no answer"),
            ),
        )
        for number, reading in enumerate(readings, start=1)
    )
    kept = tuple(note for note in response.notes if not note.startswith("circular: "))
    note = f"circular: {sum(right)} of {n} rotations right"
    whole = replace(response, parts=parts, notes=(*kept, note), loglikelihoods=())
    wrong = [reading for reading, good in zip(readings, right, strict=True) if not good]
    decisive = next((reading for reading in wrong if reading.chosen is not None), (wrong or readings)[0])
    if decisive.chosen is None:
        return Reading(whole)
    # The extraction belongs to its own part's text, of which the record shows the first.
    extraction = decisive.extraction if decisive is readings[0] else None
    return Reading(whole, decisive.answer, extraction, decisive.chosen)


def _place(answer: str, n_choices: int) -> int | None:
    letters = [letter(position) for position in range(n_choices)]
    return letters.index(answer) if answer in letters else None
