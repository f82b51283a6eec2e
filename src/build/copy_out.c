/* What becomes of a planned COPY: a key, an archive, or files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "build/copy.h"
#include "store/unpack.h"

/* ---- the key ---- */

static void hash_u64(struct sw_hasher *h, uint64_t v) {
    unsigned char b[8];
    for (int i = 0; i < 8; i++) b[i] = (unsigned char)(v >> (8 * i));
    sw_hasher_add(h, b, sizeof b);
}

static void hash_str(struct sw_hasher *h, struct sw_str s) {
    hash_u64(h, s.len);
    sw_hasher_add_str(h, s);
}

void sw_item_hash(struct sw_hasher *h, const struct sw_item *item, bool with_time) {
    const struct sw_node *n = &item->node;
    hash_str(h, item->path);
    hash_u64(h, (uint64_t)n->type << 32 | n->mode);
    hash_u64(h, (uint64_t)n->uid << 32 | n->gid);
    if (with_time) {
        hash_u64(h, (uint64_t)n->mtime_sec);
        hash_u64(h, n->mtime_nsec);
    }
    hash_u64(h, n->size);
    hash_u64(h, (uint64_t)n->devmajor << 32 | n->devminor);
    hash_str(h, n->link);
    hash_u64(h, n->n_xattrs);
    for (size_t i = 0; i < n->n_xattrs; i++) {
        hash_str(h, n->xattrs[i].name);
        hash_str(h, n->xattrs[i].value);
    }
    if (n->type == SW_TAR_FILE) sw_hasher_add(h, item->digest.bytes, 32);
    if (item->link_to.len) hash_str(h, item->link_to);
}

/* A job for the pool takes items until they are this many or have this many bytes: a job for every
 * small file would cost more than hashing it, and large files are to keep all threads busy. */
#define BATCH_ITEMS 64
#define BATCH_BYTES ((uint64_t)2 << 20)

struct batch {
    struct sw_item *items;
    size_t n;
    enum sw_code code;
    struct sw_error err;
};

/* The files whose content has to be read are taken in pairs. */
static void hash_batch(void *argument) {
    struct batch *b = argument;
    struct sw_source_file pair[2];
    size_t n = 0;
    for (size_t i = 0; i < b->n && !b->code; i++) {
        struct sw_item *item = &b->items[i];
        if (item->node.type != SW_TAR_FILE || sw_digest_is_set(&item->digest)) continue;
        if (!item->source) {
            item->digest = sw_digest_of(SW_SHA256, item->content);
            continue;
        }
        if (sw_source_recall(item->source, &item->node, &item->digest)) continue;
        pair[n++] =
            (struct sw_source_file){item->source, item->source_path, &item->node, &item->digest};
        if (n < 2) continue;
        n = 0;
        b->code = sw_source_hash(pair, 2, &b->err);
        if (!b->code) b->code = sw_cancel_check(&b->err);
    }
    if (n && !b->code) b->code = sw_source_hash(pair, n, &b->err);
}

/* The times apart from the rest, so that nothing is hashed twice. */
static void hash_items(const struct sw_copy *copy, struct sw_digest *ret,
                       struct sw_digest *ret_identity) {
    struct sw_hasher h, times;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_init(&times, SW_SHA256);
    sw_hasher_add_str(&h, SW_STR("slipway copy " SW_COPY_KEY_VERSION "\n"));
    hash_u64(&h, SW_TAR_FORMAT_VERSION);
    for (size_t i = 0; i < copy->n; i++) {
        const struct sw_item *item = &copy->items[i];
        sw_item_hash(&h, item, false);
        hash_u64(&times, (uint64_t)item->node.mtime_sec);
        hash_u64(&times, item->node.mtime_nsec);
    }
    *ret_identity = sw_hasher_finish(&h);
    sw_hasher_add(&times, ret_identity->bytes, 32);
    *ret = sw_hasher_finish(&times);
}

/* The length of the batch that starts at items; an even one, for the sake of pairs. */
static size_t batch_len(const struct sw_item *items, size_t n) {
    uint64_t bytes = 0;
    size_t len = 0;
    while (len < n && len < BATCH_ITEMS && (bytes < BATCH_BYTES || len % 2)) {
        const struct sw_node *node = &items[len++].node;
        if (node->type == SW_TAR_FILE) bytes += node->size;
    }
    return len;
}

enum sw_code sw_copy_key(struct sw_copy *copy, struct sw_pool *pool, struct sw_digest *ret,
                         struct sw_digest *ret_identity, struct sw_error *err) {
    size_t n_batches = 0;
    for (size_t at = 0; at < copy->n; n_batches++) at += batch_len(copy->items + at, copy->n - at);
    struct batch *batches = sw_calloc(n_batches + 1, sizeof *batches);
    struct sw_group *group = sw_group_new(pool);
    size_t at = 0;
    for (size_t i = 0; i < n_batches; i++) {
        batches[i].items = copy->items + at;
        batches[i].n = batch_len(copy->items + at, copy->n - at);
        at += batches[i].n;
        sw_group_submit(group, hash_batch, &batches[i]);
    }
    sw_group_free(group);
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < n_batches && !code; i++)
        if (batches[i].code) {
            *err = batches[i].err;
            code = err->code;
        }
    free(batches);
    if (code) return code;
    hash_items(copy, ret, ret_identity);
    return SW_OK;
}

/* ---- archive ---- */

void sw_item_entry(const struct sw_item *item, struct sw_tar_entry *ret) {
    const struct sw_node *n = &item->node;
    *ret = (struct sw_tar_entry){
        .path = item->path,
        .type = n->type,
        .mode = n->mode,
        .uid = n->uid,
        .gid = n->gid,
        .mtime_sec = n->mtime_sec,
        .mtime_nsec = n->mtime_nsec,
        .size = n->type == SW_TAR_FILE ? n->size : 0,
        .linkname = n->link,
        .devmajor = n->devmajor,
        .devminor = n->devminor,
        .xattrs = n->xattrs,
        .n_xattrs = n->n_xattrs,
    };
    if (!item->link_to.len) return;
    ret->type = SW_TAR_HARDLINK;
    ret->linkname = item->link_to;
    ret->size = 0;
    ret->n_xattrs = 0;
}

static enum sw_code archive_item(const struct sw_item *item, struct sw_layer_writer *w,
                                 struct sw_error *err) {
    struct sw_tar_entry e;
    sw_item_entry(item, &e);
    enum sw_code code = sw_layer_entry(w, &e, err);
    if (code || e.type != SW_TAR_FILE) return code;
    if (!item->source) return sw_layer_content_bytes(w, item->content, err);
    SW_FD int fd = -1;
    code = sw_source_open_same(item->source, item->source_path, &item->node, &fd, err);
    if (!code) code = sw_layer_content(w, fd, e.size, err);
    return code ? sw_context(err, "copying %.*s", SW_ARG(item->source_path)) : SW_OK;
}

enum sw_code sw_copy_archive(const struct sw_copy *copy, struct sw_layer_writer *w,
                             struct sw_error *err) {
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < copy->n && !code; i++) {
        code = archive_item(&copy->items[i], w, err);
        if (!code) code = sw_cancel_check(err);
    }
    return code;
}

/* ---- files ---- */

/* chown, or the memory of an owner that could not be given. */
static enum sw_code give_owner(int dirfd, const char *name, const struct sw_node *n,
                               bool remember_owner, struct sw_error *err) {
    if (n->uid == 0 && n->gid == 0 && geteuid() == 0 && getegid() == 0) return SW_OK;
    if (sw_sys_fchownat(dirfd, name, n->uid, n->gid, AT_SYMLINK_NOFOLLOW) == 0) return SW_OK;
    if (!remember_owner || (errno != EPERM && errno != EINVAL))
        return sw_fail_sys(err, errno, "chown %s to %u:%u", name, n->uid, n->gid);
    if (n->type != SW_TAR_FILE && n->type != SW_TAR_DIR) return SW_OK;
    char path[PATH_MAX + 64], value[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dirfd, name);
    int len = snprintf(value, sizeof value, "%u:%u", n->uid, n->gid);
    if (lsetxattr(path, SW_UNPACK_OWNER_XATTR, value, (size_t)len, 0) < 0)
        return sw_fail_sys(err, errno, "remember the owner of %s", name);
    return SW_OK;
}

static enum sw_code give_xattrs(int dirfd, const char *name, const struct sw_node *n,
                                struct sw_error *err) {
    char path[PATH_MAX + 64];
    if (!n->n_xattrs) return SW_OK;
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dirfd, name);
    for (size_t i = 0; i < n->n_xattrs; i++) {
        const struct sw_tar_xattr *x = &n->xattrs[i];
        if (lsetxattr(path, x->name.ptr, x->value.ptr, x->value.len, 0) < 0 && errno != EPERM &&
            errno != ENOTSUP)
            return sw_fail_sys(err, errno, "set the extended attribute %s of %s", x->name.ptr,
                               name);
    }
    return SW_OK;
}

static enum sw_code write_content(const struct sw_item *item, int to, struct sw_error *err) {
    if (!item->source) return sw_write_full(to, item->content.ptr, item->content.len, err);
    SW_FD int from = -1;
    uint64_t copied = 0;
    enum sw_code code =
        sw_source_open_same(item->source, item->source_path, &item->node, &from, err);
    if (!code) code = sw_copy_fd(from, to, &copied, err);
    if (!code && copied != item->node.size)
        code = sw_fail(err, SW_BUSY, "%.*s changed while it was copied; build again",
                       SW_ARG(item->source_path));
    return code;
}

static enum sw_code make(const struct sw_item *item, int root, const char *name,
                         struct sw_error *err) {
    const struct sw_node *n = &item->node;
    int r = 0;
    if (item->link_to.len) {
        SW_FREE char *first = sw_strndup(item->link_to.ptr, item->link_to.len);
        if (sw_sys_linkat(root, first, root, name, 0) < 0)
            return sw_fail_sys(err, errno, "link %s to %s", name, first);
        return SW_OK;
    }
    switch (n->type) {
    case SW_TAR_DIR:
        r = sw_sys_mkdirat(root, name, 0700);
        if (r < 0 && errno == EEXIST) r = 0; /* an output directory that is used again */
        break;
    case SW_TAR_SYMLINK:
        r = sw_sys_symlinkat(n->link.ptr, root, name);
        break;
    case SW_TAR_CHAR:
    case SW_TAR_BLOCKDEV:
        r = sw_sys_mknodat(root, name, (n->type == SW_TAR_CHAR ? S_IFCHR : S_IFBLK) | 0600,
                           makedev(n->devmajor, n->devminor));
        if (r < 0 && errno == EPERM) r = 0;
        break;
    case SW_TAR_FIFO:
        r = sw_sys_mknodat(root, name, S_IFIFO | 0600, 0);
        break;
    default: {
        SW_FD int fd = sw_sys_openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) return sw_fail_sys(err, errno, "create %s", name);
        return write_content(item, fd, err);
    }
    }
    return r < 0 ? sw_fail_sys(err, errno, "create %s", name) : SW_OK;
}

/* Device nodes are refused in user namespaces; nobody there could use one. */
static bool was_made(const struct sw_item *item, int root, const char *name) {
    return (item->node.type != SW_TAR_CHAR && item->node.type != SW_TAR_BLOCKDEV) ||
           faccessat(root, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum sw_code dress(const struct sw_item *item, int root, const char *name,
                          bool remember_owner, struct sw_error *err) {
    const struct sw_node *n = &item->node;
    enum sw_code code = give_owner(root, name, n, remember_owner, err);
    if (!code && n->type != SW_TAR_SYMLINK && sw_sys_fchmodat(root, name, n->mode) < 0)
        code = sw_fail_sys(err, errno, "chmod %s", name);
    if (!code) code = give_xattrs(root, name, n, err);
    return code;
}

static enum sw_code give_time(const struct sw_item *item, int root, const char *name,
                              struct sw_error *err) {
    struct timespec t = {.tv_sec = item->node.mtime_sec, .tv_nsec = item->node.mtime_nsec};
    struct timespec both[2] = {t, t};
    if (utimensat(root, name, both, AT_SYMLINK_NOFOLLOW) < 0)
        return sw_fail_sys(err, errno, "set the time of %s", name);
    return SW_OK;
}

enum sw_code sw_copy_extract(const struct sw_copy *copy, const struct sw_snapshot_draft *draft,
                             bool remember_owner, struct sw_error *err) {
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < copy->n && !code; i++) {
        const struct sw_item *item = &copy->items[i];
        SW_FREE char *name = sw_strndup(item->path.ptr, item->path.len);
        code = sw_cancel_check(err);
        if (!code) code = make(item, draft->fs_fd, name, err);
        /* A link has its file's attributes; a device that we may not make is passed over. */
        if (!code && (item->link_to.len || !was_made(item, draft->fs_fd, name))) continue;
        if (!code) code = dress(item, draft->fs_fd, name, remember_owner, err);
        if (!code && item->node.type != SW_TAR_DIR) code = give_time(item, draft->fs_fd, name, err);
        if (code) sw_context(err, "copying %.*s", SW_ARG(item->source_path));
    }
    /* A directory's time changes with every entry made in it: set it when all are there. */
    for (size_t i = copy->n; i-- > 0 && !code;) {
        const struct sw_item *item = &copy->items[i];
        if (item->node.type != SW_TAR_DIR) continue;
        SW_FREE char *name = sw_strndup(item->path.ptr, item->path.len);
        code = give_time(item, draft->fs_fd, name, err);
    }
    return code;
}
