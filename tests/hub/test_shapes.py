"""A result's shape tells its keys and types and none of its values; merging shapes is a union, whatever the order."""

import json
from functools import reduce
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from jsonschema import Draft202012Validator

from mcp_hub.hub.schemas import Schema
from mcp_hub.hub.shapes import (
    DEPTH,
    FIELDS,
    ITEMS,
    NAME_CHARACTERS,
    NODES,
    SIZE_CHARACTERS,
    VARYING,
    is_failure,
    is_name,
    merged,
    shape_of,
)
from mcp_hub.hub.types import type_of

ISSUE = {"number": 7, "title": "a", "labels": [{"name": "bug"}], "assignee": None, "score": 0.5, "open": True}


def fits(value: Any, shape: Schema) -> bool:
    return bool(Draft202012Validator(shape).is_valid(value))


def of(*values: Any) -> Schema:
    """The shape of several results of one tool."""
    return reduce(merged, map(shape_of, values))


# One result


def test_the_shape_of_a_record_is_its_keys_and_types() -> None:
    assert shape_of(ISSUE) == snapshot(
        {
            "type": "object",
            "properties": {
                "number": {"type": "integer"},
                "title": {"type": "string"},
                "labels": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
                },
                "assignee": {"type": "null"},
                "score": {"type": "number"},
                "open": {"type": "boolean"},
            },
            "required": ["assignee", "labels", "number", "open", "score", "title"],
        }
    )


def test_text_is_just_text() -> None:
    assert shape_of("3 files changed") == {"type": "string"}


def test_nothing_is_null() -> None:
    assert shape_of(None) == {"type": "null"}


def test_what_is_no_json_may_be_anything() -> None:
    assert shape_of({"when": object()}) == {"type": "object", "properties": {"when": {}}, "required": ["when"]}


def test_items_of_an_array_are_told_together() -> None:
    assert shape_of([{"id": 1, "name": "a"}, {"id": 2.5}, None]) == snapshot(
        {
            "type": "array",
            "items": {
                "anyOf": [
                    {"type": "null"},
                    {
                        "type": "object",
                        "properties": {"id": {"type": "number"}, "name": {"type": "string"}},
                        "required": ["id"],
                    },
                ]
            },
        }
    )


def test_an_empty_array_tells_nothing_of_its_items_until_one_is_seen() -> None:
    assert shape_of([]) == {"type": "array"}
    assert of([], [1]) == of([1], []) == {"type": "array", "items": {"type": "integer"}}


def test_containers_deeper_than_a_bound_are_told_by_their_type() -> None:
    value: Any = ["x"]
    for _ in range(DEPTH):
        value = {"a": value}
    shape = shape_of(value)
    for _ in range(DEPTH):
        shape = shape["properties"]["a"]
    assert shape == {"type": "array", "items": {}}


# Several results


def test_a_key_that_one_result_lacks_is_not_required() -> None:
    assert of({"id": 1, "name": "a"}, {"id": 2}) == snapshot(
        {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}, "required": ["id"]}
    )


def test_keys_stay_in_the_order_in_which_they_were_first_seen() -> None:
    assert list(of({"id": 1, "title": "a"}, {"body": "b", "title": "a", "id": 1})["properties"]) == [
        "id",
        "title",
        "body",
    ]


def test_scalars_of_different_types_become_a_list_of_types() -> None:
    assert of("a", 1, None) == {"type": ["integer", "null", "string"]}


def test_integers_and_numbers_are_numbers_and_truth_is_neither() -> None:
    assert of(1, 1.5) == {"type": "number"}
    assert of(1, True) == {"type": ["boolean", "integer"]}


def test_a_container_beside_something_else_is_one_of_several() -> None:
    assert of({"id": 1}, [1], "none") == snapshot(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "integer"}},
                {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
            ]
        }
    )


def test_what_may_be_anything_stays_so() -> None:
    assert merged({}, shape_of(1)) == merged(shape_of(1), {}) == {}


# Keys that are data


@pytest.mark.parametrize(
    "key",
    [
        *("id", "created_at", "createdAt", "content-type", "_links", "html_url", "größe", "X"),
        *("sha256", "base64", "ipv4", "line_2", "address1", "x1"),
    ],
)
def test_a_name_is_told(key: str) -> None:
    assert is_name(key)
    assert shape_of({key: 1})["properties"] == {key: {"type": "integer"}}


@pytest.mark.parametrize(
    "key",
    [
        *(
            "",
            "42",
            "7up",
            "2024-05-01",
            "jan_2024",
            "ghp_AbcDefGhiJkl",
            "ann@example.org",
            "src/main.py",
            "main.py",
            "example.org",
            "C:\\x",
        ),
        *("3f2a9c1b", "a1b2c3d", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "U02ABCD", "ABC-12", "usr_8f3a91", "v1_2_3"),
        *("First Name", "a:b", "@ann", "x" * (NAME_CHARACTERS + 1), "name\n"),
    ],
)
def test_a_key_that_looks_like_data_is_not_told_nor_are_its_neighbours(key: str) -> None:
    assert not is_name(key)
    for value in ({key: 1, "name": "x"}, {"name": "x", key: 1}):
        assert shape_of(value) == {"type": "object", "additionalProperties": {"type": ["integer", "string"]}}


def test_keys_under_which_records_are_found_are_data() -> None:
    person = {"age": 7, "city": "x"}
    shape = shape_of({"alice_smith": person, "bob_jones": person})
    assert shape.get("properties") is None
    assert shape["additionalProperties"]["required"] == ["age", "city"]
    assert "properties" in shape_of({"owner": person})
    assert "properties" in shape_of({"owner": person, "repo": {"name": "x"}})
    assert "properties" in shape_of({"owner": person, "other": person, "total": 1})


def test_more_keys_than_a_record_has_are_data() -> None:
    many = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefghij"][: FIELDS + 1]
    assert shape_of(dict.fromkeys(many, 1)) == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert "properties" in shape_of(dict.fromkeys(many[:FIELDS], 1))


def words(start: str, count: int) -> dict[str, int]:
    return {f"{start}{chr(ord('a') + number)}": number for number in range(count)}


def test_keys_that_differ_from_one_result_to_the_next_are_data() -> None:
    first, second = words("x", VARYING // 2), words("y", VARYING // 2 + 1)
    assert "properties" in of(first, words("y", VARYING // 2))
    assert of(first, second) == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert shape_of([first, second])["items"] == of(first, second)


def test_a_record_whose_many_keys_come_and_go_beside_one_that_stays_is_a_record() -> None:
    shape = of(*({"id": 1, **words(start, VARYING)} for start in "xyz"))
    assert shape["required"] == ["id"]
    assert len(shape["properties"]) == 3 * VARYING + 1


def test_records_that_differ_in_few_keys_of_each_type_are_records() -> None:
    assert "properties" in of(words("x", VARYING), {"name": "a", "tags": ["b"], "size": None})


# What holds for all

SECRET = "hunter2"
NAMES = st.sampled_from(["id", "name", "tags", "owner", "size"])
DATA_KEYS = st.sampled_from(["{}@example.org", "/home/{}", "{} 1", "2024-{}", "{}.txt", "{}-1234", "a{}/b"]).map(
    lambda text: text.format(SECRET)
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just(SECRET)


def json_values(keys: st.SearchStrategy[str], leaves: int = 12) -> st.SearchStrategy[Any]:
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=leaves,
    )


VALUES = json_values(NAMES)
LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyz")
VARIED = json_values(st.one_of(NAMES, LETTERS, DATA_KEYS)) | st.dictionaries(LETTERS, SCALARS, max_size=12)


@given(VARIED, VARIED)
def test_a_value_fits_every_shape_that_it_went_into(one: Any, other: Any) -> None:
    assert fits(one, shape_of(one))
    assert fits(one, of(one, other))
    assert fits(one, of(other, one))


@given(VARIED, VARIED, VARIED)
def test_the_order_of_merging_makes_no_difference(one: Any, other: Any, third: Any) -> None:
    a, b, c = map(shape_of, (one, other, third))
    assert merged(a, b) == merged(b, a)
    assert merged(merged(a, b), c) == merged(a, merged(b, c))


@given(VARIED, VARIED)
def test_merging_what_is_in_a_shape_already_changes_nothing(one: Any, other: Any) -> None:
    both = of(one, other)
    assert merged(both, both) == both
    assert merged(both, shape_of(one)) == merged(shape_of(other), both) == both


@given(st.lists(SCALARS | st.lists(SCALARS) | st.dictionaries(st.one_of(NAMES, DATA_KEYS), SCALARS), min_size=1))
def test_items_have_the_union_of_their_shapes(items: list[Any]) -> None:
    assert shape_of(items)["items"] == of(*items[:ITEMS])


@given(json_values(st.one_of(NAMES, DATA_KEYS), leaves=30), VALUES)
def test_no_value_is_in_a_shape_nor_a_key_that_is_one(value: Any, other: Any) -> None:
    assert SECRET not in json.dumps(of(value, other))
    assert SECRET not in json.dumps(of(other, value))


def test_what_tells_only_that_something_went_wrong_is_a_failure() -> None:
    failures: list[Any] = [{"error": "gone"}, {"Error": {"code": 1}}, {"errors": ["a"], "status": 404}]
    assert all(map(is_failure, failures))
    results: list[Any] = [{"error": None}, {"errors": [], "ok": True}, {"error": "x", "items": []}, {"message": "done"}]
    assert not any(map(is_failure, [*results, {}, "error", [{"error": "gone"}]]))


# Bounds


WIDE = {
    f"{a}{b}_of_the_record": {"first_of_two": 1, "second_of_two": [{"a": None}]} for a in "abcdef" for b in "abcdefgh"
}
DEEP: Any = reduce(lambda inner, _: [inner, {"inner": inner}], range(60), cast(Any, 1))


@pytest.mark.parametrize(
    "value",
    [WIDE, [WIDE] * 1000, DEEP, {str(number): WIDE for number in range(3000)}, [[[[[WIDE] * 60] * 60] * 60] * 60] * 60],
    ids=["wide", "long", "deep", "many keys", "all of that"],
)
def test_the_shape_of_a_huge_value_is_small(value: Any) -> None:
    shape = shape_of(value)
    assert len(json.dumps(shape)) <= SIZE_CHARACTERS
    assert len(json.dumps(merged(shape, shape_of({"other": WIDE})))) <= SIZE_CHARACTERS


def depth(shape: Any) -> int:
    """Levels of objects in each other, in a shape as JSON."""
    return 1 + max(map(depth, shape.values()), default=0) if isinstance(shape, dict) else 0


def test_a_union_that_has_become_too_large_has_fewer_levels() -> None:
    deep = {"first": {"first_of_two": 1, "second_of_two": "x"}, "second": {"only_one": [1]}, "third": 1}
    halves = [{**{f"field_{letter}": deep for letter in letters}, "kind": 1} for letters in ("abcdefg", "hijklmn")]
    small, large = shape_of(halves[0]), of(*halves)
    assert len(json.dumps(large)) <= SIZE_CHARACTERS
    assert depth(large) < depth(small)


def test_of_a_long_array_the_first_items_are_looked_at() -> None:
    assert shape_of([1] * ITEMS + ["x"]) == {"type": "array", "items": {"type": "integer"}}


def test_of_very_many_values_the_first_are_looked_at() -> None:
    rows: list[list[Any]] = [[1] * ITEMS] * (NODES // ITEMS + 1)
    integers = {"type": "array", "items": {"type": "integer"}}
    assert shape_of([*rows, ["x"]]) == {"type": "array", "items": integers}
    assert shape_of([["x"], *rows]) != {"type": "array", "items": integers}


MANY = [{"id": 1, "title": "x", "state": "open", "votes": 1, "owner": {"login": "ann"}}] * ITEMS
"""So many fields that no object inside these is looked at."""


def test_an_object_that_was_not_looked_at_is_one_of_unknown_fields_and_not_an_empty_one() -> None:
    shape = shape_of(MANY)
    assert shape["items"]["properties"]["owner"] == {"type": "object"}
    assert type_of(shape, shape) == "list[{id: int, title: str, state: str, votes: int, owner: dict}]"


def test_what_was_seen_of_an_object_stays_when_one_like_it_is_not_looked_at() -> None:
    seen = shape_of(MANY[:1])
    assert of(MANY[:1], MANY) == of(MANY, MANY[:1]) == seen


def test_an_object_that_was_seen_to_be_empty_has_no_fields() -> None:
    assert shape_of({"a": {}})["properties"]["a"] == {"type": "object", "properties": {}}


def test_an_object_is_looked_at_whole_or_not_at_all() -> None:
    owner = {f"field_{letter}": 1 for letter in "abcdefghij"}
    shape = shape_of([{"id": 1, "title": "x", "state": "open", "other": {}, "owner": owner}] * (ITEMS - 1))
    assert shape["items"]["properties"]["owner"] == {"type": "object"}


def test_what_comes_after_a_long_array_is_told_all_the_same() -> None:
    shape = shape_of({"items": [{"id": 1, "tags": ["x"] * 100}] * 1000, "page": {"next": "x", "left": [1]}})
    assert shape == snapshot(
        {
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "id": {"type": "integer"},
                            "tags": {"type": "array", "items": {"type": "string"}},
                        },
                        "required": ["id", "tags"],
                    },
                },
                "page": {
                    "type": "object",
                    "properties": {"next": {"type": "string"}, "left": {"type": "array", "items": {"type": "integer"}}},
                    "required": ["left", "next"],
                },
            },
            "required": ["items", "page"],
        }
    )
