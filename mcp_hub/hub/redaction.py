"""What the journal may say of a call: arguments without secrets, in short; and its keyed hash, to know it again.

Pure. A value is left out when its name is that of a secret, when servers.toml marks it, or when it is one of the
values that the hub itself must not repeat. The hash is made of the arguments as they are.
"""

import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise
from typing import Any

REDACTED = "[redacted]"

SHORT_CHARACTERS = 200
"""Of a call's arguments, as a list of calls shows them."""

TEXT_CHARACTERS = 80
"""Of one text in them, so that a long one doesn't push the others out."""

SHORT_ITEMS = 20
"""Of one list or dict in them."""

DEEPEST = 100
"""Nesting beyond which arguments aren't looked into."""


@dataclass(frozen=True)
class CallKey:
    """Makes the keyed hash of a call: without the secret nobody can try out which arguments it was made of."""

    secret: bytes

    def of(self, server: str, tool: str, arguments: Mapping[str, Any]) -> str:
        """The same for the same call, in hexadecimal.

        The order of names doesn't count, and 1.0 is 1, because JSON tells no servers apart what both are.
        """
        text = _canonical([server, tool, arguments])
        if ".0" in text or "e+" in text:
            text = _canonical([server, tool, _whole(arguments)])
        return hmac.digest(self.secret, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _whole(value: Any) -> Any:
    """`value` with every float that is a whole number as one."""
    if isinstance(value, Mapping):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Names of secrets

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECRET = _words(
    "password passwords passwd pwd passphrase passphrases passcode secret secrets credential credentials creds "
    "authorization cookie cookies bearer jwt otp totp"
)
"""A word that makes any name one of a secret."""

_AT_THE_END = frozenset({"auth", "pass"})
"""Secrets as a name's last word: basic_auth, smtp_pass; not auth_mode, pass_rate."""

_KEY_OF = _words(
    "api access account app auth client deploy encryption hmac master private secret session shared signing ssh storage"
)
"""What stands before `key`, `keys`."""

_TOKEN_OF = _words("access api app auth bearer bot client csrf id jwt oauth refresh secret session user")
"""What makes a secret of `tokens`, and of a `token` that would else count or turn pages."""

_NO_TOKEN = _words(
    "page pages next prev previous continuation continue cursor sync delta pagination resume max min num total"
)
"""Beside `token`: it turns pages or is counted."""

_ABOUT = _words(
    "count counts limit limits budget usage used type types length len size expires expiry expiration ttl at in id ids "
    "name names path file url uri endpoint policy required enabled index position start end"
)
"""As a name's last word: it is about a secret and isn't one, such as token_count, secret_name, expires_in."""

_ENDS_A_WORD = ("password", "passwd", "passphrase", "secret", "credentials")
_RUN_TOGETHER = re.compile(rf"(?:{'|'.join(sorted(_KEY_OF))})keys?|(?:{'|'.join(sorted(_TOKEN_OF))})tokens?")


@lru_cache(maxsize=1024)
def names_a_secret(name: str) -> bool:
    """Whether a value of that name is taken for a secret: api_key, accessToken, X-Auth-Token; not next_page_token."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _ABOUT:
        return False
    if words[-1] in _AT_THE_END or any(word in _SECRET or _is_run_together(word) for word in words):
        return True
    pairs = set(pairwise(words))
    if any(first in _KEY_OF and second in ("key", "keys") for first, second in pairs):
        return True
    if any(first in _TOKEN_OF and second in ("token", "tokens") for first, second in pairs):
        return True
    return words == ["tokens"] or ("token" in words and not _NO_TOKEN.intersection(words))


def _is_run_together(word: str) -> bool:
    return word.endswith(_ENDS_A_WORD) or _RUN_TOGETHER.fullmatch(word) is not None


# Arguments

_URL_USER = re.compile(r"(\w://)[^\s/@]+@")


def marked_for(redact: Sequence[str], *tool_names: str) -> tuple[str, ...]:
    """The globs over arguments that TOOL.ARGUMENT globs of servers.toml mean for a tool, by any of its names."""
    split = (text.partition(".") for text in redact)
    return tuple(argument for tool, _, argument in split if any(fnmatchcase(name, tool) for name in tool_names))


def redacted(arguments: Any, marked: Sequence[str] = (), secrets: Sequence[str] = ()) -> Any:
    """A copy with `[redacted]` for each secret, at any depth.

    `marked` are globs over argument names: one without a dot holds at any depth, one with dots is a path. `secrets`
    are values that are taken out of every text. Booleans and None always stay: they tell no secret.
    """
    return _redacted(arguments, (), tuple(glob.lower() for glob in marked), secrets)


def _redacted(value: Any, path: tuple[str, ...], marked: Sequence[str], secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        return without(_URL_USER.sub(rf"\1{REDACTED}@", value) if "://" in value else value, secrets)
    if len(path) > DEEPEST and isinstance(value, Mapping | list | tuple):
        return "[nested too deeply]"
    if isinstance(value, Mapping):
        named = _is_named_secret(value)
        return {
            without(name, secrets): _hidden(each)
            if names_a_secret(name) or _is_marked((*path, name), marked) or (named and name.lower() == "value")
            else _redacted(each, (*path, name), marked, secrets)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(each, path, marked, secrets) for each in value]
    return value


def hidden(arguments: Any, shown: Any) -> Iterator[str]:
    """The texts of arguments that stand whole behind a `[redacted]` of `shown`, which `redacted` made of them."""
    if shown == REDACTED and not isinstance(arguments, Mapping | list | tuple):
        yield from (arguments,) if isinstance(arguments, str) else ()
    elif isinstance(arguments, Mapping | list | tuple):
        parts = list(arguments.values()) if isinstance(arguments, Mapping) else list(arguments)
        if shown == REDACTED:
            below = [REDACTED] * len(parts)
        else:
            below = list(shown.values()) if isinstance(shown, Mapping) else list(shown)
        for part, each in zip(parts, below, strict=False):
            yield from hidden(part, each)


def without(text: str, secrets: Sequence[str]) -> str:
    """`text` with `[redacted]` for each of the secrets; the longest must come first."""
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return text


def _hidden(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) or value == "" else REDACTED


def _is_marked(path: tuple[str, ...], marked: Sequence[str]) -> bool:
    if not marked:
        return False
    name, whole = path[-1].lower(), ".".join(path).lower()
    return any(fnmatchcase(whole if "." in glob else name, glob) for glob in marked)


def _is_named_secret(value: Mapping[str, Any]) -> bool:
    """Whether a dict is a named value, such as {"name": "Authorization", "value": "..."}, of a secret."""
    return any(
        name.lower() in ("name", "key", "header") and isinstance(each, str) and names_a_secret(each)
        for name, each in value.items()
    )


def short(arguments: Any) -> str:
    """One line of JSON that says what was cut: long texts and lists first, then the line itself."""
    text = json.dumps(_shortened(arguments), ensure_ascii=False)
    return _cut(text, SHORT_CHARACTERS)


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return _cut(value, TEXT_CHARACTERS)
    more = len(value) - SHORT_ITEMS if isinstance(value, Mapping | list | tuple) else 0
    if isinstance(value, Mapping):
        kept = {name: _shortened(each) for name, each in list(value.items())[:SHORT_ITEMS]}
        return {**kept, f"… {more:,} more": None} if more > 0 else kept
    if isinstance(value, list | tuple):
        return [*map(_shortened, value[:SHORT_ITEMS]), *([f"… {more:,} more"] if more > 0 else [])]
    return value


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… (+{len(text) - most:,} characters)"
