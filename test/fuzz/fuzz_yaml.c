/* YAML on any bytes: no more nodes than the limit, and every node can be named. */
#include <stdlib.h>

#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct sw_yaml *node) {
    SW_BUF struct sw_buf path;
    size_t n = 1;
    sw_buf_init(&path, 4096);
    sw_yaml_path(node, &path);
    if (!sw_str_is_utf8(node->text)) abort();
    for (size_t i = 0; i < node->len; i++) {
        if (node->items[i].parent != node || node->items[i].index != i) abort();
        n += walk(&node->items[i]);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int lenient = 0; lenient < 2; lenient++) {
        const struct sw_yaml_limits limits = {.nodes = 5000, .lenient = lenient};
        SW_ARENA struct sw_arena a;
        struct sw_error err;
        const struct sw_yaml *root;
        sw_arena_init(&a, 0);
        if (sw_yaml_parse(&a, sw_str_n((const char *)data, size), &limits, &root, &err)) continue;
        if (walk(root) > limits.nodes + 1) abort();
    }
    return 0;
}
