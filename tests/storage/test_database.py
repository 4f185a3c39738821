"""The file's format: recognised, refused, created and migrated."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.contracts.store_builders import filled, new

from mainspring.records.errors import StoreError
from mainspring.storage import schema
from mainspring.storage.database import explain
from mainspring.storage.filesystem import filesystem_of, refuse_network
from mainspring.storage.schema import APPLICATION, prepare
from mainspring.storage.sqlite import SqliteStore
from mainspring.storage.statements import statements

NOW = len(list(schema.MIGRATIONS.glob("*.sql")))
NEXT = NOW + 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    filled(store, new("a"))
    store.close()
    return path


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """Migrations up to one that the present code does not have."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for file in schema.MIGRATIONS.iterdir():
        (folder / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / f"{len(list(folder.iterdir())) + 1:04}_colour.sql").write_text(
        "ALTER TABLE runs ADD COLUMN colour TEXT;\nUPDATE runs SET colour = 'red';\n",
        encoding="utf-8",
    )
    return folder


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return found


def test_a_fresh_file_has_its_marks(path: Path) -> None:
    connection = sqlite3.connect(path)
    marks = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "journal_mode")
    ]
    connection.close()
    numbers = [int(file.name[:4]) for file in schema.MIGRATIONS.iterdir()]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert marks == [APPLICATION, max(numbers), "wal"]
    assert os.listdir(path.parent) == ["store.db"]


def test_connections_are_durable_and_checked(path: Path) -> None:
    store = SqliteStore(path)
    with store.write():
        assert store._writing._connection is not None
        ask = store._writing._connection.execute
        assert ask("PRAGMA synchronous").fetchone() == (2,)
        assert ask("PRAGMA foreign_keys").fetchone() == (1,)
    with pytest.raises(StoreError):
        store._reading.rows("DELETE FROM runs")
    store.close()


def test_what_was_left_of_a_creation_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "store.db.new").write_bytes(b"half")
    SqliteStore(tmp_path / "store.db").close()
    assert os.listdir(tmp_path) == ["store.db"]


def test_a_newer_file_is_refused_and_left_alone(path: Path, newer: Path) -> None:
    prepare(path, migrate=True, migrations=newer)
    before = path.read_bytes()
    listed = sorted(os.listdir(path.parent))
    for migrate in (False, True):
        with pytest.raises(
            StoreError, match=rf"newer Mainspring \(format {NEXT}, this one knows {NOW}\)"
        ):
            SqliteStore(path, migrate=migrate)
    assert path.read_bytes() == before
    assert sorted(os.listdir(path.parent)) == listed


def test_a_newer_format_that_is_only_in_the_log(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="format 99"):
        SqliteStore(path)
    connection.close()


def test_an_older_file_is_migrated_only_when_asked(path: Path, newer: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(StoreError, match="older format") as caught:
        prepare(path, migrations=newer)
    assert caught.value.hint is not None
    assert path.read_bytes() == before
    prepare(path, migrate=True, migrations=newer)
    assert version(path) == NEXT
    assert version(path.with_name(f"store.db.bak-{NOW}")) == NOW
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT id, colour FROM runs").fetchall() == [("r1", "red")]
    connection.close()
    old = SqliteStore(path.with_name(f"store.db.bak-{NOW}"))
    assert [task.path for task in old.read.tasks("r1")] == ["a"]
    old.close()


def test_a_migration_that_fails_changes_nothing(path: Path, newer: Path) -> None:
    (newer / f"{NEXT + 1:04}_wrong.sql").write_text(
        "DROP TABLE points; SELECT wrong;", encoding="utf-8"
    )
    with pytest.raises(StoreError, match="could not be migrated"):
        prepare(path, migrate=True, migrations=newer)
    assert version(path) == NOW
    store = SqliteStore(path)
    assert store.integrity() == []
    assert store.read.metrics("r1") == []
    store.close()


@pytest.mark.parametrize(
    "content", [b"", b"SQLite format 3\x00", b"x" * 50, b"not a database" * 99]
)
def test_a_file_that_is_no_store(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        SqliteStore(path)
    assert str(path) in str(caught.value)
    assert "restore" in str(caught.value)
    assert path.read_bytes() == content


def test_another_programs_database(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE x (y)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="not a Mainspring store"):
        SqliteStore(path)


@pytest.mark.parametrize("keep", [5000, 60_000])
def test_a_file_cut_short(path: Path, keep: int) -> None:
    os.truncate(path, keep)

    def use() -> None:
        with closing(SqliteStore(path)) as store:
            store.read.tasks("r1")
            with store.write() as tx:
                tx.add_tasks("r1", [new("b")])

    with pytest.raises(StoreError, match="damaged") as caught:
        use()
    assert str(path) in str(caught.value)
    assert "doctor" in str(caught.value)


def test_a_damaged_page_is_an_error_and_integrity_says_so(path: Path) -> None:
    store = SqliteStore(path)
    with store.write() as tx:
        tx.add_tasks("r1", [new(f"t{i}") for i in range(2000)])
    store.close()
    with path.open("r+b") as file:
        for page in range(100, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="damaged"):
        store.read.tasks("r1")
    assert store.integrity() != []
    store.close()


MOUNTS = """\
22 1 0:21 / / rw - ext4 /dev/sda1 rw
36 22 0:99 / /mnt/team rw,relatime shared:1 - nfs4 server:/team rw
37 22 0:98 / /mnt/with\\040space rw - fuse.sshfs me@host: rw
38 22 0:97 / /mnt/team/local rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/mnt/team/project", "nfs4"),
        ("/mnt/teamwork", "ext4"),
        ("/mnt/with space/x", "fuse.sshfs"),
        ("/mnt/team/local/x", "xfs"),
    ],
)
def test_the_filesystem_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, kind: str
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS, encoding="utf-8")
    stat = os.stat(tmp_path)
    monkeypatch.setattr(os, "stat", lambda *_, **__: stat)  # there is no such folder here
    assert filesystem_of(Path(folder), table) == kind
    if kind in {"nfs4", "fuse.sshfs"}:
        with pytest.raises(StoreError, match=kind) as caught:
            refuse_network(Path(folder), table)
        assert "local disk" in str(caught.value)
    else:
        refuse_network(Path(folder), table)


def test_the_filesystem_is_found_by_device(tmp_path: Path) -> None:
    device = os.stat(tmp_path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    table = tmp_path / "mountinfo"
    table.write_text(f"22 1 {number} /sub /elsewhere rw - cifs //server/x rw\n", encoding="utf-8")
    with pytest.raises(StoreError, match="cifs"):
        refuse_network(tmp_path, table)


def test_a_system_without_a_mount_table(tmp_path: Path) -> None:
    assert filesystem_of(tmp_path, tmp_path / "none") == ""


_BASES = {"facts": "metrics", "search": "runs"}
_SLOTS = {"where": "1 = 1", "range": "1 = 1", "way": "ASC", "column": "r.id"}


def test_every_statement_is_valid_sql(path: Path) -> None:
    connection = sqlite3.connect(path)
    folder = Path(schema.__file__).parent / "sql"
    for noun in sorted(file.stem for file in folder.glob("*.sql")):
        for name, text in statements(_BASES.get(noun, "tasks"), noun).items():
            sql = re.sub(r"\{(\w+)\}", lambda slot: _SLOTS[slot[1]], text)
            if not re.match(r"(--.*\n)*(SELECT|INSERT|UPDATE|DELETE|WITH)", sql):
                continue  # a condition, which code puts into others
            names = re.findall(r":(\w+)", sql)
            values = dict.fromkeys(names) if names else [None] * sql.count("?")
            try:
                connection.execute(f"EXPLAIN {sql}", values)
            except sqlite3.Error as error:
                pytest.fail(f"{noun}.{name}: {error}")
    connection.close()


@pytest.mark.parametrize(("free", "said"), [(4, "the disk is full"), (1 << 20, "the disk failed")])
def test_an_input_output_error_on_a_full_disk_is_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, said: str
) -> None:
    # Fault injection: which page SQLite can't write is not ours to choose on a real disk.
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    found = os.statvfs_result((4096, 4096, 9, free, free, 9, 9, 9, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    assert said in str(explain(error, tmp_path / "store.db"))
