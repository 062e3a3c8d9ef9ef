"""The seal of a picture's file: hashes of its pixels and of its texts, signed where this machine has a key.

Without a signature a seal finds what was changed by accident, or by somebody who does not know of it: whoever changes a
picture can compute a new seal. With a signature only the holder of the key can. The signature is Ed25519 (RFC 8032).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from PIL.Image import Image

from pipeline.brief import Record
from pipeline.errors import ConfigError
from pipeline.files import write
from pipeline.pixels import fingerprint

SEAL = "easel.seal"  # the keyword of its text in a PNG
_FILE = "key.pem"


class Seal(Record):
    """`pixels`: the fingerprint of the image; `texts`: SHA-256 of its other texts. `signature` and public `key` are
    base64; empty where the machine that wrote the file had no key."""

    pixels: str
    texts: str
    signature: str = ""
    key: str = ""

    @property
    def _signed(self) -> bytes:
        return f"easel seal 1\n{self.pixels}\n{self.texts}".encode()

    def signed_by(self, key: Ed25519PrivateKey) -> Seal:
        signature = base64.b64encode(key.sign(self._signed)).decode()
        return self.model_copy(update={"signature": signature, "key": _public(key)})

    @property
    def signature_holds(self) -> bool:
        """Whether the signature is that of the key in the seal."""
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.key, validate=True))
            key.verify(base64.b64decode(self.signature, validate=True), self._signed)
        except (ValueError, InvalidSignature):
            return False
        return True


def sealed(image: Image, texts: Mapping[str, str]) -> dict[str, str]:
    """The texts of a PNG with their seal, the one that they may have had replaced."""
    others = {key: text for key, text in texts.items() if key != SEAL}
    seal = unsigned(image, others)
    key = own_key()
    return others | {SEAL: (seal.signed_by(key) if key else seal).model_dump_json()}


def unsigned(image: Image, texts: Mapping[str, str]) -> Seal:
    """The seal that belongs to an image and its texts, without a signature."""
    others = {key: text for key, text in texts.items() if key != SEAL}
    digest = hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()
    return Seal(pixels=fingerprint(image), texts=digest)


def key_file() -> Path:
    """Where the key of this user is, or would be."""
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "easel" / _FILE


def make_key() -> str:
    """Make the key of this user, readable by its owner only; returns the public key. Raises ConfigError where there is
    one, OutputError where it cannot be written."""
    path = key_file()
    if path.exists():
        raise ConfigError(
            f"{path} exists; pictures that it signed can only be verified as yours while it does"
        )
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    write(
        path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), lasting=True, mode=0o600
    )
    return _public(key)


def own_key() -> Ed25519PrivateKey | None:
    """The key of this user; None where none was made. Raises ConfigError for a file that holds no such key."""
    path = key_file()
    return _read(path) if path.exists() else None


def own_public_key() -> str | None:
    key = own_key()
    return _public(key) if key else None


@cache
def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{path} cannot be read as a key ({error}); move it away, or put the right one there"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} holds another kind of key; `easel key` makes one that fits")
    return key


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
