"""The guard: what may be served for other words, what may not, and the reasons that it gives."""

import pytest
from inline_snapshot import snapshot

from mcp_hub.proxy import guard
from mcp_hub.proxy.guard import LONGEST, reading, refusal, refusals
from mcp_hub.proxy.guard.literals import Token
from tests.proxy.guard.false_pairs import FALSE_PAIRS, LAYOUTS
from tests.proxy.guard.near_misses import NEAR_MISSES, pairs_of
from tests.proxy.guard.paraphrases import PARAPHRASES


@pytest.mark.parametrize("family", NEAR_MISSES)
def test_no_near_miss_is_served(family: str) -> None:
    pairs = pairs_of(NEAR_MISSES[family])
    assert len(pairs) >= 15
    assert [pair for pair in pairs if refusal(*pair) is None] == []


@pytest.mark.parametrize("cause", FALSE_PAIRS)
def test_no_false_pair_is_served(cause: str) -> None:
    assert [pair for pair in pairs_of(FALSE_PAIRS[cause]) if refusal(*pair) is None] == []


@pytest.mark.parametrize("pair", LAYOUTS)
def test_of_several_sentences_lines_or_columns_only_the_same_text_asks_the_same(pair: tuple[str, str]) -> None:
    assert refusal(*pair) is not None
    assert refusal(pair[0], pair[0]) is None


def test_many_texts_are_refused_as_each_is_by_itself() -> None:
    others = [
        "Explain src/b.py",
        "Please explain src/a.py",
        "",
        "a. b.",
        "x" * (LONGEST + 1),
        "Explain src/a.py",
        "Delete it",
    ]
    for text in others:
        assert list(refusals(text, others)) == [refusal(text, other) for other in others]
    assert list(refusals("a", [])) == []


def test_a_text_is_read_once_for_many_others(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def reading_of(text: str) -> list[Token] | None:
        read.append(text)
        return reading(text)

    monkeypatch.setattr(guard, "reading", reading_of)
    list(refusals("Explain a.py", ["Explain b.py", "Explain a.py", "Explain c.py"]))
    assert read == ["Explain a.py", "Explain b.py", "Explain c.py"]


def test_paraphrases_are_served() -> None:
    refused = {pair: reason for pair in pairs_of(PARAPHRASES) if (reason := refusal(*pair)) is not None}
    assert refused == {}


def test_a_reason_names_the_first_difference_that_matters() -> None:
    pairs = [
        ("Read src/a.py", "Read src/b.py"),
        ("Rename foo_a to bar", "Rename foo_b to bar"),
        ("Show the last 5 commits", "Show the last 10 commits"),
        ('Search for "TODO"', 'Search for "FIXME"'),
        ("Fetch https://a.io/x", "Fetch https://a.io/y"),
        ("Upgrade lodash to 4.17.20", "Upgrade lodash to 4.17.21"),
        ("Run `npm test`", "Run `npm start`"),
        ("Deploy with --dry-run", "Deploy with --force"),
        ("Convert it to Go", "Convert it to Rust"),
        ("Explain src/a.py", "Explain `parse`"),
        ("Explain README", "Explain it"),
        ("Run the tests", "Don't run the tests"),
        ("Enable the cache", "Disable the cache"),
        ("What does foo_bar do?", "Why does foo_bar do that?"),
        ("How many tests fail?", "Which tests fail?"),
        ("Run the tests", "How do I run the tests?"),
        ("Fix the flaky test", "Fix the test"),
        ("rename x_a to x_b", "rename x_b to x_a"),
        ("Put red above blue", "Put blue above red"),
        ("Run the linter. Stop.", "Run the linter stop"),
        ("thanks!", "thank you"),
    ]
    assert [refusal(*pair) for pair in pairs] == snapshot(
        [
            "the paths differ",
            "the identifiers differ",
            "the numbers differ",
            "the quoted texts differ",
            "the URLs differ",
            "the versions differ",
            "the pieces of code differ",
            "the flags differ",
            "the names differ",
            "the literals differ",
            "one has names that the other lacks",
            "one is negated",
            "'disable' against 'enable'",
            "the questions are of different kinds: what, why",
            "the questions are of different kinds: how many, which",
            "the questions are of different kinds: how to, do",
            "the words differ",
            "the order of arguments differs",
            "the order of words differs",
            "a text is more than one plain sentence",
            "the words differ",
        ]
    )


def test_a_reason_shows_no_literal_and_no_word_that_the_vocabulary_lacks() -> None:
    secrets = (
        "acme_merger",
        "src/acme.py",
        "`acme`",
        '"acme"',
        "https://acme.io",
        "acme",
        "Acme",
        "--acme",
        "v1.2-acme",
        "4711",
    )
    for secret in secrets:
        for other in ("Explain foo_bar", "Explain it", "Why does it fail?", f"Rename x_a to {secret}", "Explain"):
            reason = refusal(f"Explain {secret}", other)
            assert reason is not None
            assert secret.strip('`"') not in reason


def test_a_text_is_as_long_as_it_may_be() -> None:
    longest = "a" * LONGEST
    assert refusal(longest, longest) is None
    assert refusal(longest + "a", longest + "a") == snapshot("a text has over 2000 characters")
    assert refusal("a", longest + "a") == snapshot("a text has over 2000 characters")


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "?!", "```", "“", "'", "`", "the", "not", "\x00", "\u017f", "\u0130", "a" * 500]
)
def test_odd_texts_are_refused_and_never_raise(text: str) -> None:
    assert refusal(text, "Delete the file") is not None
    assert refusal(text, text) is None


def test_a_question_about_a_thing_is_no_order_to_do_it() -> None:
    for question in ("How do I {}?", "Should I {}?", "Can I {}?", "Why do we {}?", "Explain how to {}", "Did you {}?"):
        for order in ("run the tests", "delete a.py", "rename x_a to x_b"):
            assert refusal(question.format(order), order) is not None


def test_what_a_name_is_of_may_be_left_out_only_where_the_name_says_it() -> None:
    assert refusal("Explain the file src/a.py", "Explain src/a.py") is None
    assert refusal("Explain the function parse_args", "Explain the parse_args function") is None
    assert refusal("Explain the function parse_args", "Explain parse_args") is not None
    assert refusal("Explain the class parse_args", "Explain parse_args") is not None
    assert refusal("Explain the module src/a.py", "Explain src/a.py") is not None
    assert refusal("Explain the function Parser", "Explain the class Parser") is not None


def test_a_place_may_stand_in_front_or_at_the_end() -> None:
    assert refusal("In src/a.py, rename x_a to x_b", "rename x_a to x_b in src/a.py") is None
    assert refusal("In src/a.py, rename x_a to x_b", "rename x_a in src/a.py to x_b") is None
    assert refusal("In src/a.py, copy x_a and put it in b.py", "copy x_a and put it in b.py in src/a.py") is not None
    assert refusal("Move x_a in src/a.py to src/b.py", "Move x_a in src/b.py to src/a.py") is not None


def test_what_may_belong_to_two_places_or_be_read_in_two_ways_stays_as_it_is() -> None:
    two_places = "rename x_a in src/a.py to x_b in src/b.py"
    assert refusal(two_places, "rename x_a to x_b in src/b.py in src/a.py") is not None
    assert refusal(two_places, "rename x_a to x_b in src/a.py in src/b.py") is not None
    assert refusal("In b.py, set the limit in a.py to 3", "Set the limit in a.py to 3 in b.py") is not None
    assert refusal("Why does the test run fail twice?", "What makes the test run fail twice?") is not None
    assert refusal("use x_a instead of x_b instead of x_c", "replace x_b instead of x_c with x_a") is not None


def test_quotes_stay_and_backticks_only_where_they_may_be_what_is_spoken_of() -> None:
    assert refusal("Explain `foo_bar`", "Explain foo_bar") is None
    assert refusal("Rename `foo_bar` to x_y", "Rename foo_bar to x_y") is not None
    for one, other in (
        ("Open `src/a.py`", 'Open "src/a.py"'),
        ('Return "foo_bar"', "Return foo_bar"),
        ("Return 'a'", 'Return "a"'),
    ):
        assert refusal(one, other) is not None
