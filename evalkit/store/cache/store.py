"""The table of answers, shared by any number of processes.

One table, content-addressed: the key is the digest of the request and of whatever else decides the answer
(route, host, revision). SQLite in WAL mode by default, any SQLAlchemy URL otherwise. Writes are committed in
groups by one thread; `put` returns when its group is on the disk. Who is about to ask says so by a claim
(cache/claims.py), so that processes which share the table do not pay for the same answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import queue
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.core.errors import CacheError
from evalkit.core.records import Request, Response
from evalkit.core.redaction import clean_line, known, learn_address, refresh
from evalkit.store.cache.claims import BEAT_S, Claims
from evalkit.store.cache.engine import connect, disposed_of, insert_for, key_list, key_table
from evalkit.store.cache.entry import HEAD, make_line, make_row, read_response
from evalkit.store.cache.location import explain, shown
from evalkit.store.refuge import rescue

SCHEMA = 2
"""Version of the tables: 1 had no version and did not keep the model's identity with the question."""
_GROUP = 512
"""Most entries in one commit."""
_KEYS_PER_QUERY = 500
_ROWS_PER_INSERT = 128
"""Old builds of SQLite take at most 999 parameters."""
_COLUMNS = ("key", "model", "created", "status", "request", "response")


@dataclass
class _Write:
    row: dict[str, Any]
    replace: bool
    done: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop


class Cache:
    """Responses by key, shared by any number of processes."""

    def __init__(self, url: str, *, replace_entries: bool = False) -> None:
        import sqlalchemy as sa

        self.url = url
        learn_address(url)
        refresh()
        self._replace = replace_entries
        tables = sa.MetaData()
        self._table = sa.Table(
            "responses",
            tables,
            sa.Column("key", sa.String(64), primary_key=True),
            sa.Column("model", sa.Text, nullable=False),
            sa.Column("created", sa.String(32), nullable=False),
            sa.Column("status", sa.String(16), nullable=False),
            sa.Column("request", sa.LargeBinary, nullable=False),
            sa.Column("response", sa.LargeBinary, nullable=False),
        )
        self._about = sa.Table(
            "evalkit_cache",
            tables,
            sa.Column("name", sa.String(16), primary_key=True),
            sa.Column("number", sa.Integer, nullable=False),
        )
        try:
            self._engine = connect(url)
            with disposed_of(self._engine):
                self._prepare()
            c = self._table.c
            self._query = sa.select(c.key, c.response).where(c.key.in_(key_table(self._engine)))
        except (sa.exc.SQLAlchemyError, OSError, ImportError) as error:
            raise CacheError(explain(url, error)) from error
        self._queue: queue.SimpleQueue[_Write | str | None] = queue.SimpleQueue()
        """Answers to be kept, keys whose claims are given back, and None at the end."""
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._writing = threading.Lock()
        self._failure: CacheError | None = None
        self._rescuing = threading.Lock()
        self._refuge: Path | None = None
        """The file with the answers that could not be kept; None before, and where no place has room."""
        self._n_rescued = 0
        self._claims = Claims(functools.partial(connect, url, durable=False), self._writing)

    def _prepare(self) -> None:
        """Make the tables of a new cache, and check the version of an old one. Raises CacheError."""
        import sqlalchemy as sa

        try:
            self._make_tables()
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError):
            self._make_tables()  # PostgreSQL: another process made them at this very moment
        with self._engine.connect() as connection:
            number = connection.execute(sa.select(self._about.c.number)).scalar()
        if number is not None and number > SCHEMA:
            raise CacheError(
                f"cache {shown(self.url)} has schema {number}, this evalkit reads up to {SCHEMA}; upgrade "
                "evalkit, or name another by --cache PATH"
            )

    def _make_tables(self) -> None:
        import sqlalchemy as sa

        present = sa.inspect(self._engine).has_table(self._about.name)
        if present and sa.inspect(self._engine).has_table(self._table.name):
            return  # nothing is written: a cache that may only be read opens too
        with self._engine.begin() as connection:
            for table in (self._table, self._about):
                connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            insert = insert_for(self._engine)(self._about).values(name="schema", number=SCHEMA)
            connection.execute(insert.on_conflict_do_nothing(index_elements=["name"]))

    def get_many(self, keys: Sequence[str]) -> dict[str, Response]:
        """The responses that are there, marked as from the cache. Raises CacheError."""
        import sqlalchemy as sa

        found: dict[str, Response] = {}
        try:
            with self._engine.connect() as connection:
                for start in range(0, len(keys), _KEYS_PER_QUERY):
                    chunk = key_list(self._engine, keys[start : start + _KEYS_PER_QUERY])
                    for key, content in connection.execute(self._query, {"keys": chunk}):
                        found[key] = read_response(clean_line(bytes(content), known()))
        except sa.exc.SQLAlchemyError as error:
            raise CacheError(explain(self.url, error)) from error
        except (TypeError, ValueError) as error:
            raise CacheError(
                f"cache {shown(self.url)}: an entry cannot be read ({str(error).splitlines()[0]}); "
                "replace it by running with --fresh, or name another cache by --cache PATH"
            ) from error
        return found

    def look_up(
        self, keys: Sequence[str], ask_again: Collection[str] = ()
    ) -> tuple[dict[str, Response], set[str]]:
        """(responses that are there, keys that another process is asking now); the other keys are claimed.

        Responses of a status in `ask_again` count as not there. Raises CacheError.
        """
        found = self._get(keys, ask_again)
        missing = [key for key in keys if key not in found]
        if not missing:
            return found, set()
        others = self.claim(missing)
        # What was answered between the two looks: a claim is deleted together with the answer's coming.
        late = self._get([key for key in missing if key not in others], ask_again)
        for key in late:
            self.release(key)
        return found | late, others

    def wait_for(
        self, keys: Sequence[str], ask_again: Collection[str] = ()
    ) -> tuple[dict[str, Response], list[str]]:
        """(responses that other processes have given meanwhile, keys now claimed here: nobody asks them).

        Reads only, unless an owner has died or given up. Raises CacheError.
        """
        import sqlalchemy as sa

        found = self._get(keys, ask_again)
        try:
            free = self._claims.free([key for key in keys if key not in found])
        except sa.exc.SQLAlchemyError as error:
            raise CacheError(explain(self.url, error)) from error
        if not free:
            return found, []
        late, others = self.look_up(free, ask_again)
        return found | late, [key for key in free if key not in late and key not in others]

    def claim(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that another process is asking; the others are claimed. Raises CacheError."""
        import sqlalchemy as sa

        try:
            others = self._claims.take(keys)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise CacheError(explain(self.url, error)) from error
        self._start()
        return others

    def begin(self, key: str) -> bool:
        """Whether the question may be asked now: it is claimed, and the claim was not lost meanwhile."""
        return self._claims.begin(key)

    def release(self, key: str) -> None:
        """Give a claim back, soon: the question was not answered."""
        if self._thread is not None:
            self._queue.put(key)

    def _get(self, keys: Sequence[str], ask_again: Collection[str]) -> dict[str, Response]:
        found = self.get_many(keys)
        return {key: item for key, item in found.items() if item.status not in ask_again}

    def count_by_model(self) -> dict[str, int]:
        """How many responses are kept of each model, by name. Raises CacheError."""
        import sqlalchemy as sa

        model = self._table.c.model
        query = sa.select(model, sa.func.count()).group_by(model).order_by(model)
        try:
            with self._engine.connect() as connection:
                return {row[0]: row[1] for row in connection.execute(query)}
        except sa.exc.SQLAlchemyError as error:
            raise CacheError(explain(self.url, error)) from error

    def rows(self, model: str | None = None) -> Iterator[Mapping[str, Any]]:
        """All entries, oldest first, one at a time; of one model when it is named. Raises CacheError."""
        import sqlalchemy as sa

        query = sa.select(self._table).order_by(self._table.c.created, self._table.c.key)
        if model is not None:
            query = query.where(self._table.c.model == model)
        try:
            with self._engine.connect() as connection:
                for row in connection.execution_options(yield_per=500).execute(query).mappings():
                    yield {
                        **row,
                        "request": clean_line(bytes(row["request"]), known()),
                        "response": clean_line(bytes(row["response"]), known()),
                    }
        except sa.exc.SQLAlchemyError as error:
            raise CacheError(explain(self.url, error)) from error

    def add_rows(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """How many of these entries were new; those that are there stay as they are. Raises CacheError."""
        import sqlalchemy as sa

        before, group = sum(self.count_by_model().values()), list[dict[str, Any]]()
        try:
            for row in rows:
                group.append(dict(row))
                if len(group) == _GROUP:
                    self._commit(group)
                    group = []
            if group:
                self._commit(group)
        except sa.exc.SQLAlchemyError as error:
            raise CacheError(explain(self.url, error)) from error
        return sum(self.count_by_model().values()) - before

    def prune(
        self, *, before: str | None = None, model: str | None = None, max_bytes: int | None = None
    ) -> int:
        """How many entries were deleted: older than the ISO time `before`, and of the model where named;
        with `max_bytes`, then the oldest until no more than that many bytes of entries are left.

        Raises CacheError.
        """
        import sqlalchemy as sa

        c = self._table.c
        deleted = 0
        try:
            with self._engine.begin() as connection:
                if before is not None or (model is not None and max_bytes is None):
                    statement = sa.delete(self._table)
                    if before is not None:
                        statement = statement.where(c.created < before)
                    if model is not None:
                        statement = statement.where(c.model == model)
                    deleted += connection.execute(statement).rowcount
                if max_bytes is not None:
                    deleted += self._shrink(connection, max_bytes, model)
            if deleted and self._engine.dialect.name == "sqlite":
                with self._engine.connect() as connection:
                    connection.exec_driver_sql("VACUUM")
        except sa.exc.SQLAlchemyError as error:
            raise CacheError(explain(self.url, error)) from error
        return deleted

    def _shrink(self, connection: Any, max_bytes: int, model: str | None) -> int:
        import sqlalchemy as sa

        c = self._table.c
        size = sa.func.length(c.request) + sa.func.length(c.response)
        query = sa.select(c.key, size).order_by(c.created.desc(), c.key)
        if model is not None:
            query = query.where(c.model == model)
        total, doomed = 0, list[str]()
        for key, number in connection.execute(query):
            total += number
            if total > max_bytes:
                doomed.append(key)
        for start in range(0, len(doomed), _KEYS_PER_QUERY):
            chunk = doomed[start : start + _KEYS_PER_QUERY]
            connection.execute(sa.delete(self._table).where(c.key.in_(chunk)))
        return len(doomed)

    async def put(
        self,
        key: str,
        request: Request,
        response: Response,
        *,
        identity: Mapping[str, Any] | None = None,
        replace_entry: bool = False,
    ) -> None:
        """Keep a response; returns when it is on the disk. Failed calls are not kept. Raises CacheError.

        `identity` is kept with the question, so that the entry explains itself; `replace_entry` lets this
        answer take the place of an older one.
        """
        if response.status == "error" or response.from_cache:
            return
        row = make_row(key, request, response, identity)
        row |= {name: clean_line(row[name], known()) for name in ("request", "response")}
        if self._failure is not None:
            raise self._rescue([row], self._failure)
        self._start()
        loop = asyncio.get_running_loop()
        write = _Write(row, replace_entry or self._replace, loop.create_future(), loop)
        self._queue.put(write)
        await write.done

    def _start(self) -> None:
        """Start the thread that writes, and keeps the claims alive, if it does not run yet."""
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    thread = threading.Thread(target=self._write_groups, name="evalkit-cache", daemon=True)
                    thread.start()
                    self._thread = thread

    def _write_groups(self) -> None:
        closing = False
        while not closing:
            group: list[_Write] = []
            released: list[str] = []
            with contextlib.suppress(queue.Empty):
                item = self._queue.get(timeout=BEAT_S)
                while True:
                    if item is None:
                        closing = True
                        break
                    if isinstance(item, str):
                        released.append(item)
                    else:
                        group.append(item)
                    if len(group) == _GROUP:
                        break
                    item = self._queue.get_nowait()
            if group:
                self._write(group)
            self._claims.give_back(released)
            self._claims.tick()

    def _write(self, group: Sequence[_Write]) -> None:
        """Commit the group and tell those who wait for it."""
        failure: CacheError | None = None
        try:
            for replacing in (False, True):
                rows = {write.row["key"]: write.row for write in group if write.replace is replacing}
                if rows:
                    self._commit(rows.values(), replacing)
        except Exception as error:  # whatever it is, those who wait for this group must hear of it
            self._failure = CacheError(explain(self.url, error))
            failure = self._rescue([write.row for write in group], self._failure)
        for loop in {write.loop for write in group}:
            waiting = [write.done for write in group if write.loop is loop]
            # A run that was cancelled has closed its loop; its answers are on the disk all the same.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, waiting, failure)

    def _rescue(self, rows: Sequence[Mapping[str, Any]], failure: CacheError) -> CacheError:
        """The failure, with where the answers are that could not be kept: in a file for `cache import`."""
        with self._rescuing:
            lines = b"".join(make_line(row) for row in rows)
            content = lines if self._refuge is not None else HEAD + lines
            self._refuge, where = rescue("answers.jsonl", content, self._refuge)
            self._n_rescued += len(rows)
            named = self._refuge or "FILE"
            return CacheError(
                f"{failure}; {self._n_rescued:,} answers that were paid for and not kept are {where}; "
                f"when there is room: evalkit cache import {named}"
            )

    def _commit(self, rows: Iterable[dict[str, Any]], replacing: bool = False) -> None:
        group = sorted(rows, key=lambda row: str(row["key"]))  # so that two processes never block each other
        keys = [row["key"] for row in group] if self._claims.active else []
        place = "?" if self._engine.dialect.paramstyle == "qmark" else "%s"
        line = f"({', '.join([place] * len(_COLUMNS))})"
        changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
        conflict = f"ON CONFLICT (key) DO {f'UPDATE SET {changes}' if replacing else 'NOTHING'}"
        with self._writing, self._engine.begin() as connection:
            # One step for many rows: between steps, a thread must wait until it may go on.
            for start in range(0, len(group), _ROWS_PER_INSERT):
                part = group[start : start + _ROWS_PER_INSERT]
                values = tuple(row[name] for row in part for name in _COLUMNS)
                text = f"INSERT INTO responses ({', '.join(_COLUMNS)}) VALUES {', '.join([line] * len(part))}"
                connection.exec_driver_sql(f"{text} {conflict}", values)
            if keys:
                self._claims.delete(connection, keys)
        self._claims.forget(keys)

    def close(self) -> None:
        """Write what is queued and close the database."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        self._claims.close()
        self._engine.dispose()


def _resolve(waiting: Sequence[asyncio.Future[None]], failure: CacheError | None) -> None:
    for future in waiting:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
