"""Runs -> board."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from evalkit.core.errors import UsageError
from evalkit.core.records import ModelFacts, ModelInfo
from evalkit.pages.formats import UNKNOWN
from evalkit.pages.leaderboard.arena import Arena
from evalkit.pages.leaderboard.board import ALL, DEFAULT_VIEW, Board, Column, Entry, Facet, Key
from evalkit.pages.leaderboard.holdings import Found, find_cells, find_groups, find_history, find_slices
from evalkit.pages.leaderboard.numbers import count
from evalkit.pages.leaderboard.standings import (
    MAX_EXACT,
    Fields,
    all_shares,
    common_columns,
    compare_models,
    compare_variants,
    make_fields,
    read_contenders,
    stand,
)
from evalkit.store.folders import StoredRun

ORACLE = "baseline/oracle"


def build(
    runs: Sequence[StoredRun], facts: Mapping[str, ModelFacts] | None = None, arena: Arena | None = None
) -> Board:
    """The board of these runs. Raises UsageError when there is no cell to show.

    facts: what is known of models by name, for those whose runs do not say it. arena: ratings from battles,
    shown where any of the board's models has one.
    """
    ordered = sorted(runs, key=lambda stored: (stored.run.created, stored.run.id))
    found = list(find_cells(ordered))
    if not found:
        raise UsageError("a leaderboard needs a run with at least one cell; make one with: evalkit run")
    infos: dict[str, ModelInfo] = {}
    for stored in ordered:
        infos.update(stored.run.models)
    reference = frozenset(name for name, info in infos.items() if _is_baseline(name, info))
    columns, placed = _columns(found, reference)
    chosen = _choose(placed)
    comparable = _comparable(chosen)
    names = sorted({model for model, _, _ in chosen})
    contenders = [name for name in names if name not in reference]
    contenders = contenders or [name for name in names if name != ORACLE]
    unranked = frozenset(names) - frozenset(contenders)
    cells = read_contenders({key: chosen[key] for key in chosen if key in comparable})
    fields = make_fields(cells, contenders)
    shares = all_shares(cells) if len(names) <= MAX_EXACT else {}
    entries = _entries(chosen, comparable, fields)
    views = _views(columns)
    board = Board(
        models=(),
        infos={name: infos[name] for name in names if name in infos},
        columns=columns,
        views=views,
        facets=_facets(columns),
        entries=entries,
        standings={},
        common={},
        pairs={},
        deltas=compare_variants(cells, columns),
        runs=tuple(stored.run for stored in ordered),
        reference=unranked,
        facts={name: _facts(name, infos.get(name), facts or {}) for name in names},
        fields=fields,
        groups=find_groups([stored.run for stored in ordered], columns),
        history=find_history(placed, chosen),
        slices=find_slices(cells, columns, contenders),
        binary=frozenset(key for key, share in shares.items() if share.binary),
        arena=arena if arena and any(row.model in infos for row in arena.models) else None,
    )
    index = {name: place for place, name in enumerate(names)}
    numbers = count(entries, columns, index)
    ranked = [index[name] for name in contenders]
    scopes = [(view, facet) for view in views for facet in board.facets]
    common = {(view, facet.id): common_columns(board, numbers, ranked, view, facet) for view, facet in scopes}
    board = replace(board, common=common)
    stood = {(view, facet.id): stand(board, numbers, names, view, facet, shares) for view, facet in scopes}
    standings = {place: rows for place, (rows, _) in stood.items()}
    overalls = {view: pairs for (view, facet), (_, pairs) in stood.items() if facet == ALL and pairs}
    order = tuple(standing.model for standing in standings[DEFAULT_VIEW, ALL])
    board = replace(board, models=order, standings=standings, overalls=overalls)
    return replace(board, pairs=compare_models(board))


def _facts(name: str, info: ModelInfo | None, said: Mapping[str, ModelFacts]) -> ModelFacts:
    """What the workspace says of a model, by its name or its route, else what the run says."""
    recorded = ModelFacts() if info is None else info.facts
    found = said.get(name) or (None if info is None else said.get(info.route))
    if found is None:
        return recorded
    names = [field.name for field in dataclasses.fields(ModelFacts)]
    return replace(recorded, **{key: value for key in names if (value := getattr(found, key)) is not None})


def _is_baseline(name: str, info: ModelInfo) -> bool:
    return name.startswith("baseline/") or info.route.startswith("baseline/")


def _columns(
    found: Sequence[Found], reference: frozenset[str]
) -> tuple[tuple[Column, ...], dict[Key, list[Found]]]:
    """The columns, in the order of the tasks, and the cells by place, oldest first."""
    groups: dict[tuple[str, str, str], list[Found]] = defaultdict(list)
    for item in found:
        groups[item.cell.task, item.cell.mode, item.cell.data_digest].append(item)
    by_task: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for key in groups:
        by_task[key[0]].append(key)
    columns: list[Column] = []
    placed: dict[Key, list[Found]] = defaultdict(list)
    for task, keys in by_task.items():
        keys.sort(key=lambda key: _standing_of(groups[key], reference), reverse=True)
        labels = _labels([(key[1], groups[key][-1].source.run.tasks[task].n_samples) for key in keys])
        for key, label in zip(keys, labels, strict=True):
            column = _column(f"{task}{label}", groups[key], primary=key == keys[0])
            columns.append(column)
            for item in groups[key]:
                placed[item.cell.model, column.id, item.cell.variant].append(item)
    return tuple(columns), placed


def _standing_of(items: Sequence[Found], reference: frozenset[str]) -> tuple[int, int, int, str]:
    """What makes a column the primary one of its task: ranked models, models, samples, then the newest."""
    models = {item.cell.model for item in items}
    newest = items[-1].source.run
    return (
        len(models - reference),
        len(models),
        newest.tasks[items[-1].cell.task].n_samples or 0,
        newest.created,
    )


def _labels(kinds: Sequence[tuple[str, int | None]]) -> list[str]:
    """What to add to a task's name so that its columns differ; nothing for the first."""
    labels: list[str] = []
    for index, (mode, n) in enumerate(kinds):
        parts: list[str] = []
        if index and mode != kinds[0][0]:
            parts.append(mode)
        if index and (n != kinds[0][1] or not parts):
            parts.append(f"n={UNKNOWN if n is None else n}")
        label = "".join(f" · {part}" for part in parts)
        while label in labels:
            label += "′"
        labels.append(label)
    return labels


def _column(id: str, items: Sequence[Found], primary: bool) -> Column:
    newest = items[-1]
    info = newest.source.run.tasks[newest.cell.task]
    asked = {item.cell.variant for item in items}
    order = [variant for variant in info.prompts if variant in asked]
    metric = next(
        (item.cell.metrics[info.headline] for item in reversed(items) if info.headline in item.cell.metrics),
        None,
    )
    return Column(
        id=id,
        task=newest.cell.task,
        info=info,
        mode=newest.cell.mode,
        data_digest=newest.cell.data_digest,
        headline=info.headline,
        scale="unbounded" if metric is None else metric.scale,
        higher_is_better=metric is None or metric.higher_is_better,
        n=info.n_samples,
        variants=(*order, *sorted(asked.difference(order))),
        primary=primary,
    )


def _choose(placed: Mapping[Key, Sequence[Found]]) -> dict[Key, Found]:
    """The newest complete cell of each place; the newest where none is complete."""
    chosen: dict[Key, Found] = {}
    for key, items in placed.items():
        complete = [item for item in items if item.source.run.status == "complete"]
        chosen[key] = (complete or items)[-1]
    return chosen


def _comparable(chosen: Mapping[Key, Found]) -> set[Key]:
    """The cells that compare with most of their neighbours."""
    identities: dict[tuple[str, str], dict[Key, tuple[object, ...]]] = defaultdict(dict)
    for key, item in chosen.items():
        identities[key[1], key[2]][key] = item.identity
    found: set[Key] = set()
    for own in identities.values():
        usual = Counter(own.values()).most_common(1)[0][0]
        found.update(key for key, value in own.items() if value == usual)
    return found


def _entries(chosen: Mapping[Key, Found], comparable: Container[Key], fields: Fields) -> dict[Key, Entry]:
    ranks = {place: dict(zip(field.models, field.ranks, strict=True)) for place, field in fields.items()}
    nobody: dict[str, tuple[int, int]] = {}
    return {
        key: Entry(
            cell=item.cell,
            source=item.source,
            metric=item.metric,
            comparable=key in comparable,
            rank=ranks.get((key[1], key[2]), nobody).get(key[0]),
        )
        for key, item in chosen.items()
    }


def _views(columns: Iterable[Column]) -> tuple[str, ...]:
    """The default view, then each variant name that differs from the default somewhere."""
    names: dict[str, None] = {}
    for column in columns:
        names.update(dict.fromkeys(column.variants[1:]))
    return (DEFAULT_VIEW, *names)


def _facets(columns: Sequence[Column]) -> tuple[Facet, ...]:
    """All tasks, then languages and tags that choose some of them; no two with the same columns."""
    everything = tuple(column.id for column in columns)
    facets = [Facet(ALL, "", everything)]
    choices: dict[tuple[str, str], list[str]] = defaultdict(list)
    for column in columns:
        if column.info.language:
            choices["language", column.info.language].append(column.id)
        for tag in column.info.tags:
            choices["tag", tag].append(column.id)
    for (kind, name), ids in sorted(
        choices.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1])
    ):
        if all(facet.columns != tuple(ids) for facet in facets):
            facets.append(Facet(kind, name, tuple(ids)))
    return tuple(facets)
