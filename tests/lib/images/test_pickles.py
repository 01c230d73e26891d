"""A pickle gives arrays, lists, texts and numbers, or is refused; nothing that it names is ever called."""

import copyreg
import os
import pickle
import pickletools
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lib.errors import BadData
from lib.images import pickles
from lib.images.demo import python2_pickle
from lib.images.pickles import _INSTRUCTIONS, read_pickle

PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 6)
GOOD = {"data": PIXELS, "fine_labels": [1, 300, 70_000, -1], "batch_label": "one", "filenames": ["a" * 300, "b"]}
CONSTRUCTED = b"cnumpy.core.multiarray\n_reconstruct\n"
EMPTY = CONSTRUCTED + b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R"
U1 = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def dictionary(value: bytes, key: bytes = b"U\x04data") -> bytes:
    """A pickle of one entry, whose value these instructions make."""
    return b"\x80\x02}" + key + value + b"s."


def array(shape: bytes, content: bytes = b"U\x03abc", kind: bytes = U1) -> bytes:
    return dictionary(EMPTY + b"(K\x01" + shape + kind + b"\x89" + content + b"tb")


def refused(content: bytes, match: str) -> None:
    """In one sentence that names the file, at once."""
    began = time.monotonic()
    with pytest.raises(BadData, match=match) as told:
        read_pickle(content, "some/train")
    assert str(told.value).startswith("some/train ")
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 400
    assert told.value.exit_code == 65
    assert time.monotonic() - began < 5


def test_what_python_2_wrote_is_read_and_its_strings_are_bytes():
    found = read_pickle(python2_pickle(GOOD), "train")
    assert list(found) == list(GOOD)
    assert np.array_equal(found["data"], PIXELS)
    assert found["data"].dtype == np.uint8
    assert (found["fine_labels"], found["batch_label"]) == (GOOD["fine_labels"], b"one")
    assert found["filenames"] == [b"a" * 300, b"b"]


def test_a_handwritten_pickle_in_the_words_of_the_official_file_is_read():
    assert read_pickle(array(b"K\x01K\x03\x86"), "train")["data"].tolist() == [[97, 98, 99]]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("key", ["data", b"data"])
def test_what_python_3_writes_is_read_too(protocol, key):
    arrays = [PIXELS, np.asfortranarray(PIXELS), np.arange(5), np.arange(4, dtype=">u2"), np.ones(2, bool)]
    for each in arrays:
        found = read_pickle(pickle.dumps({key: each, "labels": [1, 2], "text": "é"}, protocol), "train")
        assert np.array_equal(found["data"], each)
        assert found["data"].dtype == each.dtype
        assert (found["labels"], found["text"]) == ([1, 2], "é")


class Touch:
    """Makes a file wherever it is unpickled for real."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, protocol):
    marker = tmp_path / "marker"
    alone = pickle.dumps(Touch(marker), protocol)
    pickle.loads(alone)
    assert marker.exists(), "the pickle does harm to who loads it"
    marker.unlink()
    refused(alone, "asks for posix.system, which could run a stranger's code")
    for hidden in ({"data": Touch(marker)}, {"data": [Touch(marker)]}, {"data": np.array([Touch(marker)], object)}):
        refused(pickle.dumps(hidden, protocol), "asks for posix.system|type O8|the pickle instruction")
    assert not marker.exists()


@pytest.mark.parametrize(
    "name",
    [
        "os system",
        "posix system",
        "subprocess Popen",
        "builtins eval",
        "builtins getattr",
        "__builtin__ eval",
        "builtins bytearray",
        "numpy load",
        "numpy fromfile",
        "numpy memmap",
        "numpy recarray",
        "numpy ndarray.tofile",
        "numpy ndarray.__class__",
        "numpy core.multiarray._reconstruct",
        "numpy _core.multiarray._reconstruct",
        "numpy.core multiarray._reconstruct",
        "numpy.core.multiarray scalar",
        "numpy._core.multiarray scalar",
        "numpy.core.multiarray fromfile",
        "numpy.core.multiarray _reconstruct.__globals__",
        "numpy.core.multiarray ndarray",
        "numpy.testing._private.utils runstring",
        "lib.images.pickles _reconstruct",
        "pickle loads",
        "copyreg _reconstructor",
        "functools partial",
        "operator attrgetter",
        "codecs decode",
        "_codecs decode",
        "_codecs lookup",
    ],
)
def test_every_other_name_is_refused_by_name(name):
    module, attribute = name.split()
    match = f"asks for {module}.{attribute}, which".replace(".", r"\.")
    refused(dictionary(f"c{module}\n{attribute}\n".encode() + b"U\x02id\x85R"), match)
    parts = [struct.pack("<BB", 0x8C, len(part)) + part.encode() for part in (module, attribute)]
    refused(b"\x80\x04}U\x04data" + b"".join(parts) + b"\x93U\x02id\x85Rs.", match)


def test_a_name_that_would_steer_a_terminal_is_shown_without():
    refused(dictionary("c\x1b[2Jos\u202e\nsystem\n".encode()), r"asks for �\[2Jos�\.system, which")
    refused(dictionary(b"c" + b"o" * 10_000 + b"\nsystem\n"), "asks for o{80}, which")
    refused(b"\x80\x04\x8c\x03\xed\xa0\x80\x8c\x06system\x93.", r"asks for �\.system, which")


# What stands behind the instruction; most have nothing.
ARGUMENTS = {"INST": b"os\nsystem\n", "PERSID": b"1\n", "EXT1": b"\x01", "EXT2": b"\x01\0", "EXT4": b"\x01\0\0\0"}
OTHERS = [code for code in pickletools.opcodes if code.name not in _INSTRUCTIONS]


@pytest.mark.parametrize("code", OTHERS, ids=lambda code: code.name)
def test_every_other_instruction_is_refused_by_name(code):
    content = b"\x80\x02}U\x04dataU\x01a" + code.code.encode("latin1") + ARGUMENTS.get(code.name, b"1\n")
    refused(content + b"s.", f"uses the pickle instruction {code.name}, which no CIFAR archive needs")


def test_what_is_no_instruction_at_all_is_refused():
    refused(b"\x80\x02\xff.", "instruction 0xff")


@pytest.mark.parametrize("code", [0xF0, 0xF0F0])
def test_an_extension_that_this_process_knows_is_refused(code):
    copyreg.add_extension("os", "system", code)
    try:
        coded = b"\x82" + bytes([code]) if code < 256 else b"\x83" + struct.pack("<H", code)
        refused(dictionary(coded + b"U\x04true\x85R"), "instruction EXT")
    finally:
        copyreg.remove_extension("os", "system", code)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (array(b"K\x01K\x04\x86"), r"shape \(1, 4\) in 3 bytes"),
        (array(b"\x8a\x06\0\0\0\0\0\x01\x85"), "whose shape is none"),  # 2**40
        (array(b"K\x00\x8a\x06\0\0\0\0\0\x01\x86", b"U\x00"), "whose shape is none"),
        (array(b"J\xff\xff\xff\xffJ\xfd\xff\xff\xff\x86"), "whose shape is none"),
        (array(b"K\x03\x88\x86"), "whose shape is none"),
        (array(b"(" + b"K\x01" * 100_000 + b"K\x03t"), "whose shape is none"),
        (array(b"U\x03abc"), "bytes, a type and a shape"),
        (array(b"K\x03\x85", b"]"), "bytes, a type and a shape"),
        (array(b"K\x03\x85", kind=b"U\x02u1"), "bytes, a type and a shape"),
        (array(b"K\x03\x85", kind=b"cnumpy\ndtype\n"), "bytes, a type and a shape"),
        (array(b"K\x03\x85", kind=b"cnumpy\ndtype\nU\x02O8\x85R"), "type O8"),
        (array(b"K\x03\x85", kind=b"cnumpy\ndtype\nU\x01O\x85R"), "type O"),
        (array(b"K\x03\x85", kind=b"cnumpy\ndtype\nU\x05u1,u1\x85R"), "type u1,u1"),
        (array(b"K\x03\x85", kind=b"cnumpy\ndtype\n]\x85R"), "list where a text should be"),
        (array(b"K\x03\x85", kind=U1.replace(b"|NNN", b"|NU\x01aN")), "composite type"),
        (array(b"K\x03\x85", kind=U1.replace(b"|NNN", b"ONNN")), "composite type"),
        (dictionary(CONSTRUCTED + b"cnumpy\ndtype\nK\x00\x85U\x01b\x87R"), r"no numpy\.ndarray"),
        (dictionary(CONSTRUCTED + b"U\x03str\x85R"), r"no numpy\.ndarray"),
        (dictionary(EMPTY), "of the type Array; expected"),
        (dictionary(U1), "of the type Type; expected"),
        (dictionary(b"cnumpy\nndarray\n"), "of the type object; expected"),
        (dictionary(b"cnumpy\nndarray\nK\x03\x85R"), "not callable"),
        (dictionary(CONSTRUCTED + b"}U\x0c__defaults__K\x00sb"), "a state for function"),
        (dictionary(b"cnumpy\ndtype\n}U\x08__init__K\x00sb"), "a state for type"),
        (dictionary(b"cnumpy\nndarray\n}b"), "a state for object"),
        (dictionary(b"U\x01a}U\x01bK\x00sb"), "a state for bytes"),
        (dictionary(b"c_codecs\nencode\nX\x01\0\0\0aU\x04idna\x86R"), "no pickler writes"),
        (dictionary(b"]]a"), "list with a value of the type list; expected numbers or texts"),
        (dictionary(b"](\x88e"), "list with a value of the type bool"),
        (dictionary(b"}"), "of the type dict; expected an array"),
        (dictionary(b"N"), "of the type NoneType; expected an array"),
        (dictionary(b"K\x01", key=b"K\x01"), "int where a text should be"),
        (dictionary(b"K\x01", key=b"U\x01\xff"), "decode"),
        (b"\x80\x02].", "of the type list; expected a dictionary"),
        (b"\x80\x02N.", "of the type NoneType; expected a dictionary"),
        (b"\x80\x02}", "EOFError"),
        (b"", "EOFError"),
        (b"\x80\xff}.", "unsupported pickle protocol"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02}u.", "damaged"),
        (b"\x80\x02h\x05.", "Memo value not found"),
        (b"\x80\x02(K\x01", "EOFError"),
        (b"PK\x03\x04 a zip", "pickle instruction PERSID"),
    ],
)
def test_admitted_names_and_instructions_lead_no_further(content, match):
    refused(content, match)


@pytest.mark.parametrize("instruction", [b"T\xff\xff\xff\x7f", b"B\xff\xff\xff\xff", b"X\xff\xff\xff\xff"])
def test_a_claimed_length_brings_no_more_than_there_is(instruction):
    refused(b"\x80\x02}" + instruction, "damaged")


@pytest.mark.parametrize("instruction", [b"\x8e", b"\x96", b"\x8d", b"\x95"])
def test_a_claimed_length_of_64_bits_neither(instruction):
    refused(b"\x80\x05}" + instruction + struct.pack("<Q", 1 << 40), "damaged")


def test_a_memo_of_four_thousand_million_places_is_not_reserved():
    assert read_pickle(b"\x80\x02}r\xfe\xff\xff\xffU\x01aK\x01s.", "train") == {"a": 1}


def test_tuples_in_tuples_without_end_are_no_key():
    refused(dictionary(b"K\x01", key=b")" + b"\x85" * 1_000_000), "tuple where a text should be")


def test_the_steps_are_counted(monkeypatch):
    monkeypatch.setattr(pickles, "LIMIT_STEPS", 1000)
    for bomb in (b"(", b"]", b"}", b"N"):
        refused(b"\x80\x02" + bomb * 1001, "takes more than 1,000 steps")


def test_the_same_text_is_not_made_bytes_again_and_again():
    text = b"X" + struct.pack("<I", 1000) + b"a" * 1000 + b"q\x00U\x06latin1q\x010"
    again = b"c_codecs\nencode\nh\x00h\x01\x86R"
    refused(dictionary(text.replace(b"q\x010", b"q\x01") + again * 1000), "no pickler writes")


def only_plain(content: bytes) -> None:
    """Good or refused, and soon."""
    began = time.monotonic()
    try:
        found = read_pickle(content, "train")
    except BadData as told:
        assert str(told).startswith("train ")
        str(told).encode()
    else:
        for key, value in found.items():
            assert type(key) is str
            assert type(value) in (np.ndarray, list, bytes, str, int)
            assert not isinstance(value, list) or {type(each) for each in value} <= {int, str, bytes}
            assert not isinstance(value, np.ndarray) or value.dtype.kind in "biuf"
    assert time.monotonic() - began < 5


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=300)
def test_any_bytes_are_good_or_refused(content):
    only_plain(content)
    only_plain(b"\x80\x02}" + content)


WHOLE = [python2_pickle(GOOD), *(pickle.dumps(GOOD, protocol) for protocol in (2, 3, 4, 5))]


@given(
    whole=st.sampled_from(WHOLE),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    end=st.floats(0, 1),
)
@example(WHOLE[0], [], 1.0)
@settings(deadline=None, max_examples=500)
def test_a_damaged_pickle_is_good_or_refused(whole, places, end):
    content = bytearray(whole)
    for place, value in places:
        content[int(place * len(content))] = value
    only_plain(bytes(content[: int(end * len(content)) + 1]))


PIECES = [b"(", b")", b"]", b"}", b"N", b"\x88", b"K\x03", b"U\x01a", b"U\x03abc", b"X\x01\0\0\0b", b"q\x00", b"h\x00"]
PIECES += [
    b"\x85",
    b"\x86",
    b"\x87",
    b"t",
    b"R",
    b"b",
    b"s",
    b"u",
    b"a",
    b"e",
    b"\x93",
    b"\x94",
    EMPTY,
    U1,
    CONSTRUCTED,
]
PIECES += [b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n", b"cnumpy.core.numeric\n_frombuffer\n"]


@given(st.lists(st.sampled_from(PIECES), max_size=25))
@settings(deadline=None, max_examples=1000)
def test_any_sequence_of_admitted_instructions_is_good_or_refused(pieces):
    only_plain(b"\x80\x04}U\x01k" + b"".join(pieces) + b"s.")


def test_nothing_of_a_pickle_stays_behind():
    """What a pickle might have changed is as it was for the next."""
    for bad in (dictionary(U1 + b"}U\x04codeU\x01xsb"), dictionary(CONSTRUCTED + b"}U\x0c__defaults__)sb")):
        with pytest.raises(BadData):
            read_pickle(bad, "train")
    assert np.array_equal(read_pickle(WHOLE[0], "train")["data"], PIXELS)
