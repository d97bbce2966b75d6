// SPDX-License-Identifier: Apache-2.0
// The module romfile: a file in memory, outside of the heap that Python has. On a board the image with the code lies
// in flash and is mapped into memory; this is its place on a machine without such flash.

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "py/objarray.h"
#include "py/runtime.h"

// romfile.map(descriptor): the open file's bytes as a memoryview that nobody can write to. Raises OSError.
static mp_obj_t romfile_map(mp_obj_t descriptor) {
    int file = mp_obj_get_int(descriptor);
    struct stat status;
    if (fstat(file, &status) != 0) {
        mp_raise_OSError(errno);
    }
    void *start = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, file, 0);
    if (start == MAP_FAILED) {
        mp_raise_OSError(errno);
    }
    return mp_obj_new_memoryview('B', (size_t)status.st_size, start);
}
static MP_DEFINE_CONST_FUN_OBJ_1(romfile_map_obj, romfile_map);

static const mp_rom_map_elem_t romfile_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_romfile) },
    { MP_ROM_QSTR(MP_QSTR_map), MP_ROM_PTR(&romfile_map_obj) },
};
static MP_DEFINE_CONST_DICT(romfile_globals, romfile_globals_table);

const mp_obj_module_t romfile_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&romfile_globals,
};
MP_REGISTER_MODULE(MP_QSTR_romfile, romfile_module);
