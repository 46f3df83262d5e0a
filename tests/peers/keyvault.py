"""A small vault on loopback that speaks Key Vault's REST API over TLS, with its challenge, and the app platform's token endpoint.

It stands in for Azure towards Microsoft's own clients: `azure-keyvault-secrets` asks it for secrets and is challenged as by a vault, and
`azure-identity` asks it for the managed identity's token as inside an app. Only what those two use is there.
"""

import datetime
import ipaddress
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CLIENT_ID = "00000000-0000-4000-8000-00000000b111"


@dataclass
class Vault:
    """What the vault holds and what it was asked. `failing` is a status that every call for a secret answers."""

    versions: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    challenges: int = 0
    failing: int | None = None
    said: dict[str, Any] | None = None  # the body of such an answer
    readable_only: bool = False  # as for the role Key Vault Secrets User
    identities: list[str] = field(default_factory=list)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    identity_header: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    port: int = 0
    identity_port: int = 0
    certificate: Path = Path()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def audience(self) -> str:
        """What tokens are asked for. The SDK insists that the vault's name lies below it, as x.vault.azure.net does below vault.azure.net."""
        return f"https://0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the platform tells an app about its identity."""
        return {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{self.identity_port}/msi/token", "IDENTITY_HEADER": self.identity_header}

    async def identity(self, request: web.Request) -> web.Response:
        if request.headers.get("x-identity-header") != self.identity_header or request.query.get("resource") != self.audience:
            return web.json_response({"error": "invalid_request"}, status=400)
        self.identities.append(request.query.get("client_id", ""))
        expires = int(datetime.datetime.now(datetime.UTC).timestamp()) + 3600
        return web.json_response(
            {"access_token": self.token, "expires_on": str(expires), "resource": self.audience, "token_type": "Bearer"}
        )

    async def secret(self, request: web.Request) -> web.Response:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            self.challenges += 1
            challenge = f'Bearer authorization="https://login.microsoftonline.com/{CLIENT_ID}", resource="{self.audience}"'
            return _error(401, "Unauthorized", {"WWW-Authenticate": challenge})
        name = request.match_info["name"]
        self.asked.append(f"{request.method} {name}")
        if self.failing is not None:
            return web.json_response(self.said, status=self.failing) if self.said else _error(self.failing, "Failing")
        if request.method == "PUT":
            if self.readable_only:
                return _error(403, "Forbidden")
            self.versions.setdefault(name, []).append((await request.json())["value"])
        if not self.versions.get(name):
            return _error(404, "SecretNotFound")
        held = self.versions[name]
        body = {"value": held[-1], "id": f"{self.url}/secrets/{name}/{len(held):032x}", "attributes": {"enabled": True}}
        return web.json_response(body)


def _error(status: int, code: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"code": code, "message": code}}, status=status, headers=headers)


@asynccontextmanager
async def running_vault(folder: Path) -> AsyncIterator[Vault]:
    """A vault of its own with nothing in it; `certificate` is the file that a client has to trust."""
    vault = Vault()
    vault.certificate, key = _certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(vault.certificate, key)
    doors = web.Application(), web.Application()
    doors[0].router.add_get("/secrets/{name}/{version:.*}", vault.secret)
    doors[0].router.add_put("/secrets/{name}", vault.secret)
    doors[1].router.add_get("/msi/token", vault.identity)
    runners = [web.AppRunner(door) for door in doors]
    try:
        for runner, context in zip(runners, (tls, None), strict=True):
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        vault.port, vault.identity_port = (runner.addresses[0][1] for runner in runners)
        yield vault
    finally:
        for runner in runners:
            await runner.cleanup()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody but the holder of its file trusts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault on loopback")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "vault.pem", folder / "vault.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return certificate, secret
