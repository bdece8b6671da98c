"""Tests in one interpreter, the program that they test in another, and a pipe between them.

The program never holds what the tests expect, and no object of its own stands in a comparison: what it
answers is made anew as plain data. So there is nothing to forge but the right answer. Both sides start as
forks of one interpreter, each behind its own walls. Standard library only, and nothing of evalkit.
"""

from __future__ import annotations

import builtins
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import IO, Any

MAX_LINE = 64 << 20
"""Bytes of one message."""
_MODULE = "solution"


def write_line(file: IO[bytes], message: Any) -> None:
    """Sends the message as one line of JSON."""
    file.write(json.dumps(message).encode() + b"\n")
    file.flush()


# The program's side: nothing here is believed by the other.


def serve(program: dict[str, Any], requests: IO[bytes], replies: IO[bytes], plain: Any) -> None:
    """Imports the program and answers calls until the tests are over."""
    kept: list[Any] = []

    def other(value: Any) -> Any:
        if plain.is_iterator(value):
            kind = "iterator"
        else:
            kind = "callable" if callable(value) else "object"
        kept.append(value)
        try:
            shown, true = str(value)[:10_000], bool(value)
        except Exception:
            shown, true = "", True
        return {"ref": [len(kept) - 1, kind, true, shown, type(value).__name__]}

    def encode(value: Any) -> Any:
        try:
            return plain.encode(value, other, heirs=True)
        except (RecursionError, plain.Foreign, MemoryError):
            return other(value)

    def decode(data: Any) -> Any:
        return plain.decode(data, lambda tag, payload: kept[payload])

    with open(f"{_MODULE}.py", "w", encoding="utf-8", newline="") as file:
        file.write(program["code"])
    del program["code"]
    try:
        module = importlib.import_module(_MODULE)
    except BaseException as error:
        write_line(replies, _raised(error, encode))
        raise
    write_line(replies, {"ready": {name: _kind(module, name, encode) for name in program["names"]}})
    for line in requests:
        request = json.loads(line)
        try:
            write_line(replies, _answer(request, module, kept, encode, decode))
        except BaseException as error:
            write_line(replies, _raised(error, encode))


def _answer(
    request: Any,
    module: ModuleType,
    kept: list[Any],
    encode: Callable[[Any], Any],
    decode: Callable[[Any], Any],
) -> dict[str, Any]:
    """The reply to one call: its value, and the arguments where the call has changed them."""
    if "next" in request:
        try:
            return {"value": encode(next(kept[request["next"]]))}
        except StopIteration:
            return {"stop": True}
    if "iter" in request:
        return {"value": encode(iter(kept[request["iter"]]))}
    function = kept[request["ref"]] if "ref" in request else getattr(module, request["call"])
    arguments, named = decode(request["args"]), decode(request["named"])
    value = function(*arguments, **named)
    reply = {"value": encode(value)}
    if any(type(item) in (list, dict, set) for item in (*arguments, *named.values())):
        changed = [encode(arguments), encode(named)]
        if changed != [request["args"], request["named"]]:
            reply["changed"] = changed
    return reply


def _kind(module: ModuleType, name: str, encode: Callable[[Any], Any]) -> Any:
    """What the program has under the name: [kind, what the tests need to have the same]."""
    if not hasattr(module, name):
        return ["missing"]
    value = getattr(module, name)
    if isinstance(value, ModuleType):
        return ["module", value.__name__]
    if callable(value):
        return ["callable", str(getattr(value, "__module__", ""))]
    return ["value", encode(value)]


def _raised(error: BaseException, encode: Callable[[Any], Any]) -> dict[str, Any]:
    bases = [kind.__name__ for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind]
    return {"raised": [type(error).__name__, bases[0] if bases else "Exception", str(error)[:2000]]}


# The tests' side.


class Ended(BaseException):
    """The program is gone, or says what is no reply."""


class Inside(BaseException):
    """These tests need the program in their own interpreter."""


class Program:
    """The program as its tests see it."""

    def __init__(
        self, requests: IO[bytes], replies: IO[bytes], plain: Any, suspect: Callable[[str], None]
    ) -> None:
        self.requests, self.replies, self.plain, self.suspect = requests, replies, plain, suspect
        self.looks_inside = False
        """Whether the tests name a class of the program, and so may look into its objects."""

    def ask(self, request: dict[str, Any]) -> Any:
        """The reply. Raises what the program raised, and Ended."""
        try:
            write_line(self.requests, request)
        except OSError:
            raise Ended("the program ended before its tests") from None
        return self.read()

    def read(self) -> Any:
        """The next reply. Raises what the program raised, and Ended."""
        line = self.replies.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            raise Ended("the program ended before its tests" if not line else "a reply without end")
        try:
            reply = json.loads(line)
            raised = reply.get("raised")
            if raised is None:
                return reply
            name, base, text = map(str, raised)
            kind = getattr(builtins, base)
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise ValueError(base)
        except (ValueError, TypeError, AttributeError, RecursionError, MemoryError):
            self.suspect("it wrote what is no reply")
            raise Ended("the program's reply is none") from None
        raise _exception(kind, name, text)

    def call(self, place: dict[str, Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the program's function returns; arguments that it changed are changed here too."""
        request = {**place, "args": self.encode(list(arguments)), "named": self.encode(named)}
        reply = self.ask(request)
        value = self.value(reply)
        if "changed" in reply:
            changed = reply["changed"]
            if type(changed) is not list or len(changed) != 2:
                raise Ended("the program's reply is none")
            new_arguments, new_named = map(self.decode, changed)
            for old, new in zip(
                arguments, new_arguments if type(new_arguments) is list else (), strict=False
            ):
                self.plain.restore(old, new)
            if type(new_named) is dict:
                for name, new in new_named.items():
                    self.plain.restore(named.get(name), new)
        return value

    def value(self, reply: Any) -> Any:
        """The value of a reply. Raises Ended where it has none."""
        if "value" not in reply:
            self.suspect("it wrote what is no reply")
            raise Ended("the program's reply is none")
        return self.decode(reply["value"])

    def encode(self, value: Any) -> Any:
        """The value for the program. Raises Inside where it is no plain data."""

        def other(value: Any) -> Any:
            ref = _refs.get(id(value))
            if ref is None:
                raise Inside(f"its tests pass {type(value).__name__}, which is no plain data")
            return {"ref": ref}

        try:
            return self.plain.encode(value, other)
        except (self.plain.Foreign, RecursionError) as error:
            raise Ended(f"the tests pass too much ({error})") from None

    def decode(self, data: Any) -> Any:
        """The value that the program sent. Raises Ended where it is malformed."""

        def other(tag: str, payload: Any) -> Any:
            if tag != "ref":
                raise self.plain.Foreign(str(tag))
            number, kind, true, shown, name = payload
            return self._foreign(int(number), kind, bool(true), str(shown), str(name))

        try:
            return self.plain.decode(data, other)
        except (self.plain.Foreign, RecursionError, MemoryError) as error:
            self.suspect("it wrote what is no reply")
            raise Ended(f"the program's reply is none ({error})") from None

    def _foreign(self, number: int, kind: str, true: bool, shown: str, name: str) -> Any:
        value: Any
        if kind == "iterator":
            value = self._items(number)
        elif kind == "callable":
            value = self.function({"ref": number}, name)
        else:
            value = Handle(self, number, true, shown, name)
        _refs[id(value)] = number
        _alive.append(value)
        return value

    def _items(self, number: int) -> Iterator[Any]:
        while "stop" not in (reply := self.ask({"next": number})):
            yield self.value(reply)

    def function(self, place: dict[str, Any], name: str) -> Callable[..., Any]:
        """A function of the program, to be called by its tests."""

        def stub(*arguments: Any, **named: Any) -> Any:
            return self.call(place, arguments, named)

        stub.__name__ = stub.__qualname__ = name
        return stub


_refs: dict[int, int] = {}
_alive: list[Any] = []  # an id is one object's while it lives


class Handle:
    """An object of the program's own class: it can be given back to the program, and equals itself alone."""

    def __init__(self, program: Program, number: int, true: bool, shown: str, name: str) -> None:
        self.__dict__.update(program=program, number=number, true=true, shown=shown, name=name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Handle):
            return bool(self.__dict__["number"] == other.__dict__["number"])
        if self.__dict__["program"].looks_inside:
            raise Inside("its tests compare objects of the program's own class")
        self.__dict__["program"].suspect(f"it gave an object of its own class {self.__dict__['name']!r}")
        return False

    def __setattr__(self, name: str, value: Any) -> None:
        raise Inside("its tests change objects of the program's own class")

    def __hash__(self) -> int:
        return hash(self.__dict__["number"])

    def __bool__(self) -> bool:
        return bool(self.__dict__["true"])

    def __str__(self) -> str:
        return str(self.__dict__["shown"])

    def __iter__(self) -> Iterator[Any]:
        program = self.__dict__["program"]
        return iter(program.value(program.ask({"iter": self.__dict__["number"]})))

    def __getattr__(self, name: str) -> Any:
        program, kind = self.__dict__["program"], self.__dict__["name"]
        if program.looks_inside:
            raise Inside("its tests look into objects of the program's own class")
        program.suspect(f"it gave an object of its own class {kind!r}")
        raise AttributeError(f"{kind!r} object has no attribute {name!r}")


def _exception(kind: type[BaseException], name: str, text: str) -> BaseException:
    """The program's exception, as one of the built-in class that it is or is derived from."""
    try:
        error = kind(text)
    except TypeError:  # UnicodeDecodeError and others take more than a text
        error = Exception(text)
    if name != kind.__name__:
        error.add_note(f"of the program's class {name}")
    return error


def judge(tests: dict[str, Any], program: Program, run: Callable[[str, dict[str, Any]], None]) -> None:
    """Runs the tests against the program. Returns when all have passed; raises what made them fail."""
    reply = program.read()
    kinds = reply.get("ready")
    if type(kinds) is not dict:
        program.suspect("it wrote what is no reply")
        raise Ended("the program's reply is none")
    program.looks_inside = bool(tests["looks_inside"])
    space: dict[str, Any] = {"__name__": _MODULE, "__builtins__": builtins}
    run(tests["before"], space)
    for name in tests["names"]:
        _bind(space, name, kinds.get(name), program)
    run(tests["code"], space)


def _bind(space: dict[str, Any], name: str, kind: Any, program: Program) -> None:
    """Puts what the tests call by this name into their namespace; a module, and a function of one, is the
    tests' own, never the program's."""
    if type(kind) is not list or not kind or kind[0] == "missing":
        return
    if name in sys.stdlib_module_names and kind[0] == "module":
        space[name] = importlib.import_module(name)
    elif kind[0] == "module" and kind[1] in sys.stdlib_module_names:
        space[name] = importlib.import_module(kind[1])
    elif kind[0] == "value":
        space[name] = program.decode(kind[1])
    elif kind[0] == "callable":
        own = str(kind[1])
        module = importlib.import_module(own) if own in sys.stdlib_module_names else None
        space[name] = (
            getattr(module, name) if hasattr(module, name) else program.function({"call": name}, name)
        )
