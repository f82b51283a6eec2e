/* jansson reads; the tree that is handed out is ours, so that it can say where a value stands and
 * lives in the arena of the document that it becomes. */
#include "codec/json.h"

#include <jansson.h>
#include <stdio.h>

#define BYTES_DEFAULT ((size_t)16 << 20)
#define DEPTH_DEFAULT 64
#define DEPTH_MAX 256 /* the tree is walked by recursion */
#define VALUES_DEFAULT ((size_t)1 << 20)

/* Refuses deep and crowded documents before any memory is spent on them. Every value but the first
 * comes after a comma, a colon or an opening bracket, so these are counted outside strings. */
static enum sw_code check_shape(struct sw_str text, const struct sw_json_limits *limits,
                                struct sw_error *err) {
    size_t values = 1;
    unsigned depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '"':
            for (i++; i < text.len && text.ptr[i] != '"'; i++)
                if (text.ptr[i] == '\\') i++;
            break;
        case '{':
        case '[':
            if (++depth > limits->depth)
                return sw_fail(err, SW_LIMIT, "JSON is nested more than %u levels deep",
                               limits->depth);
            values++;
            break;
        case '}':
        case ']':
            if (depth) depth--; /* the parser refuses what does not match */
            break;
        case ',':
        case ':':
            values++;
            break;
        }
    }
    if (values > limits->values)
        return sw_fail(err, SW_LIMIT, "JSON has more than %zu values", limits->values);
    return SW_OK;
}

static void convert(struct sw_arena *a, const json_t *from, struct sw_json *to);

static void convert_array(struct sw_arena *a, const json_t *from, struct sw_json *to) {
    to->type = SW_JSON_ARRAY;
    to->len = json_array_size(from);
    to->items = sw_arena_array(a, to->len, sizeof *to->items);
    for (size_t i = 0; i < to->len; i++) {
        to->items[i].parent = to;
        to->items[i].index = i;
        convert(a, json_array_get(from, i), &to->items[i]);
    }
}

static void convert_object(struct sw_arena *a, const json_t *from, struct sw_json *to) {
    /* jansson's iterators want a mutable object, but do not change it. */
    json_t *object = (json_t *)(uintptr_t)from;
    size_t i = 0;
    to->type = SW_JSON_OBJECT;
    to->len = json_object_size(from);
    to->items = sw_arena_array(a, to->len, sizeof *to->items);
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it), i++) {
        to->items[i].parent = to;
        to->items[i].index = i;
        to->items[i].key = sw_arena_str(a, sw_str(json_object_iter_key(it)));
        convert(a, json_object_iter_value(it), &to->items[i]);
    }
}

static void convert(struct sw_arena *a, const json_t *from, struct sw_json *to) {
    switch (json_typeof(from)) {
    case JSON_OBJECT:
        convert_object(a, from, to);
        break;
    case JSON_ARRAY:
        convert_array(a, from, to);
        break;
    case JSON_STRING:
        to->type = SW_JSON_STRING;
        to->text = sw_arena_str(a, sw_str_n(json_string_value(from), json_string_length(from)));
        break;
    case JSON_INTEGER:
        to->type = SW_JSON_INT;
        to->integer = json_integer_value(from);
        break;
    case JSON_REAL:
        to->type = SW_JSON_REAL;
        to->real = json_real_value(from);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        to->type = SW_JSON_BOOL;
        to->boolean = json_is_true(from);
        break;
    case JSON_NULL:
        to->type = SW_JSON_NULL;
        break;
    }
}

enum sw_code sw_json_parse(struct sw_arena *a, struct sw_str text,
                           const struct sw_json_limits *limits, const struct sw_json **ret_root,
                           struct sw_error *err) {
    struct sw_json_limits l = limits ? *limits : (struct sw_json_limits){0};
    if (!l.bytes) l.bytes = BYTES_DEFAULT;
    if (!l.depth) l.depth = DEPTH_DEFAULT;
    if (l.depth > DEPTH_MAX) l.depth = DEPTH_MAX;
    if (!l.values) l.values = VALUES_DEFAULT;
    if (text.len > l.bytes)
        return sw_fail(err, SW_LIMIT, "JSON of %zu bytes; at most %zu are read", text.len, l.bytes);
    enum sw_code code = check_shape(text, &l, err);
    if (code) return code;
    json_error_t error;
    json_t *document = json_loadb(text.ptr ? text.ptr : "", text.len,
                                  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!document)
        return sw_fail(err, SW_SYNTAX, "malformed JSON in line %d, column %d: %s", error.line,
                       error.column, error.text);
    struct sw_json *root = SW_NEW(a, struct sw_json);
    convert(a, document, root);
    json_decref(document);
    code = sw_arena_check(a, "the JSON document", err);
    if (code) return code;
    *ret_root = root;
    return SW_OK;
}

const struct sw_json *sw_json_get(const struct sw_json *obj, const char *key) {
    if (obj->type != SW_JSON_OBJECT) return NULL;
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
