"""A fault is told by file, line and key, whatever way the TOML is written."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config_file import ConfigError, KeyPath, dotted, parse_config_file, read_config_file

PATH = Path("avizor.toml")

# Every number in it is the number of its own line.
NUMBERED = '''\
# a comment with [a.header] and key = "value" in it
plain = 2
"quoted key" = 3
'literal.key' = 4
dotted.key."with space".and = 5
"\\u00f1" = 6
array = [7, 7, [7, 7], {x = 7, y.z = 7}]
long = [
    9,  # ] not the end
    [10,
     11], "]",
    {inner = 12, text = "}"},

    14,
]
empty = []
none = {}
date = 1979-05-27 07:32:00
after_date = 19
text = """
[not.a.header]
key = 0
\\"""
""\\"""""
after_text = 25
literal = \'\'\'
C:\\temp\\\'\'\'
after_literal = 28
ends_in_quotes = """a"""""
after_quotes = 30
empty_string = ""
after_empty = 32
[ table . "sub table" ]
x = 34
[[list]]
x = 36
  [list.settings]
  y = 38
  [[list.nested]]
  z = 40
  [[list.nested]]
  z = 42
[[list]]
x = 44
list_in = { a = [45, { b = 45 }] }
[[list.nested]]
z = 47
[table]
late = 49
'''


def leaves(value: object, key: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*key, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*key, index))
    else:
        yield key, value


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_it_knows_the_line_of_every_value_however_it_is_written(newline: str) -> None:
    file = parse_config_file(PATH, NUMBERED.replace("\n", newline))
    numbers = {key: value for key, value in leaves(file.values) if isinstance(value, int)}
    assert len(numbers) == 31
    assert {dotted(key): file.line(key) for key in numbers} == {dotted(key): value for key, value in numbers.items()}


def test_it_knows_the_line_of_tables_and_answers_for_missing_keys_with_the_table_around() -> None:
    file = parse_config_file(PATH, NUMBERED)
    assert file.line(("list", 0)) == 35
    assert file.line(("list", 1)) == 43
    assert file.line(("list", 0, "nested", 1)) == 41
    assert file.line(("list", 1, "no such key")) == 43
    assert file.line(("no such table", "x")) == 1


@pytest.mark.parametrize(
    "text",
    [
        'query = "@1"',
        'query = """@1"""',
        'query = """\n@2 and\n@3 and\n\n@5"""',
        "query = '''\n@2 and\n@3'''",
        'query = """@1 \\\n   @2 \\\n\n\n   @5"""',
        'query = """\n"@2" \\u00f1 \\n @2 \\" @2\n@3 \\\\\n@4"""',
        '# first\n\nquery = """\r\n@4\r\n@5 \\\r\n@6"""',
    ],
)
def test_it_knows_the_line_of_every_character_of_a_long_string(text: str) -> None:
    file = parse_config_file(PATH, text)
    query = file.values["query"]
    marks = [at for at, character in enumerate(query) if character == "@"]
    assert marks
    assert [file.line(("query",), at) for at in marks] == [int(query[at + 1]) for at in marks]


@given(st.lists(st.sampled_from(["a", "ñ", '"', "'", "\\", "\n", "[", "]", "#", "=", " ", ",", "{"]), max_size=30))
def test_it_is_never_led_astray_by_what_a_string_holds(pieces: list[str]) -> None:
    content = "".join(pieces)
    escaped = content.replace("\\", "\\\\").replace('"', '\\"')
    text = f'before = 1\ntext = """{escaped}"""\nafter = {3 + content.count(chr(10))}\n'
    assert tomllib.loads(text)["text"] == content.removeprefix("\n")
    file = parse_config_file(PATH, text)
    assert file.line(("after",)) == file.values["after"]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ('x = "open', 1), ("[[a]]\n[b]\n[a]\n", 3), ("a = [1,\n2,\n", 2)],
)
def test_it_names_the_line_where_a_file_is_not_toml(text: str, line: int) -> None:
    with pytest.raises(ConfigError, match=rf"^avizor\.toml:{line}: is not TOML: \S") as caught:
        parse_config_file(PATH, text)
    assert "(at " not in str(caught.value)


def test_it_takes_a_byte_order_mark_and_refuses_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "avizor.toml"
    path.write_bytes("\ufeffname = 'Peña'".encode())
    assert read_config_file(path).values == {"name": "Peña"}
    path.write_bytes("a = 1\nname = 'Peña'".encode("latin-1"))
    with pytest.raises(ConfigError, match=r":2: is not UTF-8"):
        read_config_file(path)


def test_it_says_when_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_config_file(tmp_path / "avizor.toml")
