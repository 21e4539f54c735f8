"""What proves to AWS whose request it is: a signature with credentials found as AWS's own programs do, or a key.

Finding credentials and renewing them may read files, run a program or ask another machine: call it in a thread.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from mcp_hub.proxy.upstreams.upstream import Headers, UnreachedError

SERVICE = "bedrock"

PLACES = (
    "the environment (AWS_ACCESS_KEY_ID), the shared credentials and config files (~/.aws), a web identity, "
    "the container's and the instance's metadata"
)

TOLD = ("ProfileNotFound", "PartialCredentialsError", "SSOTokenLoadError", "UnauthorizedSSOTokenError")
"""Errors of botocore whose texts name things of the configuration and no secrets; others may quote what was read."""


class Signer(Protocol):
    """Gives requests the headers that prove whose they are."""

    def signed(self, method: str, url: str, headers: Headers, body: bytes) -> Headers:
        """The headers with which to send exactly this request. May block. Raises UnreachedError."""
        ...

    def forget(self) -> None:
        """The credentials were refused as stale: look for others the next time."""
        ...


class KeySigner:
    """An API key of Bedrock's, as a bearer."""

    def __init__(self, key: str) -> None:
        self._key = key

    def signed(self, method: str, url: str, headers: Headers, body: bytes) -> Headers:  # noqa: ARG002 - the Protocol's
        """The headers, and the key."""
        return [*headers, ("authorization", f"Bearer {self._key}")]

    def forget(self) -> None:
        """There is no other."""


class AwsSigner:
    """Signature Version 4 with credentials that are found once, and renewed by botocore before they expire."""

    def __init__(self, name: str, region: str, find: Callable[[], Any], place: str = PLACES) -> None:
        """`find` gives botocore's credentials, None where there are none; `place` says where it looks."""
        self._name = name
        self._region = region
        self._find = find
        self._place = place
        self._credentials: Any = None
        self._finding = threading.Lock()

    def signed(self, method: str, url: str, headers: Headers, body: bytes) -> Headers:
        """The headers, with a date, a session's token if there is one, and a signature over all of them."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
        SigV4Auth(self._frozen(), SERVICE, self._region).add_auth(request)
        return [(name, str(value)) for name, value in request.headers.items()]

    def forget(self) -> None:
        """Look for others the next time."""
        self._credentials = None

    def _frozen(self) -> Any:
        try:
            with self._finding:  # the first requests wait for one search
                credentials = self._credentials = self._credentials or self._find()
            if credentials is not None:
                return credentials.get_frozen_credentials()
        except Exception as error:  # botocore's own, and what comes from all those places
            kind = type(error).__name__
            text = f"{kind}: {str(error).rstrip('.')}" if kind in TOLD else kind
            raise UnreachedError(
                f"The upstream {self._name!r} has no usable AWS credentials: {text}. Looked for in {self._place}."
            ) from None
        raise UnreachedError(
            f"The upstream {self._name!r} has no AWS credentials. Looked for in {self._place}. Log in, or give the "
            "upstream a profile, or a Bedrock API key as its credential."
        )


def open_signer(name: str, region: str, profile: str | None) -> AwsSigner:
    """A signer with AWS's own search for credentials; with a `profile`, in that one alone. Raises ImportError."""
    import botocore.session

    # Its log quotes what a program for credentials wrote, and session tokens; what fails is told by UnreachedError.
    logging.getLogger("botocore").setLevel(logging.CRITICAL)
    place = (
        PLACES if profile is None else f"the profile {profile!r} of the shared credentials and config files (~/.aws)"
    )

    # A new session for each search: one keeps the files that it has read, and they may have been written anew.
    return AwsSigner(name, region, partial(_search, botocore.session.Session, profile), place)


def _search(session: Callable[..., Any], profile: str | None) -> Any:
    return session(profile=profile).get_credentials()
