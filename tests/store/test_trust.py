"""A file that starts commands counts only as somebody has read it."""

import json
import stat
from pathlib import Path

import pytest

from mcp_hub.store.trust import FILE_NAME, TrustStore


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "state")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Where it is written down."""
    return tmp_path / "state" / FILE_NAME


def test_a_file_that_nobody_trusted_is_unknown(store: TrustStore, tmp_path: Path) -> None:
    assert store.trusts(tmp_path / "servers.toml", b"") is None


def test_a_trusted_file_is_trusted_as_it_is(store: TrustStore, tmp_path: Path) -> None:
    store.trust(tmp_path / "servers.toml", b"content")
    assert store.trusts(tmp_path / "servers.toml", b"content") is True


@pytest.mark.parametrize("changed", [b"content ", b"Content", b"", b"content\n", b"\xff"])
def test_a_changed_file_is_not(store: TrustStore, tmp_path: Path, changed: bytes) -> None:
    store.trust(tmp_path / "servers.toml", b"content")
    assert store.trusts(tmp_path / "servers.toml", changed) is False


def test_a_changed_file_can_be_trusted_again_and_the_old_content_no_more(store: TrustStore, tmp_path: Path) -> None:
    path = tmp_path / "servers.toml"
    store.trust(path, b"old")
    store.trust(path, b"new")
    assert (store.trusts(path, b"new"), store.trusts(path, b"old")) == (True, False)


def test_trust_is_for_one_path_and_not_for_the_same_content_elsewhere(store: TrustStore, tmp_path: Path) -> None:
    store.trust(tmp_path / "a" / "servers.toml", b"content")
    assert store.trusts(tmp_path / "b" / "servers.toml", b"content") is None


def test_several_files_are_trusted_beside_each_other(store: TrustStore, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        store.trust(tmp_path / name, name.encode())
    assert [store.trusts(tmp_path / name, name.encode()) for name in ("a", "b", "c")] == [True] * 3


def test_trust_outlives_the_hub_and_is_shared_by_all_of_them(tmp_path: Path) -> None:
    TrustStore(tmp_path / "state").trust(tmp_path / "servers.toml", b"content")
    assert TrustStore(tmp_path / "state").trusts(tmp_path / "servers.toml", b"content")


def test_a_file_is_the_same_by_whatever_way_it_is_reached(
    store: TrustStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "servers.toml").write_bytes(b"content")
    (tmp_path / "link").symlink_to(folder)
    store.trust(folder / "servers.toml", b"content")
    monkeypatch.chdir(folder)
    for way in (
        Path("servers.toml"),
        Path("./servers.toml"),
        folder / ".." / "project" / "servers.toml",
        tmp_path / "link" / "servers.toml",
    ):
        assert store.trusts(way, b"content") is True


def test_a_link_to_a_trusted_file_is_not_trusted_where_it_lies(store: TrustStore, tmp_path: Path) -> None:
    """Relative paths in it would mean what lies beside the link."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "evil").mkdir()
    trusted, link = tmp_path / "mine" / "servers.toml", tmp_path / "evil" / "servers.toml"
    trusted.write_bytes(b"content")
    link.symlink_to(trusted)
    store.trust(trusted, b"content")
    assert store.trusts(link, b"content") is None
    store.trust(link, b"content")
    assert store.trusts(link, b"content") is True
    link.unlink()
    link.symlink_to(tmp_path / "mine" / "other.toml")
    assert store.trusts(link, b"other content") is False


@pytest.mark.parametrize(
    "damaged", [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b'{"/x": 3}', b"{" * 10], ids=repr
)
def test_a_damaged_record_trusts_nothing(store: TrustStore, record: Path, tmp_path: Path, damaged: bytes) -> None:
    store.trust(tmp_path / "servers.toml", b"content")
    record.write_bytes(damaged)
    assert store.trusts(tmp_path / "servers.toml", b"content") is None
    store.trust(tmp_path / "servers.toml", b"content")
    assert store.trusts(tmp_path / "servers.toml", b"content") is True


@pytest.mark.parametrize("recorded", [None, True, 3, "", [], {}])
def test_a_record_that_is_no_hash_never_matches(
    store: TrustStore, record: Path, tmp_path: Path, recorded: object
) -> None:
    record.parent.mkdir()
    record.write_text(json.dumps({str(tmp_path.resolve() / "servers.toml"): recorded}))
    assert not store.trusts(tmp_path / "servers.toml", b"content")


def test_the_record_is_for_its_user_only_and_holds_no_content(store: TrustStore, record: Path, tmp_path: Path) -> None:
    store.trust(tmp_path / "servers.toml", b"s3cret")
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.parent.stat().st_mode) == 0o700
    assert b"s3cret" not in record.read_bytes()


def test_nothing_is_left_beside_the_record(store: TrustStore, record: Path, tmp_path: Path) -> None:
    store.trust(tmp_path / "servers.toml", b"content")
    store.trust(tmp_path / "servers.toml", b"changed")
    assert list(record.parent.iterdir()) == [record]


def test_asking_writes_nothing(store: TrustStore, record: Path, tmp_path: Path) -> None:
    store.trusts(tmp_path / "servers.toml", b"content")
    assert not record.parent.exists()


def test_a_folder_that_cant_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        TrustStore(tmp_path / "file" / "state").trust(tmp_path / "servers.toml", b"content")
