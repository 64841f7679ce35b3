"""Which digest an image had when it was first used: a tag may be moved in the registry, our note of it is not."""

from __future__ import annotations

import json

from slipway.core.errors import ConflictError, RejectedError
from slipway.core.identity import object_name
from slipway.storage.object_store import ObjectStore


class Pins:
    """The notes of one model, in its store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def find(self, image: str, tag: str) -> str | None:
        """The digest that was noted for a tag of a repository."""
        stored = self._store.find(_key(image, tag))
        return str(json.loads(stored.data)["digest"]) if stored else None

    def expect(self, image: str, tag: str, found: str | None) -> None:
        """Hold what the registry has under a tag against the note.

        Raises:
            RejectedError: somebody pushed another image under it.
        """
        noted = self.find(image, tag)
        if noted and found and noted != found:
            raise RejectedError(
                "could not use the image",
                on=f"{image}:{tag}",
                why=f"its digest changed under the tag: {noted} was pushed, {found} is there now",
                fix=f"Find out who pushed it. To build anew, delete the tag and {self._store.uri}/{_key(image, tag)}.",
            )

    def note(self, image: str, tag: str, digest: str) -> None:
        """Note a digest; an older note of an image that the registry lost is replaced."""
        data, key = json.dumps({"image": f"{image}:{tag}", "digest": digest}).encode(), _key(image, tag)
        stored = self._store.find(key)
        try:
            if stored is None:
                self._store.create(key, data)
            elif stored.data != data:
                self._store.swap(key, data, stored.version)
        except ConflictError:
            # Another run of this model pushed under the same tag at the same moment: one digest, or the tag tells.
            if self.find(image, tag) != digest:
                raise


def _key(image: str, tag: str) -> str:
    return f"images/{object_name(f'{tag}-of-{image}')}.json"
