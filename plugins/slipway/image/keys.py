"""Keys that sign and verify: ECDSA on P-256, which is cosign's, and Ed25519. Neither signs with random numbers here.

The same bytes signed twice give the same signature (RFC 6979, RFC 8032), so a retry finds what it made before.
"""

from __future__ import annotations

import hashlib
import re

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from slipway.core.errors import ConfigurationError

MAKE_PRIVATE = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out signing.key"
MAKE_PUBLIC = "openssl pkey -in signing.key -pubout -out signing.pub"

# `openssl ecparam -genkey` writes a block EC PARAMETERS in front of the key.
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]*KEY)-----(.*?)-----END \1-----", re.DOTALL)
_MAX_PEM_LENGTH = 16_384
_COSIGN = ("ENCRYPTED COSIGN PRIVATE KEY", "ENCRYPTED SIGSTORE PRIVATE KEY")


class VerifyingKey:
    """A public key. `key_id` is the SHA-256 of its DER form (SubjectPublicKeyInfo), 64 hex digits."""

    def __init__(self, key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> None:
        self._key = key
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.key_id = hashlib.sha256(der).hexdigest()

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made the signature over these bytes."""
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, data)
            else:
                self._key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"VerifyingKey({self.key_id[:12]})"


class SigningKey:
    """A private key; it shows itself nowhere, and `public` is the key that verifies."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
        self._key = key
        self.public = VerifyingKey(key.public_key())

    def sign(self, data: bytes) -> bytes:
        """The signature over some bytes: in DER for ECDSA (with SHA-256), 64 bytes for Ed25519."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(data)
        return self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def __repr__(self) -> str:
        return f"SigningKey({self.public.key_id[:12]})"

    def __reduce__(self) -> str:
        raise TypeError("a private key is not sent anywhere")


def load_signing_key(pem: str, passphrase: str | None = None, *, on: str) -> SigningKey:
    """A private key from PEM: PKCS#8, plain or encrypted, or SEC 1.

    Raises:
        ConfigurationError: it is none, of another type, or the passphrase does not open it; `on` is named.
    """
    try:
        key = serialization.load_pem_private_key(_lines(pem, on), passphrase.encode() if passphrase else None)
    except TypeError as error:
        why = "the private key needs no passphrase" if passphrase else "the private key needs a passphrase"
        raise _unusable(why, on, "Give it as `passphrase` in the extra, or leave that out.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        why = "the passphrase does not open the private key" if passphrase else "the private key cannot be read"
        raise _unusable(why, on, f"A new one is made by: {MAKE_PRIVATE}") from error
    if isinstance(key, ed25519.Ed25519PrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
    ):
        return SigningKey(key)
    raise _unusable("the private key is neither ECDSA P-256 nor Ed25519", on, f"A new one is made by: {MAKE_PRIVATE}")


def load_verifying_key(pem: str, *, on: str) -> VerifyingKey:
    """A public key from PEM (SubjectPublicKeyInfo).

    Raises:
        ConfigurationError: it is none, or of another type; `on` is named.
    """
    try:
        key = serialization.load_pem_public_key(_lines(pem, on))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(
            "the public key cannot be read", on, f"It is taken from the private one by: {MAKE_PUBLIC}"
        ) from error
    if isinstance(key, ed25519.Ed25519PublicKey) or (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    ):
        return VerifyingKey(key)
    raise _unusable("the public key is neither ECDSA P-256 nor Ed25519", on, f"A new one is made by: {MAKE_PRIVATE}")


def _lines(pem: str, on: str) -> bytes:
    """The PEM with its line ends: a form's single-line field loses them, and an environment variable has ``\\n``."""
    text = pem.replace("\\n", "\n").strip()
    found = _PEM.search(text[:_MAX_PEM_LENGTH])
    if found is None:
        raise _unusable("its key is no PEM text", on, f"A new one is made by: {MAKE_PRIVATE}")
    label, body = found.groups()
    if label in _COSIGN:
        fix = f"Make another by: {MAKE_PRIVATE}; cosign verifies with its public half: {MAKE_PUBLIC}"
        raise _unusable("the private key is in the form that cosign alone reads", on, fix)
    # A body with lines may have headers, and stays as it is.
    lines = body.strip() if "\n" in body.strip() else "\n".join(body.split())
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def _unusable(why: str, on: str, fix: str) -> ConfigurationError:
    return ConfigurationError("could not use the signing key", on=on, why=why, fix=fix)
