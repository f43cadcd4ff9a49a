"""Killed anywhere, on either side, a copy goes on where it was, and nothing is lost."""

from __future__ import annotations

import contextlib
import random
import subprocess
from typing import Any

import pytest

from cluster import Cluster
from store.copying import as_moved, end, move, rows_of
from trunkline.store.copy import source
from trunkline.store.copy.source import SqliteSource
from trunkline.store.copy.target import PostgresTarget
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.work.upkeep import copy_database as verb

# ---- Killed ----------------------------------------------------------------------------------------


async def test_killed_anywhere_it_goes_on_and_nothing_is_copied_twice(there, empty_url):
    await there.live(800)
    server = there.living(10_000)
    chance = random.Random(4)
    for _ in range(5):
        with there.copying("--to", empty_url) as copy:
            with contextlib.suppress(subprocess.TimeoutExpired):
                copy.wait(chance.uniform(0.8, 3.5))
            copy.kill()
    end(server)
    there.copied("--to", empty_url)
    assert rows_of(empty_url) == as_moved(there.path)


@pytest.mark.parametrize(
    "at", ["mark_moved", "finish", "release", "link", "build", "begin", "load"]
)
async def test_broken_off_at_each_step_it_goes_on(there, empty_url, at, monkeypatch):
    await there.live(30)
    monkeypatch.setattr(source, "ROWS", 40)
    kind: Any = PostgresTarget if hasattr(PostgresTarget, at) else source.SqliteLockedSnapshot
    kind = SqliteSource if at == "release" else kind

    class Killed(BaseException):
        pass

    for after in (False, True):
        whole, left = getattr(kind, at), [1]

        def step(
            self: Any, *given: Any, whole: Any = whole, left: Any = left, after: bool = after
        ) -> Any:
            left[0] -= 1
            if left[0] == 0 and not after:
                raise Killed
            done = whole(self, *given)
            if left[0] == 0:
                raise Killed
            return done

        with monkeypatch.context() as patch:
            patch.setattr(kind, at, step)
            with contextlib.suppress(Killed):
                move(there, empty_url)
            assert left[0] <= 0
    assert move(there, empty_url).moved
    assert rows_of(empty_url) == as_moved(there.path)
    assert move(there, empty_url).moved  # and again


async def test_postgresql_killed_amid_it_is_waited_for(there):
    await there.live(800)
    own = Cluster()
    try:
        url = own.url(own.create())
        server = there.living(10_000)
        with there.copying("--to", url) as copy:
            assert copy.stderr is not None
            assert "copying" in copy.stderr.readline()
            for pause in (0.3, 0.8, 1.3):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    copy.wait(pause)
                own.restart()
            _, err = copy.communicate(timeout=200)
            assert copy.returncode == 0, err
        assert "trying again" in err
        end(server)
        there.copied("--to", url)
        assert rows_of(url) == as_moved(there.path)
        own.stop()
        said = there.copied("--to", url, status=1)
        assert "cannot use postgresql://127.0.0.1" in said
    finally:
        own.close()


async def test_a_target_that_stays_away_is_told_of(there):
    await there.live(100)
    own = Cluster()

    def tell(progress: verb.Progress) -> None:
        if progress.step == "indexing" and (own.data / "postmaster.pid").exists():
            own.stop()

    try:
        url = own.url(own.create())
        with pytest.raises(DatabaseUnavailable, match="start the same command again") as failed:
            move(there, url, tell=tell, patience=1)
        assert "trunkline:" not in str(failed.value)
        own.start()
        assert move(there, url).moved
        assert rows_of(url) == as_moved(there.path)
    finally:
        own.close()
