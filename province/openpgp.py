"""OpenPGP keys for signing package indexes: one ed25519 key, one user id, made without any other program.

A transferable key is three packets: the key, the user id, the key's signature over both. The secret form
differs from the public one in the first packet only. Version 4 keys with EdDSA (RFC 9580, 5.5.2, 5.5.5.5 and
5.2.3), which every gpgv and sqv of Debian 12 and later reads.
"""

from __future__ import annotations

import base64
import hashlib
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

_SIGNATURE, _SECRET_KEY, _PUBLIC_KEY, _USER_ID = 2, 5, 6, 13
_EDDSA, _SHA512 = 22, 10
_CURVE = bytes.fromhex("092b06010401da470f01")  # Ed25519, with the length before it
_CERTIFICATION = 0x13
_CERTIFY_AND_SIGN = 0x03
_UNPROTECTED = b"\x00"
_LINE = 64


class Packet(NamedTuple):
    """A packet: its tag and its body."""

    tag: int
    body: bytes


def generate(user_id: str, created: int) -> bytes:
    """Make a key pair; returns the transferable secret key, not protected by a passphrase.

    `created` are seconds since 1970; nothing is accepted from the key with an earlier date.
    """
    key = Ed25519PrivateKey.generate()
    public = _public_body(key, created)
    secret = _mpi(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    checksum = (sum(secret) % 65536).to_bytes(2, "big")
    packets = (
        Packet(_SECRET_KEY, public + _UNPROTECTED + secret + checksum),
        Packet(_USER_ID, user_id.encode()),
        Packet(_SIGNATURE, _self_signature(key, public, user_id.encode(), created)),
    )
    return b"".join(map(_packed, packets))


def public_half(secret: bytes) -> bytes:
    """The transferable public key of a transferable secret key; ValueError for anything else."""
    first, *others = packets_of(secret)
    if first.tag != _SECRET_KEY or [packet.tag for packet in others] != [_USER_ID, _SIGNATURE]:
        raise ValueError("not a secret key with one user id")
    length = 6 + len(_CURVE) + 2 + 33  # version, time, algorithm; curve; one number
    return b"".join(map(_packed, (Packet(_PUBLIC_KEY, first.body[:length]), *others)))


def fingerprint(key: bytes) -> str:
    """The fingerprint of a transferable public key, 40 digits in upper case."""
    first = packets_of(key)[0]
    if first.tag != _PUBLIC_KEY:
        raise ValueError("not a public key")
    return hashlib.sha1(_framed(first.body), usedforsecurity=False).hexdigest().upper()


def armored(text: str, what: str = "PUBLIC KEY") -> str:
    """The ASCII form of a key that is given in base64. Older programs want the checksum."""
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    checksum = "=" + in_base64(_crc24(base64.b64decode(text, validate=True)).to_bytes(3, "big"))
    framed = [f"-----BEGIN PGP {what} BLOCK-----", "", *lines, checksum, f"-----END PGP {what} BLOCK-----"]
    return "\n".join(framed) + "\n"


def in_base64(key: bytes) -> str:
    """A key on one line."""
    return base64.b64encode(key).decode()


def packets_of(data: bytes) -> list[Packet]:
    """The packets of a key, in the form that `generate` writes; ValueError for any other."""
    found, at = [], 0
    while at < len(data):
        if data[at] & 0xC0 != 0xC0 or len(data) < at + 6 or data[at + 1] != 0xFF:
            raise ValueError("not packets of this program")
        length = int.from_bytes(data[at + 2 : at + 6], "big")
        body = data[at + 6 : at + 6 + length]
        if len(body) != length:
            raise ValueError("a packet that is cut off")
        found.append(Packet(data[at] & 0x3F, body))
        at += 6 + length
    if not found:
        raise ValueError("no packet")
    return found


def _crc24(data: bytes) -> int:
    """RFC 9580, 6.1.1."""
    crc = 0xB704CE
    for octet in data:
        crc ^= octet << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc


def _public_body(key: Ed25519PrivateKey, created: int) -> bytes:
    point = b"\x40" + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b"\x04" + created.to_bytes(4, "big") + bytes([_EDDSA]) + _CURVE + _mpi(point)


def _self_signature(key: Ed25519PrivateKey, public: bytes, user_id: bytes, created: int) -> bytes:
    identity = hashlib.sha1(_framed(public), usedforsecurity=False).digest()
    hashed = b"".join((
        _subpacket(2, created.to_bytes(4, "big")),
        _subpacket(33, b"\x04" + identity),  # who issued it
        _subpacket(27, bytes([_CERTIFY_AND_SIGN])),
        _subpacket(21, bytes([_SHA512, 8])),  # hashes it prefers
    ))  # fmt: skip
    head = bytes([4, _CERTIFICATION, _EDDSA, _SHA512]) + len(hashed).to_bytes(2, "big") + hashed
    signed = _framed(public) + b"\xb4" + len(user_id).to_bytes(4, "big") + user_id
    digest = hashlib.sha512(signed + head + b"\x04\xff" + len(head).to_bytes(4, "big")).digest()
    signature = key.sign(digest)
    unhashed = _subpacket(16, identity[-8:])
    numbers = _mpi(signature[:32]) + _mpi(signature[32:])
    return head + len(unhashed).to_bytes(2, "big") + unhashed + digest[:2] + numbers


def _framed(public: bytes) -> bytes:
    """A key as fingerprints and signatures hash it."""
    return b"\x99" + len(public).to_bytes(2, "big") + public


def _subpacket(kind: int, body: bytes) -> bytes:
    return bytes([len(body) + 1, kind]) + body


def _mpi(octets: bytes) -> bytes:
    """A number with its length in bits before it."""
    stripped = octets.lstrip(b"\x00")
    bits = len(stripped) * 8 - (8 - stripped[0].bit_length()) if stripped else 0
    return bits.to_bytes(2, "big") + stripped


def _packed(packet: Packet) -> bytes:
    return bytes([0xC0 | packet.tag, 0xFF]) + len(packet.body).to_bytes(4, "big") + packet.body
