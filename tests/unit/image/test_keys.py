"""Keys: which are read, what is said of those that are not, and that none shows."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable

import pytest

from slipway.core.errors import ConfigurationError
from slipway.image.keys import load_signing_key, load_verifying_key
from tests.unit.image.openssl import accepts, make_key, openssl, public_of

ON = "connection signing"


def encrypted(private: str, passphrase: str) -> str:
    return openssl(
        "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", f"pass:{passphrase}", data=private.encode()
    ).decode()


@pytest.mark.parametrize("kind", ["P-256", "Ed25519"])
def test_a_signature_is_the_same_each_time_and_openssl_accepts_it(kind: str) -> None:
    private = make_key(kind)
    key = load_signing_key(private, on=ON)
    signature = key.sign(b"some bytes")
    assert signature == load_signing_key(private, on=ON).sign(b"some bytes")
    assert accepts(public_of(private), signature, b"some bytes")
    assert not accepts(public_of(private), signature, b"some byteS")
    public = load_verifying_key(public_of(private), on=ON)
    assert public.key_id == key.public.key_id
    assert public.verifies(signature, b"some bytes")
    assert not public.verifies(signature, b"some byteS")
    assert not public.verifies(signature[:-1], b"some bytes")
    assert not public.verifies(b"", b"some bytes")


def test_the_example_of_rfc_6979_comes_out() -> None:
    # A.2.5: P-256 with SHA-256, message "sample".
    secret = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
    der = bytes.fromhex(f"30310201010420{secret}A00A06082A8648CE3D030107")
    signature = (
        load_signing_key(openssl("ec", "-inform", "DER", data=der).decode(), on=ON).sign(b"sample").hex().upper()
    )
    assert "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716" in signature
    assert "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8" in signature


def test_every_form_of_a_private_key_is_read() -> None:
    private = make_key()
    expected = load_signing_key(private, on=ON).public.key_id
    older = openssl("ec", data=private.encode()).decode()
    older_encrypted = openssl("ec", "-aes128", "-passout", "pass:a", data=private.encode()).decode()
    parameters = openssl("ecparam", "-name", "prime256v1").decode()
    forms = [
        (older, None),
        (parameters + older, None),
        (older_encrypted, "a"),
        (encrypted(private, "pass phrase"), "pass phrase"),
        (private.replace("\n", "\\n"), None),
        (private.replace("\n", " "), None),
        (private.replace("\n", "\r\n"), None),
        (f"  {private}  ", None),
        (encrypted(private, "a").replace("\n", " "), "a"),
    ]
    assert {load_signing_key(pem, passphrase, on=ON).public.key_id for pem, passphrase in forms} == {expected}


def rsa() -> str:
    return openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048").decode()


@pytest.mark.parametrize(
    ("pem", "passphrase", "expected"),
    [
        (lambda: "hunter2-secret", None, "its key is no PEM text"),
        (lambda: "x" * 100_000, None, "its key is no PEM text"),
        (lambda: public_of(make_key()), None, "the private key cannot be read"),
        (lambda: encrypted(make_key(), "right"), None, "the private key needs a passphrase"),
        (lambda: encrypted(make_key(), "right"), "hunter2-secret", "the passphrase does not open the private key"),
        (make_key, "hunter2-secret", "the private key needs no passphrase"),
        (rsa, None, "neither ECDSA P-256 nor Ed25519"),
        (lambda: make_key("P-384"), None, "neither ECDSA P-256 nor Ed25519"),
        (
            lambda: (
                "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nhunter2-secret\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----"
            ),
            None,
            "the form that cosign alone reads",
        ),
    ],
)
def test_a_private_key_of_no_use_is_refused_without_being_shown(
    pem: Callable[[], str], passphrase: str | None, expected: str
) -> None:
    text = pem()
    with pytest.raises(ConfigurationError, match=f"could not use the signing key: {ON}: .*{expected}") as caught:
        load_signing_key(text, passphrase, on=ON)
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2-secret" not in shown
    assert not any(line in shown for line in text.splitlines() if len(line) > 40 and "-----" not in line)


@pytest.mark.parametrize(
    ("pem", "expected"),
    [
        (lambda: "nothing", "its key is no PEM text"),
        (make_key, "the public key cannot be read. It is taken from the private one by: openssl pkey"),
        (lambda: public_of(rsa()), "neither ECDSA P-256 nor Ed25519"),
        (lambda: public_of(make_key("P-384")), "neither ECDSA P-256 nor Ed25519"),
    ],
)
def test_a_public_key_of_no_use_is_refused(pem: Callable[[], str], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{ON}: .*{expected}"):
        load_verifying_key(pem(), on=ON)


def test_a_private_key_shows_nowhere_and_goes_nowhere() -> None:
    key = load_signing_key(make_key(), on=ON)
    assert repr(key) == f"SigningKey({key.public.key_id[:12]})"
    with pytest.raises(TypeError, match="not sent anywhere"):
        pickle.dumps(key)
