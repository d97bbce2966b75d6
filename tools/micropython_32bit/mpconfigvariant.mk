# SPDX-License-Identifier: Apache-2.0
# A variant of MicroPython's Unix port: see README.md beside this file.
CFLAGS += -m32
LDFLAGS += -m32

# asyncio is all that the box needs of what a board has frozen in.
FROZEN_MANIFEST ?= $(TOP)/extmod/asyncio/manifest.py

# ssl brings cryptolib, MD5 and SHA-1, by the library that the ESP32 port uses.
MICROPY_PY_SSL = 1
MICROPY_SSL_MBEDTLS = 1

# Would need 32-bit libraries or further submodules, and no board has them.
MICROPY_PY_FFI = 0
MICROPY_PY_BTREE = 0
MICROPY_PY_THREAD = 0
