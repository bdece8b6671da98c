"""English words by which sentences are told apart: abbreviations, and words that are rarely names."""

from __future__ import annotations

_ABBREVIATIONS = """
    a.d a.m adm ala apr ariz ark aug ave b.c bros c calif capt co col colo conn corp cos d.c dec del dept dr
    e f feb fla ft ga gen gov h ill inc ind jan jr jul k kan ky la lt ltd m maj md messrs mich minn mo mont
    mr mrs ms n n.c n.h n.j n.m n.y neb nev nov oct okla ont ore p.m pa ph.d prof r rep reps s s.c s.d sen
    sens sept sr st t tenn tex u.k u.n u.s u.s.a v va vs vt w wash wis wyo
"""
ABBREVIATIONS = frozenset(_ABBREVIATIONS.split())
"""Abbreviations after which a newspaper's sentence rarely ends, without their last full stop."""

_LATIN = "e.g i.e etc cf al viz ca no nos vol pp fig figs ed eds sec ch est approx"
LATIN_ABBREVIATIONS = frozenset(_LATIN.split())
"""Those of footnotes and lists, which NLTK's model does not know: to it "e.g." ends a sentence."""

_COMMON_WORDS = """
    a about after all also although an and another any anyone are as at be because before both but by
    can did do does each either even every everyone few first for from had has have he her here his how
    however i if in instead into is it its just last let like many maybe more moreover most much my
    never next nor not now of on once one only or other our over perhaps please she should since so some
    such take thank that the their them then there these they this those though through thus to today
    together too under until up was we well were what when where whether which while who whose why will
    with without would yes yet you your
"""
COMMON_WORDS = frozenset(_COMMON_WORDS.split())
"""Words that begin sentences and also stand inside them, where they are written small."""
