"""Connections to the database of a cache: SQLite in WAL mode, or whatever SQLAlchemy's URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from evalkit.store.cache.location import parse


def connect(url: str, *, durable: bool = True) -> Any:
    """An engine. Commits of one that is not durable survive their process, but perhaps not a power cut.

    Raises what SQLAlchemy raises, ImportError without the driver, OSError when the folder cannot be made.
    """
    import sqlalchemy as sa

    parsed = parse(url)
    if parsed.get_backend_name() != "sqlite":
        engine = sa.create_engine(url, pool_pre_ping=True)
        if not durable and parsed.get_backend_name() == "postgresql":
            sa.event.listen(engine, "connect", _commit_soon)
        return engine
    if parsed.database and not parsed.database.startswith((":memory:", "file:")):
        path = Path(parsed.database)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():  # SQLite gives its -wal and -shm files the mode of this one
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    engine = sa.create_engine(url, connect_args={"timeout": 60, "check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def _tune(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        except BaseException:
            connection.close()  # SQLAlchemy forgets a connection whose listener raises
            raise
        cursor.close()

    return engine


@contextmanager
def disposed_of(engine: Any) -> Iterator[None]:
    """Inside, an exception closes the engine's connections before it goes on: nobody else will."""
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def key_table(engine: Any) -> Any:
    """A SELECT of the keys that the parameter `keys` of a statement holds, as `key_list` makes it.

    One parameter, whatever their number: a statement is compiled once and run in one step, in which other
    threads go on.
    """
    import sqlalchemy as sa

    if engine.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import ARRAY

        listed = sa.func.unnest(sa.bindparam("keys", type_=ARRAY(sa.String)))
        return sa.select(listed.table_valued("value").render_derived().c.value)
    return sa.select(sa.func.json_each(sa.bindparam("keys")).table_valued("value").c.value)


def key_list(engine: Any, keys: Sequence[str]) -> Any:
    """The parameter `keys` of a statement with `key_table`."""
    return list(keys) if engine.dialect.name == "postgresql" else orjson.dumps(list(keys)).decode()


def insert_for(engine: Any) -> Any:
    """The dialect's INSERT, which knows ON CONFLICT."""
    if engine.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert


def _commit_soon(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off")
    connection.commit()
