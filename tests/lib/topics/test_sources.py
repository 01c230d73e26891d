"""CSV files, archives and folders as lines of text."""

import bz2
import gzip
import io
import lzma
import random
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.errors import BadData, DeskError, SourceUnavailable
from lib.topics.sources import csv_files, tables_in

# a text that hardly compresses, so that half an archive is about half the rows
_random = random.Random(1)
TEXT = "id,content\n" + "".join(f"{number},{_random.randbytes(40).hex()}\n" for number in range(3000))
PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def lines_of(path: Path) -> tuple[list[str], Counter[str]]:
    repaired: Counter[str] = Counter()
    return [line for _, blocks in tables_in(path, repaired) for lines in blocks for line in lines], repaired


def tables_of(path: Path) -> tuple[dict[str, list[str]], Counter[str]]:
    repaired: Counter[str] = Counter()
    return {name: [line for lines in blocks for line in lines] for name, blocks in tables_in(path, repaired)}, repaired


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def test_folders_are_looked_into_in_name_order_and_hidden_files_left_out(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    for name in ("b.csv", "A.CSV", "deeper/c.csv.gz", "d.zip", ".hidden.csv", "notes.txt"):
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in csv_files([tmp_path])]
    assert found == ["A.CSV", "b.csv", "d.zip", "deeper/c.csv.gz"]


def test_a_file_named_outright_is_read_whatever_its_ending(tmp_path: Path) -> None:
    path = write(tmp_path / "articles.txt", b"")
    assert csv_files([path]) == [path]


def test_a_folder_without_csv_files_or_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SourceUnavailable, match=str(path)) as told:
            csv_files([path])
        assert told.value.exit_code == 69


def test_a_plain_file_is_its_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", TEXT.encode())
    assert lines_of(path) == (TEXT.splitlines(keepends=True), Counter())


@pytest.mark.parametrize("ending", PACKERS)
def test_packed_files_are_told_by_their_bytes_and_not_their_names(tmp_path: Path, ending: str) -> None:
    for name in ("a.csv" + ending, "a.csv"):
        assert "".join(lines_of(write(tmp_path / name, PACKERS[ending](TEXT.encode())))[0]) == TEXT


@pytest.mark.parametrize("ending", PACKERS)
def test_a_truncated_packed_file_gives_the_lines_before_the_cut_and_is_counted(tmp_path: Path, ending: str) -> None:
    packed = PACKERS[ending](TEXT.encode())
    lines, repaired = lines_of(write(tmp_path / "a", packed[: len(packed) * 3 // 4]))
    # bzip2 gives whole blocks of 900 kB only, and this text is one
    assert (len(lines) > 1000) == (ending != ".bz2")
    assert lines == TEXT.splitlines(keepends=True)[: len(lines)]
    assert repaired == {"truncated archive": 1}


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", b"\x1f\x8b\x08\0\0\0\0\0\0\0"])
def test_rubbish_behind_a_packer_s_first_bytes_is_counted_as_a_broken_archive(tmp_path: Path, magic: bytes) -> None:
    assert lines_of(write(tmp_path / "a.gz", magic + b"rubbish " * 50)) == ([], Counter({"truncated archive": 1}))


def test_each_table_of_a_zip_comes_with_its_name(tmp_path: Path) -> None:
    files = {"a.csv": "1\n2\n", "deep/b.csv": "3\n", "readme": "4\n", "__MACOSX/a.csv": "what a Mac adds"}
    path = write(tmp_path / "all.zip", zipped(files))
    tables, repaired = tables_of(path)
    assert tables == {f"{path}/a.csv": ["1\n", "2\n"], f"{path}/deep/b.csv": ["3\n"]}
    assert not repaired


def test_a_truncated_zip_gives_all_its_tables_as_far_as_they_go_and_is_counted_once(tmp_path: Path) -> None:
    whole = zipped({"a.csv": TEXT, "readme": TEXT, "b.csv": TEXT})
    path = write(tmp_path / "all.zip", whole[: len(whole) * 5 // 6])
    tables, repaired = tables_of(path)
    assert tables[f"{path}/a.csv"] == TEXT.splitlines(keepends=True)
    cut = tables[f"{path}/b.csv"]
    assert len(cut) > 1000
    assert cut == TEXT.splitlines(keepends=True)[: len(cut)]
    assert repaired == {"truncated archive": 1}


def test_a_zip_that_lacks_only_its_directory_loses_nothing(tmp_path: Path) -> None:
    whole = zipped({"a.csv": TEXT})
    path = write(tmp_path / "a.zip", whole[: whole.index(b"PK\x01\x02")])
    assert lines_of(path) == (TEXT.splitlines(keepends=True), Counter({"truncated archive": 1}))


def test_a_zip_written_as_a_stream_is_salvaged_too(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError("a pipe has no place")

    content = Pipe()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", TEXT)
        archive.writestr("b.csv", TEXT)
    tables, _ = tables_of(write(tmp_path / "all.zip", content.getvalue()[:-60]))
    assert ["".join(lines) for lines in tables.values()] == [TEXT, TEXT]


def test_a_zip_without_a_table_names_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"a\.zip holds no CSV file; it has readme"):
        tables_of(write(tmp_path / "a.zip", zipped({"readme": "text"})))
    with pytest.raises(BadData, match="it has nothing"):
        tables_of(write(tmp_path / "b.zip", zipped({})))


def test_a_locked_zip_is_told(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.csv": "1\n"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the bit for encryption, APPNOTE.TXT 4.4.4
    with pytest.raises(BadData, match="password"):
        tables_of(write(tmp_path / "a.zip", bytes(content)))


@given(places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_zip_gives_lines_or_says_what_is_wrong(tmp_path: Path, places: list[tuple[float, int]]) -> None:
    content = bytearray(zipped({"a.csv": "id,content\n1,text\n", "b.csv": "id,content\n2,text\n"}))
    for place, value in places:
        content[int(place * len(content))] = value
    try:
        tables_of(write(tmp_path / "a.zip", b"PK" + bytes(content[2:])))
    except DeskError as told:
        assert "a.zip" in str(told)


def test_the_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert lines_of(write(tmp_path / "a.csv", b"\xef\xbb\xbfid\n"))[0] == ["id\n"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_told_and_how_to_mend_it(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(BadData, match=r"a\.csv is in UTF-16; expected UTF-8"):
        lines_of(write(tmp_path / "a.csv", "\ufeffid,content\n".encode(encoding)))


def test_bytes_that_are_not_utf_8_are_read_as_cp1252_or_latin_1_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "“café”\n".encode("cp1252") + b"caf\xe9 \x81\n" + "“café”\n".encode())
    assert lines_of(path) == (["“café”\n", "café \x81\n", "“café”\n"], Counter({"bytes not in UTF-8": 2}))


def test_nuls_are_dropped_and_counted(tmp_path: Path) -> None:
    assert lines_of(write(tmp_path / "a.csv", b"a\0b\0\nc\n")) == (["ab\n", "c\n"], Counter({"NUL bytes": 1}))


def test_carriage_returns_end_no_line(tmp_path: Path) -> None:
    assert lines_of(write(tmp_path / "a.csv", b"a\rb\r\nc\n"))[0] == ["a b\n", "c\n"]


def test_only_line_feeds_end_lines(tmp_path: Path) -> None:
    text = "a\u2028b\x0bc\x85d\n"
    assert lines_of(write(tmp_path / "a.csv", text.encode()))[0] == [text]
