/* slipway cache export, import: cache mounts between CI runs. */
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "build/cache_mounts.h"
#include "cmd/session.h"
#include "cmd/table.h"

/* By the name's end; zstd for standard output. */
static enum sw_compression compression_of(const char *path) {
    struct sw_str name = sw_str(path);
    if (sw_str_ends(name, SW_STR(".tar"))) return SW_COMPRESS_NONE;
    if (sw_str_ends(name, SW_STR(".gz")) || sw_str_ends(name, SW_STR(".tgz")))
        return SW_COMPRESS_GZIP;
    return SW_COMPRESS_ZSTD;
}

/* The mounts that are asked for, private copies left out; all where none is named. */
static enum sw_code choose(struct sw_invocation *inv, const struct sw_cache_mounts *all,
                           const struct sw_cache_mount ***ret, size_t *ret_n,
                           struct sw_error *err) {
    size_t n_ids, n = 0;
    const char *const *ids = sw_opt_list(inv, "id", &n_ids);
    const struct sw_cache_mount **chosen = sw_arena_array(inv->arena, all->len + 1, sizeof *chosen);
    bool *found = sw_arena_array(inv->arena, n_ids + 1, sizeof *found);
    for (size_t i = 0; i < all->len; i++) {
        const struct sw_cache_mount *m = &all->ptr[i];
        if (sw_str_find_char(m->name, '.') != SIZE_MAX) continue;
        bool wanted = n_ids == 0;
        for (size_t k = 0; k < n_ids; k++)
            if (sw_cache_mount_is(m, sw_str(ids[k]))) wanted = found[k] = true;
        if (wanted) chosen[n++] = m;
    }
    for (size_t k = 0; k < n_ids; k++)
        if (!found[k])
            return sw_fail(err, SW_NOT_FOUND,
                           "no cache mount \"%s\"; `slipway cache list` shows what there is",
                           ids[k]);
    *ret = chosen;
    *ret_n = n;
    return SW_OK;
}

static enum sw_code export_to(struct sw_invocation *inv, struct sw_store *store, const char *path,
                              struct sw_error *err) {
    struct sw_cache_mounts all;
    const struct sw_cache_mount **chosen = NULL;
    size_t n = 0;
    enum sw_code code = sw_cache_mounts_list(store, inv->arena, false, &all, err);
    if (!code) code = choose(inv, &all, &chosen, &n, err);
    if (code) return code;
    enum sw_compression kind = compression_of(path);
    if (!strcmp(path, "-"))
        return sw_cache_mounts_export(store, chosen, n, kind, STDOUT_FILENO, err);
    SW_FD int dir = -1;
    SW_ATOMIC struct sw_atomic_file file = {.fd = -1};
    char *dir_copy = sw_arena_cstr(inv->arena, sw_str(path));
    char *name_copy = sw_arena_cstr(inv->arena, sw_str(path));
    code = sw_open_at(AT_FDCWD, dirname(dir_copy), O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (!code) code = sw_atomic_open(&file, dir, 0644, err);
    if (!code) code = sw_cache_mounts_export(store, chosen, n, kind, file.fd, err);
    if (!code) code = sw_atomic_commit(&file, basename(name_copy), err);
    if (!code)
        for (size_t i = 0; i < n; i++) printf("%.*s\n", SW_ARG(chosen[i]->id));
    return code;
}

static enum sw_code run_export(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    if (!strcmp(inv->args[0], "-") && isatty(STDOUT_FILENO))
        return sw_fail(err, SW_USAGE, "an archive is not for a terminal; name a file");
    enum sw_code code = sw_session_open(inv, SW_SESSION_ROOT, &session, err);
    return code ? code : export_to(inv, session.store, inv->args[0], err);
}

static const struct sw_option export_options[] = {
    {"id", 0, "ID", "only the mount of this id (default: all)", SW_OPT_LIST, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_cache_export = {
    .name = "cache export",
    .args = "[OPTIONS] FILE|-",
    .summary = "Write cache mounts to an archive",
    .description = "So that a CI runner that starts empty finds GOMODCACHE and GOCACHE again. The "
                   "archive is compressed by its name: .tar not at all, .tar.gz and .tgz with "
                   "gzip, all others with zstd. Mounts in use are an error.",
    .examples = "  slipway cache export caches.tar.zst\n"
                "  slipway cache export --id gomod --id gobuild go.tar.gz",
    .options = export_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_export,
};

static enum sw_code run_import(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    SW_FD int file = -1;
    struct sw_strs ids = {0};
    const char *path = inv->args[0];
    enum sw_code code = SW_OK;
    if (strcmp(path, "-") != 0) code = sw_open_at(AT_FDCWD, path, O_RDONLY, 0, &file, err);
    if (!code) code = sw_session_open(inv, SW_SESSION_ROOT, &session, err);
    if (!code)
        code = sw_cache_mounts_import(session.store, file < 0 ? STDIN_FILENO : file, inv->arena,
                                      &ids, err);
    for (size_t i = 0; i < ids.len; i++) printf("%.*s\n", SW_ARG(ids.ptr[i]));
    return code;
}

const struct sw_command sw_cmd_cache_import = {
    .name = "cache import",
    .args = "FILE|-",
    .summary = "Bring back cache mounts from an archive",
    .description = "Each mount takes the place of one with the same id; those that the archive "
                   "does not have stay. Compression is recognised.",
    .examples = "  slipway cache import caches.tar.zst",
    .min_args = 1,
    .max_args = 1,
    .run = run_import,
};
