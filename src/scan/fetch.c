/* Sources: what their names mean, and bringing their bytes here. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/sys.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "scan/update_internal.h"

#define OSV_BUCKET "https://osv-vulnerabilities.storage.googleapis.com"
#define KEV_URL                                                                                    \
    "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
#define EPSS_URL "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
#define VULNDB_MODULE "golang.org/x/vulndb"

static bool is_url(struct sw_str s) {
    return sw_str_starts(s, SW_STR("http://")) || sw_str_starts(s, SW_STR("https://")) ||
           sw_str_starts(s, SW_STR("file://"));
}

/* The name of a source that was given none: the last part of where it is, in lower case. */
static struct sw_str default_name(struct sw_arena *a, struct sw_str location) {
    while (sw_str_ends(location, SW_STR("/"))) location.len--;
    if (sw_str_ends(location, SW_STR("/all.zip"))) location.len -= 8;
    if (sw_str_ends(location, SW_STR(".zip"))) location.len -= 4;
    size_t slash = sw_str_rfind_char(location, '/');
    if (slash != SIZE_MAX) location = sw_str_from(location, slash + 1);
    char *to = sw_arena_cstr(a, location);
    for (char *p = to; *p; p++) {
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
        else if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '.' || *p == '-'))
            *p = '-';
    }
    if (*to == '.') *to = '-';
    return *to ? sw_str(to) : SW_STR("source");
}

enum sw_code sw_source_parse(struct sw_arena *a, const char *text, struct sw_source_spec *ret,
                             struct sw_error *err) {
    struct sw_source_spec s = {.kind = SW_SOURCE_OSV};
    struct sw_str whole = sw_arena_str(a, sw_str(text)), name, rest;
    s.location = whole;
    if (sw_str_cut(whole, '=', &name, &rest) && name.len &&
        sw_str_find_char(name, '/') == SIZE_MAX) {
        s.name = default_name(a, name);
        s.location = rest;
    }
    if (!s.location.len) return sw_fail(err, SW_USAGE, "source \"%s\" names no place", text);
    bool kev = sw_str_is(s.name.len ? s.name : s.location, "kev");
    bool epss = sw_str_is(s.name.len ? s.name : s.location, "epss");
    if (kev || epss) {
        s.kind = kev ? SW_SOURCE_KEV : SW_SOURCE_EPSS;
        if (!s.name.len) s.location = kev ? SW_STR(KEV_URL) : SW_STR(EPSS_URL);
        s.name = kev ? SW_STR("kev") : SW_STR("epss");
    } else if (sw_str_starts(s.location, SW_STR("osv:"))) {
        struct sw_str ecosystem = sw_str_from(s.location, 4);
        SW_BUF struct sw_buf encoded;
        sw_buf_init(&encoded, 0);
        sw_http_encode(&encoded, ecosystem, "");
        if (!s.name.len) s.name = default_name(a, ecosystem);
        s.location = sw_arena_printf(a, OSV_BUCKET "/%s/all.zip", encoded.ptr);
    } else if (sw_str_starts(s.location, SW_STR(VULNDB_MODULE)) && !is_url(s.location)) {
        s.kind = SW_SOURCE_MODULE;
        if (!s.name.len) s.name = SW_STR("go");
        sw_str_cut(s.location, '@', &s.location, &s.version);
        if (!sw_str_is(s.location, VULNDB_MODULE))
            return sw_fail(err, SW_USAGE, "module %.*s holds no advisories; " VULNDB_MODULE " does",
                           SW_ARG(s.location));
    } else if (is_url(s.location) && !sw_str_ends(s.location, SW_STR(".zip"))) {
        s.kind = SW_SOURCE_VULNDB;
        if (!s.name.len) s.name = SW_STR("go");
    }
    s.local = !is_url(s.location) && s.kind != SW_SOURCE_MODULE;
    if (!s.name.len) s.name = default_name(a, s.location);
    *ret = s;
    return SW_OK;
}

const char *sw_source_licence(struct sw_str name) {
    static const struct {
        const char *name, *licence;
    } known[] = {
        {"go", "CC-BY-4.0, The Go Authors"},
        {"bitnami", "Apache-2.0, Bitnami"},
        {"ghsa", "CC-BY-4.0, GitHub"},
        {"kev", "CC0-1.0, CISA"},
        {"epss", "free use with attribution, FIRST.org"},
        {"debian", "MIT, Debian Security Tracker"},
        {"redhat", "CC-BY-4.0, Red Hat"},
        {"red-hat", "CC-BY-4.0, Red Hat"},
        {"almalinux", "MIT, AlmaLinux OS Foundation"},
        {"rocky-linux", "BSD, Rocky Enterprise Software Foundation"},
        {"ubuntu", "CC-BY-SA-4.0, Canonical"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (sw_str_starts(name, sw_str(known[i].name))) return known[i].licence;
    return "";
}

/* --- downloads ------------------------------------------------------------------------------- */

static enum sw_code to_file(void *context, const void *bytes, size_t len, struct sw_error *err) {
    return sw_write_full(*(int *)context, bytes, len, err);
}

static struct sw_str source_file(struct sw_updater *u, const struct sw_source_spec *s,
                                 const char *suffix) {
    return sw_arena_printf(u->a, "%.*s%s", SW_ARG(s->name), suffix);
}

/* The entity tag (or version) of what is here already; "" where nothing is. It names the place as
 * well, so that a source that moves is fetched anew. */
static struct sw_str stored_tag(struct sw_updater *u, const struct sw_source_spec *s,
                                int64_t *ret_fetched) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    struct sw_str place, tag, time, rest;
    sw_buf_init(&text, 0);
    struct sw_str name = source_file(u, s, ".tag");
    if (sw_read_file_at(u->dir, name.ptr, 65536, &text, &ignored)) return SW_STR("");
    sw_str_cut(sw_buf_str(&text), '\n', &place, &rest);
    sw_str_cut(rest, '\n', &tag, &rest);
    sw_str_cut(rest, '\n', &time, &rest);
    if (!sw_str_eq(place, s->location) || !sw_str_i64(time, ret_fetched)) return SW_STR("");
    struct sw_str file = source_file(u, s, "");
    if (faccessat(u->dir, file.ptr, R_OK, 0) != 0) return SW_STR("");
    return sw_arena_str(u->a, tag);
}

static enum sw_code store_tag(struct sw_updater *u, struct sw_source_spec *s, struct sw_str tag,
                              struct sw_error *err) {
    s->etag = sw_arena_str(u->a, tag);
    s->fetched = u->options->now;
    struct sw_str text = sw_arena_printf(u->a, "%.*s\n%.*s\n%lld\n", SW_ARG(s->location),
                                         SW_ARG(s->etag), (long long)s->fetched);
    return sw_write_file_at(u->dir, source_file(u, s, ".tag").ptr, 0644, text, err);
}

static enum sw_code offline_check(struct sw_updater *u, struct sw_source_spec *s,
                                  struct sw_error *err) {
    s->etag = stored_tag(u, s, &s->fetched);
    s->path = sw_arena_printf(u->a, "%s/%.*s", u->dir_path, SW_ARG(s->name));
    if (faccessat(u->dir, source_file(u, s, "").ptr, R_OK, 0) != 0)
        return sw_fail(err, SW_NOT_FOUND, "source %.*s was never fetched, and this is offline",
                       SW_ARG(s->name));
    return SW_OK;
}

/* Downloads url to the source's file, unless the server says that it has not changed. */
static enum sw_code download(struct sw_updater *u, struct sw_source_spec *s, struct sw_str url,
                             struct sw_str tag, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r;
    SW_ATOMIC struct sw_atomic_file file = {.fd = -1};
    sw_http_response_init(&r);
    int64_t before = 0;
    struct sw_str known = stored_tag(u, s, &before);
    struct sw_http_header header = {SW_STR("If-None-Match"), known};
    enum sw_code code = sw_atomic_open(&file, u->dir, 0644, err);
    if (code) return code;
    struct sw_http_request request = {.url = sw_arena_cstr(u->a, url),
                                      .flags = SW_HTTP_ALLOW_FILE,
                                      .max_body = SW_SCAN_SOURCE_MAX,
                                      .sink = to_file,
                                      .sink_context = &file.fd};
    if (known.len && !tag.len) {
        request.headers = &header;
        request.n_headers = 1;
    }
    code = sw_http_do(u->http, &request, &r, err);
    if (code) return code;
    s->path = sw_arena_printf(u->a, "%s/%.*s", u->dir_path, SW_ARG(s->name));
    if (r.status == 304) return store_tag(u, s, known, err);
    code = sw_http_check(&r, err);
    if (code) return sw_context(err, "fetching %s", request.url);
    code = sw_atomic_commit(&file, source_file(u, s, "").ptr, err);
    if (code) return code;
    struct sw_str etag = sw_http_header(&r, "etag");
    return store_tag(u, s, tag.len ? tag : etag, err);
}

/* A small document. */
static enum sw_code get_json(struct sw_updater *u, struct sw_str url, const struct sw_json **ret,
                             struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r;
    sw_http_response_init(&r);
    struct sw_http_request request = {.url = sw_arena_cstr(u->a, url),
                                      .flags = SW_HTTP_ALLOW_FILE | SW_HTTP_COMPRESSED,
                                      .max_body = 64 << 20};
    struct sw_json_limits limits = {.bytes = 64 << 20};
    enum sw_code code = sw_http_get(u->http, &request, &r, err);
    if (!code)
        code = sw_json_parse(u->a, sw_arena_str(u->a, sw_buf_str(&r.body)), &limits, ret, err);
    return code ? sw_context(err, "fetching %s", request.url) : SW_OK;
}

/* The module has no releases: "latest" is the newest commit; proxies that know only what they hold
 * may still know the branch. */
static enum sw_code newest_version(struct sw_updater *u, const struct sw_source_spec *s,
                                   struct sw_str proxy, struct sw_str *ret, struct sw_error *err) {
    static const char *const queries[] = {"@latest", "@v/master.info"};
    struct sw_error other = {0};
    enum sw_code code = SW_NOT_FOUND;
    for (int i = 0; i < 2 && code; i++) {
        const struct sw_json *info = NULL;
        struct sw_str url =
            sw_arena_printf(u->a, "%.*s/%.*s/%s", SW_ARG(proxy), SW_ARG(s->location), queries[i]);
        struct sw_error *to = i == 0 ? err : &other;
        code = get_json(u, url, &info, to);
        if (!code) code = sw_json_need_str(info, "Version", ret, to);
    }
    if (code) sw_advise(err, "; a zip or a directory of advisories can be given as source");
    return code;
}

/* golang.org/x/vulndb through each proxy in turn, as the go command does. */
static enum sw_code fetch_module(struct sw_updater *u, struct sw_source_spec *s,
                                 struct sw_error *err) {
    struct sw_str rest = sw_str(u->options->goproxy ? u->options->goproxy : ""), proxy;
    enum sw_code code = sw_fail(err, SW_USAGE,
                                "GOPROXY names no proxy for module %.*s; set it, or "
                                "give a zip or a directory as source",
                                SW_ARG(s->location));
    char *list = sw_arena_cstr(u->a, rest);
    for (char *p = list; *p; p++)
        if (*p == '|') *p = ',';
    rest = sw_str(list);
    while (sw_str_next(&rest, ',', &proxy)) {
        proxy = sw_str_trim(proxy);
        if (!is_url(proxy)) continue; /* direct, off */
        while (sw_str_ends(proxy, SW_STR("/"))) proxy.len--;
        struct sw_str version = s->version;
        if (!version.len) code = newest_version(u, s, proxy, &version, err);
        if (!version.len) continue;
        int64_t before = 0;
        struct sw_str have = stored_tag(u, s, &before);
        if (sw_str_eq(have, version)) {
            s->path = sw_arena_printf(u->a, "%s/%.*s", u->dir_path, SW_ARG(s->name));
            return store_tag(u, s, version, err);
        }
        code = download(u, s,
                        sw_arena_printf(u->a, "%.*s/%.*s/@v/%.*s.zip", SW_ARG(proxy),
                                        SW_ARG(s->location), SW_ARG(version)),
                        version, err);
        if (!code) return SW_OK;
    }
    return code;
}

/* --- the Go database's layout ---------------------------------------------------------------- */

/* Whole under its name, or not there; on the disk once the caller has synced. */
static enum sw_code write_entry(int dir, const char *name, struct sw_str bytes,
                                struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code =
        sw_open_at(dir, ".part", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644, &fd, err);
    if (!code) code = sw_write_full(fd, bytes.ptr, bytes.len, err);
    if (!code && sw_sys_renameat(dir, ".part", dir, name) != 0)
        code = sw_fail_sys(err, errno, "naming %s", name);
    return code;
}

/* Entries that changed, one by one, into DIR/NAME/; those that are gone are removed. */
static enum sw_code fetch_entries(struct sw_updater *u, struct sw_source_spec *s,
                                  const struct sw_json *index, struct sw_error *err) {
    struct sw_str name = source_file(u, s, "");
    struct sw_error ignored;
    SW_FD int dir = -1;
    enum sw_code code = sw_open_at(u->dir, name.ptr, O_RDONLY | O_DIRECTORY, 0, &dir, &ignored);
    if (code) {
        unlinkat(u->dir, name.ptr, 0);
        code = sw_mkdirs_at(u->dir, name.ptr, 0755, err);
        if (!code) code = sw_open_at(u->dir, name.ptr, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    }
    for (size_t i = 0; i < index->len && !code; i++) {
        struct sw_str id = {0}, modified = {0};
        code = sw_json_need_str(&index->items[i], "id", &id, err);
        if (!code) code = sw_json_opt_str(&index->items[i], "modified", &modified, err);
        if (code) break;
        for (size_t k = 0; k < id.len; k++)
            if (id.ptr[k] == '/' || id.ptr[k] == '.' || !id.ptr[k])
                return sw_fail(err, SW_SYNTAX, "the index has the id \"%.*s\"", SW_ARG(id));
        /* The time of the change is part of the name: what is there is what is meant. */
        struct sw_str file = sw_arena_printf(u->a, "%.*s@%.*s.json", SW_ARG(id), SW_ARG(modified));
        if (sw_str_find_char(modified, '/') != SIZE_MAX)
            return sw_fail(err, SW_SYNTAX, "the index has the time \"%.*s\"", SW_ARG(modified));
        if (faccessat(dir, file.ptr, R_OK, 0) == 0) continue;
        SW_HTTP_RESPONSE struct sw_http_response r;
        sw_http_response_init(&r);
        struct sw_str url =
            sw_arena_printf(u->a, "%.*s/ID/%.*s.json", SW_ARG(s->location), SW_ARG(id));
        struct sw_http_request request = {.url = url.ptr,
                                          .flags = SW_HTTP_ALLOW_FILE | SW_HTTP_COMPRESSED};
        code = sw_http_get(u->http, &request, &r, err);
        if (!code) code = write_entry(dir, file.ptr, sw_buf_str(&r.body), err);
        if (code) sw_context(err, "fetching %s", request.url);
    }
    /* One sync for thousands of small files; the source's tag is written after it. */
    if (!code && syncfs(dir) != 0) code = sw_fail_sys(err, errno, "writing the entries");
    return code;
}

/* Removes entries that the index does not name (any more, or in another state). */
static enum sw_code drop_entries(struct sw_updater *u, struct sw_source_spec *s,
                                 const struct sw_json *index, struct sw_error *err) {
    struct sw_map wanted = {0};
    for (size_t i = 0; i < index->len; i++) {
        struct sw_str id = SW_STR(""), modified = SW_STR("");
        struct sw_error ignored;
        if (sw_json_opt_str(&index->items[i], "id", &id, &ignored) ||
            sw_json_opt_str(&index->items[i], "modified", &modified, &ignored))
            continue;
        sw_map_put(&wanted, sw_arena_printf(u->a, "%.*s@%.*s.json", SW_ARG(id), SW_ARG(modified)),
                   u);
    }
    int fd = openat(u->dir, source_file(u, s, "").ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && !sw_map_has(&wanted, sw_str(entry->d_name)))
            unlinkat(dirfd(dir), entry->d_name, 0);
    int saved = errno;
    if (dir) closedir(dir);
    sw_map_done(&wanted);
    return dir ? SW_OK : sw_fail_sys(err, saved, "reading the entries of %.*s", SW_ARG(s->name));
}

static enum sw_code fetch_vulndb(struct sw_updater *u, struct sw_source_spec *s,
                                 struct sw_error *err) {
    while (sw_str_ends(s->location, SW_STR("/"))) s->location.len--;
    const struct sw_json *db = NULL, *index = NULL;
    struct sw_str modified = {0};
    enum sw_code code =
        get_json(u, sw_arena_printf(u->a, "%.*s/index/db.json", SW_ARG(s->location)), &db, err);
    if (!code) code = sw_json_need_str(db, "modified", &modified, err);
    if (code)
        return sw_context(err, "%.*s has not the layout of the Go vulnerability database",
                          SW_ARG(s->location));
    int64_t before = 0;
    struct sw_str have = stored_tag(u, s, &before);
    s->path = sw_arena_printf(u->a, "%s/%.*s", u->dir_path, SW_ARG(s->name));
    if (sw_str_eq(have, modified)) return store_tag(u, s, modified, err);
    code = get_json(u, sw_arena_printf(u->a, "%.*s/index/vulns.json", SW_ARG(s->location)), &index,
                    err);
    if (!code) code = sw_json_expect(index, SW_JSON_ARRAY, err);
    if (code) return code;
    assert(index);
    code = fetch_entries(u, s, index, err);
    if (!code) code = drop_entries(u, s, index, err);
    return code ? code : store_tag(u, s, modified, err);
}

enum sw_code sw_source_fetch(struct sw_updater *u, struct sw_source_spec *s, struct sw_error *err) {
    enum sw_code code;
    if (s->local) {
        s->path = s->location;
        s->fetched = u->options->now;
        return SW_OK;
    }
    if (!u->http) return offline_check(u, s, err);
    switch (s->kind) {
    case SW_SOURCE_MODULE:
        code = fetch_module(u, s, err);
        break;
    case SW_SOURCE_VULNDB:
        code = fetch_vulndb(u, s, err);
        break;
    default:
        code = download(u, s, s->location, SW_STR(""), err);
        break;
    }
    return code ? sw_context(err, "source %.*s", SW_ARG(s->name)) : SW_OK;
}
