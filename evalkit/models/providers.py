"""What evalkit itself knows of providers: whose key is where, which address, which endpoint.

LiteLLM knows this too, but only after three seconds of import; preflight must answer before that.
Variables are those that LiteLLM 1.106 reads (litellm/utils.py, validate_environment; litellm/llms/*).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from evalkit.models.settings import ModelSettings

__all__ = ["PROVIDERS", "Provider", "address", "key_variable", "provider_facts", "without_credentials"]


@dataclass(frozen=True, slots=True)
class Provider:
    """How a provider is reached."""

    keys: tuple[tuple[str, ...], ...] = ()
    """Variables that must be set, each with its alternatives; empty when no key is needed."""
    bases: tuple[str, ...] = ()
    """Variables from which LiteLLM takes the server's address, first wins."""
    local: str | None = None
    """The address when nothing else is said, for servers on the user's own machine; None for hosted ones."""
    openai_like: bool = False
    """Whether the server speaks OpenAI's protocol, so that GET {api_base}/models lists its models."""
    strays: bool = False
    """Whether LiteLLM asks other addresses than the one that it is given, before (for a token) or instead."""
    signup: str | None = None
    """Where a key is made; None when it is not one page."""
    known: bool = True
    """Whether this table knows the provider at all."""


def _hosted(*keys: str, base: str = "", signup: str | None = None) -> Provider:
    """A hosted provider with one key under one of the given variables."""
    return Provider(keys=(keys,), bases=(base,) if base else (), openai_like=True, signup=signup)


def _local(base: str, default: str | None) -> Provider:
    """A server on the user's own machine that speaks OpenAI's protocol and needs no key."""
    return Provider(bases=(base,), local=default, openai_like=True)


_OLLAMA = Provider(bases=("OLLAMA_API_BASE", "OLLAMA_HOST"), local="http://127.0.0.1:11434")
_AWS = Provider(
    keys=(
        (
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_ROLE_ARN",
            "AWS_BEARER_TOKEN_BEDROCK",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
    ),
    strays=True,
)
_OPENAI = Provider(
    keys=(("OPENAI_API_KEY",),),
    bases=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    openai_like=True,
    signup="https://platform.openai.com/api-keys",
)

PROVIDERS: Mapping[str, Provider] = {
    "openai": _OPENAI,
    "text-completion-openai": _OPENAI,
    "custom_openai": _OPENAI,
    "anthropic": Provider(
        keys=(("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),),
        bases=("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
        signup="https://console.anthropic.com/settings/keys",
    ),
    "gemini": Provider(
        keys=(("GEMINI_API_KEY", "GOOGLE_API_KEY"),), signup="https://aistudio.google.com/apikey"
    ),
    "vertex_ai": Provider(keys=(("VERTEXAI_PROJECT",), ("VERTEXAI_LOCATION",)), strays=True),
    "azure": Provider(
        keys=(
            ("AZURE_API_KEY", "AZURE_AD_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"),
            ("AZURE_API_BASE",),
        ),
        bases=("AZURE_API_BASE",),
    ),
    "azure_ai": Provider(keys=(("AZURE_AI_API_KEY",), ("AZURE_AI_API_BASE",)), bases=("AZURE_AI_API_BASE",)),
    "bedrock": _AWS,
    "sagemaker": _AWS,
    "mistral": _hosted(
        "MISTRAL_API_KEY", base="MISTRAL_API_BASE", signup="https://console.mistral.ai/api-keys"
    ),
    "codestral": _hosted("CODESTRAL_API_KEY"),
    "groq": _hosted("GROQ_API_KEY", base="GROQ_API_BASE", signup="https://console.groq.com/keys"),
    "deepseek": _hosted(
        "DEEPSEEK_API_KEY", base="DEEPSEEK_API_BASE", signup="https://platform.deepseek.com/api_keys"
    ),
    "openrouter": _hosted(
        "OPENROUTER_API_KEY", "OR_API_KEY", base="OPENROUTER_API_BASE", signup="https://openrouter.ai/keys"
    ),
    "together_ai": _hosted("TOGETHERAI_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHER_API_KEY"),
    "fireworks_ai": _hosted(
        "FIREWORKS_AI_API_KEY", "FIREWORKS_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"
    ),
    "cohere": Provider(keys=(("COHERE_API_KEY", "CO_API_KEY"),), strays=True),
    "cohere_chat": Provider(keys=(("COHERE_API_KEY", "CO_API_KEY"),), strays=True),
    "perplexity": _hosted("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
    "xai": _hosted("XAI_API_KEY", base="XAI_API_BASE", signup="https://console.x.ai"),
    "cerebras": _hosted("CEREBRAS_API_KEY", base="CEREBRAS_API_BASE"),
    "sambanova": _hosted("SAMBANOVA_API_KEY", base="SAMBANOVA_API_BASE"),
    "deepinfra": _hosted("DEEPINFRA_API_KEY", base="DEEPINFRA_API_BASE"),
    "nvidia_nim": _hosted("NVIDIA_NIM_API_KEY", base="NVIDIA_NIM_API_BASE"),
    "huggingface": Provider(keys=(("HUGGINGFACE_API_KEY", "HF_TOKEN"),), strays=True),
    "replicate": Provider(keys=(("REPLICATE_API_KEY", "REPLICATE_API_TOKEN"),), strays=True),
    "github": _hosted("GITHUB_API_KEY"),
    "ai21": _hosted("AI21_API_KEY"),
    "ai21_chat": _hosted("AI21_API_KEY"),
    "novita": _hosted("NOVITA_API_KEY"),
    "nebius": _hosted("NEBIUS_API_KEY"),
    "dashscope": _hosted(
        "DASHSCOPE_API_KEY", base="DASHSCOPE_API_BASE", signup="https://bailian.console.aliyun.com"
    ),
    "modelscope": _hosted("MODELSCOPE_API_KEY", base="MODELSCOPE_API_BASE"),
    "moonshot": _hosted(
        "MOONSHOT_API_KEY", base="MOONSHOT_API_BASE", signup="https://platform.moonshot.cn/console/api-keys"
    ),
    "zai": _hosted("ZAI_API_KEY", base="ZAI_API_BASE", signup="https://z.ai/manage-apikey/apikey-list"),
    "volcengine": _hosted(
        "VOLCENGINE_API_KEY",
        "ARK_API_KEY",
        base="VOLCENGINE_API_BASE",
        signup="https://console.volcengine.com/ark",
    ),
    "minimax": _hosted("MINIMAX_API_KEY", base="MINIMAX_API_BASE"),
    "tencent": _hosted("TENCENT_API_KEY", base="TENCENT_API_BASE"),
    "ollama": _OLLAMA,
    "ollama_chat": _OLLAMA,
    "hosted_vllm": _local("HOSTED_VLLM_API_BASE", None),
    "lm_studio": _local("LM_STUDIO_API_BASE", "http://127.0.0.1:1234/v1"),
    "llamafile": _local("LLAMAFILE_API_BASE", "http://127.0.0.1:8080/v1"),
    "docker_model_runner": _local("DOCKER_MODEL_RUNNER_API_BASE", None),
    "xinference": _local("XINFERENCE_API_BASE", "http://127.0.0.1:9997/v1"),
    "litellm_proxy": Provider(bases=("LITELLM_PROXY_API_BASE",), openai_like=True),
}


def provider_facts(provider: str) -> Provider:
    """What this table knows of `provider`; a Provider that is not `known` for any other."""
    return PROVIDERS.get(provider, Provider(known=False))


def address(provider: str, settings: ModelSettings) -> str | None:
    """Where the model's server is: the setting, else the provider's variable, else the local default.

    None for a hosted provider at its own address.
    """
    if settings.api_base:
        return settings.api_base
    facts = provider_facts(provider)
    for variable in facts.bases:
        value = os.environ.get(variable, "").strip()
        if value:
            return _dialable(value)
    return facts.local


def key_variable(provider: str, settings: ModelSettings) -> str | None:
    """The environment variable whose key the model's calls carry; None when none is set or needed."""
    if settings.api_key_env:
        return settings.api_key_env
    facts = provider_facts(provider)
    if not facts.known:
        usual = f"{provider.upper().replace('-', '_')}_API_KEY"
        return usual if os.environ.get(usual) else None
    alternatives = facts.keys[0] if facts.keys else ()
    return next((name for name in alternatives if os.environ.get(name)), None)


def without_credentials(url: str) -> str:
    """The address without user name, password and query: safe to show."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _dialable(host: str) -> str:
    """A server's address as a client can dial it: with a scheme, 0.0.0.0 (listen everywhere) as loopback."""
    url = host if "://" in host else f"http://{host}"
    url = url.replace("://0.0.0.0", "://127.0.0.1").rstrip("/")
    parts = urlsplit(url)
    if parts.port is None and "://" not in host:
        return f"{url}:11434"  # OLLAMA_HOST may be a bare host name
    return url
