/* A store in a temporary directory, layers and images to put into it. */
#ifndef SW_TEST_STORE_FIXTURE_H
#define SW_TEST_STORE_FIXTURE_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "base/buf.h"
#include "base/fs.h"
#include "codec/tar.h"
#include "oci/config.h"
#include "oci/manifest.h"
#include "store/blob.h"
#include "store/store.h"
#include "store/tags.h"
#include "store/unpack.h"

struct fixture {
    char dir[64];
    char root[80];
    struct sw_store *store;
    struct sw_error err;
    struct sw_arena arena;
};

static struct fixture *fixture_new(void) {
    struct fixture *f = calloc(1, sizeof *f);
    /* In memory where that is possible: tests sync often. */
    strcpy(f->dir,
           access("/dev/shm", W_OK) == 0 ? "/dev/shm/sw-store-XXXXXX" : "/tmp/sw-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->root, sizeof f->root, "%s/root", f->dir);
    sw_arena_init(&f->arena, 0);
    struct sw_store_options options = {.root = f->root};
    assert_ok(sw_store_open(&options, &f->store, &f->err), f->err);
    return f;
}

static void fixture_reopen(struct fixture *f) {
    struct sw_store_options options = {.root = f->root};
    sw_store_free(f->store);
    f->store = NULL;
    assert_ok(sw_store_open(&options, &f->store, &f->err), f->err);
}

static void fixture_free(struct fixture *f) {
    sw_store_free(f->store);
    sw_arena_done(&f->arena);
    assert_ok(sw_remove_tree_at(AT_FDCWD, f->dir, &f->err), f->err);
    free(f);
}

/* ---- layers ---- */

struct layer {
    struct sw_buf tar;
};

static void layer_init(struct layer *l) { sw_buf_init(&l->tar, 0); }

static void layer_entry(struct layer *l, const struct sw_tar_entry *e, const char *content) {
    struct sw_error err;
    struct sw_tar_entry copy = *e;
    copy.size = content ? strlen(content) : 0;
    assert_ok(sw_tar_write_header(&l->tar, &copy, &err), err);
    if (content) {
        sw_buf_add_text(&l->tar, content);
        sw_tar_write_pad(&l->tar, copy.size);
    }
}

static void layer_file(struct layer *l, const char *path, unsigned mode, const char *content) {
    struct sw_tar_entry e = {
        .path = sw_str(path), .type = SW_TAR_FILE, .mode = mode, .mtime_sec = 1000};
    layer_entry(l, &e, content);
}

static void layer_dir(struct layer *l, const char *path, unsigned mode) {
    struct sw_tar_entry e = {
        .path = sw_str(path), .type = SW_TAR_DIR, .mode = mode, .mtime_sec = 2000};
    layer_entry(l, &e, NULL);
}

static void layer_link(struct layer *l, enum sw_tar_type type, const char *path,
                       const char *target) {
    struct sw_tar_entry e = {.path = sw_str(path),
                             .type = type,
                             .mode = 0777,
                             .mtime_sec = 3000,
                             .linkname = sw_str(target)};
    layer_entry(l, &e, NULL);
}

/* Ends the archive and puts it into the store. */
static struct sw_unpack_layer layer_put(struct layer *l, struct sw_store *s) {
    struct sw_error err;
    struct sw_unpack_layer ret;
    sw_tar_write_end(&l->tar);
    assert_ok(sw_blob_put(s, sw_buf_str(&l->tar), &ret.blob, &err), err);
    ret.diff_id = ret.blob;
    sw_buf_done(&l->tar);
    return ret;
}

/* ---- images ---- */

/* An image of these layers; label makes its config differ. */
static struct sw_descriptor image_put(struct fixture *f, const struct sw_unpack_layer *layers,
                                      size_t n, const char *label) {
    struct sw_image_config config = {
        .created = {.set = true, .sec = 1700000000},
        .author = sw_str(label),
        .platform = {.os = SW_STR("linux"), .architecture = SW_STR("amd64")},
    };
    struct sw_manifest m = {.media_type = SW_STR(SW_MT_OCI_MANIFEST)};
    struct sw_buf text;
    sw_buf_init(&text, 0);
    for (size_t i = 0; i < n; i++) {
        struct sw_history step = {.created_by = SW_STR("test")};
        uint64_t size = 0;
        sw_image_config_add_step(&f->arena, &config, &step, &layers[i].diff_id);
        assert_true(sw_blob_exists(f->store, &layers[i].blob, &size));
        struct sw_descriptor d = {
            .media_type = SW_STR(SW_MT_OCI_LAYER), .digest = layers[i].blob, .size = (int64_t)size};
        sw_manifest_add_layer(&f->arena, &m, &d);
    }
    sw_image_config_write(&text, &config);
    m.config = sw_descriptor_of(SW_MT_OCI_CONFIG, sw_buf_str(&text));
    assert_ok(sw_blob_put(f->store, sw_buf_str(&text), NULL, &f->err), f->err);
    sw_buf_reset(&text);
    sw_manifest_write(&text, &m);
    struct sw_descriptor d = sw_descriptor_of(SW_MT_OCI_MANIFEST, sw_buf_str(&text));
    assert_ok(sw_blob_put(f->store, sw_buf_str(&text), NULL, &f->err), f->err);
    sw_buf_done(&text);
    return d;
}

/* A small image with one file whose content is text. */
static struct sw_descriptor image_of_text(struct fixture *f, const char *text) {
    struct layer l;
    layer_init(&l);
    layer_file(&l, "hello", 0644, text);
    struct sw_unpack_layer layer = layer_put(&l, f->store);
    return image_put(f, &layer, 1, text);
}

static unsigned violations(struct fixture *f) {
    unsigned bad = 0;
    struct sw_store_check_options options = {.verify_blobs = true};
    assert_ok(sw_store_check(f->store, &options, &bad, &f->err), f->err);
    return bad;
}

#define UNUSED __attribute__((unused))
static UNUSED void fixture_uses_all(void) {
    (void)fixture_new, (void)fixture_reopen, (void)fixture_free, (void)layer_dir, (void)layer_link;
    (void)image_of_text, (void)violations;
}

#endif
