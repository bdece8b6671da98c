"""Claims: which process is asking what at this moment, so that no other pays for the same answer.

Two tables beside the answers. Who is about to ask takes a claim on the question; who finds the claim of
another waits for the answer. An owner raises its count of beats every second. It is dead when its process is
gone, or when its count has stood still for longer than an observer's patience, by the observer's own clock
that cannot jump: no two clocks are ever compared. Whoever notices deletes the dead owner with its claims; an
owner that was only asleep finds itself gone and claims anew.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from evalkit.store.cache.engine import disposed_of, insert_for, key_list, key_table
from evalkit.store.cache.owner import Owner, this_process

BEAT_S = 1.0
"""Seconds between two beats."""
PATIENCE_S = 8.0
"""An owner on another host whose beats stand still for so long is dead: killed, or cut off."""
PATIENCE_LIVING_S = 60.0
"""The same for a process of this host that still runs: stopped, or starved."""
_LAPSE_S = 5.0
"""An owner that has not beaten for so long looks before it asks whether its claims are still its own."""
_IDLE_S = 10.0
"""A claim whose question is still waiting for its turn after so long is given up: another may be faster."""
_KEYS_PER_QUERY = 500


class Claims:
    """The claims of this process, and what it sees of those of others. Its methods block."""

    def __init__(
        self,
        connect: Callable[[], Any],
        writing: threading.Lock,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`connect` makes an engine whose commits need not outlive a power cut; `writing` is held round every
        transaction that writes, so that threads of one process do not wait for the database to notice each
        other.
        """
        import sqlalchemy as sa

        self._connect = connect
        self._writing = writing
        self._clock = clock
        tables = sa.MetaData()
        self._owners = sa.Table(
            "claim_owners",
            tables,
            sa.Column("owner", sa.String(32), primary_key=True),
            sa.Column("host", sa.String(200), nullable=False),
            sa.Column("pid", sa.BigInteger, nullable=False),
            sa.Column("started", sa.String(32), nullable=False),
            sa.Column("beat", sa.BigInteger, nullable=False),
        )
        self.table = sa.Table(
            "claims",
            tables,
            sa.Column("key", sa.String(64), primary_key=True),
            sa.Column("owner", sa.String(32), nullable=False),
            sqlite_with_rowid=False,
        )
        self._beat = (
            sa.update(self._owners)
            .where(self._owners.c.owner == sa.bindparam("me"))
            .values(beat=self._owners.c.beat + 1)
        )
        self._engine: Any = None
        self._me: Owner | None = None
        self._beaten = -math.inf
        self._guard = threading.Lock()
        self._held: dict[str, float] = {}
        """Key -> when it was claimed; infinity once it is being asked."""
        self._watched: dict[str, tuple[int, float]] = {}
        """Another owner -> its count of beats, and since when that stands, by this process' clock."""

    @property
    def active(self) -> bool:
        """Whether this process has claimed anything yet."""
        return self._me is not None

    def take(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that another living process asks; all others are this process' from now on."""
        others = self._claim(keys)
        dead = {row.owner: row for row in others if self._is_dead(row)}
        if dead:
            self._bury(dead.values())
            left = [row.key for row in others if row.owner in dead]
            others = [row for row in others if row.owner not in dead] + self._claim(left)
        foreign = {row.key for row in others}
        now = self._clock()
        with self._guard:
            self._held.update((key, now) for key in keys if key not in foreign and key not in self._held)
        return foreign

    def free(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys that no other living process asks; nothing is written."""
        held = {row.key for row in self._read(keys) if not self._is_dead(row)}
        return [key for key in keys if key not in held]

    def begin(self, key: str) -> bool:
        """Whether the claim is this process' and sure, so that the question may be asked now."""
        with self._guard:
            if key not in self._held or self._clock() - self._beaten > _LAPSE_S:
                return False
            self._held[key] = math.inf
            return True

    def forget(self, keys: Iterable[str]) -> None:
        """Take note that these claims are gone from the table, with their answers or without."""
        with self._guard:
            for key in keys:
                self._held.pop(key, None)

    def give_back(self, keys: Sequence[str]) -> None:
        """Give claims back whose questions were not answered. What fails now is given back at the end."""
        with self._guard:
            mine = [key for key in keys if self._held.pop(key, None) is not None]
        self._delete(mine)

    def delete(self, connection: Any, keys: Sequence[str]) -> None:
        """Delete this process' claims on the keys, in a transaction of the caller's."""
        connection.execute(self._deletion, {"keys": key_list(connection.engine, keys), "me": self._name})

    def tick(self) -> None:
        """Beat, when it is time to, and give up what has waited too long for its turn.

        A database that does not answer now is no reason to end a run: the claims count as unsure meanwhile.
        """
        import sqlalchemy as sa

        now = self._clock()
        if self._me is None or now - self._beaten < BEAT_S:
            return
        idle: list[str] = []
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            with self._transaction() as connection:
                self._register(connection)
            with self._guard:
                idle = [key for key, since in self._held.items() if now - since > _IDLE_S]
                for key in idle:  # from here on `begin` says no
                    del self._held[key]
        self._delete(idle)

    def close(self) -> None:
        """Give back whatever is left."""
        import sqlalchemy as sa

        if self._engine is None:
            return
        if self._me is not None:
            with contextlib.suppress(sa.exc.SQLAlchemyError), self._transaction() as connection:
                for table in (self.table, self._owners):
                    connection.execute(sa.delete(table).where(table.c.owner == self._me.name))
        self._me = None
        self._held.clear()
        self._engine.dispose()
        self._engine = None

    def _delete(self, keys: Sequence[str]) -> None:
        import sqlalchemy as sa

        if not keys or self._me is None:
            return
        with contextlib.suppress(sa.exc.SQLAlchemyError), self._transaction() as connection:
            self.delete(connection, keys)

    def _claim(self, keys: Sequence[str]) -> list[Any]:
        """The rows of others' claims on the keys, after all free ones were claimed."""
        others: list[Any] = []
        for chunk in _chunks(sorted(keys)):  # sorted, so that two processes never wait for each other
            with self._transaction() as connection:
                me = self._register(connection)
                given = {"keys": key_list(self._engine, chunk), "me": me}
                if connection.execute(self._insertion, given).rowcount < len(chunk):
                    others += connection.execute(self._others, given)
        return others

    def _read(self, keys: Sequence[str]) -> list[Any]:
        rows: list[Any] = []
        with self._writing:
            engine = self._open()
        with engine.connect() as connection:
            for chunk in _chunks(keys):
                rows += connection.execute(self._others, {"keys": key_list(engine, chunk), "me": self._name})
        return rows

    @property
    def _name(self) -> str:
        return self._me.name if self._me is not None else ""

    def _register(self, connection: Any) -> str:
        """The name of this process' row, whose beat is raised; a new row when there is none (any more)."""
        if self._me is None or not connection.execute(self._beat, {"me": self._me.name}).rowcount:
            with self._guard:  # who was taken for dead has lost its claims, also those of calls in flight
                self._held.clear()
            self._me = this_process(uuid.uuid4().hex)
            row = {"owner": self._me.name, "host": self._me.host, "pid": self._me.pid}
            connection.execute(self._owners.insert(), row | {"started": self._me.started, "beat": 0})
        self._beaten = self._clock()
        return self._me.name

    def _is_dead(self, row: Any) -> bool:
        """Whether the owner of a claim will never answer."""
        if row.host is None:
            return True  # buried, and the claim was overlooked
        lives = Owner(row.owner, row.host, row.pid, row.started).lives
        if lives is False:
            return True
        now = self._clock()
        beat, since = self._watched.get(row.owner, (-1, now))
        if beat != row.beat:
            self._watched[row.owner] = (row.beat, now)
            return False
        return now - since > (PATIENCE_LIVING_S if lives else PATIENCE_S)

    def _bury(self, dead: Iterable[Any]) -> None:
        """Delete dead owners and their claims, but not one that has given a sign of life meanwhile."""
        import sqlalchemy as sa

        owners, c = self._owners, self._owners.c
        for row in sorted(dead, key=lambda row: str(row.owner)):
            with self._transaction() as connection:
                if row.host is not None:
                    gone = sa.delete(owners).where(c.owner == row.owner, c.beat == row.beat)
                    if not connection.execute(gone).rowcount:
                        continue
                connection.execute(sa.delete(self.table).where(self.table.c.owner == row.owner))
            self._watched.pop(row.owner, None)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._writing, self._open().begin() as connection:
            yield connection

    def _open(self) -> Any:
        """The engine; at the first time the tables are made, where they are not there."""
        if self._engine is None:
            engine = self._connect()
            with disposed_of(engine):
                self._make_tables(engine)
            self._compose(engine)
            self._engine = engine
        return self._engine

    def _make_tables(self, engine: Any) -> None:
        import sqlalchemy as sa

        if sa.inspect(engine).has_table(self.table.name):
            return
        for _ in range(2):  # PostgreSQL: another process may make them at this very moment
            with (
                contextlib.suppress(sa.exc.IntegrityError, sa.exc.ProgrammingError),
                engine.begin() as connection,
            ):
                for table in (self._owners, self.table):
                    connection.execute(sa.schema.CreateTable(table, if_not_exists=True))

    def _compose(self, engine: Any) -> None:
        """The statements about many keys, as the database wants them."""
        import sqlalchemy as sa

        c, keys, me = self.table.c, key_table(engine), sa.bindparam("me", type_=sa.String)
        # SQLite takes the ON of ON CONFLICT for that of a join where no WHERE stands between.
        listed = keys.add_columns(me).where(sa.literal_column("1") == sa.literal_column("1"))
        insert = insert_for(engine)(self.table).from_select(["key", "owner"], listed)
        self._insertion = insert.on_conflict_do_nothing(index_elements=["key"])
        self._deletion = sa.delete(self.table).where(c.key.in_(keys), c.owner == me)
        self._others = (
            sa.select(c.key, c.owner, *(each for each in self._owners.c if each.name != "owner"))
            .select_from(self.table.outerjoin(self._owners, c.owner == self._owners.c.owner))
            .where(c.key.in_(keys), c.owner != me)
        )


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        yield keys[start : start + _KEYS_PER_QUERY]
