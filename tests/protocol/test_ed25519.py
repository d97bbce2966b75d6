# SPDX-License-Identifier: Apache-2.0
"""Ed25519 and SHA-512 against the vectors of RFC 8032 and FIPS 180-4, and against what must not verify."""

from kiezbox.protocol.ed25519 import verify
from kiezbox.protocol.sha512 import sha512

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2"
            "4655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302ae"
            "eb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28"
            "dc027beceea1ec40a"
        ),
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80"
            "e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17"
            "ad9bef1177331a704"
        ),
    ),
)

ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19

# Encodings of points whose order divides 8, canonical and not, as in "Taming the many EdDSAs" (Chalkias et al., 2020).
SMALL_ORDER = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)


def test_sha512_vectors() -> None:
    assert sha512(b"abc").hex() == (
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80"
        "e2a9ac94fa54ca49f"
    )
    assert sha512(b"").hex() == (
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a8"
        "1a538327af927da3e"
    )
    two_blocks = b"".join([b"abcdefghijklmnopqrstu"[n : n + 8] for n in range(14)])
    assert sha512(two_blocks).hex() == (
        "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd265"
        "45e96e55b874be909"
    )


def test_vectors_of_rfc_8032() -> None:
    for public_key, message, signature in VECTORS:
        assert verify(bytes.fromhex(public_key), bytes.fromhex(message), bytes.fromhex(signature))


def test_a_changed_bit_anywhere_fails() -> None:
    public_key, message, signature = (bytes.fromhex(part) for part in VECTORS[2])
    for position in (0, 7, 31, 32, 45, 63):
        changed = bytearray(signature)
        changed[position] ^= 1 << position % 8
        assert not verify(public_key, message, bytes(changed))
    changed = bytearray(public_key)
    changed[3] ^= 4
    assert not verify(bytes(changed), message, signature)
    assert not verify(public_key, message + b"\0", signature)
    assert not verify(public_key, b"\xaf\x83", signature)


def test_scalar_beyond_the_order_is_refused() -> None:
    public_key, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
    scalar = int.from_bytes(signature[32:], "little")
    for false in (scalar + ORDER, scalar + 2 * ORDER, ORDER, 2**256 - 1):
        if false < 2**256:
            assert not verify(public_key, message, signature[:32] + false.to_bytes(32, "little"))


def test_points_of_small_order_are_refused_as_key_and_as_r() -> None:
    _, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
    for encoding in SMALL_ORDER:
        point = bytes.fromhex(encoding)
        assert not verify(point, message, signature)
        # With a key of small order, S = 0 and R the neutral point would satisfy the equation for some messages.
        for number in range(8):
            assert not verify(point, bytes((number,)), bytes.fromhex(SMALL_ORDER[0]) + bytes(32))


def test_keys_that_are_no_point_or_not_canonical_are_refused() -> None:
    _, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
    refused = 0
    for y in (2, 7, PRIME + 2, PRIME + 3, PRIME + 18, 2**255 - 1):
        if not verify(y.to_bytes(32, "little"), message, signature):
            refused += 1
    assert refused == 6


def test_lengths() -> None:
    public_key, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
    assert not verify(public_key[:31], message, signature)
    assert not verify(public_key, message, signature[:63])
    assert not verify(public_key, message, signature + b"\0")
    assert not verify(b"", b"", b"")
