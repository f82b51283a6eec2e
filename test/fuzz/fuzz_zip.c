/* Zip archives: directories and every entry's bytes. */
#include <stdlib.h>

#include "codec/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_zip zip;
    struct sw_str text = sw_str_n((const char *)data, size);
    struct sw_source source = sw_source_memory(&text);
    const struct sw_zip_limits limits = {1000, 1 << 20, 4 << 20, 1 << 20};
    sw_arena_init(&a, 0);
    if (sw_zip_open(&a, &source, &limits, &zip, &err)) return 0;
    struct sw_zip_inflater *z = sw_zip_inflater_new();
    for (size_t i = 0; i < zip.n; i++) {
        struct sw_str bytes;
        const struct sw_zip_entry *e = &zip.entries[i];
        if (sw_str_starts(e->name, SW_STR("../")) || sw_str_starts(e->name, SW_STR("/")) ||
            sw_str_find(e->name, SW_STR("/../")) != SIZE_MAX)
            abort();
        if (!sw_zip_read(z, &source, e, &bytes, &err) && bytes.len != e->size) abort();
    }
    sw_zip_inflater_free(z);
    return 0;
}
