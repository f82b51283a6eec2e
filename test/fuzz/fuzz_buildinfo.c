/* Executables, the build information in them and their function tables. */
#include "golang/buildinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *context, struct sw_str package, struct sw_str symbol) {
    *(size_t *)context += package.len + symbol.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_object o;
    struct sw_go_buildinfo info = {0};
    size_t total = 0;
    bool complete;
    struct sw_str bytes = sw_str_n((const char *)data, size);
    struct sw_source s = sw_source_memory(&bytes);
    sw_arena_init(&a, 64 << 20);
    if (!sw_object_read(&a, &s, &o, &err)) {
        (void)!sw_go_buildinfo_read(&a, &o, &s, &info, &err);
        (void)!sw_go_functions_read(&o, &s, take, &total, &complete, &err);
    }
    (void)!sw_go_buildinfo_parse(&a, bytes, &info, &err);
    return 0;
}
