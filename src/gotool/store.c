/* Invariants:
 *   1. versions/goV exists only whole: it is renamed there after its files, its record and its
 *      list of files are on disk.
 *   2. Whoever writes or removes versions/goV, versions/.goV-* or downloads/goV.* holds
 *      locks/goV. The lock files are never removed, so that two holders cannot lock two inodes.
 *   3. current and bin/goV are links that are made beside and renamed: there is no moment without.
 */
#include "gotool/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "base/vec.h"

static const char system_root[] = "/var/lib/slipway/go";

static char *default_root(const char *state_root, struct sw_error *err) {
    const char *named = getenv("SLIPWAY_GO_ROOT"), *state = getenv("SLIPWAY_ROOT");
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (named && *named) return sw_strdup(named);
    if (state_root && *state_root) return sw_asprintf("%s/go", state_root);
    if (state && *state) return sw_asprintf("%s/go", state);
    if (geteuid() == 0) return sw_strdup(system_root);
    if (data && data[0] == '/') return sw_asprintf("%s/slipway/go", data);
    if (home && home[0] == '/') return sw_asprintf("%s/.local/share/slipway/go", home);
    sw_fail(err, SW_USAGE, "neither HOME nor XDG_DATA_HOME is set; set SLIPWAY_GO_ROOT");
    return NULL;
}

static enum sw_code make_directories(int fd, struct sw_error *err) {
    static const char *const names[] = {"versions",  "records", "bin",  "locks",
                                        "downloads", "sumdb",   "cache"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (mkdirat(fd, names[i], 0755) < 0 && errno != EEXIST)
            return sw_fail_sys(err, errno, "create %s", names[i]);
    return SW_OK;
}

enum sw_code sw_go_store_open(struct sw_go_store *s, const char *root, const char *state_root,
                              bool create, struct sw_error *err) {
    *s = (struct sw_go_store){.fd = -1};
    SW_FREE char *path = root ? sw_strdup(root) : default_root(state_root, err);
    if (!path) return err->code;
    if (path[0] != '/') {
        SW_FREE char *cwd = getcwd(NULL, 0);
        if (!cwd) return sw_fail_sys(err, errno, "find the current directory");
        char *absolute = sw_asprintf("%s/%s", cwd, path);
        free(path);
        path = absolute;
    }
    enum sw_code code = create ? sw_mkdirs_at(AT_FDCWD, path, 0755, err) : SW_OK;
    if (code) return sw_context(err, "opening the toolchain store");
    s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->fd < 0 && (create || errno != ENOENT))
        return sw_fail_sys(err, errno, "open the toolchain store %s", path);
    code = create ? make_directories(s->fd, err) : SW_OK;
    if (code) {
        sw_go_store_close(s);
        return sw_context(err, "toolchain store %s", path);
    }
    s->root = sw_strdup(path);
    const char *other = getenv("SLIPWAY_GO_SYSTEM_ROOT");
    if (!other) other = system_root;
    if (*other && strcmp(other, s->root) != 0) s->system = sw_strdup(other);
    return SW_OK;
}

void sw_go_store_close(struct sw_go_store *s) {
    sw_closep(&s->fd);
    free(s->root);
    free(s->system);
    *s = (struct sw_go_store){.fd = -1};
}

const char *sw_go_store_name(struct sw_arena *a, const struct sw_go_version *v) {
    char text[SW_GO_VERSION_SIZE];
    struct sw_str version = sw_go_version_format(v, text);
    return sw_arena_printf(a, "go%.*s", SW_ARG(version)).ptr;
}

/* The version of a directory's name, which must be the canonical one. */
static bool version_of(const char *name, struct sw_go_version *ret) {
    char text[SW_GO_VERSION_SIZE];
    if (strncmp(name, "go", 2) != 0 || !sw_go_version_read(sw_str(name), ret)) return false;
    return sw_go_version_is_release(ret) && sw_str_is(sw_go_version_format(ret, text), name + 2);
}

static bool read_link_version(const char *root, struct sw_go_version *ret) {
    char target[512];
    SW_FREE char *path = sw_asprintf("%s/current", root);
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0) return false;
    target[n] = 0;
    const char *slash = strrchr(target, '/');
    return version_of(slash ? slash + 1 : target, ret);
}

bool sw_go_store_current(const struct sw_go_store *s, struct sw_go_version *ret) {
    return s->root && read_link_version(s->root, ret);
}

bool sw_go_store_system_current(const struct sw_go_store *s, struct sw_go_version *ret) {
    return s->system && read_link_version(s->system, ret);
}

static bool has_go(const char *goroot) {
    SW_FREE char *go = sw_asprintf("%s/bin/go", goroot);
    return access(go, X_OK) == 0;
}

struct installed_list {
    struct sw_go_installed *ptr;
    size_t len, cap;
};

static void list_root(const char *root, bool system, struct sw_arena *a,
                      struct installed_list *list) {
    SW_FREE char *path = sw_asprintf("%s/versions", root);
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        struct sw_go_version v;
        if (!version_of(e->d_name, &v)) continue;
        bool known = false; /* ours comes first */
        for (size_t i = 0; i < list->len && !known; i++)
            known = sw_go_version_eq(&list->ptr[i].version, &v);
        if (known) continue;
        struct sw_go_installed *it = sw_vec_push(list);
        it->version = v;
        it->name = sw_arena_cstr(a, sw_str(e->d_name));
        it->path = sw_arena_printf(a, "%s/%s", path, e->d_name).ptr;
        it->system = system;
    }
    closedir(d);
}

static int newest_first(const void *a, const void *b) {
    const struct sw_go_installed *x = a, *y = b;
    return -sw_go_version_cmp(&x->version, &y->version);
}

enum sw_code sw_go_store_list(const struct sw_go_store *s, struct sw_arena *a,
                              struct sw_go_installed **ret, size_t *ret_n, struct sw_error *err) {
    struct installed_list list = {0};
    struct sw_go_version current;
    bool chosen = sw_go_store_current(s, &current);
    if (s->fd >= 0) list_root(s->root, false, a, &list);
    if (s->system) list_root(s->system, true, a, &list);
    if (list.len) qsort(list.ptr, list.len, sizeof *list.ptr, newest_first);
    struct sw_go_installed *copy = sw_arena_array(a, list.len + 1, sizeof *copy);
    for (size_t i = 0; i < list.len; i++) {
        copy[i] = list.ptr[i];
        copy[i].current = chosen && sw_go_version_eq(&copy[i].version, &current);
    }
    *ret = copy;
    *ret_n = list.len;
    sw_vec_done(&list);
    return sw_arena_check(a, "the list of toolchains", err);
}

bool sw_go_store_find(const struct sw_go_store *s, struct sw_arena *a,
                      const struct sw_go_version *v, struct sw_go_installed *ret) {
    const char *name = sw_go_store_name(a, v);
    if (!sw_go_version_is_release(v)) return false;
    for (int system = 0; system < 2; system++) {
        const char *root = system ? s->system : s->root;
        if (!root) continue;
        const char *path = sw_arena_printf(a, "%s/versions/%s", root, name).ptr;
        if (!has_go(path)) continue;
        struct sw_go_version current;
        *ret = (struct sw_go_installed){
            .version = *v, .name = name, .path = path, .system = system != 0};
        ret->current = sw_go_store_current(s, &current) && sw_go_version_eq(&current, v);
        return true;
    }
    return false;
}

/* A link that replaces another in one step. */
static enum sw_code place_link(int dirfd, const char *name, const char *target,
                               struct sw_error *err) {
    char temp[96];
    for (int i = 0; i < 100; i++) {
        snprintf(temp, sizeof temp, ".link-%d-%d", (int)getpid(), i);
        if (sw_sys_symlinkat(target, dirfd, temp) == 0) {
            if (sw_sys_renameat(dirfd, temp, dirfd, name) == 0) return SW_OK;
            int saved = errno;
            unlinkat(dirfd, temp, 0);
            return sw_fail_sys(err, saved, "make the link %s", name);
        }
        if (errno != EEXIST) break;
        unlinkat(dirfd, temp, 0); /* of a process with our number that was killed */
    }
    return sw_fail_sys(err, errno, "make the link %s", name);
}

enum sw_code sw_go_store_switch(const struct sw_go_store *s, const struct sw_go_version *v,
                                struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    struct sw_go_installed it;
    sw_arena_init(&a, 1 << 16);
    if (!sw_go_store_find(s, &a, v, &it))
        return sw_fail(err, SW_NOT_FOUND, "%s is not installed; run `slipway go install %s`",
                       sw_go_store_name(&a, v), sw_go_store_name(&a, v) + 2);
    if (s->fd < 0) return sw_fail(err, SW_NOT_FOUND, "there is no store at %s", s->root);
    const char *target = it.system ? it.path : sw_arena_printf(&a, "versions/%s", it.name).ptr;
    return place_link(s->fd, "current", target, err);
}

enum sw_code sw_go_store_link(const struct sw_go_store *s, struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    struct sw_go_installed *list;
    size_t n;
    sw_arena_init(&a, 0);
    SW_FD int bin = openat(s->fd, "bin", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (bin < 0) return sw_fail_sys(err, errno, "open %s/bin", s->root);
    enum sw_code code = sw_go_store_list(s, &a, &list, &n, err);
    for (size_t i = 0; i < n && !code; i++) {
        const char *target = list[i].system
                                 ? sw_arena_printf(&a, "%s/bin/go", list[i].path).ptr
                                 : sw_arena_printf(&a, "../versions/%s/bin/go", list[i].name).ptr;
        char now[512];
        ssize_t len = readlinkat(bin, list[i].name, now, sizeof now);
        if (len > 0 && sw_str_is(sw_str_n(now, (size_t)len), target)) continue;
        code = place_link(bin, list[i].name, target, err);
    }
    /* go and gofmt follow the default: one entry in PATH serves them and every goV. */
    if (!code) code = place_link(bin, "go", "../current/bin/go", err);
    if (!code) code = place_link(bin, "gofmt", "../current/bin/gofmt", err);
    DIR *d = code ? NULL : fdopendir(dup(bin));
    for (struct dirent *e; d && (e = readdir(d));) {
        struct sw_go_version v;
        struct stat st;
        if (version_of(e->d_name, &v) && fstatat(bin, e->d_name, &st, 0) < 0 && errno == ENOENT)
            unlinkat(bin, e->d_name, 0);
    }
    if (d) closedir(d);
    return code;
}

enum sw_code sw_go_store_lock(const struct sw_go_store *s, const char *name,
                              void (*waiting)(void *context), void *context, int *ret_fd,
                              struct sw_error *err) {
    SW_FREE char *path = sw_asprintf("locks/%s", name);
    struct pollfd fd = {.fd = sw_cancel_fd(), .events = POLLIN};
    for (bool told = false;;) {
        enum sw_code code = sw_lock_file_at(s->fd, path, true, false, ret_fd, err);
        if (code != SW_BUSY) return code ? sw_context(err, "locking %s", name) : SW_OK;
        if (!told && waiting) waiting(context);
        told = true;
        poll(&fd, fd.fd >= 0, 50);
        code = sw_cancel_check(err);
        if (code) return code;
    }
}

enum sw_code sw_go_store_remove(const struct sw_go_store *s, const char *name,
                                struct sw_error *err) {
    SW_FD int versions = openat(s->fd, "versions", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (versions < 0) return sw_fail_sys(err, errno, "open %s/versions", s->root);
    char gone[128];
    snprintf(gone, sizeof gone, ".%s-removed-%d", name, (int)getpid());
    /* It stops existing in one step, then its files go. */
    if (sw_sys_renameat(versions, name, versions, gone) < 0)
        return sw_fail_sys(err, errno, "remove %s", name);
    static const char *const suffixes[] = {".json", ".files"};
    for (int i = 0; i < 2; i++) {
        SW_FREE char *record = sw_asprintf("records/%s%s", name, suffixes[i]);
        unlinkat(s->fd, record, 0);
    }
    enum sw_code code = sw_remove_tree_at(versions, gone, err);
    SW_FREE char *link = sw_asprintf("bin/%s", name);
    unlinkat(s->fd, link, 0);
    return code;
}

unsigned sw_go_store_sweep(const struct sw_go_store *s, const char *name) {
    unsigned removed = 0;
    SW_FD int versions = openat(s->fd, "versions", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = versions < 0 ? NULL : fdopendir(dup(versions));
    for (struct dirent *e; d && (e = readdir(d));) {
        char owner[128];
        if (e->d_name[0] != '.' || !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        const char *dash = strchr(e->d_name, '-');
        snprintf(owner, sizeof owner, "%.*s", dash ? (int)(dash - e->d_name - 1) : 0,
                 e->d_name + 1);
        struct sw_error ignored;
        SW_FD int lock = -1;
        if (name ? strcmp(owner, name) != 0 : !*owner) continue;
        SW_FREE char *path = sw_asprintf("locks/%s", owner);
        if (!name && sw_lock_file_at(s->fd, path, true, false, &lock, &ignored)) continue;
        sw_debug("gotool", "removing %s, left by an interrupted install", e->d_name);
        if (!sw_remove_tree_at(versions, e->d_name, &ignored)) removed++;
    }
    if (d) closedir(d);
    return removed;
}
