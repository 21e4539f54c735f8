"""No literal that a program gives to a name of a secret is journaled; lines and everything else stay as they are."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.hub.redacted_code import redacted_code


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ('f(password="x", note="keep")', 'f(password="[redacted]", note="keep")'),
        ("f(password = 'x')", "f(password = '[redacted]')"),
        ('API_KEY = "x"', 'API_KEY = "[redacted]"'),
        ('api_key: str = "x"', 'api_key: str = "[redacted]"'),
        (
            'h = {"Authorization": "Bearer x", "Accept": "keep"}',
            'h = {"Authorization": "[redacted]", "Accept": "keep"}',
        ),
        ('h["X-Api-Key"] = "x"', 'h["X-Api-Key"] = "[redacted]"'),
        ('s.password = "x"', 's.password = "[redacted]"'),
        ('if token == "x": print("keep")', 'if token == "[redacted]": print("keep")'),
        ('if token != "x":\n  f("keep")', 'if token != "[redacted]":\n  f("keep")'),
        ('token = "x" + "y"; z = "keep"', 'token = "[redacted]" + "[redacted]"; z = "keep"'),
        ('token = ("x"\n  "y")\nz = "keep"', 'token = ("[redacted]"\n  "[redacted]")\nz = "keep"'),
        ('token = a or "x"', 'token = a or "[redacted]"'),
        ('token = a or ("x")', 'token = a or ("[redacted]")'),
        ('tokens = ["x", "y"]', 'tokens = ["[redacted]", "[redacted]"]'),
        ('credentials = {"user": "x", "n": 1}', 'credentials = {"user": "[redacted]", "n": 1}'),
        ('def f(token="x", n="keep"):\n  return "keep"', 'def f(token="[redacted]", n="keep"):\n  return "keep"'),
        ('f(token=r"x\\"y", n="keep")', 'f(token=r"[redacted]", n="keep")'),
        ('token = \\\n  "x"', 'token = \\\n  "[redacted]"'),
        ('secret = """x\ny"""\nz = "keep"', 'secret = """[redacted]\n"""\nz = "keep"'),
        ('token = f"{a}-x"', 'token = f"[redacted]"'),
        ('secret = "x', 'secret = "[redacted]"'),
    ],
)
def test_a_text_that_is_given_to_a_secret_is_left_out(code: str, left: str) -> None:
    assert redacted_code(code) == left


@pytest.mark.parametrize(
    "code",
    [
        'f(title="x", page_token="x", max_tokens="x")',
        'token = vault.read("github")["value"]',
        'token = vault.read(name="github")',
        'password = d["password"]',
        'f(token, "x")',
        'f(a=token, b="x")',
        '{"a": token, "b": "x"}',
        'f("token", "x")',
        'for token in tokens: print("x")',
        'print("password")\nprint("x")',
        'headers = {"Authorization": f"Bearer {token}"}',
        'headers = {"Authorization": "Bearer " + token}',
        'headers = {"Authorization": "Bearer %s" % token}',
        'headers = {"Authorization": "Basic {}".format(token)}',
        'token = ""',
        '# password = "it\'s said in a comment"\nx = "y"',
        'x = "password = 1"',
        'x = """token="abc" """',
        "secret = 5",
        "",
    ],
)
def test_what_is_no_literal_of_a_secret_stays(code: str) -> None:
    assert redacted_code(code) == code


def test_a_call_inside_a_secrets_value_is_looked_into() -> None:
    assert redacted_code('token = login(user="keep", password="x")["keep"]') == (
        'token = login(user="keep", password="[redacted]")["keep"]'
    )


def test_the_hubs_own_secrets_are_left_out_everywhere() -> None:
    assert redacted_code('a = "s3cret" # s3cret', ("s3cret",)) == 'a = "[redacted]" # [redacted]'
    assert redacted_code('token = "s3cret"\ns3cret', ("s3cret",)) == 'token = "[redacted]"\n[redacted]'


def test_a_program_as_the_journal_keeps_it() -> None:
    code = """\
# rotate the key of the deploy bot
vault = {"api_key": "sk-123", "region": "eu"}
for repo in github.list_repos(owner="acme"):
    github.create_secret(repo=repo["name"], name="DEPLOY", secret_value="hunter2")
    http.post(url="https://a", headers={"Authorization": "Bearer sk-123", "Accept": "json"}, body="text")
result = "done"
"""
    assert redacted_code(code) == snapshot("""\
# rotate the key of the deploy bot
vault = {"api_key": "[redacted]", "region": "eu"}
for repo in github.list_repos(owner="acme"):
    github.create_secret(repo=repo["name"], name="DEPLOY", secret_value="[redacted]")
    http.post(url="https://a", headers={"Authorization": "[redacted]", "Accept": "json"}, body="text")
result = "done"
""")


TOKENS = st.sampled_from(
    [
        *"()[]{}=:,;'\"#\\ \n",
        '"""',
        "'''",
        "password",
        "token",
        "x",
        "f",
        "f(",
        "==",
        '"abc"',
        "'a b'",
        "1",
        "if ",
        "r'",
    ]
)


@given(st.lists(TOKENS, max_size=30).map("".join))
def test_lines_stay_where_they_are_whatever_it_is_given(code: str) -> None:
    assert redacted_code(code).count("\n") == code.count("\n")


@given(
    st.text("ab\"'\\{}%\n ", max_size=12), st.sampled_from(["password={}", "x = {{'token': {}}}", "f(api_key=({}))"])
)
def test_no_literal_survives_and_the_program_stays_one(secret: str, form: str) -> None:
    code = f"# a\nf(password=1)\n{form.format(repr('S3' + secret + '9Z'))}\n"
    left = redacted_code(code)
    assert "S3" not in left
    assert "9Z" not in left
    ast.parse(left)


@pytest.mark.parametrize("content", ["{" * 20_000, "{}" * 20_000 + "a", "\\" * 40_000, "%s" * 20_000 + "a"])
def test_hostile_texts_take_no_long(content: str) -> None:
    assert redacted_code(f'password = "{content}') != ""
    assert redacted_code(f"password = {content}") != ""
