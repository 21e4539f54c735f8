"""What a client asks of the cache in HTTP's words, however spelt, and what it is told in a structured field."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.proxy.cache_control import MOST_CHARACTERS, Asked, Told

ANYTHING = Asked()
FRESH = Asked(max_age=0)
UNKEPT = Asked(keeps=False)

Value = bool | int | float | str


def asked(told: str) -> Asked:
    return Asked.of({"cache-control": told})


# What is asked


@pytest.mark.parametrize(
    ("told", "wants"),
    [
        ("", ANYTHING),
        ("no-cache", FRESH),
        ("no-store", UNKEPT),
        ("max-age=60", Asked(60)),
        ("max-age=0", FRESH),
        ("NO-CACHE", FRESH),
        ("No-Store", UNKEPT),
        ("Max-Age=60", Asked(60)),
        ("  no-cache\t", FRESH),
        (",, no-cache ,", FRESH),
        ("foo=bar,no-store", UNKEPT),
        ("max-age = 60", Asked(60)),
        ('max-age="60"', Asked(60)),
        ("max-age=0060", Asked(60)),
        ("max-age=999999999999", Asked(999_999_999_999)),
        ("no-transform, only-if-cached, min-fresh=5, max-stale, max-stale=5", ANYTHING),
        ("no-cacheable, xno-store, max-aged=3, s-maxage=3, x-max-age=0", ANYTHING),
        ('extension="no cache", community=no-store', ANYTHING),
    ],
)
def test_a_directive_is_heeded_however_it_is_spelt_and_no_other_is_taken_for_it(told: str, wants: Asked) -> None:
    assert asked(told) == wants


@pytest.mark.parametrize(
    ("told", "wants"),
    [
        ("no-cache, no-store", Asked(0, keeps=False)),
        ("no-store,no-cache", Asked(0, keeps=False)),
        ("no-cache, max-age=60", FRESH),
        ("max-age=60, no-cache", FRESH),
        ("max-age=60, max-age=30, max-age=90", Asked(30)),
        ("max-age=30, max-age=soon", FRESH),
        ("no-store, max-age=60, no-store", Asked(60, keeps=False)),
        ("no-cache, no-cache", FRESH),
    ],
)
def test_of_several_directives_each_counts_and_the_stricter_one_wins(told: str, wants: Asked) -> None:
    assert asked(told) == wants


@pytest.mark.parametrize(
    "told",
    [
        "max-age",
        "max-age=",
        'max-age=""',
        "max-age=-1",
        "max-age=+60",
        "max-age=1.5",
        "max-age=60s",
        "max-age=6 0",
        "max-age=60=60",
        "max-age=\u0666\u0660",
        "max-age=\u00b2",
        "max-age='60'",
        "max-age=1e3",
        'no-cache="set-cookie"',
        "no-cache=",
        "no-cache=false",
    ],
)
def test_what_cant_be_read_asks_for_a_new_answer(told: str) -> None:
    assert asked(told) == FRESH


@settings(max_examples=60)
@given(st.integers(0, 10**40))
def test_an_age_of_many_digits_is_never_taken_for_a_longer_one(seconds: int) -> None:
    told = asked(f"max-age={seconds:060}").max_age
    assert told is not None
    assert told <= seconds
    wants = asked(f"max-age={seconds}").max_age
    assert wants == seconds if seconds < 10**12 else wants is not None and wants <= seconds


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_whatever_stands_there_never_raises_and_never_lets_a_directive_be_overheard(noise: str) -> None:
    told = asked(f"{noise},no-store,no-cache")
    assert (told.keeps, told.looks) == (False, False)


def test_an_answer_from_the_cache_does_unless_it_must_be_new() -> None:
    assert [asked(each).looks for each in ("", "max-age=1", "no-store", "max-age=0", "no-cache")] == [
        *[True] * 3,
        *[False] * 2,
    ]


def test_the_old_pragma_counts_only_where_there_is_no_cache_control() -> None:
    assert Asked.of({"pragma": "no-cache"}) == FRESH
    assert Asked.of({"pragma": "no-cache", "cache-control": "max-age=60"}) == Asked(60)
    assert Asked.of({"pragma": "no-cache", "cache-control": ""}) == ANYTHING
    assert Asked.of({"accept": "no-cache"}) == ANYTHING


# What is told

ITEM = (
    (re.compile(r"\?([01])(?![0-9])"), lambda found: found[1] == "1"),
    (re.compile(r"(-?[0-9]{1,12}\.[0-9]{1,3})(?![0-9.])"), lambda found: float(found[1])),
    (re.compile(r"(-?[0-9]{1,15})(?![0-9.])"), lambda found: int(found[1])),
    (re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"'), lambda found: re.sub(r'\\(["\\])', r"\1", found[1])),
    (re.compile(r"([A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*)"), lambda found: found[1]),
)
"""The bare items of RFC 8941, section 3.3, but for byte sequences; nothing else is one."""
KEY = re.compile(r"; *([a-z*][a-z0-9_.*-]*)")


def structured(field: str) -> tuple[Value, dict[str, Value]]:
    """A structured field that is one item, and its parameters, by RFC 8941. Raises ValueError for what is none."""
    item, at = bare(field, 0)
    parameters: dict[str, Value] = {}
    while at < len(field):
        if not (key := KEY.match(field, at)):
            raise ValueError(f"no parameter: {field[at:]!r}")
        parameters[key[1]], at = bare(field, key.end() + 1) if field.startswith("=", key.end()) else (True, key.end())
    return item, parameters


def bare(field: str, at: int) -> tuple[Value, int]:
    for pattern, value in ITEM:
        if found := pattern.match(field, at):
            return value(found), found.end()
    raise ValueError(f"no item: {field[at:]!r}")


def status(told: Told) -> dict[str, Value]:
    """The parameters of Cache-Status."""
    headers = dict(told.headers())
    name, parameters = structured(headers["cache-status"])
    assert name == "mcp_hub"
    return parameters


@pytest.mark.parametrize(
    "field", ['a; detail="\u00e9"', 'a; detail="x', 'a; b=c"', "a; Detail=x", 'a; x="\\n"', "a; x=1.", "a; x=3f", "a b"]
)
def test_the_parser_of_these_tests_is_strict(field: str) -> None:
    with pytest.raises(ValueError, match=r"no item|no parameter"):
        structured(field)


def test_a_hit_tells_its_kind_its_age_and_which_answer_it_is() -> None:
    exact = Told("exact", age=12.9, ttl=3587.1, id="mhc_0123456789abcdef")
    similar = Told("similar", age=0.0, ttl=3600, id="mhc_1", similarity=0.98765)
    assert [each.headers() for each in (exact, similar)] == snapshot(
        [
            [("cache-status", "mcp_hub; hit; kind=exact; ttl=3587; id=mhc_0123456789abcdef"), ("age", "12")],
            [("cache-status", "mcp_hub; hit; kind=similar; ttl=3600; id=mhc_1; similarity=0.988"), ("age", "0")],
        ]
    )
    assert status(similar) == {"hit": True, "kind": "similar", "ttl": 3600, "id": "mhc_1", "similarity": 0.988}


def test_a_miss_tells_why_the_model_was_asked() -> None:
    told = [
        Told("uri-miss"),
        Told("miss", id="mhc_1", similarity=1.0, detail='it names "b.py"'),
        Told("request", detail="the client asked for a new answer"),
        Told("bypass", detail="it goes on in a container"),
        Told("miss", collapsed=True),
    ]
    assert [each.headers() for each in told] == snapshot(
        [
            [("cache-status", "mcp_hub; fwd=uri-miss")],
            [("cache-status", 'mcp_hub; fwd=miss; id=mhc_1; similarity=1.000; detail="it names \\"b.py\\""')],
            [("cache-status", 'mcp_hub; fwd=request; detail="the client asked for a new answer"')],
            [("cache-status", 'mcp_hub; fwd=bypass; detail="it goes on in a container"')],
            [("cache-status", "mcp_hub; fwd=miss; collapsed")],
        ]
    )
    assert status(told[1])["detail"] == 'it names "b.py"'
    assert status(told[4]) == {"fwd": "miss", "collapsed": True}


HOSTILE = st.text(st.sampled_from('"\\\r\n\t;, =\x00\x7f\x1f\u00e9\u2028\U0001f600~a'), max_size=12) | st.text(
    max_size=12
)


@settings(max_examples=60)
@given(HOSTILE, st.booleans())
def test_no_detail_leaves_its_quotes(detail: str, is_hit: bool) -> None:
    told = status(Told("exact" if is_hit else "miss", age=1 if is_hit else None, detail=detail))
    printable = "".join(each if " " <= each <= "~" else "?" for each in detail)
    assert told == {**({"hit": True, "kind": "exact"} if is_hit else {"fwd": "miss"})} | (
        {"detail": printable} if detail else {}
    )


@pytest.mark.parametrize(
    "detail",
    ['x"; hit', "x\\", 'x\\"; hit; y="', "a\r\nset-cookie: b=c", "a\nb", "\x00\x7f", "caf\u00e9 \u2014 \ud800"],
)
def test_a_detail_cant_make_a_header_or_a_parameter(detail: str) -> None:
    ((_, value),) = Told("miss", detail=detail).headers()
    assert value.isascii()
    assert value.isprintable()
    assert set(status(Told("miss", detail=detail))) == {"fwd", "detail"}


def test_a_long_detail_is_cut_and_still_ends() -> None:
    for each in ("x", '"', "\\", "\u00e9"):
        told = status(Told("miss", detail=each * 10_000))["detail"]
        assert isinstance(told, str)
        assert len(told) == MOST_CHARACTERS


@settings(max_examples=50)
@given(st.floats(-1, 1), st.floats(0, 1e9), st.floats(-1, 1e9))
def test_numbers_are_numbers_of_a_structured_field(similarity: float, age: float, ttl: float) -> None:
    told = Told("similar", age=age, ttl=ttl, similarity=similarity)
    found = status(told)
    assert found["ttl"] == int(ttl)
    assert abs(float(found["similarity"]) - similarity) < 0.001
    assert dict(told.headers())["age"] == str(int(age))
