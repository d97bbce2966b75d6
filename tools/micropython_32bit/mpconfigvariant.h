// SPDX-License-Identifier: Apache-2.0
// As a board has it: what ports/esp32/mpconfigport.h sets and what matters for the heap and for numbers. Objects are
// words of 32 bits (representation A), small integers have 31 bits, blocks of the heap 16 bytes.

#define MICROPY_CONFIG_ROM_LEVEL (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)
#define MICROPY_OBJ_REPR         (MICROPY_OBJ_REPR_A)
#define MICROPY_FLOAT_IMPL       (MICROPY_FLOAT_IMPL_FLOAT)
#define MICROPY_ERROR_REPORTING  (MICROPY_ERROR_REPORTING_NORMAL)

#include "variants/mpconfigvariant_common.h"
