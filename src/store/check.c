/* Verifying the invariants of docs/format/store.md. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/inventory.h"
#include "store/store_internal.h"

struct check {
    struct sw_store *store;
    const struct sw_store_check_options *options;
    unsigned bad;
};

static void report(struct check *c, const char *fmt, ...) SW_PRINTF(2, 3);
static void report(struct check *c, const char *fmt, ...) {
    char text[SW_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->bad++;
    if (c->options->report) c->options->report(c->options->ctx, text);
}

/* Invariant 3: every entry of index.json leads to a whole image. */
static enum sw_code check_images(struct check *c, struct sw_inventory *inv, struct sw_error *err) {
    for (size_t i = 0; i < inv->index.list.len; i++) {
        const struct sw_index_entry *e = &inv->index.list.ptr[i];
        struct sw_descriptor d;
        struct sw_error what;
        for (size_t j = 0; j < i; j++)
            if (e->name.len && sw_str_eq(e->name, inv->index.list.ptr[j].name))
                report(c, "the name %.*s stands twice in index.json", SW_ARG(e->name));
        if (sw_index_entry_parse(&inv->arena, e, &d, &what) ||
            sw_image_check_whole(c->store, &d, &what))
            report(c, "image %.*s: %s", SW_ARG(e->name), what.text);
    }
    return sw_arena_check(&inv->arena, "checking the store", err);
}

/* Invariant 1: a blob is what its name says. */
static enum sw_code check_blobs(struct check *c, struct sw_inventory *inv, struct sw_error *err) {
    if (!c->options->verify_blobs) return SW_OK;
    for (size_t i = 0; i < inv->blobs.len; i++) {
        struct sw_error what;
        enum sw_code code = sw_blob_verify(c->store, &inv->blobs.ptr[i].digest, &what);
        if (code && code != SW_NOT_FOUND) report(c, "%s", what.text);
        if ((code = sw_cancel_check(err))) return code;
    }
    return SW_OK;
}

/* Invariants 5 and 6: rows can be read, and the blobs that records refer to are there. */
static void check_rows(struct check *c, struct sw_inventory *inv) {
    for (size_t i = 0; i < inv->records.len; i++) {
        const struct sw_inv_record *r = &inv->records.ptr[i];
        if (r->gone) report(c, "cache record %lld cannot be read", (long long)r->row);
        for (size_t j = 0; j < r->n_refs; j++)
            if (!r->refs[j].is_snapshot && !sw_inventory_blob(inv, &r->refs[j].blob))
                report(c, "cache record %lld refers to a blob that is not there",
                       (long long)r->row);
    }
    struct sw_db *db;
    struct sw_error what;
    if (sw_store_db(c->store, &db, &what)) {
        report(c, "%s", what.text);
        return;
    }
    sw_db_lock(db);
    if (sw_db_check(db, &what)) report(c, "%s", what.text);
    sw_db_unlock(db);
}

/* Invariant 7: what the dead left in tmp is gone once somebody has worked in the store. */
static enum sw_code check_temp(struct check *c, struct sw_error *err) {
    int fd = openat(c->store->tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) return sw_fail_sys(err, errno, "list slipway/tmp");
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.' && !sw_lease_owner_lives(c->store, e->d_name))
            report(c, "slipway/tmp/%s belongs to a dead process", e->d_name);
    closedir(dir);
    return SW_OK;
}

enum sw_code sw_store_check(struct sw_store *store, const struct sw_store_check_options *options,
                            unsigned *ret_bad, struct sw_error *err) {
    static const struct sw_store_check_options none;
    struct check c = {.store = store, .options = options ? options : &none};
    SW_INVENTORY struct sw_inventory inv = {0};
    enum sw_code code = SW_OK;
    if (!store->read_only) {
        if ((code = sw_lease_ensure(store, err))) return code;
        sw_lease_clean(store);
    }
    if ((code = sw_pin_begin(store, err))) return code;
    code = sw_inventory_read(store, &inv, err);
    if (!code) code = check_images(&c, &inv, err);
    sw_pin_end(store);
    if (!code) code = check_blobs(&c, &inv, err);
    if (!code && !store->read_only) {
        check_rows(&c, &inv);
        code = check_temp(&c, err);
    }
    if (!code) *ret_bad = c.bad;
    return code;
}
