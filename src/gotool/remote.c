#include "gotool/remote.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"

enum {
    KEEP_SECONDS = 3600,
    LIST_MAX = 4 << 20,   /* a proxy's list has some 10 KiB */
    INDEX_MAX = 32 << 20, /* the index of all releases has 2 MiB */
    TIMEOUT_MS = 60000,
};

SW_NODISCARD static enum sw_code get_kept(struct sw_http *http, const struct sw_go_store *store,
                                          const char *url, const char *name, bool refresh,
                                          bool offline, struct sw_arena *a, struct sw_str *ret,
                                          struct sw_error *err);

struct versions {
    struct sw_go_version *ptr;
    size_t len, cap;
};

static void add_version(struct versions *list, const struct sw_go_version *v) {
    for (size_t i = 0; i < list->len; i++)
        if (sw_go_version_eq(&list->ptr[i], v)) return;
    sw_vec_add(list, *v);
}

static int newest_first(const void *a, const void *b) { return -sw_go_version_cmp(a, b); }

/* A file name in cache/ for an address: different sources do not mix. */
static const char *kept_name(struct sw_arena *a, const char *kind, struct sw_str base) {
    return sw_arena_printf(a, "%s-%016llx", kind,
                           (unsigned long long)sw_hash_bytes(base.ptr, base.len, 1))
        .ptr;
}

static bool read_kept(const struct sw_go_store *store, const char *name, struct sw_arena *a,
                      struct sw_str *ret, int64_t *ret_age) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    struct stat st;
    sw_buf_init(&text, INDEX_MAX);
    if (store->fd < 0) return false;
    struct sw_str path = sw_arena_printf(a, "cache/%s", name);
    if (fstatat(store->fd, path.ptr, &st, 0) < 0 ||
        sw_read_file_at(store->fd, path.ptr, INDEX_MAX, &text, &ignored))
        return false;
    *ret = sw_arena_str(a, sw_buf_str(&text));
    *ret_age = sw_now_unix_s() - st.st_mtim.tv_sec;
    return true;
}

static enum sw_code get_kept(struct sw_http *http, const struct sw_go_store *store, const char *url,
                             const char *name, bool refresh, bool offline, struct sw_arena *a,
                             struct sw_str *ret, struct sw_error *err) {
    struct sw_str kept = {0};
    int64_t age = 0;
    bool is_kept = read_kept(store, name, a, &kept, &age);
    if (is_kept && (offline || (!refresh && age >= 0 && age < KEEP_SECONDS))) {
        *ret = kept;
        return SW_OK;
    }
    if (offline)
        return sw_fail(err, SW_NOT_FOUND, "offline, and no earlier answer of %s is kept", url);
    SW_HTTP_RESPONSE struct sw_http_response r;
    sw_http_response_init(&r);
    struct sw_http_request q = {.url = url,
                                .flags = SW_HTTP_ALLOW_FILE | SW_HTTP_COMPRESSED,
                                .max_body = INDEX_MAX,
                                .timeout_ms = TIMEOUT_MS};
    enum sw_code code = sw_http_get(http, &q, &r, err);
    if (code == SW_NOT_FOUND || code == SW_CANCELLED) return code;
    if (code && is_kept) {
        sw_debug("gotool", "%s; an answer %lld s old is used", err->text, (long long)age);
        *ret = kept;
        return SW_OK;
    }
    if (code) return code;
    *ret = sw_arena_str(a, sw_buf_str(&r.body));
    SW_FD int cache =
        store->fd < 0 ? -1 : openat(store->fd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct sw_error ignored;
    if (cache >= 0 && sw_write_file_at(cache, name, 0644, *ret, &ignored))
        sw_debug("gotool", "keeping %s: %s", name, ignored.text);
    return SW_OK;
}

/* The proxies' lists, in GOPROXY's order: the first that answers. */
static enum sw_code list_proxy(struct sw_http *http, const struct sw_go_store *store,
                               const struct sw_go_settings *s, bool refresh, struct sw_arena *a,
                               struct versions *list, const char **ret_origin,
                               struct sw_error *err) {
    struct sw_goproxy proxies[SW_GOPROXY_MAX];
    size_t n = 0;
    enum sw_code code = sw_goproxy_parse(s->goproxy.value, proxies, &n, err);
    if (code) return code;
    code = sw_fail(err, SW_DENIED, "GOPROXY=%.*s names no proxy", SW_ARG(s->goproxy.value));
    for (size_t i = 0; i < n && code; i++) {
        if (proxies[i].kind == SW_GOPROXY_OFF) break;
        if (proxies[i].kind == SW_GOPROXY_DIRECT) break; /* the site's index says more */
        struct sw_str url =
            sw_arena_printf(a, "%.*s/%s/@v/list", SW_ARG(proxies[i].url), SW_GO_TOOLCHAIN_MODULE);
        struct sw_str text = {0}, line;
        code = get_kept(http, store, url.ptr, kept_name(a, "list", proxies[i].url), refresh,
                        s->offline, a, &text, err);
        if (code && code != SW_NOT_FOUND && !proxies[i].fall_back_on_error) break;
        if (code) continue;
        *ret_origin = sw_arena_printf(a, "proxy %.*s", SW_ARG(proxies[i].url)).ptr;
        while (sw_str_next(&text, '\n', &line)) {
            struct sw_go_version v;
            if (sw_go_module_version_read(sw_str_trim(line), &s->platform, &v))
                add_version(list, &v);
        }
    }
    return code;
}

enum sw_code sw_go_remote_index(struct sw_http *http, const struct sw_go_store *store,
                                const struct sw_go_settings *s, struct sw_arena *a,
                                struct sw_go_archive **ret, size_t *ret_n, struct sw_error *err) {
    struct sw_str text = {0};
    bool listed = sw_str_find(s->sources, SW_STR("site")) != SIZE_MAX;
    struct sw_str url = sw_arena_printf(a, "%.*s/?mode=json&include=all", SW_ARG(s->site));
    enum sw_code code = get_kept(http, store, url.ptr, kept_name(a, "index", s->site), false,
                                 s->offline || !listed, a, &text, err);
    if (!code) code = sw_go_index_parse(a, text, &s->platform, ret, ret_n, err);
    return code ? sw_context(err, "index of %.*s", SW_ARG(s->site)) : SW_OK;
}

static enum sw_code list_site(struct sw_http *http, const struct sw_go_store *store,
                              const struct sw_go_settings *s, bool refresh, struct sw_arena *a,
                              struct versions *list, struct sw_go_remote *out,
                              struct sw_error *err) {
    struct sw_str text = {0};
    struct sw_str url = sw_arena_printf(a, "%.*s/?mode=json&include=all", SW_ARG(s->site));
    enum sw_code code = get_kept(http, store, url.ptr, kept_name(a, "index", s->site), refresh,
                                 s->offline, a, &text, err);
    if (!code)
        code = sw_go_index_parse(a, text, &s->platform, &out->archives, &out->n_archives, err);
    for (size_t i = 0; !code && i < out->n_archives; i++)
        add_version(list, &out->archives[i].version);
    return code ? sw_context(err, "index of %.*s", SW_ARG(s->site)) : SW_OK;
}

/* The version of "go1.21.3.linux-amd64.tar.gz" or of a module's zip; false for anything else. */
static bool mirror_name(struct sw_str name, const struct sw_go_platform *p,
                        struct sw_go_version *ret) {
    if (sw_str_ends(name, SW_STR(".zip"))) {
        name.len -= 4;
        return sw_go_module_version_read(name, p, ret);
    }
    SW_BUF struct sw_buf suffix;
    sw_buf_init(&suffix, 64);
    sw_buf_addf(&suffix, ".%s-%s.tar.gz", p->os, strcmp(p->arch, "arm") ? p->arch : "armv6l");
    if (!sw_str_ends(name, sw_buf_str(&suffix))) return false;
    name.len -= suffix.len;
    return sw_str_starts(name, SW_STR("go")) && sw_go_version_read(name, ret);
}

/* A mirror directory is looked at; a mirror address has the site's index as index.json. */
static enum sw_code list_mirror(struct sw_http *http, const struct sw_go_store *store,
                                const struct sw_go_settings *s, bool refresh, struct sw_arena *a,
                                struct versions *list, struct sw_error *err) {
    struct sw_go_version v;
    if (!s->mirror.len) return sw_fail(err, SW_NOT_FOUND, "no mirror is set");
    if (s->mirror.ptr[0] == '/') {
        DIR *d = opendir(s->mirror.ptr);
        if (!d) return sw_fail_sys(err, errno, "open the mirror %s", s->mirror.ptr);
        for (struct dirent *e; (e = readdir(d));)
            if (mirror_name(sw_str(e->d_name), &s->platform, &v)) add_version(list, &v);
        closedir(d);
        return SW_OK;
    }
    struct sw_go_archive *archives;
    struct sw_str text = {0};
    size_t n;
    struct sw_str url = sw_arena_printf(a, "%.*s/index.json", SW_ARG(s->mirror));
    enum sw_code code = get_kept(http, store, url.ptr, kept_name(a, "mirror", s->mirror), refresh,
                                 s->offline, a, &text, err);
    if (!code) code = sw_go_index_parse(a, text, &s->platform, &archives, &n, err);
    for (size_t i = 0; !code && i < n; i++) add_version(list, &archives[i].version);
    return code ? sw_context(err, "mirror") : SW_OK;
}

enum sw_code sw_go_remote_list(struct sw_http *http, const struct sw_go_store *store,
                               const struct sw_go_settings *s, bool refresh, struct sw_arena *a,
                               struct sw_go_remote *ret, struct sw_error *err) {
    struct sw_go_remote out = {.origin = ""};
    struct versions list = {0};
    struct sw_str rest = s->sources, source;
    struct sw_error first = {0}, one;
    unsigned answered = 0;
    while (sw_str_next(&rest, ',', &source)) {
        const char *origin = NULL;
        enum sw_code code = SW_OK;
        sw_error_clear(&one);
        source = sw_str_trim(source);
        if (sw_str_is(source, "proxy")) {
            code = list_proxy(http, store, s, refresh, a, &list, &origin, &one);
        } else if (sw_str_is(source, "site")) {
            /* Where nothing else answered, or the site is all there is. An unreachable site must
             * not make every listing wait. */
            if (answered) continue;
            code = list_site(http, store, s, refresh, a, &list, &out, &one);
            origin = sw_arena_printf(a, "site %.*s", SW_ARG(s->site)).ptr;
        } else if (sw_str_is(source, "mirror")) {
            code = list_mirror(http, store, s, refresh, a, &list, &one);
            origin = sw_arena_printf(a, "mirror %.*s", SW_ARG(s->mirror)).ptr;
        } else {
            code = sw_fail(&one, SW_USAGE, "\"%.*s\" is not a source (mirror, proxy, site)",
                           SW_ARG(source));
        }
        if (!code) {
            answered++;
            out.origin =
                *out.origin ? sw_arena_printf(a, "%s, %s", out.origin, origin).ptr : origin;
        } else if (code == SW_CANCELLED || code == SW_USAGE || !first.code) {
            first = one;
            if (code == SW_CANCELLED || code == SW_USAGE) break;
        }
    }
    if (!answered || first.code == SW_USAGE || first.code == SW_CANCELLED) {
        sw_vec_done(&list);
        *err = first;
        return sw_context(err, "finding out which Go versions there are");
    }
    if (list.len) qsort(list.ptr, list.len, sizeof *list.ptr, newest_first);
    out.n = list.len;
    out.versions = sw_arena_array(a, list.len + 1, sizeof *out.versions);
    for (size_t i = 0; i < list.len; i++) out.versions[i] = list.ptr[i];
    sw_vec_done(&list);
    *ret = out;
    return sw_arena_check(a, "the list of versions", err);
}

void sw_go_remote_kept(const struct sw_go_store *store, const struct sw_go_settings *settings,
                       struct sw_arena *a, struct sw_go_remote *ret) {
    struct sw_go_settings s = *settings;
    struct sw_error ignored;
    s.offline = true;
    *ret = (struct sw_go_remote){.origin = ""};
    if (sw_go_remote_list(NULL, store, &s, false, a, ret, &ignored))
        *ret = (struct sw_go_remote){.origin = ""};
}
