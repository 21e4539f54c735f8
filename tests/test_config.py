"""servers.toml: what is read from it, what is refused and how that is told, which files count."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest
from inline_snapshot import snapshot
from pydantic import ValidationError

from mcp_hub import config
from mcp_hub.config import load, parse, started_by
from mcp_hub.errors import ConfigError
from mcp_hub.settings import PROXY_AND_CERTIFICATES, ServerSettings, Settings
from tests.support import ROOT

FILE = Path("/home/ada/servers.toml")


def told(text: str, environ: Mapping[str, str] | None = None) -> str:
    """What somebody is told who wrote this file."""
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE, environ or {})
    return caught.value.text


def server(text: str, environ: Mapping[str, str] | None = None) -> ServerSettings:
    """The one server of a file."""
    (only,) = parse(text, FILE, environ or {}).servers.values()
    return only


# What a file may say


def test_an_empty_file_has_no_servers_and_the_default_limits() -> None:
    settings = parse("", FILE, {})
    assert settings.servers == {}
    assert (settings.hub.limits.wall_seconds, settings.hub.max_message_mib) == (60, 16)


def test_every_key_of_a_command_is_taken_over() -> None:
    read = server(
        """
        [servers.github]
        command = ["npx", "-y", "server-github"]
        env = { TOKEN = "t" }
        env_pass = ["LANG"]
        cwd = "/srv"
        timeout = 5
        enabled = false
        description = "issues"
        tools.allow = ["list_*"]
        tools.deny = ["*_secret"]
        """
    )
    assert read.command == ("npx", "-y", "server-github")
    assert (read.env, read.env_pass, read.cwd) == ({"TOKEN": "t"}, ("LANG",), "/srv")
    assert (read.timeout, read.enabled, read.description) == (5, False, "issues")
    assert (read.tools.allow, read.tools.deny) == (("list_*",), ("*_secret",))


def test_a_url_with_headers_is_a_server_too() -> None:
    read = server('[servers.a]\nurl = "https://example.com/mcp"\nheaders = { Authorization = "Bearer x" }')
    assert (read.command, read.url, read.headers) == (
        None,
        "https://example.com/mcp",
        {"Authorization": "Bearer x"},
    )


def test_proxies_and_certificates_are_handed_on_unless_env_pass_says_otherwise() -> None:
    assert server('[servers.a]\ncommand = ["x"]').env_pass == PROXY_AND_CERTIFICATES
    assert server('[servers.a]\ncommand = ["x"]\nenv_pass = []').env_pass == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/srv/tools", "/srv/tools"),
        ("tools", "/home/ada/tools"),
        (".", "/home/ada"),
        ("../tools", "/home/tools"),
        ("~/tools", str(Path("~/tools").expanduser().resolve())),
    ],
)
def test_a_relative_cwd_counts_from_the_folder_of_the_file(written: str, meant: str) -> None:
    assert server(f'[servers.a]\ncommand = ["x"]\ncwd = "{written}"').cwd == meant


def test_without_a_cwd_a_server_keeps_the_hubs_own() -> None:
    assert server('[servers.a]\ncommand = ["x"]').cwd is None


def test_settings_cant_be_changed_after_they_were_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        server('[servers.a]\ncommand = ["x"]').timeout = 1  # type: ignore[misc]


def test_secrets_arent_in_what_a_server_prints_as() -> None:
    shown = repr(server('[servers.a]\ncommand = ["x", "--key=s3cret"]\nenv = { TOKEN = "s3cret" }'))
    assert "s3cret" not in shown
    shown = repr(server('[servers.a]\nurl = "http://x/s3cret"\nheaders = { Authorization = "s3cret" }'))
    assert "s3cret" not in shown


def test_the_example_file_is_valid_as_it_stands() -> None:
    path = ROOT / "servers.toml"
    assert list(parse(path.read_text(), path, {}).servers) == ["orders", "customers", "stock", "weather"]


# The environment


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("${SET}", "value"),
        ("a-${SET}-b-${SET}", "a-value-b-value"),
        ("${SET:-other}", "value"),
        ("${MISSING:-other}", "other"),
        ("${MISSING:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),
        ("${MISSING:-http://host:80/a?b=c}", "http://host:80/a?b=c"),
        ("$SET", "$SET"),
        ("${1}", "${1}"),
        ("{SET}", "{SET}"),
    ],
)
def test_a_reference_to_the_environment_becomes_its_value(written: str, meant: str) -> None:
    read = server(f'[servers.a]\ncommand = ["x", "{written}"]', {"SET": "value", "EMPTY": ""})
    assert read.command == ("x", meant)


def test_references_work_in_every_value_and_not_in_keys() -> None:
    settings = parse(
        """
        [hub.limits]
        calls = "${CALLS}"
        [servers.a]
        url = "${BASE}/mcp"
        timeout = "${SECONDS}"
        enabled = "${ON}"
        headers = { "${KEY}" = "Bearer ${TOKEN}" }
        """,
        FILE,
        {"CALLS": "7", "BASE": "http://h", "SECONDS": "2.5", "ON": "false", "TOKEN": "t", "KEY": "k"},
    )
    read = settings.servers["a"]
    assert settings.hub.limits.calls == 7
    assert (read.url, read.timeout, read.enabled) == ("http://h/mcp", 2.5, False)
    assert read.headers == {"${KEY}": "Bearer t"}


def test_a_value_is_not_expanded_a_second_time() -> None:
    assert server('[servers.a]\ncommand = ["${A}"]', {"A": "${B}", "B": "no"}).command == ("${B}",)


def test_a_missing_variable_names_the_server_and_the_key() -> None:
    text = '[servers.github]\nurl = "https://x/mcp"\nheaders = { Authorization = "Bearer ${GITHUB_TOKEN}" }\n'
    assert told(text) == snapshot(
        "/home/ada/servers.toml:3: [servers.github.headers.Authorization] the environment variable "
        "GITHUB_TOKEN isn't set. Set it, or give a default: ${GITHUB_TOKEN:-...}"
    )


def test_a_missing_variable_in_a_command_names_the_line_of_the_command() -> None:
    text = '[servers.a]\ntimeout = 3\ncommand = [\n  "x",\n  "${NOPE}",\n]\n'
    assert told(text) == snapshot(
        "/home/ada/servers.toml:3: [servers.a.command] the environment variable NOPE isn't set. Set it, or "
        "give a default: ${NOPE:-...}"
    )


def test_a_server_that_is_switched_off_may_refer_to_what_isnt_set() -> None:
    read = server('[servers.a]\nurl = "https://x/${NOPE}"\nenabled = false')
    assert read.url == "https://x/${NOPE}"


@pytest.mark.parametrize(
    "text",
    [
        '[servers.a]\ncommand = ["x"]\ntimeout = "${SECRET}"',
        '[servers.a]\ncommand = ["x"]\nenabled = "${SECRET}"',
        '[servers.a]\ncommand = "${SECRET}"',
        '[servers.a]\ncommand = ["x"]\nenv = "${SECRET}"',
        '[servers.a]\nurl = "${SECRET}"',
        '[servers.a]\nurl = "http://h"\nheaders = ["${SECRET}"]',
        '[servers.a]\nurl = "http://h"\ntools = "${SECRET}"',
        '[hub]\nlimits = "${SECRET}"',
        '[hub.limits]\ncalls = "${SECRET}"',
        'servers = "${SECRET}"',
        '[servers.a]\ncommand = ["${SECRET}"]\nurl = "${SECRET}"',
        '[servers.a]\ncommand = ["${SECRET}", "${NOPE}"]',
    ],
)
def test_a_value_from_the_environment_is_in_no_error(text: str) -> None:
    said = told(text, {"SECRET": "hunter2"})
    assert "hunter2" not in said


def test_pydantics_own_error_keeps_a_value_to_itself() -> None:
    with pytest.raises(ValidationError) as caught:
        ServerSettings.model_validate({"url": "hunter2"})
    assert "hunter2" not in str(caught.value)


# What is refused, and how that is told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[servers.a]\ncommand = ["x"]\ntimout = 3\n',
            snapshot("/home/ada/servers.toml:3: [servers.a.timout] unknown key 'timout'. Did you mean 'timeout'?"),
        ),
        (
            '[servers.a]\ncommand = ["x"]\nfrobnicate = 3\n',
            snapshot(
                "/home/ada/servers.toml:3: [servers.a.frobnicate] unknown key 'frobnicate'. Known here: "
                "command, env, env_pass, cwd, url, headers, enabled, timeout, description, idle_stop, tools, cache, "
                "redact."
            ),
        ),
        (
            '[server.a]\ncommand = ["x"]\n',
            snapshot("/home/ada/servers.toml:1: [server] unknown key 'server'. Did you mean 'servers'?"),
        ),
        (
            '[servers.a]\ncommand = ["x"]\ntools.alow = ["*"]\n',
            snapshot("/home/ada/servers.toml:3: [servers.a.tools.alow] unknown key 'alow'. Did you mean 'allow'?"),
        ),
        (
            "[hub]\nmax_mesage_mib = 3\n",
            snapshot(
                "/home/ada/servers.toml:2: [hub.max_mesage_mib] unknown key 'max_mesage_mib'. Did you mean "
                "'max_message_mib'?"
            ),
        ),
        (
            "[hub.limits]\nwall_secs = 3\n",
            snapshot(
                "/home/ada/servers.toml:2: [hub.limits.wall_secs] unknown key 'wall_secs'. Did you mean 'wall_seconds'?"
            ),
        ),
    ],
)
def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one(text: str, said: str) -> None:
    assert told(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[servers.a]\n", snapshot("/home/ada/servers.toml:1: [servers.a] needs either command or url.")),
        (
            '[servers.a]\ncommand = ["x"]\nurl = "http://h"\n',
            snapshot("/home/ada/servers.toml:1: [servers.a] has both command and url."),
        ),
        (
            '[servers.a]\ncommand = ["x"]\nheaders = { A = "b" }\n',
            snapshot("/home/ada/servers.toml:1: [servers.a] headers can't be used with command."),
        ),
        (
            '[servers.a]\nurl = "http://h"\nenv = { A = "b" }\ncwd = "."\n',
            snapshot("/home/ada/servers.toml:1: [servers.a] env and cwd can't be used with url."),
        ),
        (
            '[servers.a]\nurl = "example.com/mcp"\n',
            snapshot(
                "/home/ada/servers.toml:2: [servers.a.url] must be a URL: http:// or https://, a host, and a port from "
                "1 to 65535 if any."
            ),
        ),
        (
            '[servers.a]\nurl = "http:///mcp"\n',
            snapshot(
                "/home/ada/servers.toml:2: [servers.a.url] must be a URL: http:// or https://, a host, and a port from "
                "1 to 65535 if any."
            ),
        ),
        (
            '[servers.a]\ncommand = "npx server"\n',
            snapshot("/home/ada/servers.toml:2: [servers.a.command] should be a list."),
        ),
        ("[servers.a]\ncommand = []\n", snapshot("/home/ada/servers.toml:2: [servers.a.command] can't be empty.")),
        (
            '[servers.a]\ncommand = ["x", 3]\n',
            snapshot("/home/ada/servers.toml:2: [servers.a.command] should be a valid string."),
        ),
        (
            '[servers.a]\ncommand = ["x"]\nenv = { A = 3 }\n',
            snapshot("/home/ada/servers.toml:3: [servers.a.env.A] should be a valid string."),
        ),
        (
            '[servers.a]\ncommand = ["x"]\ntools = ["a"]\n',
            snapshot("/home/ada/servers.toml:3: [servers.a.tools] should be a table."),
        ),
        (
            '[servers.a]\ncommand = ["x"]\ntimeout = 0\n',
            snapshot("/home/ada/servers.toml:3: [servers.a.timeout] should be greater than 0."),
        ),
        (
            '[servers.a]\ncommand = ["x"]\ntimeout = nan\n',
            snapshot("/home/ada/servers.toml:3: [servers.a.timeout] should be less than or equal to 3600."),
        ),
        (
            '[servers.a]\ncommand = ["x"]\ntimeout = "soon"\n',
            snapshot(
                "/home/ada/servers.toml:3: [servers.a.timeout] should be a valid number, unable to parse "
                "string as a number."
            ),
        ),
        (
            '[servers.a]\ncommand = ["x"]\nenabled = "maybe"\n',
            snapshot(
                "/home/ada/servers.toml:3: [servers.a.enabled] should be a valid boolean, unable to interpret input."
            ),
        ),
        ("[servers]\na = 1\n", snapshot("/home/ada/servers.toml:2: [servers.a] should be a table.")),
        ("servers = 5\n", snapshot("/home/ada/servers.toml:1: [servers] should be a table.")),
        ("hub = 5\n", snapshot("/home/ada/servers.toml:1: [hub] should be a table.")),
        (
            "[hub.limits]\ncalls = 0\n",
            snapshot("/home/ada/servers.toml:2: [hub.limits.calls] should be greater than or equal to 1."),
        ),
        (
            "[hub.limits]\ncalls = 2.5\n",
            snapshot(
                "/home/ada/servers.toml:2: [hub.limits.calls] should be a valid integer, got a number with a "
                "fractional part."
            ),
        ),
    ],
)
def test_a_value_that_doesnt_fit_is_refused_with_its_line_and_what_is_expected(text: str, said: str) -> None:
    assert told(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[servers.ok]\nurl = "http://h"\n[servers."a b"]\nurl = "http://h"\n',
            snapshot(
                "/home/ada/servers.toml:3: [servers.a b] the server name 'a b' must start with a letter and "
                "hold only letters, digits, '-' and '_'."
            ),
        ),
        (
            '[servers.ok]\nurl = "http://h"\n[servers.9lives]\nurl = "http://h"\n',
            snapshot(
                "/home/ada/servers.toml:3: [servers.9lives] the server name '9lives' must start with a "
                "letter and hold only letters, digits, '-' and '_'."
            ),
        ),
        (
            '[servers.my-api]\nurl = "http://h"\n\n[servers.My_API]\nurl = "http://h"\n',
            snapshot(
                "/home/ada/servers.toml:4: [servers.My_API] the server names 'my-api' and 'My_API' would be "
                "the same name in a program; rename one of them."
            ),
        ),
        (
            '[servers.from]\nurl = "http://h"\n\n[servers.from_]\nurl = "http://h"\n',
            snapshot(
                "/home/ada/servers.toml:4: [servers.from_] the server names 'from' and 'from_' would be the "
                "same name in a program; rename one of them."
            ),
        ),
        (
            '[servers.load-]\nurl = "http://h"\n\n[servers.load]\nurl = "http://h"\n',
            snapshot(
                "/home/ada/servers.toml:4: [servers.load] the server names 'load-' and 'load' would be the "
                "same name in a program; rename one of them."
            ),
        ),
    ],
)
def test_a_server_name_that_a_program_couldnt_tell_apart_is_refused_at_its_line(text: str, said: str) -> None:
    assert told(text) == said


@pytest.mark.parametrize("name", ["a", "A9", "my-server", "my_server", "a" * 64])
def test_letters_digits_dashes_and_underscores_make_a_server_name(name: str) -> None:
    assert list(parse(f'[servers.{name}]\nurl = "http://h"', FILE, {}).servers) == [name]


@pytest.mark.parametrize("name", ["", "_a", "-a", "a.b", "é", "a" * 65, "a\\n"])
def test_any_other_server_name_is_refused(name: str) -> None:
    assert "must start with a letter" in told(f'[servers."{name}"]\nurl = "http://h"')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[servers.a\n",
            snapshot("/home/ada/servers.toml:1: this isn't TOML: Expected ']' at the end of a table declaration."),
        ),
        ('[servers.a]\ncommand = ["x"\n', snapshot("/home/ada/servers.toml:3: this isn't TOML: Unclosed array.")),
        ("[hub]\n[hub]\n", snapshot("/home/ada/servers.toml:2: this isn't TOML: Cannot declare ('hub',) twice.")),
        ("a = 1\na = 2\n", snapshot("/home/ada/servers.toml:2: this isn't TOML: Cannot overwrite a value.")),
        ("key\n", snapshot("/home/ada/servers.toml:1: this isn't TOML: Expected '=' after a key in a key/value pair.")),
        ('a = "unclosed\n', snapshot("/home/ada/servers.toml:1: this isn't TOML: Illegal character '\\n'.")),
    ],
)
def test_what_isnt_toml_is_refused_with_the_line(text: str, said: str) -> None:
    assert told(text) == said


# What a server is


def test_a_changed_command_environment_or_url_is_another_server() -> None:
    texts = [
        'command = ["x"]',
        'command = ["x", "y"]',
        'command = ["y", "x"]',
        'command = ["x y"]',
        'command = ["x"]\nenv = { A = "1" }',
        'command = ["x"]\nenv = { A = "2" }',
        'command = ["x"]\ncwd = "/srv"',
        'url = "http://h"',
        'url = "http://h/"',
        'url = "http://h"\nheaders = { A = "1" }',
    ]
    assert len({server(f"[servers.a]\n{text}").fingerprint() for text in texts}) == len(texts)


def test_what_doesnt_change_the_tools_of_a_server_keeps_its_fingerprint() -> None:
    first = server('[servers.a]\ncommand = ["x"]\nenv = { A = "1", B = "2" }')
    second = server(
        '[servers.b]\nenv = { B = "2", A = "1" }\ncommand = ["x"]\ntimeout = 3\ndescription = "d"\ntools.deny = ["x"]'
    )
    assert first.fingerprint() == second.fingerprint()


def test_a_secret_cant_be_read_from_a_fingerprint() -> None:
    assert re.fullmatch("[0-9a-f]{64}", server('[servers.a]\ncommand = ["x"]\nenv = { A = "s3cret" }').fingerprint())


def test_a_file_tells_what_it_starts_as_it_is_written() -> None:
    content = b"""
        [servers.files]
        command = ["npx", "-y", "server-files", "${HOME}"]
        env = { TOKEN = "s3cret" }
        [servers.web]
        url = "https://example.com/${TENANT}"
        [servers.off]
        command = ["rm", "-rf", "/"]
        enabled = false
        [servers.half]
        timeout = 3
    """
    assert started_by(content, FILE) == snapshot(
        {
            "files": "npx -y server-files ${HOME}",
            "web": "https://example.com/${TENANT}",
            "off": "rm -rf /  (switched off)",
            "half": "nothing",
        }
    )


def test_what_a_file_starts_cant_be_hidden_from_the_person_who_reads_it() -> None:
    content = r"""
        [servers."a\u001b[8m"]
        command = ["sh", "-c", "rm x\u001b[2K\rnpx server", "\u202etxt"]
    """
    assert started_by(content.encode(), FILE) == {
        r"a\x1b[8m": r"sh -c rm x\x1b[2K\rnpx server \u202etxt",
    }


@pytest.mark.parametrize("content", [b"", b"servers = 3", b"[hub]", b"[servers]\na = 1"])
def test_a_file_without_servers_starts_nothing(content: bytes) -> None:
    assert started_by(content, FILE) == {}


def test_what_a_file_starts_cant_be_told_when_it_isnt_toml() -> None:
    with pytest.raises(ConfigError, match=r"servers\.toml:1: this isn't TOML"):
        started_by(b"[", FILE)


def test_the_schema_for_editors_accepts_the_example_and_refuses_an_unknown_key() -> None:
    schema = config.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = {"servers": {"a": {"command": ["x"], "tools": {"deny": ["y"]}}}, "hub": {"limits": {"calls": 3}}}
    assert validator.is_valid(good)
    assert not validator.is_valid({"servers": {"a": {"comand": ["x"]}}})
    assert not validator.is_valid({"hub": {"limits": {"calls": 0}}})


def test_every_key_is_described_for_editors() -> None:
    definitions = config.json_schema()["$defs"]
    undescribed = [
        f"{table}.{key}"
        for table, definition in definitions.items()
        for key, schema in definition["properties"].items()
        if "description" not in schema and "$ref" not in schema and "default" not in schema
    ]
    assert undescribed == []
    assert json.dumps(definitions)


# Which files count


class Files:
    """A project folder, a user folder, and what is trusted."""

    def __init__(self, root: Path) -> None:
        self.cwd, self.user = root / "project", root / "user"
        self.cwd.mkdir()
        self.user.mkdir()
        self.trusted: dict[Path, bytes] = {}

    def project(self, text: str, *, trusted: bool = True) -> Path:
        path = self.cwd / "servers.toml"
        path.write_text(text)
        if trusted:
            self.trusted[path] = path.read_bytes()
        return path

    def users(self, text: str) -> Path:
        path = self.user / "servers.toml"
        path.write_text(text)
        return path

    def load(self, named: str | Path | None = None, **environ: str) -> config.Loaded:
        return load(
            named=Path(named) if named else None,
            environ=environ,
            cwd=self.cwd,
            user_folder=self.user,
            trust_of=lambda path, content: self.trusted[path] == content if path in self.trusted else None,
        )


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_without_any_file_there_are_no_servers(files: Files) -> None:
    assert files.load() == config.Loaded(Settings(), ())


def test_a_trusted_project_file_is_used(files: Files) -> None:
    path = files.project('[servers.a]\nurl = "http://h"')
    loaded = files.load()
    assert list(loaded.settings.servers) == ["a"]
    assert (loaded.files, loaded.untrusted) == ((path,), None)


def test_a_project_file_that_nobody_trusted_is_named_and_left_alone(files: Files) -> None:
    path = files.project('[servers.a]\nurl = "http://h"', trusted=False)
    loaded = files.load()
    assert (loaded.settings.servers, loaded.files) == ({}, ())
    assert loaded.untrusted is not None
    assert loaded.untrusted.text.replace(str(path), "FILE") == snapshot(
        "FILE was found and left alone, because it isn't trusted yet and starts commands on this machine. "
        "Read it, then run: mcp_hub trust FILE"
    )


def test_a_project_file_that_changed_must_be_trusted_again(files: Files) -> None:
    path = files.project('[servers.a]\nurl = "http://h"')
    path.write_text('[servers.a]\ncommand = ["rm"]')
    loaded = files.load()
    assert loaded.settings.servers == {}
    assert loaded.untrusted is not None
    assert loaded.untrusted.text.replace(str(path), "FILE") == snapshot(
        "FILE was found and left alone, because it has changed since it was trusted and starts commands on "
        "this machine. Read it, then run: mcp_hub trust FILE"
    )


def test_an_untrusted_project_file_isnt_even_parsed(files: Files) -> None:
    files.project("this is no TOML", trusted=False)
    assert files.load().untrusted is not None


def test_the_users_file_needs_no_trust_and_works_beside_an_untrusted_project_file(files: Files) -> None:
    files.users('[servers.mine]\nurl = "http://h"')
    files.project('[servers.theirs]\nurl = "http://h"', trusted=False)
    loaded = files.load()
    assert list(loaded.settings.servers) == ["mine"]
    assert loaded.untrusted is not None


def test_the_project_wins_over_the_user_server_by_server(files: Files) -> None:
    users = files.users('[servers.a]\nurl = "http://user"\ntimeout = 3\n[servers.b]\nurl = "http://user"')
    project = files.project('[servers.a]\nurl = "http://project"\n[servers.c]\nurl = "http://project"')
    loaded = files.load()
    assert {name: each.url for name, each in loaded.settings.servers.items()} == {
        "a": "http://project",
        "b": "http://user",
        "c": "http://project",
    }
    assert loaded.settings.servers["a"].timeout == 30
    assert loaded.files == (users, project)


def test_the_project_wins_over_the_user_key_by_key_in_hub(files: Files) -> None:
    files.users("[hub]\nmax_message_mib = 3\n[hub.limits]\ncalls = 5\nsteps = 5000")
    files.project("[hub.limits]\ncalls = 9")
    hub = files.load().settings.hub
    assert (hub.max_message_mib, hub.limits.calls, hub.limits.steps, hub.limits.wall_seconds) == (3, 9, 5000, 60)


def test_a_project_may_switch_a_users_server_off(files: Files) -> None:
    files.users('[servers.a]\nurl = "http://h"')
    files.project('[servers.a]\nurl = "http://h"\nenabled = false')
    assert not files.load().settings.servers["a"].enabled


def test_names_that_collide_between_the_two_files_are_refused(files: Files) -> None:
    files.users('[servers.my-api]\nurl = "http://h"')
    path = files.project('[servers.my_api]\nurl = "http://h"')
    with pytest.raises(ConfigError) as caught:
        files.load()
    assert caught.value.text.replace(str(path), "FILE") == snapshot(
        "FILE: the server names 'my-api' and 'my_api' would be the same name in a program; rename one of them."
    )


def test_each_cwd_counts_from_its_own_file(files: Files) -> None:
    files.users('[servers.a]\ncommand = ["x"]\ncwd = "."')
    files.project('[servers.b]\ncommand = ["x"]\ncwd = "."')
    servers = files.load().settings.servers
    assert (servers["a"].cwd, servers["b"].cwd) == (str(files.user.resolve()), str(files.cwd.resolve()))


def test_a_named_file_is_used_alone_and_needs_no_trust(files: Files, tmp_path: Path) -> None:
    files.users('[servers.mine]\nurl = "http://h"')
    files.project('[servers.theirs]\nurl = "http://h"')
    other = tmp_path / "other.toml"
    other.write_text('[servers.other]\nurl = "http://h"')
    for loaded in (files.load(named=other), files.load(MCP_HUB_CONFIG=str(other))):
        assert list(loaded.settings.servers) == ["other"]
        assert loaded.files == (other,)


def test_config_wins_over_the_variable(files: Files, tmp_path: Path) -> None:
    named = tmp_path / "named.toml"
    named.write_text('[servers.named]\nurl = "http://h"')
    assert list(files.load(named=named, MCP_HUB_CONFIG="/nowhere").settings.servers) == ["named"]


def test_an_empty_variable_names_no_file(files: Files) -> None:
    assert files.load(MCP_HUB_CONFIG="").files == ()


def test_a_relative_name_counts_from_the_working_directory(files: Files) -> None:
    (files.cwd / "x.toml").write_text('[servers.x]\nurl = "http://h"')
    assert files.load(named="x.toml").files == (files.cwd / "x.toml",)


@pytest.mark.parametrize("named", ["gone.toml", "."])
def test_a_named_file_that_cant_be_read_says_why(files: Files, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        files.load(named=named)
    assert re.fullmatch(r".*: can't be read: [A-Z].*\. Check the path\.", caught.value.text)
    assert str(files.cwd) in caught.value.text


def test_a_project_folder_that_is_also_the_users_folder_is_read_once(files: Files) -> None:
    path = files.users('[servers.a]\nurl = "http://h"')
    loaded = load(named=None, environ={}, cwd=files.user, user_folder=files.user, trust_of=lambda path, content: None)
    assert (loaded.files, loaded.untrusted) == ((path,), None)


def test_a_byte_order_mark_is_no_mistake(files: Files) -> None:
    path = files.cwd / "windows.toml"
    path.write_bytes(b'\xef\xbb\xbf[servers.a]\r\nurl = "http://h"\r\n')
    assert list(files.load(named=path).settings.servers) == ["a"]


def test_a_file_that_isnt_utf8_is_told_with_the_line(files: Files) -> None:
    path = files.cwd / "latin.toml"
    path.write_bytes('[servers.a]\nurl = "http://h"\ndescription = "é"\n'.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        files.load(named=path)
    assert caught.value.text.replace(str(path), "FILE") == snapshot("FILE:3: isn't UTF-8 here; save the file as UTF-8.")


def test_an_error_in_the_users_file_names_that_file(files: Files) -> None:
    path = files.users("[servers.a]")
    files.project("")
    with pytest.raises(ConfigError, match=re.escape(f"{path}:1: ")):
        files.load()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = " + "1" * 5000 + "\n", "holds a number that can't be read."),
        ("x = " + "[" * 2000 + "]" * 2000 + "\n", "is nested too deeply to be read."),
        ('[servers.a]\ncommand = ["x"]\ncwd = "~nosuchuser/x"\n', "there is no such user."),
        ('[servers.a]\ncommand = ["x"]\ncwd = "a\\u0000b"\n', "must be a path."),
    ],
)
def test_what_nobody_would_write_is_told_all_the_same(text: str, said: str) -> None:
    assert told(text).endswith(said)


def test_a_server_that_is_switched_off_may_have_a_url_of_variables() -> None:
    settings = parse('[servers.a]\nurl = "${BASE}/mcp"\nenabled = false\n', FILE, {})
    assert settings.servers["a"].url == "${BASE}/mcp"


@pytest.mark.parametrize(
    "line", ['url = "http://h:${PORT}/mcp"', 'url = "${BASE}/mcp"', 'command = ["${X}"]\ntimeout = "${T}"']
)
def test_a_text_is_valid_when_some_value_of_its_variables_makes_it_so(line: str) -> None:
    config.validate(f"[servers.a]\n{line}\n", FILE)


def test_a_text_that_no_variable_can_make_valid_is_not() -> None:
    with pytest.raises(ConfigError, match="unknown key 'comand'"):
        config.validate('[servers.a]\ncomand = ["${X}"]\n', FILE)


def test_a_token_whose_variable_is_not_set_is_empty_and_stops_nothing_else() -> None:
    settings = parse(
        '[hub.http]\ntokens = { ada = "${ADAS_TOKEN}", bob = "${BOBS_TOKEN}" }\n', FILE, {"BOBS_TOKEN": "b"}
    )
    assert settings.hub.http.tokens == {"ada": "", "bob": "b"}


def test_each_files_policy_is_kept_by_itself(files: Files) -> None:
    user = files.users('[policy]\ndeny = ["a.b"]')
    project = files.project('[policy]\nallow = ["a.b"]')
    loaded = files.load()
    assert [path for path, _ in loaded.policies] == [user, project]
    assert [[rule.text for rule in policy.deny] for _, policy in loaded.policies] == [["a.b"], []]


def test_two_hubs_of_the_same_settings_have_the_same_fingerprint(files: Files) -> None:
    files.users('[servers.a]\nurl = "http://h"\nheaders = { T = "${TOKEN:-one}" }')
    before = files.load().fingerprint({})
    assert files.load().fingerprint({}) == before
    files.project('[policy]\ndeny = ["a.b"]')
    assert files.load().fingerprint({}) != before


def test_hubs_that_hand_other_variables_on_have_other_fingerprints(files: Files) -> None:
    files.users('[servers.a]\ncommand = ["x"]\nenv_pass = ["CRM_TOKEN"]')
    prints = {
        files.load().fingerprint({"CRM_TOKEN": token, "HTTP_PROXY": proxy}) for token, proxy in ("ab", "aa", "bb")
    }
    assert len(prints) == 2
