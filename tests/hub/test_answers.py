"""What an agent reads of a program's answer: whole, or a beginning of it that is still JSON."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.hub.answers import DEPTH, LEAST, render

NOTE_CHARACTERS = 500

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**60, max_value=10**90)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.text(min_size=40, max_size=300),
    lambda inner: (
        st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=60) | st.just("…"), inner, max_size=12)
    ),
    max_leaves=60,
)

ISSUES = {
    "total": 1000,
    "issues": [
        {"number": n, "title": f"Issue {n}", "labels": ["bug", "ui"], "body": f"It fails, as {n} did. " * 40}
        for n in range(1000)
    ],
    "next": None,
}


def parts(text: str) -> tuple[str, str]:
    """What is shown, and the last line about what is missing."""
    shown, _, note = text.rpartition("\n")
    assert note.startswith("[cut: ")
    assert note.endswith("]")
    return shown, note


def places(value: Any, most: int) -> str:
    """What the last line says about where something is missing."""
    return parts(render(value, most).text)[1].removeprefix("[cut: ").partition(";")[0]


def number(text: str) -> int:
    return int(text.replace(",", ""))


def numbers(pattern: str, text: Any) -> tuple[int, ...] | None:
    """The numbers in a marker, if it is one."""
    found = re.fullmatch(pattern, text) if isinstance(text, str) else None
    return tuple(map(number, found.groups())) if found else None


def is_beginning(shown: Any, value: Any) -> bool:
    """Whether `shown` is `value`, or a beginning of it with a true count of what is missing."""
    if type(shown) is type(value) and shown == value:
        return True
    match value:
        case str():
            kept, _, marker = shown.rpartition("…")
            return value.startswith(kept) and numbers(r"\[\+([\d,]+) characters\]", marker) == (len(value) - len(kept),)
        case list() if isinstance(shown, list):
            if len(shown) == len(value) and all(map(is_beginning, shown, value)):
                return True
            missing = (len(value) - len(shown) + 1, len(value))
            marked = numbers(r"…\[\+([\d,]+) of ([\d,]+) items\]", shown[-1]) == missing
            return marked and all(map(is_beginning, shown[:-1], value))
        case dict() if isinstance(shown, dict):
            names = list(shown)
            if len(names) != len(value) or ("…" in names and shown["…"] != value.get("…")):
                names.remove("…")
                missing = (len(value) - len(names), len(value))
                if numbers(r"\[\+([\d,]+) of ([\d,]+) keys\]", shown["…"]) != missing:
                    return False
            return names == list(value)[: len(names)] and all(is_beginning(shown[name], value[name]) for name in names)
        case _:
            return bool(shown == f"…[a number of {len(json.dumps(value))} digits]")


# Whole


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain text", "plain text"),
        ("", ""),
        ('a "quoted" line\n', 'a "quoted" line\n'),
        (None, "null"),
        (True, "true"),
        (3, "3"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        (["größe", "大"], '["größe", "大"]'),
        (12345678901234567890123, "12345678901234567890123"),
    ],
)
def test_text_is_answered_as_it_is_and_everything_else_as_json(value: Any, written: str) -> None:
    assert render(value, 1000).text == written


@pytest.mark.parametrize("value", ["x" * 100, [10**97]])
def test_an_answer_of_exactly_the_limit_is_whole(value: Any) -> None:
    assert not render(value, 100).cut
    assert render(value, 99).cut


def test_a_handle_is_told_only_when_something_is_missing() -> None:
    assert "recall" not in render([1, 2], 1000, "r7").text
    assert 'whole: recall("r7") in a later program]' in render(ISSUES, 1000, "r7").text
    assert 'whole: recall("r7") in a later program]' in render("x" * 2000, 1000, "r7").text


@given(JSON)
def test_an_answer_that_isnt_text_can_be_read_back(value: Any) -> None:
    whole = render(value, 10**9).text
    assert whole == value if isinstance(value, str) else json.loads(whole) == value


# Cut


def test_a_list_of_objects_keeps_its_first_items_each_with_all_of_its_keys() -> None:
    assert json.loads(parts(render(ISSUES, 400).text)[0]) == snapshot(
        {
            "total": 1000,
            "issues": [
                {
                    "number": 0,
                    "title": "Issue 0",
                    "labels": ["bug", "ui"],
                    "body": "It fails, as 0 did. It fails, as 0 did. It fails, as 0 did. It fails, a…[+729 characters]",
                },
                {
                    "number": 1,
                    "title": "Issue 1",
                    "labels": ["bug", "ui"],
                    "body": "It fails, as 1 did. It fails, as 1 did. It fails, as 1 did. It fails, a…[+729 characters]",
                },
                "…[+998 of 1,000 items]",
            ],
            "next": None,
        }
    )
    assert places(ISSUES, 400) == snapshot(".issues shows 2 of 1,000 items, .issues[].body 2 shortened")


def test_small_parts_of_an_object_are_whole_and_large_ones_share_the_room() -> None:
    value = {"log": "line\n" * 1000, "ok": True, "rows": list(range(1000)), "why": "because it was asked for"}
    assert json.loads(parts(render(value, 200).text)[0]) == snapshot(
        {
            "log": """\
line
line
line
line
line
line
line
li…[+4,963 characters]\
""",
            "ok": True,
            "rows": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "…[+989 of 1,000 items]"],
            "why": "because it was asked for",
        }
    )
    assert places(value, 200) == snapshot(".rows shows 11 of 1,000 items, .log shortened")


def test_every_key_is_kept_before_any_value_is_shown_far() -> None:
    value = {f"key{n}": "x" * 1000 for n in range(20)}
    shown = json.loads(parts(render(value, 1500).text)[0])
    assert list(shown) == list(value)


def test_keys_that_dont_fit_are_counted() -> None:
    value = {f"key{n}": n for n in range(1000)}
    assert parts(render(value, 100).text)[0] == snapshot(
        '{"key0": 0, "key1": 1, "key2": 2, "key3": 3, "key4": 4, "key5": 5, "…": "[+994 of 1,000 keys]"}'
    )
    assert places(value, 100) == snapshot(". shows 6 of 1,000 keys")


def test_an_object_that_has_the_markers_key_ends_there() -> None:
    value = {"a": 1, "…": "[+1 of 2 keys]", "b": "x" * 1000}
    assert json.loads(parts(render(value, 200).text)[0]) == {"a": 1, "…": "[+2 of 3 keys]"}


def test_a_number_that_doesnt_fit_is_shown_by_its_size() -> None:
    shown, note = parts(render({"n": 10**3000, "m": 1}, 100).text)
    assert json.loads(shown) == {"n": "…[a number of 3,001 digits]", "m": 1}
    assert ".n shortened" in note


def test_what_is_nested_deep_is_shown_by_its_size() -> None:
    value: Any = list(range(1000))
    for _ in range(DEPTH + 30):
        value = {"in": [value]}
    shown, note = parts(render(value, 3000).text)
    assert shown.count('{"in"') == DEPTH // 2
    assert '["…[+1 of 1 items]"]' in shown or '{"…": "[+1 of 1 keys]"}' in shown
    assert len(note) <= NOTE_CHARACTERS


def test_a_key_that_is_no_name_is_quoted_in_a_path() -> None:
    assert places({"a b": {"größe": ["x" * 500]}}, 100) == snapshot('.["a b"]["größe"][] shortened')


def test_a_long_path_is_told_by_its_end() -> None:
    assert places({"first" * 8: {"second" * 8: {"third" * 8: "x" * 500}}}, 250).split() == snapshot(
        [
            '…irstfirstfirst["secondsecondsecondsecondsecondsecondseco…"].thirdthirdthirdthirdthirdthirdthirdthird',
            "shortened",
        ]
    )


def test_many_places_are_counted_in_the_last_line() -> None:
    assert places({f"name_{n}_" + "x" * 70: "x" * 1000 for n in range(50)}, 10_000).split(", ") == snapshot(
        [
            '.["name_0_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"] shortened',
            '.["name_1_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"] shortened',
            '.["name_2_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"] shortened',
            '.["name_3_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"] shortened',
            "and at 46 more places",
        ]
    )


def test_the_last_line_tells_how_large_the_whole_is_and_what_to_do() -> None:
    assert parts(render([10**200], 50).text)[1].split("; ") == snapshot(
        [
            "[cut: . shows 0 of 1 items",
            "the whole has 203 characters. Filter or summarise in the program, and answer with what matters.]",
        ]
    )
    assert parts(render([10**200], 50, "run7").text)[1].split("; ") == snapshot(
        ["[cut: . shows 0 of 1 items", 'the whole has 203 characters. whole: recall("run7") in a later program]']
    )


# Long texts


def test_a_long_text_keeps_its_first_whole_lines() -> None:
    text = "".join(f"line {n} of the log\n" for n in range(100_000))
    assert render(text, 60, "run7").text == snapshot("""\
line 0 of the log
line 1 of the log
line 2 of the log
[cut: the first 53 of 2,188,890 characters, 3 of 100,000 lines. whole: recall("run7") in a later program]\
""")


def test_a_text_of_one_line_is_cut_at_the_limit() -> None:
    assert render("abcdefghij" * 500, 50, "run7").text == snapshot("""\
abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij
[cut: the first 50 of 5,000 characters. whole: recall("run7") in a later program]\
""")


@given(st.text(alphabet="ab \n", min_size=1000, max_size=3000), st.integers(LEAST, 900))
def test_what_is_shown_of_a_text_is_its_beginning_with_true_counts(text: str, most: int) -> None:
    shown, note = parts(render(text, most).text)
    assert text.startswith(shown)
    assert most // 2 <= len(shown) <= most
    found = re.match(r"\[cut: the first ([\d,]+) of ([\d,]+) characters", note)
    assert found is not None
    assert (number(found[1]), number(found[2])) == (len(shown), len(text))


# Whatever it is


@given(JSON.filter(lambda value: not isinstance(value, str)), st.integers(1, 3000))
@example({"…": 1, "……": "x" * 100}, 50)
def test_an_answer_is_whole_or_a_beginning_within_the_limit(value: Any, most: int) -> None:
    rendered = render(value, most, "handle")
    whole = json.dumps(value, ensure_ascii=False)
    assert rendered.cut == (len(whole) > max(most, LEAST))
    if not rendered.cut:
        assert rendered.text == whole
        return
    shown, note = parts(rendered.text)
    assert len(shown) <= max(most, LEAST)
    assert len(note) <= NOTE_CHARACTERS
    assert f"the whole has {len(whole):,} characters" in note
    assert is_beginning(json.loads(shown), value)


@given(JSON, st.integers(1, 3000))
def test_the_same_value_is_cut_the_same_way(value: Any, most: int) -> None:
    assert render(value, most) == render(value, most)


@given(st.lists(st.integers(0, 5000), min_size=20, max_size=40), st.integers(2500, 5000))
def test_a_list_shows_several_items_before_all_of_one(lengths: list[int], most: int) -> None:
    rendered = render([{"text": "x" * length} for length in lengths], most)
    if rendered.cut:
        assert len(json.loads(parts(rendered.text)[0])) > 8


@given(st.integers(0, 40))
def test_most_of_the_room_is_used(extra: int) -> None:
    for value in ([{"n": n, "text": "x" * (30 + extra)} for n in range(2000)], {"a": "x" * 9000, "b": "y" * extra}):
        assert len(parts(render(value, 4000).text)[0]) > 3500
