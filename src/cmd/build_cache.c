#include "cmd/build_cache.h"

/* "type=local,KEY=DIR[,mode=min|max]". ret_max NULL: no mode. */
static enum sw_code parse(struct sw_invocation *inv, const char *option, const char *text,
                          const char *dir_key, struct sw_str *ret_dir, bool *ret_max,
                          struct sw_error *err) {
    struct sw_str rest = sw_str(text), field, key, value, type = SW_STR("registry");
    *ret_dir = (struct sw_str){0};
    while (sw_str_next(&rest, ',', &field)) {
        bool has_value = sw_str_cut(field, '=', &key, &value);
        if (has_value && sw_str_is(key, "type")) {
            type = value;
        } else if (has_value && sw_str_is(key, dir_key)) {
            *ret_dir = sw_arena_str(inv->arena, value);
        } else if (has_value && ret_max && sw_str_is(key, "mode") &&
                   (sw_str_is(value, "min") || sw_str_is(value, "max"))) {
            *ret_max = sw_str_is(value, "max");
        } else if (has_value) {
            return sw_fail(err, SW_USAGE, "--%s %s: \"%.*s\" is not understood", option, text,
                           SW_ARG(field));
        }
    }
    if (!sw_str_is(type, "local"))
        return sw_fail(err, SW_UNSUPPORTED,
                       "--%s %s: only type=local is there, as in type=local,%s=DIR", option, text,
                       dir_key);
    if (!ret_dir->len)
        return sw_fail(err, SW_USAGE, "--%s %s: %s=DIR is missing", option, text, dir_key);
    return SW_OK;
}

enum sw_code sw_build_cache_parse(struct sw_invocation *inv, struct sw_build_options *o,
                                  struct sw_error *err) {
    size_t n;
    struct sw_str dir;
    const char *const *from = sw_opt_list(inv, "cache-from", &n);
    for (size_t i = 0; i < n; i++) {
        enum sw_code code = parse(inv, "cache-from", from[i], "src", &dir, NULL, err);
        if (code) return code;
        sw_strs_add(inv->arena, &o->cache_from, dir);
    }
    const char *to = sw_opt(inv, "cache-to");
    if (!to) return SW_OK;
    enum sw_code code = parse(inv, "cache-to", to, "dest", &dir, &o->cache_to_max, err);
    if (!code) o->cache_to = sw_arena_cstr(inv->arena, dir);
    return code;
}
