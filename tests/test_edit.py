"""Editing servers.toml: servers come, go and are switched; comments, layout and everything else stay as they were."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.config import parse
from mcp_hub.edit import STARTER, add_server, remove_server, server_names, switch_server
from mcp_hub.errors import ConfigError
from tests.support import ROOT

FILE = Path("/home/ada/servers.toml")

SHOP = """\
# The shop's servers.

# Orders, by the sales team.
# Ask them before you change it.
[servers.orders]  # the first
command = ["orders", "--stdio"]
cwd = "."
# env = { LOG_LEVEL = "debug" }

# What the hub may use.
[hub]
max_message_mib = 32  # a big catalog

[servers."stock"]
url = "https://stock.example.com/mcp"
headers = { Authorization = "Bearer ${STOCK_TOKEN}" }

    [servers.stock.tools]
    deny = [
        "restock",  # only by hand
    ]

[servers.weather]
url = "http://127.0.0.1:8765/mcp"
enabled = false  # no token yet
"""


def told(edit: Callable[..., object], *arguments: object) -> str:
    """What somebody is told whose edit can't be made."""
    with pytest.raises(ConfigError) as caught:
        edit(*arguments, path=FILE)
    return caught.value.text


def added(text: str, name: str = "new", **table: Any) -> str:
    return add_server(text, name, table or {"command": ["x"]}, path=FILE)


def removed(text: str, name: str) -> str:
    return remove_server(text, name, path=FILE)


def switched(text: str, name: str, on: bool) -> str:
    return switch_server(text, name, on, path=FILE)


# The text to start from


def examples(text: str) -> str:
    """A text with the # taken off every line that is an example rather than a sentence."""
    return re.sub(r"(?m)^# (?=\[|[\w.]+ = )", "", text)


def test_the_starting_text_holds_no_server_and_every_setting_is_the_default() -> None:
    settings = parse(STARTER, FILE, {})
    assert settings.servers == {}
    assert server_names(STARTER, path=FILE) == []


def test_each_example_of_the_starting_text_is_valid_once_its_lines_are_uncommented() -> None:
    read = parse(examples(STARTER), FILE, {"GITHUB_TOKEN": "g", "TOKEN": "t"})
    github, search = read.servers.values()
    assert github.command == ("npx", "-y", "@modelcontextprotocol/server-github")
    assert github.env == {"GITHUB_PERSONAL_ACCESS_TOKEN": "g"}
    assert (search.url, search.headers) == ("https://search.example.com/mcp", {"Authorization": "Bearer t"})
    assert read.policy.mode == "read-only"
    assert [rule.text for rule in (*read.policy.deny, *read.policy.allow)] == [
        "*.delete_*",
        "@destructive",
        "github.create_issue",
    ]
    sentences = [line for line in examples(STARTER).splitlines() if line.startswith("#")]
    assert all(re.fullmatch(r"# [A-Z].*\.", line) for line in sentences)


def test_a_server_is_added_to_the_starting_text_and_taken_out_again() -> None:
    assert removed(added(STARTER), "new") == STARTER


# Adding


def test_a_server_is_added_at_the_end_with_its_keys_in_the_order_given() -> None:
    text = "[hub]\nmax_message_mib = 32\n\n# The last word.\n"
    table = {
        "command": ["npx", "-y", "server-github"],
        "env": {"TOKEN": "${TOKEN}", "LOG LEVEL": 'a "b"'},
        "cwd": "~/work",
        "description": "Code, issues",
        "timeout": 60,
        "enabled": False,
        "tools": {"allow": ["list_*"], "deny": []},
    }
    assert add_server(text, "github", table, path=FILE) == snapshot("""\
[hub]
max_message_mib = 32

# The last word.

[servers.github]
command = ["npx", "-y", "server-github"]
env = { TOKEN = "${TOKEN}", "LOG LEVEL" = "a \\"b\\"" }
cwd = "~/work"
description = "Code, issues"
timeout = 60
enabled = false
tools.allow = ["list_*"]
tools.deny = []
""")


def test_a_server_at_a_url_has_its_headers_on_one_line() -> None:
    after = added("", "search", url="https://h/mcp", headers={"Authorization": "Bearer ${T}"}, timeout=2.5)
    assert after == snapshot("""\
[servers.search]
url = "https://h/mcp"
headers = { Authorization = "Bearer ${T}" }
timeout = 2.5
""")


def test_a_list_that_is_too_long_for_a_line_has_one_item_on_each() -> None:
    after = added("", command=["docker", "run", *(f"--volume=/data/{number}:/data" for number in range(5))])
    assert after == snapshot("""\
[servers.new]
command = [
    "docker",
    "run",
    "--volume=/data/0:/data",
    "--volume=/data/1:/data",
    "--volume=/data/2:/data",
    "--volume=/data/3:/data",
    "--volume=/data/4:/data",
]
""")


@pytest.mark.parametrize("before", ["", "\n", "# one\n", "# one", "[hub]\n\n", "[hub]\n\n\n", "[hub] # c"])
def test_what_was_there_stays_and_one_blank_line_parts_it_from_the_new_server(before: str) -> None:
    after = added(before)
    assert after.startswith(before)
    assert re.fullmatch(r"\s*|.*\n\n+", after[: after.index("[servers.new]")], re.DOTALL)
    assert "\n\n\n" not in after.removeprefix(before)


def test_a_name_that_needs_quotes_gets_them() -> None:
    assert added("", "a.b c").splitlines()[0] == '[servers."a.b c"]'


def test_a_server_that_is_there_already_is_not_added_again() -> None:
    assert told(add_server, SHOP, "stock", {"command": ["x"]}) == snapshot(
        "/home/ada/servers.toml:14: [servers.stock] is there already. Remove it first, or choose another name."
    )


@pytest.mark.parametrize(
    "text",
    [
        "[servers]\na = { command = ['x'] }\n",
        "servers.a.command = ['x']\n",
        "servers = { a = { command = ['x'] } }\n",
        "servers = {}\n",
        "[servers.a.tools]\ndeny = []\n",
    ],
)
def test_a_server_is_added_to_others_however_they_are_spelt(text: str) -> None:
    after = added(text, tools={"deny": ["x"]}, env={"A": "b"}, command=["x"])
    expected = {"tools": {"deny": ["x"]}, "env": {"A": "b"}, "command": ["x"]}
    assert tomllib.loads(after)["servers"] == {**tomllib.loads(text)["servers"], "new": expected}


@pytest.mark.parametrize("text", ["servers = 5\n", "[[servers]]\na = 1\n", "servers = []\n"])
def test_what_is_no_table_of_servers_is_left_to_the_person_who_wrote_it(text: str) -> None:
    assert told(add_server, text, "a", {"command": ["x"]}) == snapshot(
        "/home/ada/servers.toml: its servers are written in a way that only you can change. Edit the file."
    )


def test_a_value_that_utf8_cant_write_is_refused() -> None:
    assert told(add_server, "", "a", {"command": ["\ud800"]}) == snapshot(
        "/home/ada/servers.toml: a value can't be written in UTF-8. Leave it out."
    )


def test_what_an_editor_or_a_terminal_wouldnt_show_is_written_as_an_escape() -> None:
    hidden = "a\u202eb\x1b[8m\x7f\x85\u2028\t\n\x00"
    after = added("", command=[hidden], env={hidden: "é"})
    assert after.replace("\n", "").isprintable()
    assert tomllib.loads(after)["servers"]["new"] == {"command": [hidden], "env": {hidden: "é"}}


# Removing


def test_a_removed_server_takes_along_the_comments_that_touch_it() -> None:
    assert removed(SHOP, "orders") == snapshot("""\
# The shop's servers.

# What the hub may use.
[hub]
max_message_mib = 32  # a big catalog

[servers."stock"]
url = "https://stock.example.com/mcp"
headers = { Authorization = "Bearer ${STOCK_TOKEN}" }

    [servers.stock.tools]
    deny = [
        "restock",  # only by hand
    ]

[servers.weather]
url = "http://127.0.0.1:8765/mcp"
enabled = false  # no token yet
""")


def test_a_removed_server_takes_along_its_sub_tables() -> None:
    assert removed(SHOP, "stock") == snapshot("""\
# The shop's servers.

# Orders, by the sales team.
# Ask them before you change it.
[servers.orders]  # the first
command = ["orders", "--stdio"]
cwd = "."
# env = { LOG_LEVEL = "debug" }

# What the hub may use.
[hub]
max_message_mib = 32  # a big catalog

[servers.weather]
url = "http://127.0.0.1:8765/mcp"
enabled = false  # no token yet
""")


def test_the_last_server_leaves_no_blank_lines_at_the_end() -> None:
    assert removed(SHOP, "weather").endswith("    ]\n")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("[servers]\na = { command = ['x'] }\nb = { command = ['y'] }\n", "[servers]\nb = { command = ['y'] }\n"),
        ("servers.a.command = ['x']\nservers.a.cwd = '.'\nservers.b.url = 'u'\n", "servers.b.url = 'u'\n"),
        ("[servers]\na.command = ['x']\nb.url = 'u'\na.cwd = '.'\n", "[servers]\nb.url = 'u'\n"),
        ("[servers]\n'a'.command = ['x']\n\"b\".url = 'u'\n", "[servers]\n\"b\".url = 'u'\n"),
        ("servers = { a = { url = 'u' }, b = { url = 'v' } } # c\n", "servers = { b = { url = 'v' } } # c\n"),
        ("[servers.a.env]\nA = 'b'\n[hub]\n[servers.a]\ncommand = ['x']\n", "[hub]\n"),
        ("[hub]\n\n[servers . 'a']\ncommand = [\n  'x', # y\n\n]\n\n[policy]\n", "[hub]\n\n[policy]\n"),
        ("[[servers.a]]\nx = 1\n[[servers.a]]\nx = 2\n[hub]\n", "[hub]\n"),
        ("servers.a = 1\n", ""),
        ('[hub]\n[servers.a]\ndescription = """\n[servers.b]\n# no"""\nurl = "u"\n', "[hub]\n"),
        ('[hub]\nx = """\n# not a comment"""\n[servers.a]\nurl = "u"', '[hub]\nx = """\n# not a comment"""\n'),
    ],
)
def test_a_server_is_removed_however_it_is_spelt(text: str, after: str) -> None:
    assert removed(text, "a") == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("# file\n\n[servers.a]\nurl = 'u'\n", "# file\n"),
        ("# about a\n[servers.a]\nurl = 'u'\n\n[hub]\n", "[hub]\n"),
        ("[servers.a]\nurl = 'u'\n# about hub\n[hub]\n", "# about hub\n[hub]\n"),
        ("[servers.a]\nurl = 'u'\n# cwd = '.'\n\n# about hub\n[hub]\n", "# about hub\n[hub]\n"),
        ("[servers.a]\nurl = 'u'\n\n# loose\n\n[hub]\n", "# loose\n\n[hub]\n"),
        ("[servers.a]\nurl = 'u'\n# the end\n", ""),
        ("[servers.a]\n\n# inside\n\nurl = 'u'\n\n# inside too\n\n[servers.a.tools]\n[hub]\n", "[hub]\n"),
        (
            "[servers]\n# about a\na = { url = 'u' }\n# about b\nb = { url = 'u' }\n",
            "[servers]\n# about b\nb = { url = 'u' }\n",
        ),
        ("[servers]\na = { url = 'u' }\n# about more\n\n[hub]\n", "[servers]\n# about more\n\n[hub]\n"),
        ("[hub]\n\n\n[servers.a]\nurl = 'u'\n\n\n[policy]\n", "[hub]\n\n\n[policy]\n"),
        ("[hub]\n[servers.a]\nurl = 'u'\n\n[policy]\n", "[hub]\n\n[policy]\n"),
        ("\n\n[servers.a]\nurl = 'u'\n\n[policy]\n", "\n\n[policy]\n"),
    ],
)
def test_comments_about_something_else_stay_and_blank_lines_dont_pile_up(text: str, after: str) -> None:
    assert removed(text, "a") == after


def test_an_unknown_server_is_told_with_the_nearest_one() -> None:
    assert told(remove_server, SHOP, "Order") == snapshot(
        "/home/ada/servers.toml: there is no server 'Order'. Did you mean 'orders'?"
    )


def test_an_unknown_server_is_told_with_all_there_are_when_none_is_near() -> None:
    assert told(remove_server, SHOP, "xyz") == snapshot(
        "/home/ada/servers.toml: there is no server 'xyz'. The file has orders, stock, weather."
    )
    assert told(remove_server, "", "xyz") == snapshot(
        "/home/ada/servers.toml: there is no server 'xyz'. The file has none."
    )
    assert told(remove_server, "servers = 5", "xyz") == snapshot(
        "/home/ada/servers.toml: there is no server 'xyz'. The file has none."
    )


# Switching


def test_switching_off_adds_a_line_after_the_servers_own_keys() -> None:
    text = "[servers.a]\n  command = ['x']\n  # env = {}\n\n[servers.a.tools]\ndeny = []\n"
    assert switched(text, "a", False) == snapshot("""\
[servers.a]
  command = ['x']
  enabled = false
  # env = {}

[servers.a.tools]
deny = []
""")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("[servers.a]\n", "[servers.a]\nenabled = false\n"),
        ("[servers.a]\nurl = 'u'", "[servers.a]\nurl = 'u'\nenabled = false\n"),
        ("[servers.a]\nenabled = true  # yes\nurl = 'u'\n", "[servers.a]\nenabled = false  # yes\nurl = 'u'\n"),
        ("[servers.a]\nenabled = '${ON}' # yes\n", "[servers.a]\nenabled = false # yes\n"),
        (
            "[servers.a]\ncommand = [\n  'x',\n]\n\n[hub]\n",
            "[servers.a]\ncommand = [\n  'x',\n]\nenabled = false\n\n[hub]\n",
        ),
        ("[servers]\na = { url = 'u' } # c\n", "[servers]\na = { url = 'u', enabled = false } # c\n"),
        ("servers = { a = { url = 'u' } }\n", "servers = { a = { url = 'u', enabled = false } }\n"),
        ("servers.a = { url = 'u' }\n", "servers.a = { url = 'u', enabled = false }\n"),
        ("servers.'a'.url = 'u'\n[hub]\n", "servers.'a'.url = 'u'\nservers.'a'.enabled = false\n[hub]\n"),
        ("[servers]\n a . url = 'u'\nb.url = 'u'\n", "[servers]\n a . url = 'u'\n a.enabled = false\nb.url = 'u'\n"),
        ("servers.a.enabled = true # c\n", "servers.a.enabled = false # c\n"),
        ("[servers.a.tools]\ndeny = []\n", "[servers.a]\nenabled = false\n\n[servers.a.tools]\ndeny = []\n"),
    ],
)
def test_a_server_is_switched_off_however_it_is_spelt(text: str, after: str) -> None:
    assert switched(text, "a", False) == after
    assert switched(after, "a", False) == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("[servers.a]\nurl = 'u'\nenabled = false\n", "[servers.a]\nurl = 'u'\n"),
        ("[servers.a]\nenabled = false\n\nurl = 'u'\n", "[servers.a]\n\nurl = 'u'\n"),
        ("[servers.a]\nurl = 'u'\n\nenabled = false\n\n[hub]\n", "[servers.a]\nurl = 'u'\n\n[hub]\n"),
        ("[servers.a]\n  enabled = false  # no token\nurl = 'u'\n", "[servers.a]\n  # no token\nurl = 'u'\n"),
        ("[servers]\na = { url = 'u', enabled = false } # c\n", "[servers]\na = { url = 'u' } # c\n"),
        ("servers = { a = { enabled = false, url = 'u' } }\n", "servers = { a = { url = 'u' } }\n"),
        ("servers.a.url = 'u'\nservers.a.enabled = false # c\n", "servers.a.url = 'u'\n# c\n"),
        ("[servers]\na.url = 'u'\na.enabled = false\n", "[servers]\na.url = 'u'\n"),
        ("[servers.a]\nenabled = '${ON}'\n", "[servers.a]\n"),
    ],
)
def test_a_server_is_switched_on_by_taking_the_key_out(text: str, after: str) -> None:
    assert switched(text, "a", True) == after
    assert switched(after, "a", True) == after


def test_a_server_that_is_on_by_its_own_key_is_left_so() -> None:
    text = "[servers.a]\nenabled = true\n"
    assert switched(text, "a", True) == text


def test_an_unknown_server_cant_be_switched() -> None:
    assert "there is no server 'shop'" in told(switch_server, SHOP, "shop", True)


@pytest.mark.parametrize("text", ["[servers]\na = 1\n", "[[servers.a]]\n"])
def test_what_is_no_table_cant_be_switched(text: str) -> None:
    assert told(switch_server, text, "a", False).endswith("[servers.a] should be a table.")


# Any edit


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: server_names(text, path=FILE),
        lambda text: added(text),
        lambda text: removed(text, "a"),
        lambda text: switched(text, "a", True),
    ],
)
def test_what_isnt_toml_is_refused_with_the_line(edit: Callable[[str], object]) -> None:
    with pytest.raises(ConfigError) as caught:
        edit("[servers.a]\ncommand = x\n")
    assert caught.value.text == snapshot("/home/ada/servers.toml:2: this isn't TOML: Invalid value.")


def test_names_are_listed_in_the_order_of_the_file() -> None:
    assert server_names(SHOP, path=FILE) == ["orders", "stock", "weather"]
    assert server_names("[servers]\n'a b'.url = 'u'\nc = {}", path=FILE) == ["a b", "c"]
    assert server_names("servers = 3", path=FILE) == []


def test_windows_line_ends_stay_windows_line_ends() -> None:
    text = SHOP.replace("\n", "\r\n")
    for after in (
        added(text, command=["x" * 70, "y" * 70]),
        removed(text, "stock"),
        switched(text, "orders", False),
        switched(text, "weather", True),
        switched("[servers]\r\na = { url = 'u' }\r\n", "a", False),
        switched("[servers.a.tools]\r\n", "a", False),
    ):
        assert re.sub("\r\n", "", after).isprintable()
    assert removed(text, "stock").replace("\r\n", "\n") == removed(SHOP, "stock")


def test_a_byte_order_mark_stays_at_the_start() -> None:
    text = "\ufeff[servers.a]\nurl = 'u'\n"
    assert server_names(text, path=FILE) == ["a"]
    assert added(text).startswith(text)
    assert switched(text, "a", False) == f"{text}enabled = false\n"
    assert removed(text, "a") == "\ufeff"


def test_the_example_file_survives_every_edit() -> None:
    text = (ROOT / "servers.toml").read_text()
    for name in server_names(text, path=FILE):
        without = removed(text, name)
        assert server_names(without, path=FILE) == [each for each in server_names(text, path=FILE) if each != name]
        assert not without.endswith("\n\n")
        assert "\n\n\n" not in without
        off = switched(text, name, False)
        assert parse(off, FILE, {}).servers[name].enabled is False
        assert parse(switched(off, name, True), FILE, {}).servers[name].enabled is True
    assert "A streamable HTTP server" not in removed(text, "weather")
    assert switched(switched(text, "stock", False), "stock", True) == text


names = st.sampled_from(["a", "b-2", "C_3", "d e", "é", 'q"', "x.y"])
BARE = re.compile(r"[A-Za-z0-9_-]+")
filler = st.lists(st.sampled_from(["", "   ", "# note ;", "  # [servers.a] ;", "# ;", '# x = """ ;']), max_size=3)
values = {
    "command": ["['x']", '["x", # why ;\n  "y",\n\n  # more ;\n]', "['''\n# no comment\n\n[servers.a]''']"],
    "env": ["{}", '{ A = "b", "c d" = "#" }'],
    "enabled": ["true", "false"],
    "timeout": ["3", "2.5", "nan", "1979-05-27"],
    "description": ['"a # b"', '"""\nenabled = true\n\n\n# [hub]"""', "'[x]'"],
}


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A servers.toml as people may write it, with servers in every spelling."""

    def spelt(key: str) -> str:
        choices = [f'"{key}"'.replace('""', '\\""')] + ([key] if BARE.fullmatch(key) else []) + [f"'{key}'"]
        return draw(st.sampled_from(choices))

    def tail() -> str:
        return draw(st.sampled_from(["", "", " ", "  # behind ;", "# tight ;"]))

    def settings_of(prefix: str) -> list[str]:
        lines = []
        for key in draw(st.lists(st.sampled_from(sorted(values)), unique=True, max_size=4)):
            lines += draw(filler)
            lines.append(f"{prefix}{key} = {draw(st.sampled_from(values[key]))}{tail()}")
        return lines

    def inline() -> str:
        keys = draw(st.lists(st.sampled_from(["timeout", "env", "enabled"]), unique=True, max_size=3))
        inner = ", ".join(f"{key} = {draw(st.sampled_from(values[key]))}" for key in keys)
        return f"{{ {inner} }}" if inner else "{}"

    shapes = draw(
        st.dictionaries(
            names, st.sampled_from(["table", "subtables", "root dotted", "root inline", "dotted", "inline"])
        )
    )
    root, under_servers, tables = draw(filler), [], []
    for name, shape in shapes.items():
        block = draw(filler)
        if shape == "table":
            block += [f"[servers.{spelt(name)}]{tail()}", *settings_of(draw(st.sampled_from(["", "  "])))]
        elif shape == "subtables":
            own = [f"[servers.{spelt(name)}]{tail()}", *settings_of("")]
            tools = [f"[ servers . {spelt(name)}.tools]{tail()}", *draw(filler), "deny = ['x']"]
            parts = draw(st.permutations([own, tools]) | st.just([tools]))
            block += [line for part in parts for line in part]
        elif shape == "root dotted":
            root += [*block, f"servers.{spelt(name)}.url = 'u'{tail()}", *settings_of(f"servers.{spelt(name)}.")]
            continue
        elif shape == "root inline":
            root += [*block, f"servers.{spelt(name)} = {inline()}{tail()}"]
            continue
        elif shape == "dotted":
            under_servers += [*block, f"{spelt(name)}.url = 'u'{tail()}", *settings_of(f"{spelt(name)} . ")]
            continue
        else:
            under_servers += [*block, f"{spelt(name)} = {inline()}{tail()}"]
            continue
        tables.append(block)
    if under_servers and not any("root" in shape for shape in shapes.values()):
        tables.append(["[servers]", *under_servers])
    if draw(st.booleans()):
        tables.append([*draw(filler), "[hub]", "max_message_mib = 3", *draw(filler)])
    lines = root + [line for table in draw(st.permutations(tables)) for line in table] + draw(filler)
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return "\n".join(lines).replace("\n", newline) + draw(st.sampled_from(["", newline]))


def comments(text: str) -> list[str]:
    """The comments of such a text, in order: only they end in a semicolon."""
    return re.findall(r"#[^#\n]*;", text)


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Equal as data; nan is equal to itself, and no servers are as good as an empty table."""
    return repr(dict(sorted({"servers": {}, **one}.items()))) == repr(dict(sorted({"servers": {}, **other}.items())))


@given(documents(), st.data())
@settings(max_examples=300)
def test_only_the_server_that_is_meant_changes_in_any_file(text: str, data: st.DataObject) -> None:
    before = tomllib.loads(text)
    servers = before.get("servers", {})
    assert server_names(text, path=FILE) == list(servers)
    after = added(text, "new", url="u")
    assert same(tomllib.loads(after), {**before, "servers": {**servers, "new": {"url": "u"}}})
    assert comments(after) == comments(text)
    assert removed(after, "new").rstrip() == text.rstrip()
    if not servers:
        return
    name = data.draw(st.sampled_from(sorted(servers)))
    after = removed(text, name)
    assert same(tomllib.loads(after), {**before, "servers": {k: v for k, v in servers.items() if k != name}})
    kept = iter(comments(text))
    assert all(comment in kept for comment in comments(after))
    after = switched(text, name, False)
    assert tomllib.loads(after)["servers"][name]["enabled"] is False
    assert comments(after) == comments(text)
    assert ("\r\n" in text) == ("\r\n" in after)
    back = switched(after, name, True)
    assert "enabled" not in tomllib.loads(back)["servers"][name]
    assert comments(back) == comments(text)
    for each in (after, back):
        changed = tomllib.loads(each)
        for server in (before["servers"][name], changed["servers"][name]):
            server.pop("enabled", None)
        assert same(
            {**before, "servers": dict(sorted(servers.items()))},
            {**changed, "servers": dict(sorted(changed["servers"].items()))},
        )
