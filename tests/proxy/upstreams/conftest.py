"""What tests of Vertex AI share: the stand-in, and a service account's key that it knows."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fixtures.vertex_server import ACCOUNT, CLIENT_SECRET, KEY_ID, REFRESH_TOKEN, VertexServer


def new_key() -> tuple[str, bytes]:
    """A private key and its public one, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public


@pytest.fixture(scope="session")
def google_key() -> tuple[str, bytes]:
    return new_key()


@pytest.fixture
def vertex(google_key: tuple[str, bytes]) -> Iterator[VertexServer]:
    server = VertexServer(public_key=google_key[1])
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.holds.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def account_file(vertex: VertexServer, google_key: tuple[str, bytes], tmp_path: Path) -> Callable[..., str]:
    """Writes a service account's file, with some of its fields changed."""

    def write(**fields: str) -> str:
        given = {
            "type": "service_account",
            "project_id": "a-project",
            "client_email": ACCOUNT,
            "client_id": "1",
            "private_key_id": KEY_ID,
            "private_key": google_key[0],
            "token_uri": f"{vertex.url}/token",
            **fields,
        }
        file = tmp_path / "account.json"
        file.write_text(json.dumps(given))
        return str(file)

    return write


@pytest.fixture
def user_file(vertex: VertexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user's file, as `gcloud auth application-default login` writes it; of those, google-auth asks Google alone."""
    monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{vertex.url}/token")
    file = tmp_path / "user.json"
    given = {
        "type": "authorized_user",
        "client_id": "1.apps.googleusercontent.com",
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
    }
    file.write_text(json.dumps(given))
    return str(file)
