"""Model settings: what evalkit.yaml may say of a model, and what it is told when it is wrong."""

import pytest

from evalkit.core.errors import ConfigError
from evalkit.models.settings import ModelSettings, Price, parse_settings


def refused(raw: object) -> str:
    """The message with which `raw` is refused."""
    with pytest.raises(ConfigError) as caught:
        parse_settings("fast", raw, "evalkit.yaml")
    return str(caught.value)


def test_a_name_alone_is_enough():
    """A model may be given as a text."""
    assert parse_settings("fast", "openai/gpt-4o-mini", "evalkit.yaml") == ModelSettings("openai/gpt-4o-mini")


def test_every_key_is_read():
    """Each documented key arrives in the record under its own name."""
    raw = {
        "model": "openai/qwen",
        "api_base": "http://127.0.0.1:8000/v1/",
        "api_key_env": "MY_KEY",
        "api_version": "2024-06-01",
        "params": {"temperature": 0.7},
        "headers": {"X-Team": "eval"},
        "headers_env": {"X-Api-Key": "TEAM_KEY"},
        "max_connections": 8,
        "timeout_s": 30,
        "rpm": 500,
        "tpm": 100000,
        "price": {"input": "3e-6", "output": 1.5e-5},
        "capabilities": ["loglikelihood", "generate"],
        "revision": "abc",
        "options": {"output": "answer"},
    }
    settings = parse_settings("fast", raw, "evalkit.yaml")
    assert settings.api_base == "http://127.0.0.1:8000/v1"
    assert settings.price == Price(3e-6, 1.5e-5)
    assert settings.capabilities == ("generate", "loglikelihood")
    assert (settings.max_connections, settings.timeout_s, settings.rpm) == (8, 30.0, 500.0)
    assert settings.headers_env == {"X-Api-Key": "TEAM_KEY"}
    assert settings.options == {"output": "answer"}


def test_a_key_in_the_file_is_refused_without_being_repeated():
    """A literal key is refused, the cure is named, and the key stays out of the message."""
    message = refused({"model": "openai/x", "api_key": "sk-verysecret"})
    assert "api_key_env" in message
    assert "sk-verysecret" not in message


def test_a_key_where_a_variable_belongs_is_refused():
    """`api_key_env` takes a name, and what was written there is not repeated."""
    message = refused({"model": "openai/x", "api_key_env": "sk-proj-verysecret"})
    assert "environment variable" in message
    assert "verysecret" not in message


def test_a_secret_header_is_refused():
    """A header that by its name is a secret must come from a variable."""
    message = refused({"model": "openai/x", "headers": {"Authorization": "Bearer verysecret"}})
    assert "headers_env" in message
    assert "verysecret" not in message


def test_a_misspelt_key_is_named_with_its_neighbour():
    """An unknown key says file, model, key and the nearest known one."""
    message = refused({"model": "openai/x", "api_bas": "http://x"})
    assert "evalkit.yaml" in message
    assert "'fast'" in message
    assert "'api_base'" in message


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (None, "must be a name"),
        (["a"], "must be a name"),
        ({}, "lacks `model`"),
        ({"model": ""}, "`model`"),
        ({"model": "openai/x", "api_base": "localhost:8000"}, "whole address"),
        ({"model": "openai/x", "api_base": "http://me:pw@host/v1"}, "user name or password"),
        ({"model": "openai/x", "max_connections": 0}, "above 0"),
        ({"model": "openai/x", "max_connections": 1.5}, "whole number"),
        ({"model": None}, "lacks `model`"),
        ({"model": "openai/x", "max_connections": True}, "must be a number"),
        ({"model": "openai/x", "timeout_s": "soon"}, "must be a number"),
        ({"model": "openai/x", "params": ["a"]}, "must be a mapping"),
        ({"model": "openai/x", "price": {"input": 1e-6}}, "lacks `output`"),
        ({"model": "openai/x", "price": {"input": 2.5, "output": 10}}, "2.5e-6"),
        ({"model": "openai/x", "capabilities": ["logprobs"]}, "unknown word 'logprobs'"),
    ],
)
def test_what_is_wrong_is_said(raw: object, part: str):
    """Each mistake gets a ConfigError that names it."""
    assert part in refused(raw)
