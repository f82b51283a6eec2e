#include "gotool/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/proc.h"
#include "codec/json.h"
#include "gotool/unpack_internal.h"

enum { LIST_MAX = 64 << 20, PIECE = 1 << 18, DEPTH_MAX = 64 };

struct verify {
    int root;
    struct sw_go_file *files; /* as listed; digests are replaced by what was found */
    uint8_t *state;           /* FILE_ for each */
    size_t n;
    pthread_mutex_t lock;
    size_t next;
};

enum { FILE_SAME = 0, FILE_CHANGED, FILE_MISSING };

static bool hash_file(int root, struct sw_go_file *f, char *piece, uint8_t *ret_state) {
    char path[4096];
    struct stat st;
    struct sw_hasher h;
    snprintf(path, sizeof path, "%.*s", SW_ARG(f->path));
    SW_FD int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    *ret_state = FILE_MISSING;
    if (fd < 0 || fstat(fd, &st) < 0) return false;
    *ret_state = FILE_CHANGED;
    if (!S_ISREG(st.st_mode)) return false;
    sw_hasher_init(&h, SW_SHA256);
    for (;;) {
        ssize_t n = read(fd, piece, PIECE);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        if (n == 0) break;
        sw_hasher_add(&h, piece, (size_t)n);
    }
    struct sw_digest found = sw_hasher_finish(&h);
    bool executable = (st.st_mode & 0111) != 0;
    if (sw_digest_eq(&found, &f->digest) && executable == f->executable) *ret_state = FILE_SAME;
    f->digest = found;
    return *ret_state == FILE_SAME;
}

static void verify_worker(void *context) {
    struct verify *v = context;
    SW_FREE char *piece = sw_malloc(PIECE);
    for (;;) {
        pthread_mutex_lock(&v->lock);
        size_t i = v->next, end = i + 64 < v->n ? i + 64 : v->n;
        v->next = end;
        pthread_mutex_unlock(&v->lock);
        if (i >= v->n || sw_cancelled()) return;
        for (; i < end; i++) hash_file(v->root, &v->files[i], piece, &v->state[i]);
    }
}

/* Files of the tree that the list does not have. */
static void count_extra(int dirfd, struct sw_str prefix, const struct sw_map *known, unsigned depth,
                        struct sw_arena *a, struct sw_go_tree_report *r) {
    DIR *d = depth < DEPTH_MAX ? fdopendir(dup(dirfd)) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        struct sw_str path =
            sw_arena_printf(a, "%.*s%s%s", SW_ARG(prefix), prefix.len ? "/" : "", e->d_name);
        if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
        if (S_ISDIR(st.st_mode)) {
            SW_FD int sub =
                openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (sub >= 0) count_extra(sub, path, known, depth + 1, a, r);
        } else if (!sw_map_has(known, path)) {
            r->extra++;
            if (!*r->first) r->first = sw_arena_printf(a, "%s: not of the toolchain", path.ptr).ptr;
        }
    }
    if (d) closedir(d);
}

static enum sw_code read_list(const struct sw_go_store *store, const char *root, const char *name,
                              struct sw_arena *a, struct verify *v, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    struct sw_str line;
    sw_buf_init(&text, LIST_MAX);
    SW_FREE char *path = sw_asprintf("%s/records/%s.files", root, name);
    enum sw_code code = sw_read_file_at(AT_FDCWD, path, LIST_MAX, &text, err);
    if (code) return code;
    (void)store;
    struct sw_str rest = sw_arena_str(a, sw_buf_str(&text));
    size_t lines = 0;
    for (size_t i = 0; i < rest.len; i++) lines += rest.ptr[i] == '\n';
    v->files = sw_arena_array(a, lines + 1, sizeof *v->files);
    v->state = sw_arena_array(a, lines + 1, 1);
    if (!sw_str_next(&rest, '\n', &line) || !sw_str_is(line, GO_FILES_MAGIC))
        return sw_fail(err, SW_CORRUPT, "%s is not a list of files", path);
    while (sw_str_next(&rest, '\n', &line)) {
        if (!line.len) continue;
        if (!go_files_line(line, &v->files[v->n++]))
            return sw_fail(err, SW_CORRUPT, "%s is damaged", path);
    }
    return SW_OK;
}

static void summarise(struct verify *v, struct sw_arena *a, struct sw_go_tree_report *r) {
    SW_MAP struct sw_map known = {0};
    r->files = v->n;
    for (size_t i = 0; i < v->n; i++) {
        sw_map_put(&known, v->files[i].path, v);
        if (v->state[i] == FILE_SAME) continue;
        bool missing = v->state[i] == FILE_MISSING;
        r->missing += missing;
        r->changed += !missing;
        if (!*r->first)
            r->first = sw_arena_printf(a, "%.*s: %s", SW_ARG(v->files[i].path),
                                       missing ? "missing" : "changed")
                           .ptr;
    }
    count_extra(v->root, SW_STR(""), &known, 0, a, r);
}

static struct sw_str recorded_hash(const char *root, const char *name, struct sw_arena *a,
                                   struct sw_str *ret_platform) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    const struct sw_json *record;
    struct sw_str hash = {0};
    sw_buf_init(&text, 1 << 20);
    SW_FREE char *path = sw_asprintf("%s/records/%s.json", root, name);
    *ret_platform = (struct sw_str){0};
    if (sw_read_file_at(AT_FDCWD, path, 1 << 20, &text, &ignored) ||
        sw_json_parse(a, sw_arena_str(a, sw_buf_str(&text)), NULL, &record, &ignored) ||
        sw_json_opt_str(record, "moduleHash", &hash, &ignored) ||
        sw_json_opt_str(record, "platform", ret_platform, &ignored))
        return (struct sw_str){0};
    return hash;
}

enum sw_code sw_go_tree_verify(const struct sw_go_store *store, const struct sw_go_installed *it,
                               struct sw_arena *a, struct sw_go_tree_report *ret,
                               struct sw_error *err) {
    struct sw_go_tree_report r = {.first = "", .module_hash = ""};
    struct verify v = {.root = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
    const char *root = it->system ? store->system : store->root;
    enum sw_code code = read_list(store, root, it->name, a, &v, err);
    if (!code) code = sw_open_at(AT_FDCWD, it->path, O_RDONLY | O_DIRECTORY, 0, &v.root, err);
    if (code) return sw_context(err, "verifying %s", it->name);
    unsigned threads = sw_cpu_count();
    struct sw_pool *pool = sw_pool_new(threads, 0);
    struct sw_group *group = sw_group_new(pool);
    for (unsigned i = 0; i < threads; i++) sw_group_submit(group, verify_worker, &v);
    sw_group_wait(group);
    sw_group_free(group);
    sw_pool_free(pool);
    code = sw_cancel_check(err);
    if (!code) summarise(&v, a, &r);
    sw_closep(&v.root);
    pthread_mutex_destroy(&v.lock);
    if (code) return code;
    struct sw_str platform, recorded = recorded_hash(root, it->name, a, &platform), os, arch;
    SW_BUF struct sw_buf version, hash;
    sw_buf_init(&version, 128);
    sw_buf_init(&hash, 128);
    if (sw_str_cut(platform, '/', &os, &arch)) {
        struct sw_go_platform p = {sw_arena_cstr(a, os), sw_arena_cstr(a, arch)};
        sw_go_module_version(&it->version, &p, &version);
        sw_go_module_hash(v.files, v.n, sw_buf_str(&version), &hash);
    }
    r.module_hash = sw_arena_str(a, sw_buf_str(&hash)).ptr;
    r.hash_matches = recorded.len && sw_str_eq(recorded, sw_buf_str(&hash));
    *ret = r;
    return SW_OK;
}

enum sw_code sw_go_record_read(const struct sw_go_store *store, const char *name, struct sw_buf *to,
                               struct sw_error *err) {
    SW_FREE char *path = sw_asprintf("records/%s.json", name);
    if (store->fd < 0) return sw_fail(err, SW_NOT_FOUND, "there is no store at %s", store->root);
    return sw_read_file_at(store->fd, path, 1 << 20, to, err);
}

enum sw_code sw_go_store_prune(const struct sw_go_store *store, struct sw_go_prune *ret,
                               struct sw_error *err) {
    struct sw_go_prune p = {.trees = sw_go_store_sweep(store, NULL)};
    SW_FD int dir = -1;
    enum sw_code code = sw_open_at(store->fd, "downloads", O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (code) return code;
    DIR *d = fdopendir(dup(dir));
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        struct sw_error ignored;
        SW_FD int lock = -1;
        struct sw_str owner = sw_str(e->d_name);
        if (e->d_name[0] == '.' || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
        /* "go1.21.3.zip.part" is guarded by the lock of go1.21.3. */
        static const char *const suffixes[] = {".zip.part", ".tar.gz.part"};
        for (int i = 0; i < 2; i++)
            if (sw_str_ends(owner, sw_str(suffixes[i]))) owner.len -= strlen(suffixes[i]);
        SW_FREE char *path = sw_asprintf("locks/%.*s", SW_ARG(owner));
        if (sw_lock_file_at(store->fd, path, true, false, &lock, &ignored)) continue;
        if (unlinkat(dir, e->d_name, 0) == 0) {
            p.downloads++;
            p.bytes += (uint64_t)st.st_size;
        }
    }
    if (d) closedir(d);
    *ret = p;
    return SW_OK;
}

bool sw_go_on_path(const struct sw_go_store *store, const char *path) {
    struct sw_str rest = sw_str(path), entry;
    SW_FREE char *bin = sw_asprintf("%s/bin", store->root);
    while (rest.ptr && sw_str_next(&rest, ':', &entry))
        if (sw_str_is(entry, bin)) return true;
    return false;
}
