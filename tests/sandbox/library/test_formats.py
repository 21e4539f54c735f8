"""CSV, URLs and HTML: what CPython reads and writes."""

import csv
import io
import json
import urllib.parse
from typing import Any

import pytest
import starlark
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.sandbox import environment
from mcp_hub.sandbox.library import formats

HERE = environment.fresh()

CELLS = st.text("ab,\";\n é'", max_size=6)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=4)


def here(code: str, **given: Any) -> Any:
    for name, value in given.items():
        HERE.module[name] = value
    return starlark.eval(HERE.module, starlark.parse("program", code, environment.dialect()), HERE.globals)


@given(ROWS)
def test_rows_are_written_as_cpython_writes_them_and_read_back(rows: list[list[str]]) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    code = """
out = io.StringIO()
csv.writer(out).writerows(rows)
[out.getvalue(), csv.reader(io.StringIO(out.getvalue()))]
"""
    assert here(code, rows=rows) == [written.getvalue(), rows]


def test_rows_are_read_into_dicts_by_the_header() -> None:
    text = "name,n\nana,1\n\nbo,2,extra\nchen\n"
    expected = [dict(row) for row in csv.DictReader(io.StringIO(text))]
    told = here("[{str(k): v for k, v in row.items()} for row in csv.DictReader(text.splitlines())]", text=text)
    assert told == [{str(key): value for key, value in row.items()} for row in expected]


def test_dicts_are_written_by_field_names() -> None:
    code = """
out = io.StringIO()
writer = csv.DictWriter(out, fieldnames=["a", "b"], lineterminator="\\n")
writer.writeheader()
writer.writerow({"b": 2, "a": "x,y"})
writer.writerows([{"a": None}])
out.getvalue()
"""
    assert here(code) == 'a,b\n"x,y",2\n,\n'
    with pytest.raises(starlark.StarlarkError, match="ValueError: dict contains fields not in fieldnames"):
        here("csv.DictWriter(io.StringIO(), ['a']).writerow({'c': 1})")


def test_a_text_buffer_is_read_once() -> None:
    code = """
f = io.StringIO("a\\nb\\nc")
first, rest = f.readline(), f.read()
f.seek(0)
[first, rest, f.readlines(), f.read()]
"""
    assert here(code) == ["a\n", "b\nc", ["a\n", "b\n", "c"], ""]


def test_an_unknown_option_and_a_broken_text_are_errors() -> None:
    with pytest.raises(TypeError):
        formats.csv_rows("a", {"colour": "red"})
    with pytest.raises(formats.CsvError):
        formats.csv_rows('"a"b', {"strict": True})
    with pytest.raises(formats.CsvError):
        formats.csv_text(json.dumps([["a,b"]]), {"quoting": csv.QUOTE_NONE})


FIELDS = st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=4)


@given(FIELDS)
def test_a_query_is_written_as_cpython_writes_it_and_read_back(fields: dict[str, Any]) -> None:
    query = here("urllib.parse.urlencode(fields)", fields=fields)
    assert query == urllib.parse.urlencode(fields)
    assert here("[list(pair) for pair in urllib.parse.parse_qsl(query, keep_blank_values=True)]", query=query) == [
        list(pair) for pair in urllib.parse.parse_qsl(query, keep_blank_values=True)
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("urllib.parse.quote('a b/c')", "a%20b/c"),
        ("urllib.parse.quote('a/b', safe='')", "a%2Fb"),
        ("urllib.parse.unquote_plus('a+b%20c')", "a b c"),
        ("urllib.parse.urljoin('https://x.example/a/b', '../c')", "https://x.example/c"),
        ("urllib.parse.urlencode({'a': [1, 2]}, doseq=True)", "a=1&a=2"),
        ("urllib.parse.parse_qs('a=1&a=2&b=')", {"a": ["1", "2"]}),
        ("urllib.parse.urlparse('https://u@x.example:8/p?q=1#f').port", 8),
        ("urllib.parse.urlparse('https://u@x.example:8/p?q=1#f').netloc", "u@x.example:8"),
        ("html.escape('<a & \"b\">')", "&lt;a &amp; &quot;b&quot;&gt;"),
        ("html.unescape('&lt;&eacute;')", "<é"),
    ],
)
def test_urls_and_html(code: str, expected: Any) -> None:
    assert here(code) == expected
