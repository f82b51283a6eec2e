/* JSON and every document made of it. What is read and written must read back to the same bytes:
 * canonical means that writing is idempotent. */
#include <stdlib.h>

#include "codec/json_writer.h"
#include "oci/config.h"
#include "oci/docker_archive.h"
#include "oci/image_layout.h"
#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tree(struct sw_arena *a, struct sw_str text) {
    SW_BUF struct sw_buf once, twice;
    struct sw_error err;
    const struct sw_json *root;
    struct sw_json_writer w;
    sw_buf_init(&once, 0);
    sw_buf_init(&twice, 0);
    if (sw_json_parse(a, text, NULL, &root, &err)) return;
    sw_json_writer_init(&w, &once, SW_JSON_HTML);
    sw_json_tree(&w, root);
    if (sw_json_parse(a, sw_buf_str(&once), NULL, &root, &err)) abort();
    sw_json_writer_init(&w, &twice, SW_JSON_HTML);
    sw_json_tree(&w, root);
    if (!sw_str_eq(sw_buf_str(&once), sw_buf_str(&twice))) abort();
    sw_buf_reset(&twice);
    sw_json_writer_init(&w, &twice, SW_JSON_INDENT);
    sw_json_tree(&w, root);
    if (sw_json_parse(a, sw_buf_str(&twice), NULL, &root, &err)) abort();
}

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
    check_tree(&a, text);
    check_config(&a, text);
    check_manifest(&a, text);
    check_index(&a, text);
    (void)sw_docker_archive_parse(&a, text, &archive, &err);
    (void)sw_docker_repositories_parse(&a, text, &tags, &n, &err);
    (void)sw_layout_check(text, &err);
    return 0;
}
