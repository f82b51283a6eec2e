/* What strangers send to a registry: the first byte chooses the reader, the rest is the text. */
#include <stdint.h>
#include <stdlib.h>

#include "registry/jwt.h"
#include "registry/manifest.h"
#include "registry/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_route(struct sw_arena *a, struct sw_str s) {
    struct sw_str path, query, value;
    sw_str_cut(s, '?', &path, &query);
    struct sw_route r = sw_route_parse(a, path);
    /* What is a place of a repository has a name without ways out of it. */
    if (r.kind >= SW_ROUTE_TAGS && r.kind <= SW_ROUTE_REFERRERS &&
        (r.name.len == 0 || r.name.ptr[0] == '/' || sw_str_find(r.name, SW_STR("..")) != SIZE_MAX))
        abort();
    while (sw_query_next(a, &query, "tag", &value)) {
    }
}

static void read_headers(struct sw_arena *a, struct sw_str s) {
    struct sw_str user, password, token, head, tail;
    struct sw_scope scope;
    uint64_t x = 0, y = 0;
    if (sw_range_parse(s, 1000, &x, &y) == SW_RANGE_OK && (y == 0 || x + y > 1000)) abort();
    if (sw_content_range_parse(s, &x, &y) && y < x) abort();
    (void)sw_basic_parse(a, s, &user, &password);
    (void)sw_bearer_parse(s, &token);
    (void)sw_scope_parse(s, &scope);
    (void)sw_account_name_ok(s);
    sw_str_cut(s, '\n', &head, &tail);
    if (sw_repo_pattern_ok(head) && head.len < 64 && tail.len < 64)
        (void)sw_repo_pattern_match(head, tail);
    (void)sw_tag_pattern_match(head, tail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sw_arena a SW_ARENA = {0};
    struct sw_error err;
    struct sw_jwt jwt;
    struct sw_pushed pushed;
    sw_arena_init(&a, (size_t)64 << 20);
    if (size == 0) return 0;
    struct sw_str s = sw_str_n((const char *)data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        read_route(&a, s);
        break;
    case 1:
        read_headers(&a, s);
        break;
    case 2:
        (void)!sw_jwt_parse(&a, s, &jwt, &err);
        break;
    default:
        (void)!sw_pushed_parse(&a, s, SW_STR(""), SW_SHA256, &pushed, &err);
    }
    return 0;
}
