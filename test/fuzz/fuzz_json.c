/* JSON and every document made of it. jansson, where it is installed, must agree on what is JSON.
 * What is read and written must read back to the same bytes: canonical means that writing is
 * idempotent. */
#include <stdlib.h>
#ifdef SW_FUZZ_JANSSON
#include <jansson.h>
#endif

#include "codec/json_writer.h"
#include "oci/config.h"
#include "oci/docker_archive.h"
#include "oci/image_layout.h"
#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sw_json *write_and_read(struct sw_arena *a, const struct sw_json *tree,
                                            unsigned flags, struct sw_buf *out) {
    struct sw_json_writer w;
    struct sw_error err;
    const struct sw_json *again;
    sw_buf_init(out, 0);
    sw_json_writer_init(&w, out, flags);
    sw_json_tree(&w, tree);
    if (sw_json_parse(a, sw_buf_str(out), NULL, &again, &err)) abort();
    return again;
}

/* The first writing may change the text (-0.0 becomes -0, an integer), no later one. */
static void check_tree(struct sw_arena *a, struct sw_str text) {
    SW_BUF struct sw_buf first = {0}, second = {0}, third = {0}, indented = {0};
    struct sw_error err;
    const struct sw_json *tree;
    if (sw_json_parse(a, text, NULL, &tree, &err)) return;
    tree = write_and_read(a, tree, SW_JSON_HTML, &first);
    tree = write_and_read(a, tree, SW_JSON_HTML, &second);
    tree = write_and_read(a, tree, SW_JSON_INDENT, &indented);
    write_and_read(a, tree, SW_JSON_HTML, &third);
    if (!sw_str_eq(sw_buf_str(&second), sw_buf_str(&third))) abort();
}

#ifdef SW_FUZZ_JANSSON
static void compare_values(const struct sw_json *ours, const json_t *theirs) {
    static const int types[] = {
        [SW_JSON_NULL] = JSON_NULL,   [SW_JSON_INT] = JSON_INTEGER,
        [SW_JSON_REAL] = JSON_REAL,   [SW_JSON_STRING] = JSON_STRING,
        [SW_JSON_ARRAY] = JSON_ARRAY, [SW_JSON_OBJECT] = JSON_OBJECT,
    };
    if (ours->type == SW_JSON_BOOL) {
        if (!json_is_boolean(theirs) || json_is_true(theirs) != ours->boolean) abort();
        return;
    }
    if ((int)json_typeof(theirs) != types[ours->type]) abort();
    if (ours->type == SW_JSON_INT && json_integer_value(theirs) != ours->integer) abort();
    if (ours->type == SW_JSON_REAL && json_real_value(theirs) != ours->real) abort();
    if (ours->type == SW_JSON_STRING &&
        !sw_str_eq(ours->text, sw_str_n(json_string_value(theirs), json_string_length(theirs))))
        abort();
    if (ours->type == SW_JSON_ARRAY && json_array_size(theirs) != ours->len) abort();
    if (ours->type == SW_JSON_OBJECT && json_object_size(theirs) != ours->len) abort();
    for (size_t i = 0; i < ours->len; i++) {
        const struct sw_json *item = &ours->items[i];
        if (item->parent != ours || item->index != i) abort();
        const json_t *other = ours->type == SW_JSON_ARRAY
                                  ? json_array_get(theirs, i)
                                  : json_object_get(theirs, item->key.ptr); /* ends with a NUL */
        if (!other) abort();
        compare_values(item, other);
    }
}

static void compare_readers(struct sw_arena *a, struct sw_str text) {
    struct sw_error err;
    const struct sw_json *root;
    enum sw_code code = sw_json_parse(a, text, NULL, &root, &err);
    json_error_t error;
    json_t *theirs =
        json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    /* The differences that docs/design/json.md lists. */
    bool nul = text.len && memchr(text.ptr, 0, text.len);
    bool big = !theirs && json_error_code(&error) == json_error_numeric_overflow;
    if ((code && nul) || (!code && big)) {
        json_decref(theirs);
        return;
    }
    if (code != SW_LIMIT && (code == SW_OK) != (theirs != NULL)) abort();
    if (!code && theirs) compare_values(root, theirs);
    json_decref(theirs);
}
#endif

static void check_config(struct sw_arena *a, struct sw_str text) {
    SW_BUF struct sw_buf once, twice;
    struct sw_error err;
    struct sw_image_config c;
    sw_buf_init(&once, 0);
    sw_buf_init(&twice, 0);
    if (sw_image_config_parse(a, text, &c, &err)) return;
    sw_image_config_write(&once, &c);
    if (sw_image_config_parse(a, sw_buf_str(&once), &c, &err)) abort();
    sw_image_config_write(&twice, &c);
    if (!sw_str_eq(sw_buf_str(&once), sw_buf_str(&twice))) abort();
}

static void check_manifest(struct sw_arena *a, struct sw_str text) {
    SW_BUF struct sw_buf once, twice;
    struct sw_error err;
    struct sw_manifest m;
    sw_buf_init(&once, 0);
    sw_buf_init(&twice, 0);
    if (sw_manifest_parse(a, text, SW_STR(""), &m, &err)) return;
    sw_manifest_write(&once, &m);
    if (sw_manifest_parse(a, sw_buf_str(&once), SW_STR(""), &m, &err)) abort();
    sw_manifest_write(&twice, &m);
    if (!sw_str_eq(sw_buf_str(&once), sw_buf_str(&twice))) abort();
}

static void check_index(struct sw_arena *a, struct sw_str text) {
    SW_BUF struct sw_buf once, twice;
    struct sw_error err;
    struct sw_index x;
    const struct sw_descriptor *d;
    struct sw_platform want = {.os = SW_STR("linux"), .architecture = SW_STR("arm64")};
    sw_buf_init(&once, 0);
    sw_buf_init(&twice, 0);
    if (sw_index_parse(a, text, SW_STR(""), &x, &err)) return;
    sw_index_write(&once, &x);
    sw_index_choose(&x, &want);
    (void)sw_layout_find(a, &x, SW_STR("busybox"), &d, &err);
    if (sw_index_parse(a, sw_buf_str(&once), SW_STR(""), &x, &err)) abort();
    sw_index_write(&twice, &x);
    if (!sw_str_eq(sw_buf_str(&once), sw_buf_str(&twice))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_docker_archive archive;
    struct sw_docker_repository_tag *tags;
    size_t n;
    struct sw_str text = sw_str_n((const char *)data, size);
    sw_arena_init(&a, 0);
#ifdef SW_FUZZ_JANSSON
    compare_readers(&a, text);
#endif
    check_tree(&a, text);
    check_config(&a, text);
    check_manifest(&a, text);
    check_index(&a, text);
    (void)sw_docker_archive_parse(&a, text, &archive, &err);
    (void)sw_docker_repositories_parse(&a, text, &tags, &n, &err);
    (void)sw_layout_check(text, &err);
    return 0;
}
