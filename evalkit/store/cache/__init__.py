"""The cache: every answer is durable the moment it arrives, and nobody pays for it twice."""

from evalkit.store.cache.entry import cache_key
from evalkit.store.cache.location import DEFAULT_CACHE, cache_url
from evalkit.store.cache.lookup import known_keys
from evalkit.store.cache.store import Cache

__all__ = ["DEFAULT_CACHE", "Cache", "cache_key", "cache_url", "known_keys"]
