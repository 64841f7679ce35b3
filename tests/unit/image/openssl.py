"""Keys and verdicts of `openssl`: another program than the library that Slipway signs with."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.parts import require_program


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    """Its output; an exit code other than 0 is an AssertionError with what it said."""
    done = subprocess.run([require_program("openssl"), *arguments], input=data, capture_output=True, check=False)
    assert not done.returncode, done.stderr.decode()
    return done.stdout


@cache
def make_key(kind: str = "P-256", number: int = 0) -> str:
    """A private key, PKCS#8 in PEM; another one for every number."""
    if kind == "Ed25519":
        return openssl("genpkey", "-algorithm", "ED25519").decode()
    return openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{kind}").decode()


@cache
def public_of(private: str) -> str:
    """Its public key, SubjectPublicKeyInfo in PEM."""
    return openssl("pkey", "-pubout", data=private.encode()).decode()


def accepts(public: str, signature: bytes, data: bytes) -> bool:
    """Whether openssl finds that the key made this signature."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in (("pub", public.encode()), ("sig", signature), ("data", data)):
            (folder / file).write_bytes(content)
        command = ["pkeyutl", "-verify", "-pubin", "-inkey", "pub", "-rawin", "-in", "data", "-sigfile", "sig"]
        done = subprocess.run([require_program("openssl"), *command], cwd=folder, capture_output=True, check=False)
    return done.returncode == 0
