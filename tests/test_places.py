"""Lines of keys in a TOML text: tables, dotted and quoted keys, lists of tables, any text at all."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.places import Place, keys_of, line_of


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (("hub",), 2),
        (("hub", "max_message_mib"), 3),
        (("hub", "limits", "calls"), 4),
        (("servers", "a"), 6),
        (("servers", "a", "command"), 8),
        (("servers", "a", "env", "TOKEN"), 9),
        (("servers", "a", "nothing"), 6),
        (("servers", "b.c", "url"), 13),
        (("servers", "b.c", "headers", "X"), 15),
        (("servers", "d", "tools", "deny"), 17),
        (("servers", "d", "url"), 16),
        (("elsewhere",), None),
        ((), None),
    ],
)
def test_a_key_is_found_at_the_line_where_it_or_its_deepest_table_stands(at: tuple[str, ...], line: int) -> None:
    text = """\
# a comment with = and [brackets]
[hub]
max_message_mib = 3
limits.calls = 9

[servers.a]  # the first
# command = ["old"]
command = ["x"]
env = { TOKEN = "t" }

[ servers . "b.c" ]

url = "http://h"
  [servers."b.c".headers]
  'X' = "y"
[servers.d]
"tools" . 'deny' = ["x"]
"""
    assert line_of(text, at) == line


def test_windows_line_ends_and_separators_inside_texts_dont_shift_the_lines() -> None:
    text = '[hub]\r\n[servers.a]\r\n# \x0b\x0c\x85\u2028\r\ndescription = "a\u2028b"\r\ntimeout = 0\r\n'
    assert line_of(text, ("servers", "a", "timeout")) == 5


plain = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)
quoted = st.text(
    st.characters(codec="ascii", exclude_characters="\"'\\]\x7f", min_codepoint=32), min_size=1, max_size=8
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[tuple[str, ...], int]]:
    """A TOML text as people write it, and the line of each of its keys."""

    def written(name: str) -> str:
        return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) and draw(st.booleans()) else f'"{name}"'

    name = plain | quoted
    tables = draw(st.dictionaries(st.tuples(name, name), st.lists(name, unique=True, max_size=4), max_size=4))
    lines: list[str] = []
    keys: dict[tuple[str, ...], int] = {}
    for table, names in tables.items():
        lines += draw(st.lists(st.sampled_from(["", "# [x]", "# y = 1", "   "]), max_size=2))
        lines.append(f"[{'.'.join(map(written, table))}]{draw(st.sampled_from(['', '  # why']))}")
        for key in names:
            lines.append(f"{draw(st.sampled_from(['', '  ']))}{written(key)} = {draw(st.sampled_from(['1', '[[2]]']))}")
            keys[(*table, key)] = len(lines)
    return "\n".join(lines), keys


@given(documents())
def test_every_key_of_a_file_is_found_at_its_line(document: tuple[str, dict[tuple[str, ...], int]]) -> None:
    text, keys = document
    assert {at: line_of(text, at) for at in keys} == keys


@given(st.text(max_size=60), st.lists(st.text(max_size=5), max_size=3))
def test_a_line_is_found_in_any_text_or_none(text: str, at: list[str]) -> None:
    line = line_of(text, tuple(at))
    assert line is None or 1 <= line <= text.count("\n") + 1


LISTS = """\
[proxy]
listen = "8484"
[[proxy.keys]]
name = "a"
[[proxy.pins]]
when = "*"
[[ proxy . keys ]]  # the second
team = "web"
name = "b"
[proxy.keys.more]
x = 1
"""


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (("proxy", "keys"), 3),
        (("proxy", "keys", 0, "name"), 4),
        (("proxy", "keys", 1), 7),
        (("proxy", "keys", 1, "name"), 9),
        (("proxy", "keys", 1, "nothing"), 7),
        (("proxy", "keys", 1, "more", "x"), 11),
        (("proxy", "pins", 0, "when"), 6),
        (("proxy", "listen", 0), 2),
    ],
)
def test_a_key_in_a_list_of_tables_is_found_in_the_table_of_its_number(at: Place, line: int) -> None:
    assert line_of(LISTS, at) == line


def test_the_keys_of_a_place_are_it_without_numbers() -> None:
    assert keys_of(("proxy", "keys", 1, "name")) == ("proxy", "keys", "name")
