/* Image layouts: directories with oci-layout, index.json and blobs. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "oci/image_layout.h"
#include "remote/place_internal.h"

enum sw_code layout_index(int dir, struct sw_arena *a, struct sw_index *ret, struct sw_error *err) {
    SW_BUF struct sw_buf text = {0};
    sw_buf_init(&text, 0);
    *ret = (struct sw_index){0};
    enum sw_code code = sw_read_file_at(dir, SW_LAYOUT_INDEX, PLACE_INDEX_MAX, &text, err);
    if (!code)
        code = sw_index_parse(a, sw_arena_str(a, sw_buf_str(&text)), SW_STR(SW_MT_OCI_INDEX), ret,
                              err);
    return code ? sw_context(err, "image layout") : SW_OK;
}

static enum sw_code write_index(int dir, const struct sw_index *index, struct sw_error *err) {
    SW_BUF struct sw_buf text = {0};
    sw_buf_init(&text, PLACE_INDEX_MAX);
    sw_index_write(&text, index);
    enum sw_code code = sw_buf_check(&text, SW_LAYOUT_INDEX, err);
    return code ? code : sw_write_file_at(dir, SW_LAYOUT_INDEX, 0644, sw_buf_str(&text), err);
}

enum sw_code layout_open(const char *path, bool create, int *ret_dir, struct sw_error *err) {
    SW_FD int dir = -1;
    SW_BUF struct sw_buf text = {0};
    struct sw_index empty = {.media_type = SW_STR(SW_MT_OCI_INDEX)};
    sw_buf_init(&text, 0);
    enum sw_code code = create ? sw_mkdirs_at(AT_FDCWD, path, 0755, err) : SW_OK;
    if (!code) code = sw_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (code) return code;
    code = sw_read_file_at(dir, SW_LAYOUT_FILE, 65536, &text, err);
    if (code == SW_NOT_FOUND && create) {
        code = sw_mkdirs_at(dir, "blobs/sha256", 0755, err);
        if (!code) code = write_index(dir, &empty, err);
        sw_buf_reset(&text);
        sw_layout_write(&text);
        if (!code) code = sw_write_file_at(dir, SW_LAYOUT_FILE, 0644, sw_buf_str(&text), err);
    } else if (!code) {
        code = sw_layout_check(sw_buf_str(&text), err);
    }
    if (code) return sw_context(err, "image layout %s", path);
    *ret_dir = sw_take_fd(&dir);
    return SW_OK;
}

enum sw_code layout_blob_dir(int dir, const struct sw_digest *d, int *ret, struct sw_error *err) {
    const char *path = d->alg == SW_SHA512 ? "blobs/sha512" : "blobs/sha256";
    enum sw_code code = sw_mkdirs_at(dir, path, 0755, err);
    return code ? code : sw_open_at(dir, path, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

enum sw_code layout_blob_open(int dir, const struct sw_digest *d, int *ret, struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    return sw_open_beneath(dir, sw_layout_blob_path(d, path).ptr,
                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, ret, err);
}

static void add_nameless(struct sw_arena *a, struct sw_index *index,
                         const struct sw_descriptor *d) {
    for (size_t i = 0; i < index->n_manifests; i++)
        if (sw_digest_eq(&index->manifests[i].digest, &d->digest)) return;
    sw_index_add(a, index, d);
}

void layout_add(struct sw_arena *a, struct sw_index *index, struct sw_str name,
                const struct place_content *content) {
    if (name.len)
        sw_layout_tag(a, index, name, content->target);
    else
        add_nameless(a, index, content->target);
    for (size_t i = 0; i < content->n_referrers; i++)
        add_nameless(a, index, &content->referrers[i]);
}

enum sw_code layout_tag(const struct sw_place *p, struct sw_arena *a,
                        const struct place_content *content, struct sw_error *err) {
    struct sw_index index;
    SW_FD int lock = -1;
    enum sw_code code = sw_lock_file_at(p->dir, ".slipway.lock", true, true, &lock, err);
    if (!code) code = layout_index(p->dir, a, &index, err);
    if (code) return code;
    layout_add(a, &index, p->name, content);
    return write_index(p->dir, &index, err);
}
