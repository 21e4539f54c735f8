"""`[proxy]`: what is read from it, what is refused and how that is told, what keeps a proxy from starting."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub import config
from mcp_hub.config import load, parse, validate
from mcp_hub.errors import ConfigError
from mcp_hub.proxy.pricing import Price
from mcp_hub.proxy_settings import BudgetSettings, ProxySettings
from tests.support import ROOT

FILE = Path("/home/ada/servers.toml")
PROFILE = "arn:aws:bedrock:eu-west-1:1:inference-profile"
KEY, OTHER_KEY, CREDENTIAL = "a-key-of-more-than-20", "another-key-of-that-length", "the-credential"

FULL = """\
[proxy]
listen = "8485"
wait_seconds = 5
when_too_large = "refuse"
output_floor = 2048
max_body_mib = 8
metrics_token = "the-token-of-the-metrics"

[[proxy.upstreams]]
name = "anthropic"
url = "https://api.anthropic.com"
credential = "${ANTHROPIC_API_KEY}"

[[proxy.upstreams]]
name = "gateway"
url = "http://localhost:9000/anthropic"
credential_file = "secrets/gateway"
credential_header = "authorization"

[[proxy.keys]]
name = "ci"
key = "${CI_KEY}"
team = "web"
customer = "acme"
allowed_models = ["claude-sonnet-*"]
budget_limit = 50
budget_duration = "1d"
token_limit = 2_000_000
token_limit_duration = "1h"

[[proxy.pins]]
when = "claude-opus-*"
model = "claude-sonnet-4-6"
team = "web"

[proxy.budgets.team.web]
budget_limit = "1000.50"
budget_duration = "1M"

[proxy.budgets.upstream.gateway]
request_limit = 60
request_limit_duration = "1m"
rolling = true

[proxy.budgets.session]
budget_limit = 0.1
budget_duration = "1d"

[proxy.prices."my-model"]
input = 3
output = 15
cache_read = "0.25"
"""

ENVIRON = {"CI_KEY": KEY, "ANTHROPIC_API_KEY": CREDENTIAL}


def read(text: str, environ: Mapping[str, str] = ENVIRON) -> ProxySettings:
    """The `[proxy]` of a file."""
    return parse(text, FILE, environ).proxy


def told(text: str, environ: Mapping[str, str] = ENVIRON) -> str:
    """What somebody is told who wrote this file."""
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE, environ)
    return caught.value.text


def refused(text: str, environ: Mapping[str, str] = ENVIRON) -> str:
    """What somebody is told who starts a proxy with this file."""
    with pytest.raises(ConfigError) as caught:
        read(text, environ).check()
    return caught.value.text


# What a file may say


def test_without_a_proxy_table_anthropic_is_asked_from_this_machine_only() -> None:
    proxy = read("")
    assert proxy.listen == "127.0.0.1:8484"
    assert [(each.name, each.url, each.credential) for each in proxy.upstreams] == [
        ("anthropic", "https://api.anthropic.com", None)
    ]
    assert not proxy.keys_required
    proxy.check()


def test_every_table_is_taken_over() -> None:
    proxy = read(FULL)
    proxy.check()
    assert (proxy.listen, proxy.wait_seconds, proxy.when_too_large) == ("8485", 5, "refuse")
    assert (proxy.output_floor, proxy.max_body_mib) == (2048, 8)
    assert [upstream.credential for upstream in proxy.upstreams] == [CREDENTIAL, None]
    (key,) = proxy.keys
    assert (key.name, key.key, key.team, key.customer) == ("ci", KEY, "web", "acme")
    assert key.allowed_models == ("claude-sonnet-*",)
    (pin,) = proxy.pins
    assert (pin.when, pin.model, pin.team, pin.key, pin.upstream) == (
        "claude-opus-*",
        "claude-sonnet-4-6",
        "web",
        None,
        None,
    )


def test_the_example_of_the_documentation_is_one_that_a_proxy_starts_with() -> None:
    page = (ROOT / "docs" / "proxy.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    proxy = read(example)
    proxy.check()
    assert [key.name for key in proxy.keys] == ["ci"]


def test_limits_are_whole_nano_dollars_each_with_its_duration() -> None:
    proxy = read(FULL)
    assert proxy.keys[0].limits == (("dollars", 50_000_000_000, "1d"), ("tokens", 2_000_000, "1h"))
    assert proxy.budgets.team["web"].limits == (("dollars", 1_000_500_000_000, "1M"),)
    assert proxy.budgets.session is not None
    assert proxy.budgets.session.limits == (("dollars", 100_000_000, "1d"),)
    gateway = proxy.budgets.upstream["gateway"]
    assert (gateway.limits, gateway.rolling) == ((("requests", 60, "1m"),), True)


@given(st.integers(1, 10**18))
def test_an_amount_is_read_to_the_nano_dollar(nano: int) -> None:
    text = f"{nano // 10**9}.{nano % 10**9:09}"
    settings = BudgetSettings.model_validate({"budget_limit": text, "budget_duration": "1d"})
    assert settings.limits == (("dollars", nano, "1d"),)


def test_a_price_that_isnt_given_follows_from_inputs() -> None:
    assert read(FULL).prices["my-model"].price == Price(
        input=3_000,
        output=15_000,
        cache_write_5m=3_750,
        cache_write_1h=6_000,
        cache_read=250,
        web_search=10_000_000,
    )


def test_a_credentials_file_counts_from_the_folder_of_the_file() -> None:
    assert read(FULL).upstreams[1].credential_file == "/home/ada/secrets/gateway"


def test_keys_and_credentials_are_in_no_representation() -> None:
    proxy = read(FULL)
    assert proxy.metrics_token == "the-token-of-the-metrics"
    for secret in (KEY, CREDENTIAL, proxy.metrics_token):
        assert secret not in repr(proxy)
        assert secret not in str(proxy)


def test_declaring_a_key_requires_keys() -> None:
    assert read(FULL).keys_required
    assert read("[proxy]\nrequire_key = true").keys_required


def test_the_hub_starts_without_the_variables_that_only_the_proxy_needs() -> None:
    proxy = read(FULL, {})
    assert (proxy.keys[0].key, proxy.upstreams[0].credential) == ("", "")


def test_a_file_is_valid_before_its_variables_are_set() -> None:
    validate(FULL, FILE)


def test_what_the_proxy_does_makes_no_other_hub() -> None:
    def print_of(text: str) -> str:
        return config.combined([(FILE, parse(text, FILE, ENVIRON))], None).fingerprint({})

    server = '[servers.a]\nurl = "http://h"\n'
    assert print_of(server) == print_of(server + FULL)
    assert print_of(server) != print_of(server.replace("//h", "//i"))


def test_a_projects_proxy_takes_the_place_of_the_users(tmp_path: Path) -> None:
    user, project = tmp_path / "user", tmp_path / "project"
    for folder, text in ((user, FULL), (project, '[servers.a]\nurl = "http://h"')):
        folder.mkdir()
        (folder / "servers.toml").write_text(text)

    def loaded() -> ProxySettings:
        return load(
            named=None, environ=ENVIRON, cwd=project, user_folder=user, trust_of=lambda path, content: True
        ).settings.proxy

    assert [key.name for key in loaded().keys] == ["ci"]
    assert loaded().budgets.team["web"].limits == (("dollars", 1_000_500_000_000, "1M"),)
    (project / "servers.toml").write_text("[proxy]\nwait_seconds = 1")
    assert (loaded().wait_seconds, loaded().keys) == (1, ())


# What is refused, and how that is told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[proxy]\nwait = 3\n",
            snapshot("/home/ada/servers.toml:2: [proxy.wait] unknown key 'wait'. Did you mean 'wait_seconds'?"),
        ),
        (
            "[proxy.budget.team.web]\nbudget_limit = 1\n",
            snapshot("/home/ada/servers.toml:1: [proxy.budget] unknown key 'budget'. Did you mean 'budgets'?"),
        ),
        (
            "[[proxy.key]]\nname = 'ci'\n",
            snapshot("/home/ada/servers.toml:1: [proxy.key] unknown key 'key'. Did you mean 'keys'?"),
        ),
        (
            "[proxy.budgets.teams.web]\nbudget_limit = 1\nbudget_duration = '1d'\n",
            snapshot("/home/ada/servers.toml:1: [proxy.budgets.teams] unknown key 'teams'. Did you mean 'team'?"),
        ),
        (
            "[proxy.budgets.team.web]\nbudgets_limit = 1\nbudget_duration = '1d'\n",
            snapshot(
                "/home/ada/servers.toml:2: [proxy.budgets.team.web.budgets_limit] unknown key 'budgets_limit'. "
                "Did you mean 'budget_limit'?"
            ),
        ),
        (
            "[proxy.budgets.session]\nrequests_limit = 1\n",
            snapshot(
                "/home/ada/servers.toml:2: [proxy.budgets.session.requests_limit] unknown key 'requests_limit'. "
                "Did you mean 'request_limit'?"
            ),
        ),
        (
            "[[proxy.keys]]\nname = 'a'\nkey = 'k'\n[[proxy.keys]]\nname = 'b'\nkey = 'k'\nteams = 'web'\n",
            snapshot("/home/ada/servers.toml:7: [proxy.keys.teams] unknown key 'teams'. Did you mean 'team'?"),
        ),
        (
            "[proxy.prices.m]\ninput = 1\noutput = 1\ncache_reads = 1\n",
            snapshot(
                "/home/ada/servers.toml:4: [proxy.prices.m.cache_reads] unknown key 'cache_reads'. Did you mean "
                "'cache_read'?"
            ),
        ),
    ],
)
def test_a_key_that_would_silently_limit_nothing_is_refused_with_the_nearest_known_one(text: str, said: str) -> None:
    assert told(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[proxy.budgets.team.web]\nbudget_limit = 1\n",
            snapshot(
                "/home/ada/servers.toml:2: [proxy.budgets.team.web.budget_limit] budget_limit needs budget_duration "
                "beside it."
            ),
        ),
        (
            "[[proxy.keys]]\nname = 'a'\nkey = 'k'\ntoken_limit_duration = '1d'\n",
            snapshot(
                "/home/ada/servers.toml:4: [proxy.keys.token_limit_duration] token_limit_duration needs token_limit "
                "beside it."
            ),
        ),
        (
            "[[proxy.keys]]\nname = 'a'\nkey = 'k'\nrolling = true\n",
            snapshot("/home/ada/servers.toml:4: [proxy.keys.rolling] rolling needs a limit beside it."),
        ),
        (
            "[proxy.budgets.team.web]\n",
            snapshot(
                "/home/ada/servers.toml:1: [proxy.budgets.team.web] limits nothing; give budget_limit, token_limit or "
                "request_limit."
            ),
        ),
        (
            "[proxy.budgets.team.web]\nbudget_limit = 1\nbudget_duration = '2d'\n",
            snapshot(
                "/home/ada/servers.toml:3: [proxy.budgets.team.web.budget_duration] should be '1m', '1h', '1d', '1w', "
                "'1M' or '1Y'."
            ),
        ),
        (
            "[proxy.budgets.team.web]\nbudget_limit = 0\nbudget_duration = '1d'\n",
            snapshot("/home/ada/servers.toml:2: [proxy.budgets.team.web.budget_limit] should be greater than 0."),
        ),
        (
            "[proxy.budgets.team.web]\nbudget_limit = nan\nbudget_duration = '1d'\n",
            snapshot("/home/ada/servers.toml:2: [proxy.budgets.team.web.budget_limit] should be a finite number."),
        ),
        (
            "[proxy.budgets.team.web]\nbudget_limit = '50$'\nbudget_duration = '1d'\n",
            snapshot("/home/ada/servers.toml:2: [proxy.budgets.team.web.budget_limit] should be a valid decimal."),
        ),
        (
            "[proxy.budgets.team.web]\nbudget_limit = '0.0000000001'\nbudget_duration = '1d'\n",
            snapshot(
                "/home/ada/servers.toml:2: [proxy.budgets.team.web.budget_limit] can't be finer than a nano-dollar."
            ),
        ),
        (
            "[proxy.prices.m]\ninput = '0.001'\noutput = 1\n",
            snapshot(
                "/home/ada/servers.toml:1: [proxy.prices.m] a price is finer than a nano-dollar for a token, "
                "or what follows from input for the cache is."
            ),
        ),
        (
            "[proxy.budgets.upstream.antropic]\nrequest_limit = 1\nrequest_limit_duration = '1d'\n",
            snapshot(
                "/home/ada/servers.toml:1: [proxy.budgets.upstream.antropic] there is no upstream 'antropic'; "
                "the nearest is 'anthropic'."
            ),
        ),
        (
            "[[proxy.pins]]\nwhen = '*'\nupstream = 'anthropic'\n[[proxy.pins]]\nwhen = '*'\nupstream = 'bedrock'\n",
            snapshot(
                "/home/ada/servers.toml:6: [proxy.pins.upstream] there is no upstream 'bedrock'; known are anthropic."
            ),
        ),
        (
            "[[proxy.pins]]\nwhen = '*'\n",
            snapshot("/home/ada/servers.toml:1: [proxy.pins] needs model, upstream or fallbacks."),
        ),
        (
            "[[proxy.pins]]\nwhen = '*'\nmodel = 'm'\nkey = 'a'\nteam = 'b'\n",
            snapshot("/home/ada/servers.toml:1: [proxy.pins] has both key and team; a pin is for one of them."),
        ),
        (
            "[[proxy.pins]]\nwhen = '*'\nmodel = 'm'\nteam = ''\n",
            snapshot(
                "/home/ada/servers.toml:4: [proxy.pins.team] must hold only letters, digits, '.', '_' and '-', 64 at "
                "most, and begin with one of the first two."
            ),
        ),
        (
            "[[proxy.keys]]\nname = 'a'\nkey = 'k'\n[[proxy.keys]]\nname = 'a'\nkey = 'l'\n",
            snapshot("/home/ada/servers.toml:5: [proxy.keys.name] there is another one of the name 'a'."),
        ),
        (
            "[[proxy.keys]]\nname = 'a b'\nkey = 'k'\n",
            snapshot(
                "/home/ada/servers.toml:2: [proxy.keys.name] must hold only letters, digits, '.', '_' and '-', "
                "64 at most, and begin with one of the first two."
            ),
        ),
        (
            "[[proxy.upstreams]]\nname = 'a'\nurl = 'api.anthropic.com'\n",
            snapshot(
                "/home/ada/servers.toml:3: [proxy.upstreams.url] must be a URL: http:// or https://, a host, "
                "and a port from 1 to 65535 if any."
            ),
        ),
        (
            "[[proxy.upstreams]]\nname = 'a'\nurl = 'http://h'\ncredential = 'c'\ncredential_file = 'f'\n",
            snapshot("/home/ada/servers.toml:1: [proxy.upstreams] has both credential and credential_file."),
        ),
        (
            "[proxy]\nupstreams = []\n",
            snapshot("/home/ada/servers.toml:2: [proxy.upstreams] can't be empty."),
        ),
        (
            "[proxy]\nlisten = 'localhost'\n",
            snapshot(
                "/home/ada/servers.toml:2: [proxy.listen] give HOST:PORT, such as 127.0.0.1:8400, or "
                "[::1]:8400; port 0 is any."
            ),
        ),
        (
            "[proxy]\nwhen_too_large = 'fail'\n",
            snapshot("/home/ada/servers.toml:2: [proxy.when_too_large] should be 'lower' or 'refuse'."),
        ),
        (
            "[proxy]\nlisten = '${HOST}'\n",
            snapshot(
                "/home/ada/servers.toml:2: [proxy.listen] the environment variable HOST isn't set. Set it, or "
                "give a default: ${HOST:-...}"
            ),
        ),
    ],
)
def test_a_value_that_doesnt_fit_is_refused_with_its_line_and_what_is_expected(text: str, said: str) -> None:
    assert told(text) == said


@pytest.mark.parametrize(
    "text",
    [
        '[[proxy.keys]]\nname = "${SECRET}!"\nkey = "k"',
        '[[proxy.keys]]\nkey = "${SECRET}"',
        '[[proxy.keys]]\nname = "a"\nkey = ["${SECRET}"]',
        '[[proxy.upstreams]]\nname = "a"\nurl = "${SECRET}"',
        '[[proxy.upstreams]]\nname = "a"\nurl = "http://h"\ncredential = "${SECRET}"\ncredential_file = "f"',
        '[proxy.budgets.team.web]\nbudget_limit = "${SECRET}"\nbudget_duration = "1d"',
        '[proxy]\nlisten = "${SECRET}"',
    ],
)
def test_a_value_from_the_environment_is_in_no_error(text: str) -> None:
    assert "hunter2" not in told(text, {"SECRET": "hunter2"})


# What keeps a proxy from starting


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        (
            FULL,
            {"ANTHROPIC_API_KEY": CREDENTIAL},
            snapshot(
                "[proxy.keys.ci] the key is empty: is its environment variable set? Use 20 characters or more, "
                "such as `openssl rand -hex 32` prints."
            ),
        ),
        (
            FULL,
            {**ENVIRON, "CI_KEY": "short"},
            snapshot(
                "[proxy.keys.ci] the key is too short to be a secret. Use 20 characters or more, such as "
                "`openssl rand -hex 32` prints."
            ),
        ),
        (
            FULL + f'[[proxy.keys]]\nname = "b"\nkey = "{KEY}"\n',
            ENVIRON,
            snapshot("[proxy.keys.b] the key is that of 'ci' too; give each its own."),
        ),
        (
            FULL,
            {"CI_KEY": KEY},
            snapshot("[proxy.upstreams.anthropic] the credential is empty: is its environment variable set?"),
        ),
        (
            f'[[proxy.keys]]\nname = "b"\nkey = "{KEY}"\n',
            ENVIRON,
            snapshot(
                "[proxy.upstreams.anthropic] clients come with keys of this proxy, so it needs a credential of "
                "its own: give credential or credential_file."
            ),
        ),
        (
            "[proxy]\nrequire_key = true\n",
            ENVIRON,
            snapshot(
                "[proxy.upstreams.anthropic] clients come with keys of this proxy, so it needs a credential of "
                "its own: give credential or credential_file."
            ),
        ),
        (
            "[proxy]\nlisten = '0.0.0.0:8484'\n",
            ENVIRON,
            snapshot(
                "[proxy.listen] 0.0.0.0 can be reached from other machines, so clients need keys: set "
                "require_key = true, or declare [[proxy.keys]]."
            ),
        ),
    ],
)
def test_a_proxy_that_would_leak_or_be_open_doesnt_start(text: str, environ: Mapping[str, str], said: str) -> None:
    assert refused(text, environ) == said


def test_beyond_loopback_keys_are_enough() -> None:
    read('[proxy]\nlisten = "0.0.0.0:8484"\nrequire_key = true\n' + FULL.partition("\n\n")[2]).check()
    assert OTHER_KEY not in refused(f'[[proxy.keys]]\nname = "b"\nkey = "{OTHER_KEY}"\n')


@pytest.mark.parametrize(
    ("settings", "model", "regional"),
    [
        ('kind = "bedrock"\nregion = "eu-west-1"', "global.anthropic.claude-sonnet-4-6", False),
        ('kind = "bedrock"\nregion = "eu-west-1"', "eu.anthropic.claude-sonnet-4-6", True),
        ('kind = "bedrock"\nregion = "eu-west-1"', "anthropic.claude-sonnet-4-6", True),
        (
            'kind = "bedrock"\nregion = "eu-west-1"',
            "arn:aws:bedrock:eu-west-1:1:inference-profile/global.anthropic.claude-sonnet-4-6",
            False,
        ),
        (
            'kind = "bedrock"\nregion = "eu-west-1"',
            "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-4-6",
            True,
        ),
        ('kind = "vertex"\nregion = "global"\nproject = "p"', "claude-sonnet-4-6", False),
        ('kind = "vertex"\nregion = "europe-west1"\nproject = "p"', "claude-sonnet-4-6", True),
        ('url = "https://api.anthropic.com"', "claude-sonnet-4-6", False),
    ],
)
def test_where_a_model_runs_is_known_by_its_name_or_its_upstreams_region(
    settings: str, model: str, regional: bool
) -> None:
    (upstream,) = read(f'[[proxy.upstreams]]\nname = "one"\n{settings}').upstreams
    assert upstream.is_regional(model) is regional


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("", "needs url, being of the kind anthropic"),
        ('kind = "bedrock"', "needs region, being of the kind bedrock"),
        ('kind = "vertex"\nregion = "global"', "needs project, being of the kind vertex"),
        ('url = "https://a.example"\nregion = "global"', "an upstream of the kind anthropic has no region"),
        ('kind = "bedrock"\nregion = "a"\nproject = "p"', "an upstream of the kind bedrock has no project"),
    ],
)
def test_an_upstream_has_what_its_kind_needs_and_nothing_of_another(settings: str, said: str) -> None:
    with pytest.raises(ConfigError) as failed:
        read(f'[[proxy.upstreams]]\nname = "one"\n{settings}')
    assert said in failed.value.text


def test_a_cloud_has_a_credential_of_its_own_so_that_clients_need_keys() -> None:
    proxy = read('[[proxy.upstreams]]\nname = "aws"\nkind = "bedrock"\nregion = "eu-west-1"')
    assert proxy.keys_required
    proxy.check()


def test_a_fallback_names_an_upstream_that_there_is() -> None:
    pin = '[[proxy.pins]]\nwhen = "*"\nfallbacks = ["bedrok/claude-opus-4-7"]'
    with pytest.raises(ConfigError, match=r"there is no upstream 'bedrok'"):
        read(f'[[proxy.upstreams]]\nname = "bedrock"\nkind = "bedrock"\nregion = "eu-west-1"\n{pin}')
