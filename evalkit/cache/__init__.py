"""The cache: every answer is durable the moment it arrives, and nobody pays for it twice."""

from evalkit.cache.entry import cache_key
from evalkit.cache.known import known_keys
from evalkit.cache.place import DEFAULT_CACHE, cache_url
from evalkit.cache.store import Cache

__all__ = ["DEFAULT_CACHE", "Cache", "cache_key", "cache_url", "known_keys"]
