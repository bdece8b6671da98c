"""The tools of a model: a calculator, a search over documents, Python in the sandbox, and the user's own."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.core.errors import DataError, SolverError, TaskError, did_you_mean
from evalkit.core.language import base_language
from evalkit.core.records import Step
from evalkit.tasks.solvers.calculator import calculate
from evalkit.tasks.solvers.contained import OvertimeError, call_in_thread
from evalkit.tasks.solvers.programs import MEMORY_MB, TIMEOUT_S, find_program, run_program

BUILT_IN = ("calculator", "search", "python")
"""The tools that a task need not define."""
LONGEST_RESULT = 8000
"""Characters of a result that a model is told."""

Search = Callable[[str], tuple[str, Sequence[str]]]
"""A query -> (the passages as text, the ids of their documents)."""


@dataclass(frozen=True)
class Tool:
    """Something that a model may ask to be done."""

    name: str
    description: str
    """What it does, for the model."""
    parameters: Mapping[str, Mapping[str, Any]]
    """Name -> JSON schema of each argument, in the order of the function."""
    function: Callable[..., Any] | None = None
    """Gives the result; None where `Toolbox` does the work itself."""
    required: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """The tool as chat servers take it (OpenAI's form)."""
        properties = {name: dict(schema) for name, schema in self.parameters.items()}
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": {
                    "type": "object",
                    "properties": properties,
                    "required": list(self.required),
                },
            },
        }

    def line(self) -> str:
        """The tool on one line, for a prompt."""
        if len(self.parameters) == 1:
            return f"- {self.name}: {self.description}"
        kinds = ", ".join(f'"{name}": {schema.get("type")}' for name, schema in self.parameters.items())
        return f"- {self.name}: {self.description} (JSON: {{{kinds}}})"


_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


def make_tool(function: Callable[..., Any], where: str) -> Tool:
    """The tool of a user's function: its name, its docstring, its annotated parameters. Raises TaskError."""
    name = getattr(function, "__name__", "")
    description = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    if not description:
        raise TaskError(f"{where}: tool {name!r} needs a docstring, by which the model knows what it does")
    parameters, required = {}, []
    for key, parameter in inspect.signature(function).parameters.items():
        written = parameter.annotation
        kind = written if isinstance(written, str) else getattr(written, "__name__", "")
        if kind not in _TYPES or parameter.kind not in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            raise TaskError(
                f"{where}: parameter {key!r} of tool {name!r} must be annotated with {', '.join(_TYPES)}"
            )
        parameters[key] = {"type": _TYPES[kind]}
        if parameter.default is parameter.empty:
            required.append(key)
    if not parameters:
        raise TaskError(f"{where}: tool {name!r} takes nothing; give it at least one parameter")
    return Tool(name, description, parameters, function, tuple(required))


_ABOUT = {
    "en": {
        "calculator": "works out an arithmetic expression, such as 12.5 * (3 + 4) or sqrt(2)",
        "search": "finds passages in the documents by words",
        "python": "runs a Python program and gives what it prints",
    },
    "zh": {
        "calculator": "计算一个算式，例如 12.5 * (3 + 4) 或 sqrt(2)",
        "search": "按词语在文档中查找段落",
        "python": "运行一段 Python 程序，返回它打印的内容",
    },
}
_ARGUMENT = {"calculator": "expression", "search": "query", "python": "code"}


@dataclass(frozen=True)
class Toolbox:
    """The tools of a prompt, ready to be used."""

    tools: Mapping[str, Tool]
    search: Search | None = None
    """What the tool search does; None without documents."""
    timeout_s: float = TIMEOUT_S
    """Seconds that a tool or program may take."""
    memory_mb: int = MEMORY_MB
    """Memory of a program, in MiB."""
    language: str = "en"

    def schemas(self) -> list[dict[str, Any]]:
        """All tools as chat servers take them."""
        return [tool.schema() for tool in self.tools.values()]

    def lines(self) -> str:
        """All tools, one a line, for a prompt."""
        return "\n".join(tool.line() for tool in self.tools.values())

    async def use(self, name: str, given: str, after: int, *, as_json: bool) -> Step:
        """What came of using a tool. A model's mistake is a step with status error, and never raises."""
        tool = self.tools.get(name)
        if tool is None:
            hint = did_you_mean(name, self.tools)
            return _failed(
                name, given, after, f"there is no tool {name!r}; there are {', '.join(self.tools)}.{hint}"
            )
        try:
            arguments = _read_arguments(tool, given, as_json=as_json)
        except SolverError as error:
            return _failed(name, given, after, str(error))
        if tool.function is None and name == "python":
            program = arguments["code"]
            step = await run_program(find_program(program) or program, self.timeout_s, self.memory_mb, after)
            told = (
                step.output if step.status == "ok" else f"{step.output}\nerror: {step.status}: {step.detail}"
            )
            return Step(name, step.input, _short(told.strip()), step.status, step.detail, (), after)
        try:
            output, found = await self._work(tool, arguments)
        except OvertimeError as error:
            return _failed(name, given, after, str(error), "timeout")
        except SolverError as error:
            return _failed(name, given, after, str(error))
        except Exception as error:  # a user's tool may raise whatever it likes; the model is told
            return _failed(name, given, after, f"{type(error).__name__}: {error}")
        return Step(name, given, _short(output), found=tuple(found), after=after)

    async def _wait(self, call: Awaitable[Any]) -> Any:
        """What an async function returns, or raises. Raises OvertimeError after its time."""
        try:
            async with asyncio.timeout(self.timeout_s) as limit:
                return await call
        except TimeoutError:
            if not limit.expired():
                raise  # the function's own error, not the end of its time
            raise OvertimeError(f"no result after {self.timeout_s:g} s") from None

    async def _work(self, tool: Tool, arguments: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
        """(the result as text, the ids of documents that were found)."""
        if tool.function is None and tool.name == "calculator":
            return calculate(arguments["expression"]), ()
        if tool.function is None and tool.name == "search" and self.search is not None:
            return self.search(arguments["query"])
        if tool.function is None:
            raise SolverError(f"the tool {tool.name} cannot be used here")
        if inspect.iscoroutinefunction(tool.function):
            value = await self._wait(tool.function(**arguments))
        else:
            value = await call_in_thread(tool.function, arguments, self.timeout_s)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str), ()


def make_toolbox(
    names: Sequence[str],
    own: Mapping[str, Tool],
    search: Search | None,
    *,
    language: str,
    timeout_s: float,
    memory_mb: int,
    where: str,
) -> Toolbox:
    """The tools of these names: the task's own first, else the built-in. Raises TaskError."""
    about = _ABOUT["zh" if base_language(language) == "zh" else "en"]
    tools: dict[str, Tool] = {}
    for name in names:
        if name in own:
            tools[name] = own[name]
            continue
        if name not in BUILT_IN:
            known = [*own, *BUILT_IN]
            raise TaskError(
                f"{where}: no tool {name!r}; there are {', '.join(known)}.{did_you_mean(name, known)} A tool "
                "of your own is a function marked @tool in the task's task.py"
            )
        if name == "search" and search is None:
            raise DataError(
                f"{where}: the tool search needs documents; name them with the task's `documents:`"
            )
        argument = _ARGUMENT[name]
        tools[name] = Tool(name, about[name], {argument: {"type": "string"}}, None, (argument,))
    if not tools:
        raise TaskError(f"{where}: no tools; name some with `tools: [calculator]`")
    return Toolbox(tools, search, timeout_s, memory_mb, language)


def _read_arguments(tool: Tool, given: str, *, as_json: bool) -> dict[str, Any]:
    """The arguments as the tool takes them. Raises SolverError that tells the model what is wrong."""
    only = next(iter(tool.parameters)) if len(tool.parameters) == 1 else None
    value: Any
    try:
        value = json.loads(given)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not set(value) <= set(tool.parameters):
        if only is None or as_json:
            raise SolverError(f"write the arguments as a JSON object with {', '.join(tool.parameters)}")
        text = given.strip()
        value = {only: text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text}
    missing = [name for name in tool.required if name not in value]
    if missing:
        raise SolverError(f"{', '.join(missing)} is missing")
    return {name: _as(tool.parameters[name]["type"], name, each) for name, each in value.items()}


def _as(kind: str, name: str, value: Any) -> Any:
    """The value in its declared type. Raises SolverError."""
    try:
        if kind == "string":
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if kind == "boolean":
            if isinstance(value, bool):
                return value
            return {"true": True, "false": False}[str(value).lower()]
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        if kind == "number":
            return number
        if number != int(number):
            raise ValueError
        return int(number)
    except (KeyError, ValueError, TypeError, OverflowError):
        raise SolverError(f"{name} must be of type {kind}, not {value!r}") from None


def _failed(name: str, given: str, after: int, why: str, status: str = "error") -> Step:
    return Step(name, given, f"error: {why}", status, why, (), after)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_RESULT else f"{text[:LONGEST_RESULT]}… ({len(text)} characters)"
