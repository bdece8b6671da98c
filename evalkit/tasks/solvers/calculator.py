"""A calculator: arithmetic as people and models write it, parsed here and never run as code.

Numbers are exact fractions, so that 0.1 + 0.2 is 0.3; roots and logarithms are rounded to 12 digits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction

from evalkit.core.errors import SolverError

_LONGEST = 1000
_DEEPEST = 50
_MOST_BITS = 4096
"""A result of more bits is refused: 9^9^9 must not take the machine."""
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+\.?\d*(?:[eE][+-]?\d{1,3})?|\.\d+(?:[eE][+-]?\d{1,3})?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>\*\*|//|[-+*/%^(),!]))"
)
_PLAIN = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "（": "(", "）": ")", "，": ",",
                        "％": "%", "＋": "+", "＝": "=", "＊": "*", "／": "/", "－": "-"})  # fmt: skip
_CONSTANTS = {"pi": Fraction(math.pi), "e": Fraction(math.e)}


def calculate(expression: str) -> str:
    """The value of an arithmetic expression as text. Raises SolverError that says what is wrong.

    + - * / // % ^ ** with brackets, n!, a percentage such as 15%, and sqrt, abs, min, max, round, floor,
    ceil, log (natural, or to a base), log10, log2, exp, sin, cos, tan, gcd, lcm, factorial; pi and e.
    """
    text = expression.strip().translate(_PLAIN).rstrip("=? ").strip("`$ ").replace("math.", "")
    if not text:
        raise SolverError("there is nothing to calculate")
    if len(text) > _LONGEST:
        raise SolverError(f"the expression is longer than {_LONGEST} characters")
    try:
        return _shown(_Parser(text).parse())
    except ZeroDivisionError:
        raise SolverError("division by zero") from None
    except (OverflowError, ValueError) as error:
        raise SolverError(f"no such value ({error})") from None


def _shown(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.12g}"


class _Parser:
    """Recursive descent over sums, products, powers and signs."""

    def __init__(self, text: str) -> None:
        self.text, self.place, self.depth = text, 0, 0
        self.tokens = self._tokens()
        self.at = 0

    def parse(self) -> Fraction:
        """The value of the whole text."""
        value = self._sum()
        if self.at < len(self.tokens):
            raise SolverError(f"{self.tokens[self.at]!r} is not expected there")
        return value

    def _tokens(self) -> list[str]:
        found: list[str] = []
        place = 0
        while place < len(self.text):
            if self.text[place:].isspace():
                break
            match = _TOKEN.match(self.text, place)
            if match is None:
                odd = self.text[place:].strip()[0]
                raise SolverError(f"{odd!r} is not arithmetic; write an expression such as 2 * (3 + 4)")
            number = match["number"]
            if number and "," in number and self._separates(found):
                number = number.split(",", 1)[0]  # max(1,200): a comma inside brackets of a function
                found.append(number)
                place = match.start("number") + len(number)
                continue
            found.append(number.replace(",", "") if number else match["name"] or match["sign"])
            place = match.end()
        return found

    @staticmethod
    def _separates(before: list[str]) -> bool:
        """Whether a comma here stands between arguments: inside the brackets of a function."""
        open_: list[bool] = []
        for number, token in enumerate(before):
            if token == "(":
                open_.append(number > 0 and before[number - 1][0].isalpha())
            elif token == ")" and open_:
                open_.pop()
        return any(open_)

    def _take(self, *wanted: str) -> str:
        if self.at < len(self.tokens) and self.tokens[self.at] in wanted:
            self.at += 1
            return self.tokens[self.at - 1]
        return ""

    def _sum(self) -> Fraction:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise SolverError(f"brackets are nested more than {_DEEPEST} deep")
        value = self._product()
        while sign := self._take("+", "-"):
            term = self._product()
            value = value + term if sign == "+" else value - term
        self.depth -= 1
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while sign := self._take("*", "/", "//", "%"):
            factor = self._signed()
            if sign == "*":
                value = _checked(value * factor)
            elif sign == "/":
                value = value / factor
            else:
                value = Fraction(value // factor) if sign == "//" else value % factor
        return value

    def _signed(self) -> Fraction:
        negative = False
        while sign := self._take("-", "+"):
            negative ^= sign == "-"
        value = self._power()
        return -value if negative else value

    def _power(self) -> Fraction:
        value = self._after(self._atom())
        if self._take("^", "**"):
            self.depth += 1
            if self.depth > _DEEPEST:
                raise SolverError(f"powers are nested more than {_DEEPEST} deep")
            value = _power(value, self._signed())
            self.depth -= 1
        return value

    def _after(self, value: Fraction) -> Fraction:
        """The value with what stands behind it: n! and 15%."""
        while True:
            if self._take("!"):
                value = _factorial(value)
            elif self._percent():
                self.at += 1
                value = value / 100
            else:
                return value

    def _percent(self) -> bool:
        """Whether the next % is a percentage: nothing follows that could be its right side."""
        if self.at >= len(self.tokens) or self.tokens[self.at] != "%":
            return False
        after = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else ")"
        return not (after[0].isalnum() or after[0] in "(.")

    def _atom(self) -> Fraction:
        if self.at >= len(self.tokens):
            raise SolverError("the expression ends too early")
        token = self.tokens[self.at]
        self.at += 1
        if token == "(":
            value = self._sum()
            self._close()
            return value
        if token[0].isdigit() or token[0] == ".":
            return _checked(Fraction(token))
        if token[0].isalpha() or token[0] == "_":
            return self._named(token.lower())
        raise SolverError(f"{token!r} is not expected there")

    def _close(self) -> None:
        if not self._take(")"):
            raise SolverError("a bracket is not closed")

    def _named(self, name: str) -> Fraction:
        if name in _CONSTANTS and not (self.at < len(self.tokens) and self.tokens[self.at] == "("):
            return _CONSTANTS[name]
        function = FUNCTIONS.get(name)
        if function is None or not self._take("("):
            raise SolverError(
                f"{name!r} is not known; functions are {', '.join(FUNCTIONS)}; constants pi and e"
            )
        values = [self._sum()]
        while self._take(","):
            values.append(self._sum())
        self._close()
        try:
            return _checked(function(*values))
        except TypeError:
            raise SolverError(f"{name} does not take {len(values)} values") from None


def _checked(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > _MOST_BITS:
        raise SolverError("the number is too large")
    return value


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator == 1:
        bits = max(base.numerator.bit_length(), base.denominator.bit_length(), 1)
        if abs(exponent.numerator) * (bits - 1) > _MOST_BITS:
            raise SolverError("the number is too large")
        if base == 0 and exponent < 0:
            raise ZeroDivisionError
        return _checked(Fraction(base) ** exponent.numerator)
    if base < 0:
        raise SolverError("a broken power of a negative number is no real number")
    return _rounded(float(base) ** float(exponent))


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or not 0 <= value <= 400:
        raise SolverError("a factorial is of a whole number from 0 to 400")
    return Fraction(math.factorial(value.numerator))


def _rounded(value: float) -> Fraction:
    if not math.isfinite(value):
        raise SolverError("the number is too large")
    return Fraction(f"{value:.12g}")


def _sqrt(value: Fraction) -> Fraction:
    if value < 0:
        raise SolverError("the root of a negative number is no real number")
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if top * top == value.numerator and bottom * bottom == value.denominator:
        return Fraction(top, bottom)
    return _rounded(math.sqrt(value))


def _real(function: Callable[[float], float]) -> Callable[[Fraction], Fraction]:
    return lambda value: _rounded(function(float(value)))


def _log(value: Fraction, base: Fraction | None = None) -> Fraction:
    return _rounded(math.log(value) if base is None else math.log(value, base))


def _round(value: Fraction, digits: Fraction = Fraction(0)) -> Fraction:
    """Half away from zero, as people round, and not to even."""
    if abs(digits) > 100:
        raise SolverError("that many digits are too many")
    unit = Fraction(10) ** -int(digits)
    whole = math.floor(abs(value) / unit + Fraction(1, 2)) * unit
    return whole if value >= 0 else -whole


def _whole(function: Callable[[int, int], int]) -> Callable[[Fraction, Fraction], Fraction]:
    def apply(first: Fraction, second: Fraction) -> Fraction:
        if first.denominator != 1 or second.denominator != 1:
            raise SolverError("whole numbers are needed")
        return Fraction(function(first.numerator, second.numerator))

    return apply


FUNCTIONS: dict[str, Callable[..., Fraction]] = {
    "sqrt": _sqrt,
    "abs": abs,
    "min": min,
    "max": max,
    "round": _round,
    "floor": lambda value: Fraction(math.floor(value)),
    "ceil": lambda value: Fraction(math.ceil(value)),
    "log": _log,
    "ln": lambda value: _log(value),
    "log10": _real(math.log10),
    "log2": _real(math.log2),
    "exp": _real(math.exp),
    "sin": _real(math.sin),
    "cos": _real(math.cos),
    "tan": _real(math.tan),
    "gcd": _whole(math.gcd),
    "lcm": _whole(math.lcm),
    "factorial": _factorial,
}
"""The functions that an expression may use."""
