/* The typed view of a tree; reading is in json_parse.c. */
#include "codec/json.h"

#include <stdio.h>

const struct sw_json *sw_json_get(const struct sw_json *obj, const char *key) {
    if (!obj || obj->type != SW_JSON_OBJECT) return NULL;
    struct sw_str wanted = sw_str(key);
    for (size_t i = 0; i < obj->len; i++)
        if (sw_str_eq(obj->items[i].key, wanted)) return &obj->items[i];
    return NULL;
}

static bool is_word(struct sw_str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_' && c != '-')
            return false;
    }
    return s.len > 0;
}

void sw_json_path(const struct sw_json *node, struct sw_buf *out) {
    if (!node->parent) {
        if (out->len == 0) sw_buf_add_char(out, '.');
        return;
    }
    if (node->parent->parent) sw_json_path(node->parent, out);
    if (node->parent->type == SW_JSON_ARRAY)
        sw_buf_addf(out, "[%zu]", node->index);
    else if (is_word(node->key))
        sw_buf_addf(out, "%s%.*s", out->len ? "." : "", SW_ARG(node->key));
    else
        sw_buf_addf(out, "[\"%.*s\"]", SW_ARG(node->key));
}

const char *sw_json_type_name(enum sw_json_type type) {
    static const char *const names[] = {
        [SW_JSON_NULL] = "null",        [SW_JSON_BOOL] = "true or false",
        [SW_JSON_INT] = "an integer",   [SW_JSON_REAL] = "a number",
        [SW_JSON_STRING] = "a string",  [SW_JSON_ARRAY] = "an array",
        [SW_JSON_OBJECT] = "an object",
    };
    return names[type];
}

enum sw_code sw_json_fail(const struct sw_json *node, struct sw_error *err, const char *fmt, ...) {
    SW_BUF struct sw_buf path;
    char text[512];
    va_list args;
    sw_buf_init(&path, 512);
    sw_json_path(node, &path);
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return sw_fail(err, SW_SYNTAX, "%s: %s", path.ptr, text);
}

enum sw_code sw_json_expect(const struct sw_json *node, enum sw_json_type type,
                            struct sw_error *err) {
    if (node->type == type) return SW_OK;
    return sw_json_fail(node, err, "must be %s, is %s", sw_json_type_name(type),
                        sw_json_type_name(node->type));
}

enum sw_code sw_json_opt_node(const struct sw_json *obj, const char *key, enum sw_json_type type,
                              const struct sw_json **ret, struct sw_error *err) {
    const struct sw_json *node = sw_json_get(obj, key);
    if (!node || node->type == SW_JSON_NULL) return SW_OK;
    enum sw_code code = sw_json_expect(node, type, err);
    if (!code) *ret = node;
    return code;
}

enum sw_code sw_json_need_node(const struct sw_json *obj, const char *key, enum sw_json_type type,
                               const struct sw_json **ret, struct sw_error *err) {
    const struct sw_json *node = NULL;
    enum sw_code code = sw_json_opt_node(obj, key, type, &node, err);
    if (code) return code;
    if (!node) return sw_json_fail(obj, err, "\"%s\" is missing", key);
    *ret = node;
    return SW_OK;
}

enum sw_code sw_json_opt_str(const struct sw_json *obj, const char *key, struct sw_str *ret,
                             struct sw_error *err) {
    const struct sw_json *node = NULL;
    enum sw_code code = sw_json_opt_node(obj, key, SW_JSON_STRING, &node, err);
    if (node) *ret = node->text;
    return code;
}

enum sw_code sw_json_need_str(const struct sw_json *obj, const char *key, struct sw_str *ret,
                              struct sw_error *err) {
    const struct sw_json *node;
    enum sw_code code = sw_json_need_node(obj, key, SW_JSON_STRING, &node, err);
    if (!code) *ret = node->text;
    return code;
}

enum sw_code sw_json_opt_int(const struct sw_json *obj, const char *key, int64_t *ret,
                             struct sw_error *err) {
    const struct sw_json *node = NULL;
    enum sw_code code = sw_json_opt_node(obj, key, SW_JSON_INT, &node, err);
    if (node) *ret = node->integer;
    return code;
}

enum sw_code sw_json_need_int(const struct sw_json *obj, const char *key, int64_t *ret,
                              struct sw_error *err) {
    const struct sw_json *node;
    enum sw_code code = sw_json_need_node(obj, key, SW_JSON_INT, &node, err);
    if (!code) *ret = node->integer;
    return code;
}

enum sw_code sw_json_opt_bool(const struct sw_json *obj, const char *key, bool *ret,
                              struct sw_error *err) {
    const struct sw_json *node = NULL;
    enum sw_code code = sw_json_opt_node(obj, key, SW_JSON_BOOL, &node, err);
    if (node) *ret = node->boolean;
    return code;
}

enum sw_code sw_json_digest_of(const struct sw_json *node, struct sw_digest *ret,
                               struct sw_error *err) {
    enum sw_code code = sw_json_expect(node, SW_JSON_STRING, err);
    if (code) return code;
    code = sw_digest_parse(node->text, ret, err);
    if (!code) return SW_OK;
    SW_BUF struct sw_buf path;
    sw_buf_init(&path, 512);
    sw_json_path(node, &path);
    return sw_context(err, "%s", path.ptr);
}

enum sw_code sw_json_opt_digest(const struct sw_json *obj, const char *key, struct sw_digest *ret,
                                struct sw_error *err) {
    const struct sw_json *node = sw_json_get(obj, key);
    if (!node || node->type == SW_JSON_NULL) return SW_OK;
    return sw_json_digest_of(node, ret, err);
}

enum sw_code sw_json_need_digest(const struct sw_json *obj, const char *key, struct sw_digest *ret,
                                 struct sw_error *err) {
    const struct sw_json *node;
    enum sw_code code = sw_json_need_node(obj, key, SW_JSON_STRING, &node, err);
    return code ? code : sw_json_digest_of(node, ret, err);
}

enum sw_code sw_json_opt_strs(struct sw_arena *a, const struct sw_json *obj, const char *key,
                              struct sw_strs *ret, struct sw_error *err) {
    const struct sw_json *node = NULL;
    enum sw_code code = sw_json_opt_node(obj, key, SW_JSON_ARRAY, &node, err);
    if (code || !node) return code;
    struct sw_strs list = {.cap = node->len};
    list.ptr = sw_arena_array(a, node->len ? node->len : 1, sizeof *list.ptr);
    for (size_t i = 0; i < node->len; i++) {
        code = sw_json_expect(&node->items[i], SW_JSON_STRING, err);
        if (code) return code;
        list.ptr[list.len++] = node->items[i].text;
    }
    *ret = list;
    return SW_OK;
}

enum sw_code sw_json_opt_pairs(struct sw_arena *a, const struct sw_json *obj, const char *key,
                               struct sw_pairs *ret, struct sw_error *err) {
    const struct sw_json *node = NULL;
    enum sw_code code = sw_json_opt_node(obj, key, SW_JSON_OBJECT, &node, err);
    if (code || !node) return code;
    struct sw_pairs list = {.cap = node->len};
    list.ptr = sw_arena_array(a, node->len ? node->len : 1, sizeof *list.ptr);
    for (size_t i = 0; i < node->len; i++) {
        const struct sw_json *value = &node->items[i];
        if (value->type != SW_JSON_NULL) code = sw_json_expect(value, SW_JSON_STRING, err);
        if (code) return code;
        list.ptr[list.len++] = (struct sw_pair){value->key, value->text};
    }
    *ret = list;
    return SW_OK;
}
