"""Proofs of whose a request is: where credentials come from, that they are renewed, and that none is ever told."""

import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError, ProfileNotFound

from mcp_hub.proxy.upstreams.signing import AwsSigner, KeySigner, open_signer
from mcp_hub.proxy.upstreams.upstream import UnreachedError

URL = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/anthropic.claude/invoke"
GIVEN = [("content-type", "application/json")]


@pytest.fixture(autouse=True)
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for ~/.aws; nothing of this machine's own is found."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def headers_of(signer: AwsSigner) -> dict[str, str]:
    return {name.lower(): value for name, value in signer.signed("POST", URL, GIVEN, b"{}")}


def key_of(signer: AwsSigner) -> str:
    return headers_of(signer)["authorization"].partition("Credential=")[2].partition("/")[0]


def test_a_key_is_a_bearer() -> None:
    assert KeySigner("abc").signed("POST", URL, GIVEN, b"{}") == [*GIVEN, ("authorization", "Bearer abc")]


def test_the_environments_credentials_sign_for_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    headers = headers_of(open_signer("b", "eu-central-1", None))
    day = datetime.now(UTC).strftime("%Y%m%d")
    assert headers["authorization"].startswith(
        f"AWS4-HMAC-SHA256 Credential=AKIAENV/{day}/eu-central-1/bedrock/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, Signature="
    )
    assert headers["content-type"] == "application/json"
    assert "x-amz-security-token" not in headers


def test_a_sessions_token_goes_along_and_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-token")
    headers = headers_of(open_signer("b", "eu-central-1", None))
    assert headers["x-amz-security-token"] == "the-token"
    assert "x-amz-date;x-amz-security-token" in headers["authorization"]


def test_a_profile_goes_before_the_environment(aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (aws / "credentials").write_text("[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = other\n")
    assert key_of(open_signer("b", "eu-central-1", "work")) == "AKIAWORK"
    assert key_of(open_signer("b", "eu-central-1", None)) == "AKIAENV"


def test_no_credentials_are_told_with_the_places_that_were_looked_in() -> None:
    with pytest.raises(UnreachedError, match=r"'b' has no AWS credentials. Looked for in the environment .*~/\.aws"):
        headers_of(open_signer("b", "eu-central-1", None))


def test_a_profile_that_is_not_there_is_told_by_its_name() -> None:
    with pytest.raises(UnreachedError, match=r"ProfileNotFound: .*\(nobody\).*Looked for in the profile 'nobody'"):
        headers_of(open_signer("b", "eu-central-1", "nobody"))


def test_credentials_that_come_later_are_found(aws: Path) -> None:
    signer = open_signer("b", "eu-central-1", None)
    with pytest.raises(UnreachedError):
        headers_of(signer)
    (aws / "credentials").write_text("[default]\naws_access_key_id = AKIALATE\naws_secret_access_key = s\n")
    assert key_of(signer) == "AKIALATE"


def test_stale_credentials_are_looked_for_anew(aws: Path) -> None:
    file = aws / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = s\n")
    signer = open_signer("b", "eu-central-1", None)
    assert key_of(signer) == "AKIAOLD"
    file.write_text("[default]\naws_access_key_id = AKIANEW\naws_secret_access_key = s\n")
    assert key_of(signer) == "AKIAOLD"
    signer.forget()
    assert key_of(signer) == "AKIANEW"


def test_credentials_that_expire_are_renewed_by_their_program(aws: Path) -> None:
    until = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()  # botocore renews in the last ten
    told = {"Version": 1, "AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": until}
    runs, program = aws / "runs", aws / "program.py"
    program.write_text(
        f"import json\ntold = {told!r}\nruns = open({str(runs)!r}, 'a+')\nruns.seek(0)\n"
        "told['AccessKeyId'] += str(len(runs.read()))\nruns.write('x')\nprint(json.dumps(told))\n"
    )
    (aws / "config").write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    signer = open_signer("b", "eu-central-1", None)
    assert key_of(signer) != key_of(signer)
    assert headers_of(signer)["x-amz-security-token"] == "t"


def test_a_program_that_fails_is_told_without_what_it_wrote(
    aws: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    program = aws / "program.py"
    program.write_text("import sys\nsys.exit('SECRET-OF-THE-PROGRAM')\n")
    (aws / "config").write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    with pytest.raises(UnreachedError, match="'b' has no usable AWS credentials: CredentialRetrievalError") as failed:
        headers_of(open_signer("b", "eu-central-1", None))
    assert "SECRET" not in failed.value.text + caplog.text + "".join(capfd.readouterr())


def test_a_renewal_that_fails_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Any] = [CredentialRetrievalError(provider="sso", error_msg="SECRET"), _renewed("ASIANEW")]

    def renew() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    soon = datetime.now(UTC) + timedelta(seconds=30)
    credentials = RefreshableCredentials("ASIAOLD", "SECRET", "SECRET", soon, renew, "sso")
    open_signer("b", "eu-central-1", None)  # quiets botocore
    signer = AwsSigner("b", "eu-central-1", lambda: credentials)
    with pytest.raises(UnreachedError, match="CredentialRetrievalError") as failed:
        headers_of(signer)
    assert "SECRET" not in failed.value.text + caplog.text
    assert key_of(signer) == "ASIANEW"


def test_the_first_requests_wait_for_one_search() -> None:
    searches, found = [], threading.Event()

    def find() -> Credentials:
        searches.append(threading.get_ident())
        found.wait(10)
        return Credentials("AKIA", "s")

    signer = AwsSigner("b", "eu-central-1", find)
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(key_of, signer) for _ in range(4)]
        found.set()
        assert [each.result() for each in asked] == ["AKIA"] * 4
    assert len(searches) == 1


def test_an_error_that_quotes_what_it_read_is_told_by_its_name_alone() -> None:
    def find() -> Credentials:
        raise json.JSONDecodeError("SECRET", "SECRET", 0)

    with pytest.raises(UnreachedError, match="JSONDecodeError") as failed:
        headers_of(AwsSigner("b", "eu-central-1", find, "a place"))
    assert "SECRET" not in failed.value.text
    assert failed.value.text.endswith("Looked for in a place.")


def test_one_that_names_the_configuration_is_told_whole() -> None:
    def find() -> Credentials:
        raise ProfileNotFound(profile="work")

    with pytest.raises(UnreachedError, match=r"The config profile \(work\) could not be found\. Looked"):
        headers_of(AwsSigner("b", "eu-central-1", find))


def _renewed(access_key: str) -> dict[str, str]:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return {"access_key": access_key, "secret_key": "s", "token": "t", "expiry_time": until}


def test_no_log_of_any_level_has_what_proves_who_one_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-token")
    caplog.set_level(logging.DEBUG)
    signature = headers_of(open_signer("b", "eu-central-1", None))["authorization"].rpartition("=")[2]
    assert not [each for each in ("the-secret", "the-token", signature) if each in caplog.text]
