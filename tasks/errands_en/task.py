"""The money changer of Lowmere: a tool that a model may use."""

from fractions import Fraction

from evalkit import tool

IN_CROWNS = {"crown|crowns": Fraction(1), "thaler|thalers": Fraction("2.5"), "mark|marks": Fraction("0.8")}


@tool
def convert(amount: float, source: str, target: str) -> str:
    """Changes an amount of money: source and target are crown, thaler or mark."""
    rates = {name: IN_CROWNS[key] for key in IN_CROWNS for name in key.split("|")}
    for name in (source, target):
        if name.lower() not in rates:
            raise ValueError(f"{name!r} is no currency; there are {', '.join(rates)}")
    value = Fraction(str(amount)) * rates[source.lower()] / rates[target.lower()]
    return f"{float(value):.10g}"
