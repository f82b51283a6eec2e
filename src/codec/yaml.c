/* libyaml finds the events; they are collected flat with the number of children of each collection,
 * and the tree is built from them with arrays of the right size. */
#include "codec/yaml.h"

#include <stdio.h>
#include <yaml.h>

#include "base/map.h"
#include "base/vec.h"
#include "codec/limits.h"

struct raw {
    enum sw_yaml_type type;
    bool quoted;
    struct sw_str text; /* arena */
    size_t children;    /* keys and values both, in a map */
    unsigned line, column;
};

struct reader {
    struct sw_arena *a;
    struct sw_yaml_limits limits;
    SW_VEC(struct raw) raws;
    size_t open[SW_YAML_DEPTH_MAX]; /* indexes into raws of the collections that are being read */
    unsigned depth;
    unsigned documents;
};

static void release(struct reader *r) { sw_vec_done(&r->raws); }

static enum sw_code fail_at(const yaml_mark_t *mark, enum sw_code code, const char *what,
                            struct sw_error *err) {
    return sw_fail(err, code, "line %zu column %zu: %s", mark->line + 1, mark->column + 1, what);
}

static enum sw_code parser_failed(const yaml_parser_t *p, struct sw_error *err) {
    const char *problem = p->problem ? p->problem : "it cannot be read";
    if (p->error == YAML_READER_ERROR)
        return sw_fail(err, SW_SYNTAX, "malformed YAML at byte %zu: %s", p->problem_offset,
                       problem);
    return sw_fail(err, SW_SYNTAX, "line %zu column %zu: malformed YAML: %s%s%s",
                   p->problem_mark.line + 1, p->problem_mark.column + 1, problem,
                   p->context ? " " : "", p->context ? p->context : "");
}

static enum sw_code check_tag(const struct reader *r, const yaml_event_t *event,
                              const yaml_char_t *tag, const yaml_char_t *anchor,
                              struct sw_error *err) {
    static const char *const allowed[] = {YAML_STR_TAG, YAML_MAP_TAG, YAML_SEQ_TAG};
    bool ok = !tag;
    if (r->limits.lenient) return SW_OK;
    for (size_t i = 0; !ok && i < 3; i++) ok = strcmp((const char *)tag, allowed[i]) == 0;
    if (!ok) return fail_at(&event->start_mark, SW_UNSUPPORTED, "tags are not supported here", err);
    if (anchor)
        return fail_at(&event->start_mark, SW_UNSUPPORTED,
                       "anchors and aliases are not supported here; write the value out", err);
    return SW_OK;
}

/* A child of the innermost open collection. */
static enum sw_code add_raw(struct reader *r, const yaml_event_t *event, struct raw raw,
                            struct sw_error *err) {
    if (r->raws.len >= r->limits.nodes)
        return sw_fail(err, SW_LIMIT, "YAML has more than %zu values", r->limits.nodes);
    if (r->depth) {
        struct raw *parent = &r->raws.ptr[r->open[r->depth - 1]];
        bool key = parent->type == SW_YAML_MAP && parent->children % 2 == 0;
        bool strict = !r->limits.lenient;
        if (key && strict && raw.type != SW_YAML_SCALAR)
            return fail_at(&event->start_mark, SW_SYNTAX, "a key must be plain text", err);
        if (key && strict && !raw.quoted && sw_str_is(raw.text, "<<"))
            return fail_at(&event->start_mark, SW_UNSUPPORTED, "merge keys are not supported here",
                           err);
        parent->children++;
    }
    raw.line = (unsigned)event->start_mark.line + 1;
    raw.column = (unsigned)event->start_mark.column + 1;
    sw_vec_add(&r->raws, raw);
    return SW_OK;
}

static enum sw_code open_collection(struct reader *r, const yaml_event_t *event,
                                    enum sw_yaml_type type, struct sw_error *err) {
    if (r->depth >= r->limits.depth)
        return sw_fail(err, SW_LIMIT, "YAML is nested more than %u levels deep", r->limits.depth);
    enum sw_code code = add_raw(r, event, (struct raw){.type = type}, err);
    if (!code) r->open[r->depth++] = r->raws.len - 1;
    return code;
}

static enum sw_code add_scalar(struct reader *r, const yaml_event_t *event, struct sw_error *err) {
    struct sw_str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    enum sw_code code = check_tag(r, event, event->data.scalar.tag, event->data.scalar.anchor, err);
    if (code) return code;
    if (text.len && memchr(text.ptr, 0, text.len))
        return fail_at(&event->start_mark, SW_SYNTAX, "a NUL in the text", err);
    struct raw raw = {.type = SW_YAML_SCALAR, .text = sw_arena_str(r->a, text)};
    raw.quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return add_raw(r, event, raw, err);
}

static enum sw_code handle(struct reader *r, const yaml_event_t *event, struct sw_error *err) {
    enum sw_code code;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->documents++ && !r->limits.lenient)
            return fail_at(&event->start_mark, SW_SYNTAX, "only one document is read", err);
        return SW_OK;
    case YAML_ALIAS_EVENT:
        code = check_tag(r, event, NULL, event->data.alias.anchor, err);
        return code ? code : add_raw(r, event, (struct raw){.type = SW_YAML_SCALAR}, err);
    case YAML_SCALAR_EVENT:
        return add_scalar(r, event, err);
    case YAML_SEQUENCE_START_EVENT:
        code = check_tag(r, event, event->data.sequence_start.tag,
                         event->data.sequence_start.anchor, err);
        return code ? code : open_collection(r, event, SW_YAML_LIST, err);
    case YAML_MAPPING_START_EVENT:
        code = check_tag(r, event, event->data.mapping_start.tag, event->data.mapping_start.anchor,
                         err);
        return code ? code : open_collection(r, event, SW_YAML_MAP, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return SW_OK;
    default:
        return SW_OK;
    }
}

static enum sw_code collect(struct reader *r, struct sw_str text, struct sw_error *err) {
    yaml_parser_t parser;
    yaml_event_t event;
    enum sw_code code = SW_OK;
    bool ended = false;
    if (!yaml_parser_initialize(&parser)) return sw_fail(err, SW_LIMIT, "reading YAML: no memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    while (!code && !ended) {
        if (!yaml_parser_parse(&parser, &event)) {
            code = parser_failed(&parser, err);
            break;
        }
        ended = event.type == YAML_STREAM_END_EVENT ||
                (event.type == YAML_DOCUMENT_END_EVENT && r->limits.lenient);
        code = handle(r, &event, err);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return code;
}

static enum sw_code check_duplicates(const struct sw_yaml *map, struct sw_error *err) {
    SW_MAP struct sw_map seen = {0};
    for (size_t i = 0; i < map->len; i++) {
        const struct sw_yaml *item = &map->items[i];
        const struct sw_yaml *first = sw_map_put(&seen, item->key, &map->items[i]);
        if (first)
            return sw_fail(err, SW_SYNTAX,
                           "line %u column %u: \"%.*s\" was given in line %u already",
                           item->key_line, item->key_column, SW_ARG(item->key), first->key_line);
    }
    return SW_OK;
}

/* Moves *at behind the node that starts there. */
static void skip_node(const struct reader *r, size_t *at) {
    for (size_t left = 1; left; left--) left += r->raws.ptr[(*at)++].children;
}

/* Builds the node that starts at r->raws.ptr[*at], and moves *at behind it. */
static enum sw_code build(struct reader *r, size_t *at, struct sw_yaml *to, struct sw_error *err) {
    const struct raw *raw = &r->raws.ptr[(*at)++];
    bool map = raw->type == SW_YAML_MAP;
    to->type = raw->type;
    to->quoted = raw->quoted;
    to->text = raw->text;
    to->line = raw->line;
    to->column = raw->column;
    if (raw->type == SW_YAML_SCALAR) return SW_OK;
    to->len = map ? raw->children / 2 : raw->children;
    to->items = sw_arena_array(r->a, to->len, sizeof *to->items);
    for (size_t i = 0; i < to->len; i++) {
        struct sw_yaml *item = &to->items[i];
        item->parent = to;
        item->index = i;
        if (map) {
            const struct raw *key = &r->raws.ptr[*at];
            skip_node(r, at);
            item->key = key->text;
            item->key_line = key->line;
            item->key_column = key->column;
        }
        enum sw_code code = build(r, at, item, err);
        if (code) return code;
    }
    return map && !r->limits.lenient ? check_duplicates(to, err) : SW_OK;
}

enum sw_code sw_yaml_parse(struct sw_arena *a, struct sw_str text,
                           const struct sw_yaml_limits *limits, const struct sw_yaml **ret_root,
                           struct sw_error *err) {
    SW_CLEANUP(release) struct reader r = {.a = a};
    if (limits) r.limits = *limits;
    if (!r.limits.bytes) r.limits.bytes = SW_YAML_BYTES_DEFAULT;
    if (!r.limits.depth) r.limits.depth = SW_YAML_DEPTH_DEFAULT;
    if (r.limits.depth > SW_YAML_DEPTH_MAX) r.limits.depth = SW_YAML_DEPTH_MAX;
    if (!r.limits.nodes) r.limits.nodes = SW_YAML_NODES_DEFAULT;
    if (text.len > r.limits.bytes)
        return sw_fail(err, SW_LIMIT, "YAML of %zu bytes; at most %zu are read", text.len,
                       r.limits.bytes);
    if (sw_str_starts(text, SW_STR("\xef\xbb\xbf"))) text = sw_str_from(text, 3);
    struct sw_yaml *root = SW_NEW(a, struct sw_yaml);
    *root = (struct sw_yaml){.type = SW_YAML_MAP, .line = 1, .column = 1};
    enum sw_code code = text.len ? collect(&r, text, err) : SW_OK;
    size_t at = 0;
    if (!code && r.raws.len) code = build(&r, &at, root, err);
    /* "---" alone is an empty file, too. */
    if (!code && sw_yaml_is_null(root)) root->type = SW_YAML_MAP;
    if (!code) code = sw_arena_check(a, "the YAML document", err);
    if (!code) *ret_root = root;
    return code;
}

const struct sw_yaml *sw_yaml_get(const struct sw_yaml *map, const char *key) {
    if (map->type != SW_YAML_MAP) return NULL;
    struct sw_str wanted = sw_str(key);
    for (size_t i = 0; i < map->len; i++)
        if (sw_str_eq(map->items[i].key, wanted)) return &map->items[i];
    return NULL;
}

bool sw_yaml_is_null(const struct sw_yaml *node) {
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (node->type != SW_YAML_SCALAR || node->quoted) return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (sw_str_is(node->text, words[i])) return true;
    return false;
}

void sw_yaml_path(const struct sw_yaml *node, struct sw_buf *out) {
    if (!node->parent) {
        if (out->len == 0) sw_buf_add_char(out, '.');
        return;
    }
    if (node->parent->parent) sw_yaml_path(node->parent, out);
    if (node->parent->type == SW_YAML_LIST)
        sw_buf_addf(out, "[%zu]", node->index);
    else
        sw_buf_addf(out, "%s%.*s", out->len ? "." : "", SW_ARG(node->key));
}

enum sw_code sw_yaml_fail(const struct sw_yaml *node, struct sw_error *err, const char *fmt, ...) {
    SW_BUF struct sw_buf path;
    char text[512];
    va_list args;
    sw_buf_init(&path, 512);
    sw_yaml_path(node, &path);
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return sw_fail(err, SW_SYNTAX, "line %u column %u: %s: %s", node->line, node->column, path.ptr,
                   text);
}

enum sw_code sw_yaml_expect(const struct sw_yaml *node, enum sw_yaml_type type,
                            struct sw_error *err) {
    static const char *const names[] = {
        [SW_YAML_SCALAR] = "text", [SW_YAML_LIST] = "a list", [SW_YAML_MAP] = "a map"};
    if (node->type == type) return SW_OK;
    return sw_yaml_fail(node, err, "must be %s, is %s", names[type], names[node->type]);
}

enum sw_code sw_yaml_opt_node(const struct sw_yaml *map, const char *key, enum sw_yaml_type type,
                              const struct sw_yaml **ret, struct sw_error *err) {
    const struct sw_yaml *node = sw_yaml_get(map, key);
    if (!node || sw_yaml_is_null(node)) return SW_OK;
    enum sw_code code = sw_yaml_expect(node, type, err);
    if (!code) *ret = node;
    return code;
}

enum sw_code sw_yaml_opt_str(const struct sw_yaml *map, const char *key, struct sw_str *ret,
                             struct sw_error *err) {
    const struct sw_yaml *node = NULL;
    enum sw_code code = sw_yaml_opt_node(map, key, SW_YAML_SCALAR, &node, err);
    if (node) *ret = node->text;
    return code;
}

enum sw_code sw_yaml_need_str(const struct sw_yaml *map, const char *key, struct sw_str *ret,
                              struct sw_error *err) {
    const struct sw_yaml *node = NULL;
    enum sw_code code = sw_yaml_opt_node(map, key, SW_YAML_SCALAR, &node, err);
    if (code) return code;
    if (!node) return sw_yaml_fail(map, err, "\"%s\" is missing", key);
    *ret = node->text;
    return SW_OK;
}

enum sw_code sw_yaml_opt_bool(const struct sw_yaml *map, const char *key, bool *ret,
                              struct sw_error *err) {
    const struct sw_yaml *node = NULL;
    enum sw_code code = sw_yaml_opt_node(map, key, SW_YAML_SCALAR, &node, err);
    if (code || !node) return code;
    bool yes = sw_str_is(node->text, "true");
    if (node->quoted || (!yes && !sw_str_is(node->text, "false")))
        return sw_yaml_fail(node, err, "must be true or false");
    *ret = yes;
    return SW_OK;
}

enum sw_code sw_yaml_opt_int(const struct sw_yaml *map, const char *key, int64_t *ret,
                             struct sw_error *err) {
    const struct sw_yaml *node = NULL;
    int64_t value;
    enum sw_code code = sw_yaml_opt_node(map, key, SW_YAML_SCALAR, &node, err);
    if (code || !node) return code;
    if (node->quoted || !sw_str_i64(node->text, &value))
        return sw_yaml_fail(node, err, "must be a whole number");
    *ret = value;
    return SW_OK;
}

enum sw_code sw_yaml_opt_strs(struct sw_arena *a, const struct sw_yaml *map, const char *key,
                              struct sw_strs *ret, struct sw_error *err) {
    const struct sw_yaml *node = sw_yaml_get(map, key);
    if (!node || sw_yaml_is_null(node)) return SW_OK;
    struct sw_strs list = {.cap = node->len + 1};
    list.ptr = sw_arena_array(a, list.cap, sizeof *list.ptr);
    if (node->type == SW_YAML_SCALAR) {
        list.ptr[list.len++] = node->text;
        *ret = list;
        return SW_OK;
    }
    enum sw_code code = sw_yaml_expect(node, SW_YAML_LIST, err);
    for (size_t i = 0; !code && i < node->len; i++) {
        code = sw_yaml_expect(&node->items[i], SW_YAML_SCALAR, err);
        if (!code) list.ptr[list.len++] = node->items[i].text;
    }
    if (!code) *ret = list;
    return code;
}

enum sw_code sw_yaml_only(const struct sw_yaml *map, const char *const *names, size_t n,
                          struct sw_error *err) {
    enum sw_code code = sw_yaml_expect(map, SW_YAML_MAP, err);
    for (size_t i = 0; !code && i < map->len; i++) {
        const struct sw_yaml *item = &map->items[i];
        bool known = false;
        for (size_t k = 0; k < n && !known; k++) known = sw_str_is(item->key, names[k]);
        if (known) continue;
        const char *nearest = sw_str_nearest(item->key, names, n);
        return sw_fail(err, SW_SYNTAX, "line %u column %u: \"%.*s\" is not known here%s%s%s",
                       item->key_line, item->key_column, SW_ARG(item->key),
                       nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                       nearest ? "\"?" : "");
    }
    return code;
}
