/* Sources into the builder: zips and directories of OSV documents, CISA's catalogue, EPSS. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/vec.h"
#include "codec/compress.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/rfc3339.h"
#include "codec/zip.h"
#include "scan/read.h"
#include "scan/update_internal.h"

/* Whose opinion an entry is: by the form of its id, else by the source's name. */
static struct sw_str speaker_of(struct sw_str id, struct sw_str source) {
    static const struct {
        const char *prefix, *name;
    } known[] = {
        {"GO-", "go"},          {"GHSA-", "ghsa"},      {"CVE-", "nvd"},     {"BIT-", "bitnami"},
        {"DEBIAN-", "debian"},  {"DSA-", "debian"},     {"DLA-", "debian"},  {"ALPINE-", "alpine"},
        {"RHSA-", "redhat"},    {"RHBA-", "redhat"},    {"RHEA-", "redhat"}, {"ALSA-", "almalinux"},
        {"ALBA-", "almalinux"}, {"ALEA-", "almalinux"}, {"RLSA-", "rocky"},  {"RXSA-", "rocky"},
        {"UBUNTU-", "ubuntu"},  {"USN-", "ubuntu"},     {"SUSE-", "suse"},   {"openSUSE-", "suse"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (sw_str_starts(id, sw_str(known[i].prefix))) return sw_str(known[i].name);
    return source;
}

static enum sw_code add_document(struct sw_source_spec *s, struct sw_advdb_builder *b,
                                 struct sw_str text, struct sw_str name, struct sw_error *err) {
    struct sw_arena a;
    struct sw_osv osv;
    sw_arena_init(&a, (size_t)1 << 30);
    enum sw_code code = sw_osv_parse(&a, text, &osv, err);
    if (!code) code = sw_advdb_add(b, speaker_of(osv.id, s->name), &osv, &s->counts, err);
    if (!code && osv.modified > s->date) s->date = osv.modified;
    sw_arena_done(&a);
    return code ? sw_context(err, "%.*s", SW_ARG(name)) : SW_OK;
}

/* Advisories among the files of a source: every .json but indexes; of the module, data/osv only. */
static bool is_document(const struct sw_source_spec *s, struct sw_str name) {
    if (!sw_str_ends(name, SW_STR(".json"))) return false;
    if (s->kind == SW_SOURCE_MODULE) return sw_str_find(name, SW_STR("/data/osv/")) != SIZE_MAX;
    size_t slash = sw_str_rfind_char(name, '/');
    struct sw_str dir = sw_str_sub(name, 0, slash == SIZE_MAX ? 0 : slash);
    struct sw_str base = slash == SIZE_MAX ? name : sw_str_from(name, slash + 1);
    if (base.len && base.ptr[0] == '.') return false;
    return !sw_str_is(dir, "index") && !sw_str_ends(dir, SW_STR("/index"));
}

static enum sw_code compile_zip(struct sw_source_spec *s, int fd, uint64_t size,
                                struct sw_advdb_builder *b, struct sw_error *err) {
    static const struct sw_zip_limits limits = {.entries = 2000000,
                                                .entry_bytes = SW_OSV_DOCUMENT_MAX,
                                                .total_bytes = (uint64_t)32 << 30,
                                                .directory = (size_t)512 << 20};
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, (size_t)2 << 30);
    struct sw_scan_file file = {fd, 0};
    struct sw_source source = sw_scan_file_source(&file, size);
    struct sw_zip zip;
    enum sw_code code = sw_zip_open(&a, &source, &limits, &zip, err);
    if (code) return code;
    struct sw_zip_inflater *inflater = sw_zip_inflater_new();
    for (size_t i = 0; i < zip.n && !code; i++) {
        struct sw_str text;
        if (!is_document(s, zip.entries[i].name)) continue;
        code = sw_zip_read(inflater, &source, &zip.entries[i], &text, err);
        if (!code) code = add_document(s, b, text, zip.entries[i].name, err);
    }
    sw_zip_inflater_free(inflater);
    return code;
}

/* --- directories ----------------------------------------------------------------------------- */

struct listing {
    struct sw_arena *a;
    SW_VEC(struct sw_str) paths;
};

static int by_text(const void *x, const void *y) {
    return sw_str_cmp(*(const struct sw_str *)x, *(const struct sw_str *)y);
}

static enum sw_code list_dir(struct listing *l, struct sw_str dir, unsigned depth,
                             struct sw_error *err) {
    enum { DEPTH_MAX = 16, FILES_MAX = 2000000 };
    if (depth > DEPTH_MAX) return SW_OK;
    DIR *d = opendir(sw_arena_cstr(l->a, dir));
    if (!d) return sw_fail_sys(err, errno, "reading directory %.*s", SW_ARG(dir));
    enum sw_code code = SW_OK;
    struct dirent *entry;
    while (!code && (entry = readdir(d))) {
        struct stat st;
        if (entry->d_name[0] == '.' || fstatat(dirfd(d), entry->d_name, &st, 0) != 0) continue;
        struct sw_str path = sw_arena_printf(l->a, "%.*s/%s", SW_ARG(dir), entry->d_name);
        if (S_ISDIR(st.st_mode))
            code = list_dir(l, path, depth + 1, err);
        else if (S_ISREG(st.st_mode))
            sw_vec_add(&l->paths, path);
        if (l->paths.len > FILES_MAX)
            code = sw_fail(err, SW_LIMIT, "more than %d files in %.*s", FILES_MAX, SW_ARG(dir));
    }
    closedir(d);
    return code ? code : sw_arena_check(l->a, "the list of files", err);
}

static enum sw_code each_in_dir(struct sw_source_spec *s,
                                enum sw_code (*each)(void *context, struct sw_str name,
                                                     struct sw_str text, struct sw_error *err),
                                void *context, struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf text;
    sw_arena_init(&a, (size_t)1 << 30);
    sw_buf_init(&text, 0);
    struct listing l = {.a = &a};
    enum sw_code code = list_dir(&l, s->path, 0, err);
    if (l.paths.len) qsort(l.paths.ptr, l.paths.len, sizeof *l.paths.ptr, by_text);
    for (size_t i = 0; i < l.paths.len && !code; i++) {
        struct sw_str name = sw_str_from(l.paths.ptr[i], s->path.len + 1);
        if (!is_document(s, name)) continue;
        sw_buf_reset(&text);
        code = sw_read_file_at(AT_FDCWD, l.paths.ptr[i].ptr, SW_OSV_DOCUMENT_MAX, &text, err);
        if (!code) code = each(context, name, sw_buf_str(&text), err);
    }
    sw_vec_done(&l.paths);
    return code;
}

struct compiling {
    struct sw_source_spec *s;
    struct sw_advdb_builder *b;
};

static enum sw_code compile_file(void *context, struct sw_str name, struct sw_str text,
                                 struct sw_error *err) {
    struct compiling *c = context;
    return add_document(c->s, c->b, text, name, err);
}

static enum sw_code hash_file(void *context, struct sw_str name, struct sw_str text,
                              struct sw_error *err) {
    struct sw_hasher *h = context;
    struct sw_digest d = sw_digest_of(SW_SHA256, text);
    (void)err;
    sw_hasher_add_str(h, name);
    sw_hasher_add(h, d.bytes, 33);
    return SW_OK;
}

/* --- KEV and EPSS ---------------------------------------------------------------------------- */

static uint32_t day_of(struct sw_str text) {
    SW_BUF struct sw_buf full;
    struct sw_error ignored;
    int64_t sec = 0;
    uint32_t nsec;
    sw_buf_init(&full, 0);
    sw_buf_addf(&full, "%.*sT00:00:00Z", SW_ARG(text));
    if (sw_rfc3339_parse(sw_buf_str(&full), &sec, &nsec, &ignored) || sec < 0) return 0;
    return (uint32_t)(sec / 86400);
}

static enum sw_code compile_kev(struct sw_source_spec *s, struct sw_advdb_builder *b,
                                struct sw_str text, struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    const struct sw_json *root, *list = NULL;
    struct sw_json_limits limits = {.bytes = 256 << 20};
    sw_arena_init(&a, (size_t)1 << 30);
    enum sw_code code = sw_json_parse(&a, text, &limits, &root, err);
    if (!code) code = sw_json_need_node(root, "vulnerabilities", SW_JSON_ARRAY, &list, err);
    for (size_t i = 0; list && i < list->len && !code; i++) {
        struct sw_str id = {0}, added = {0}, due = {0}, ransomware = {0};
        code = sw_json_need_str(&list->items[i], "cveID", &id, err);
        if (!code) code = sw_json_opt_str(&list->items[i], "dateAdded", &added, err);
        if (!code) code = sw_json_opt_str(&list->items[i], "dueDate", &due, err);
        if (!code)
            code = sw_json_opt_str(&list->items[i], "knownRansomwareCampaignUse", &ransomware, err);
        if (code) break;
        uint32_t day = day_of(added);
        if ((int64_t)day * 86400 > s->date) s->date = (int64_t)day * 86400;
        sw_advdb_add_kev(b, id, day, day_of(due), sw_str_is(ransomware, "Known"));
        s->counts.advisories++;
    }
    return code;
}

/* "0.97123" in millionths; false for anything but a number from 0 to 1. */
static bool millionths(struct sw_str text, uint32_t *ret) {
    char buffer[32], *end;
    if (!text.len || text.len >= sizeof buffer) return false;
    memcpy(buffer, text.ptr, text.len);
    buffer[text.len] = 0;
    double v = strtod(buffer, &end);
    if (*end || !(v >= 0 && v <= 1)) return false;
    *ret = (uint32_t)lround(v * 1e6);
    return true;
}

/* "#model_version:...,score_date:2026-08-01T...", "cve,epss,percentile", rows. */
static enum sw_code compile_epss(struct sw_source_spec *s, struct sw_advdb_builder *b,
                                 struct sw_str text, struct sw_error *err) {
    struct sw_str line, id, score, rest;
    for (unsigned number = 1; sw_str_next(&text, '\n', &line); number++) {
        line = sw_str_trim(line);
        size_t date = sw_str_find(line, SW_STR("score_date:"));
        if (date != SIZE_MAX)
            s->date = (int64_t)day_of(sw_str_sub(line, date + strlen("score_date:"), 10)) * 86400;
        if (!line.len || line.ptr[0] == '#' || sw_str_starts(line, SW_STR("cve,"))) continue;
        uint32_t epss, percentile;
        sw_str_cut(line, ',', &id, &rest);
        sw_str_cut(rest, ',', &score, &rest);
        if (!millionths(score, &epss) || !millionths(rest, &percentile))
            return sw_fail(err, SW_SYNTAX, "line %u is not cve,epss,percentile", number);
        sw_advdb_add_epss(b, id, epss, percentile);
        s->counts.advisories++;
    }
    return SW_OK;
}

static enum sw_code inflate_all(struct sw_str bytes, struct sw_buf *to, struct sw_error *err) {
    struct sw_decompressor *d = sw_decompressor_new(SW_SCAN_SOURCE_MAX);
    struct sw_codec_io io = {.in = (const uint8_t *)bytes.ptr, .in_len = bytes.len, .last = true};
    enum sw_code code = SW_OK;
    while (!code && !io.done) {
        char *room = sw_buf_reserve(to, 1 << 20);
        if (!room) break;
        io.out = (uint8_t *)room;
        io.out_len = 1 << 20;
        code = sw_decompress(d, &io, err);
        if (!code) to->len += (1 << 20) - io.out_len;
    }
    sw_decompressor_free(d);
    return code ? code : sw_buf_check(to, "the source", err);
}

static enum sw_code compile_table(struct sw_source_spec *s, struct sw_advdb_builder *b,
                                  struct sw_error *err) {
    SW_BUF struct sw_buf raw, text;
    sw_buf_init(&raw, SW_SCAN_SOURCE_MAX);
    sw_buf_init(&text, SW_SCAN_SOURCE_MAX);
    enum sw_code code = sw_read_file_at(AT_FDCWD, s->path.ptr, SW_SCAN_SOURCE_MAX, &raw, err);
    if (!code) code = inflate_all(sw_buf_str(&raw), &text, err);
    if (code) return code;
    return s->kind == SW_SOURCE_KEV ? compile_kev(s, b, sw_buf_str(&text), err)
                                    : compile_epss(s, b, sw_buf_str(&text), err);
}

/* --- any ------------------------------------------------------------------------------------- */

enum sw_code sw_source_digest(struct sw_updater *u, struct sw_source_spec *s,
                              struct sw_error *err) {
    struct stat st;
    struct sw_hasher h;
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, s->path.ptr, O_RDONLY, 0, &fd, err);
    if (code) return sw_context(err, "source %.*s", SW_ARG(s->name));
    if (fstat(fd, &st) != 0) return sw_fail_sys(err, errno, "reading %.*s", SW_ARG(s->path));
    sw_hasher_init(&h, SW_SHA256);
    if (S_ISDIR(st.st_mode)) {
        code = each_in_dir(s, hash_file, &h, err);
    } else {
        SW_FREE char *chunk = sw_malloc(1 << 20);
        ssize_t n;
        while ((n = sw_sys_read(fd, chunk, 1 << 20)) > 0) sw_hasher_add(&h, chunk, (size_t)n);
        if (n < 0) code = sw_fail_sys(err, errno, "reading %.*s", SW_ARG(s->path));
    }
    struct sw_digest d = sw_hasher_finish(&h);
    char text[SW_DIGEST_TEXT_MAX];
    s->digest = sw_arena_str(u->a, sw_digest_hex(&d, text));
    return code;
}

enum sw_code sw_source_compile(struct sw_updater *u, struct sw_source_spec *s,
                               struct sw_advdb_builder *b, struct sw_error *err) {
    struct stat st;
    SW_FD int fd = -1;
    (void)u;
    enum sw_code code = sw_open_at(AT_FDCWD, s->path.ptr, O_RDONLY, 0, &fd, err);
    if (!code && fstat(fd, &st) != 0)
        code = sw_fail_sys(err, errno, "reading %.*s", SW_ARG(s->path));
    struct compiling c = {s, b};
    if (code) return sw_context(err, "source %.*s", SW_ARG(s->name));
    if (s->kind == SW_SOURCE_KEV || s->kind == SW_SOURCE_EPSS)
        code = compile_table(s, b, err);
    else if (S_ISDIR(st.st_mode))
        code = each_in_dir(s, compile_file, &c, err);
    else
        code = compile_zip(s, fd, (uint64_t)st.st_size, b, err);
    if (!code && s->counts.advisories == 0)
        code = sw_fail(err, SW_SYNTAX, "there is no advisory in %.*s", SW_ARG(s->path));
    return code ? sw_context(err, "source %.*s", SW_ARG(s->name)) : SW_OK;
}
