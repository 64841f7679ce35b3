"""A signed text with its type: DSSE 1.0 (Dead Simple Signing Envelope), the form in which in-toto statements are signed."""

from __future__ import annotations

import base64
import json

from slipway.core.errors import RejectedError
from slipway.core.identity import canonical_json
from slipway.image.keys import SigningKey, VerifyingKey

MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"
_MAX_SIGNATURES = 100


def seal(payload: bytes, payload_type: str, key: SigningKey) -> bytes:
    """The envelope around some bytes; same key, type and bytes, same envelope."""
    signature = {
        "keyid": key.public.key_id,
        "sig": base64.b64encode(key.sign(_signed_bytes(payload, payload_type))).decode(),
    }
    text = base64.b64encode(payload).decode()
    return canonical_json({"payload": text, "payloadType": payload_type, "signatures": [signature]})


def open_envelope(envelope: bytes, payload_type: str, key: VerifyingKey) -> bytes:
    """What is in an envelope, if this key signed it as this type. The key id in it is a hint, and not asked.

    Raises:
        RejectedError: it is no envelope, holds another type, or is signed by another key.
    """
    try:
        document = json.loads(envelope)
        payload = base64.b64decode(document["payload"], validate=True)
        signatures = [base64.b64decode(each["sig"], validate=True) for each in document["signatures"]]
        found_type = document["payloadType"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _refused("it is no DSSE envelope") from error
    if found_type != payload_type:
        raise _refused(f"it holds {str(found_type)[:80]}, not {payload_type}")
    signed = _signed_bytes(payload, payload_type)
    if not any(key.verifies(signature, signed) for signature in signatures[:_MAX_SIGNATURES]):
        raise _refused(f"it is not signed by the key {key.key_id[:12]}")
    return payload


def _signed_bytes(payload: bytes, payload_type: str) -> bytes:
    """DSSE's pre-authentication encoding: with the lengths in it, no type and text can pass for another pair."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _refused(why: str) -> RejectedError:
    return RejectedError(
        "could not verify a signed statement", on="a DSSE envelope", why=why, fix="Do not rely on what it says."
    )
