"""Connections: rows have names, transactions are begun by hand, and a thread of its own may be enough."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from mcp_hub.store.connection import connect


def test_rows_have_names_and_nothing_is_begun_by_itself(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "a.db")) as connection:
        connection.execute("create table t (name text)")
        connection.execute("insert into t values ('one')")
        assert not connection.in_transaction
        assert connection.execute("select name from t").fetchone()["name"] == "one"


@pytest.mark.parametrize(("synchronous", "level"), [("normal", 1), ("full", 2)])
def test_what_a_commit_is_worth_is_said_by_who_opens(tmp_path: Path, synchronous: str, level: int) -> None:
    with closing(connect(tmp_path / "a.db", synchronous=synchronous)) as connection:  # type: ignore[arg-type]
        assert connection.execute("pragma synchronous").fetchone()[0] == level


def test_other_threads_may_use_it_only_where_that_was_said(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "a.db")) as own, closing(connect(tmp_path / "a.db", any_thread=True)) as shared:
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(shared.execute, "select 1").result().fetchone()[0] == 1
            with pytest.raises(sqlite3.ProgrammingError, match="thread"):
                threads.submit(own.execute, "select 1").result()


def test_it_waits_for_another_writer_no_longer_than_it_was_told(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "a.db")) as one, closing(connect(tmp_path / "a.db", timeout=0)) as other:
        one.execute("begin immediate")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("begin immediate")
