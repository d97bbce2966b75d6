# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.aes_ctr import block_cipher, ctr_crypt, ctr_mix

# NIST SP 800-38A, F.5.1 and F.5.5
KEY_128 = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
KEY_256 = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
BLOCK = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
PLAIN = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
CIPHER_128 = bytes.fromhex(
    "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
    "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"
)
CIPHER_256 = bytes.fromhex(
    "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
    "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"
)


def test_vectors_of_nist():
    assert ctr_crypt(KEY_128, BLOCK, PLAIN) == CIPHER_128
    assert ctr_crypt(KEY_256, BLOCK, PLAIN) == CIPHER_256
    assert ctr_crypt(KEY_256, BLOCK, CIPHER_256) == PLAIN


def test_any_length_and_a_cipher_that_is_used_again():
    cipher = block_cipher(KEY_128)
    for length in range(len(PLAIN) + 1):
        assert ctr_mix(cipher, BLOCK, PLAIN[:length]) == CIPHER_128[:length]


def test_the_counter_carries_through_its_four_bytes_and_no_further():
    cipher = block_cipher(KEY_128)
    head = bytes(range(12))
    for start in (0x000000FE, 0x0000FFFF, 0x00FFFFFE, 0xFFFFFFFE):
        whole = ctr_mix(cipher, head + start.to_bytes(4, "big"), bytes(80))
        for index in range(5):
            block = head + (start + index & 0xFFFFFFFF).to_bytes(4, "big")
            assert whole[index * 16 : index * 16 + 16] == ctr_mix(cipher, block, bytes(16))


def test_wrong_lengths_are_refused():
    for key, block in ((bytes(15), BLOCK), (bytes(24), BLOCK), (KEY_128, bytes(15)), (b"", BLOCK)):
        try:
            ctr_crypt(key, block, b"x")
        except ValueError:
            continue
        raise AssertionError((len(key), len(block)))
