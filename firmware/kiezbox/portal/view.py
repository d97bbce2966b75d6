# SPDX-License-Identifier: Apache-2.0
"""An address for the page of a call, for half an hour, so that the page can load itself anew.

1. A page that renews itself is asked for by its address alone (there is no script and nothing is kept on the phone), so
   the address must say which call is meant. The receipt code itself never stands in an address: it is the key to the
   answer for good, and addresses stay in histories and on the screens of borrowed phones.
2. Instead there stands an AES block of the code and the minute, under a key that is drawn at every start and never
   leaves memory. It opens the page for half an hour; each page carries a fresh one. The box keeps nothing for it.

Not here: pages (routes.py, page.py). Called by routes.py.
"""

from cryptolib import aes

from kiezbox.protocol.constant import const

_VALID_MINUTES = const(30)
_ECB = const(1)


class Views:
    """`key`: 16 random bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def address(self, code: str, now_ms: int) -> str:
        """32 hexadecimal digits for a clean receipt code."""
        block = code.encode() + (now_ms // 60_000).to_bytes(4, "little") + bytes(4)
        return aes(self._key, _ECB).encrypt(block).hex()

    def code(self, address: str, now_ms: int) -> "str | None":
        """The code an address stands for; None if it is too old, of another start, or nobody gave it out."""
        try:
            block = aes(self._key, _ECB).decrypt(bytes.fromhex(address))
            code = block[:8].decode()
        except ValueError:
            return None
        minutes = now_ms // 60_000 - int.from_bytes(block[8:12], "little")
        if len(block) != 16 or block[12:] != bytes(4) or not 0 <= minutes <= _VALID_MINUTES:
            return None
        return code
