#include "scan/update.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"
#include "scan/update_internal.h"

/* "BUILT CHECKED": when the database that was built then was last found up to date. */
#define CHECKED_NAME "advisories.checked"

/* --- the file -------------------------------------------------------------------------------- */

static enum sw_code map_file(int fd, const char *path, struct sw_scan_db *ret,
                             struct sw_error *err) {
    struct stat st;
    struct sw_scan_db db = {0};
    if (fstat(fd, &st) != 0) return sw_fail_sys(err, errno, "opening %s", path);
    if (st.st_size <= 0 || (uint64_t)st.st_size > SW_ADVDB_SIZE_MAX)
        return sw_fail(err, SW_CORRUPT, "%s has %lld bytes; run `slipway db update`", path,
                       (long long)st.st_size);
    db.size = (size_t)st.st_size;
    db.map = mmap(NULL, db.size, PROT_READ, MAP_SHARED, fd, 0);
    if (db.map == MAP_FAILED) return sw_fail_sys(err, errno, "mapping %s", path);
    enum sw_code code = sw_advdb_open(&db.advdb, sw_str_n(db.map, db.size), err);
    if (code) {
        munmap(db.map, db.size);
        return sw_context(err, "%s", path);
    }
    *ret = db;
    return SW_OK;
}

enum sw_code sw_scan_db_open_file(const char *path, struct sw_scan_db *ret, struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_RDONLY, 0, &fd, err);
    if (code == SW_NOT_FOUND)
        return sw_fail(err, SW_NOT_FOUND,
                       "there is no advisory database at %s; run `slipway db update`", path);
    return code ? code : map_file(fd, path, ret, err);
}

static int64_t read_checked(const char *dir, int64_t built) {
    SW_FREE char *path = sw_asprintf("%s/%s", dir, CHECKED_NAME);
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    struct sw_str first, second;
    int64_t of = 0, when = 0;
    sw_buf_init(&text, 0);
    if (sw_read_file_at(AT_FDCWD, path, 256, &text, &ignored)) return 0;
    sw_str_cut(sw_str_trim(sw_buf_str(&text)), ' ', &first, &second);
    return sw_str_i64(first, &of) && sw_str_i64(second, &when) && of == built ? when : 0;
}

enum sw_code sw_scan_db_open(const char *dir, struct sw_scan_db *ret, struct sw_error *err) {
    SW_FREE char *path = sw_asprintf("%s/%s", dir, SW_SCAN_DB_NAME);
    enum sw_code code = sw_scan_db_open_file(path, ret, err);
    if (!code) ret->checked = read_checked(dir, ret->advdb.built);
    return code;
}

enum sw_code sw_scan_db_none(struct sw_scan_db *ret, struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    struct sw_scan_db db = {0};
    struct sw_advdb_builder *b = sw_advdb_builder_new();
    sw_buf_init(&bytes, 0);
    enum sw_code code = sw_advdb_build(b, 0, SW_STR("{\"format\":1,\"sources\":[]}"), &bytes, err);
    sw_advdb_builder_free(b);
    if (code) return code;
    db.size = bytes.len;
    db.map = mmap(NULL, db.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (db.map == MAP_FAILED) return sw_fail_sys(err, errno, "making an empty database");
    memcpy(db.map, bytes.ptr, bytes.len);
    code = sw_advdb_open(&db.advdb, sw_str_n(db.map, db.size), err);
    if (code)
        munmap(db.map, db.size);
    else
        *ret = db;
    return code;
}

void sw_scan_db_close(struct sw_scan_db *db) {
    sw_advdb_done(&db->advdb);
    if (db->map) munmap(db->map, db->size);
    *db = (struct sw_scan_db){0};
}

static enum sw_code open_dir(const char *path, int *ret, struct sw_error *err) {
    enum sw_code code = sw_mkdirs_at(AT_FDCWD, path, 0755, err);
    return code ? code : sw_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

enum sw_code sw_scan_db_install(const char *dir, const struct sw_scan_db *db,
                                struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code = sw_advdb_verify(&db->advdb, err);
    if (!code) code = open_dir(dir, &fd, err);
    if (!code) code = sw_write_file_at(fd, SW_SCAN_DB_NAME, 0644, sw_str_n(db->map, db->size), err);
    return code;
}

/* --- the manifest ---------------------------------------------------------------------------- */

static void put_time(struct sw_json_writer *w, const char *key, int64_t sec) {
    char text[SW_RFC3339_MAX];
    if (sec) sw_json_put_str(w, key, sw_rfc3339_format(sec, 0, text));
}

static void write_manifest(struct sw_buf *out, const struct sw_specs *specs, int64_t now) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, 0);
    sw_json_begin_object(&w);
    sw_json_put_int(&w, "format", SW_ADVDB_VERSION);
    put_time(&w, "built", now);
    sw_json_key(&w, "sources");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < specs->len; i++) {
        const struct sw_source_spec *s = &specs->ptr[i];
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "name", s->name);
        sw_json_put_str(&w, "location", s->location);
        sw_json_put_str_opt(&w, "version", s->etag);
        sw_json_put_str(&w, "licence", sw_str(sw_source_licence(s->name)));
        sw_json_put_str(&w, "sha256", s->digest);
        put_time(&w, "fetched", s->fetched);
        put_time(&w, "date", s->date);
        sw_json_put_int(&w, "advisories", (int64_t)s->counts.advisories);
        sw_json_put_int(&w, "rows", (int64_t)s->counts.rows);
        sw_json_put_int(&w, "withdrawn", (int64_t)s->counts.withdrawn);
        sw_json_put_int(&w, "skipped", (int64_t)s->counts.skipped);
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_end_object(&w);
}

static enum sw_code get_time(const struct sw_json *obj, const char *key, int64_t *ret,
                             struct sw_error *err) {
    struct sw_str text = {0};
    uint32_t nsec;
    enum sw_code code = sw_json_opt_str(obj, key, &text, err);
    return code || !text.len ? code : sw_rfc3339_parse(text, ret, &nsec, err);
}

enum sw_code sw_scan_db_status(struct sw_arena *a, const struct sw_scan_db *db,
                               struct sw_scan_db_status *ret, struct sw_error *err) {
    struct sw_scan_db_status status = {.built = db->advdb.built};
    struct sw_str text;
    const struct sw_json *root, *list = NULL;
    enum sw_code code = sw_advdb_manifest(&db->advdb, &text, err);
    if (!code) code = sw_json_parse(a, text, NULL, &root, err);
    if (!code) code = sw_json_need_node(root, "sources", SW_JSON_ARRAY, &list, err);
    if (code) return sw_context(err, "the database's manifest");
    status.sources = sw_arena_array(a, list->len, sizeof *status.sources);
    for (size_t i = 0; i < list->len && !code; i++) {
        const struct sw_json *from = &list->items[i];
        struct sw_scan_source_status *to = &status.sources[status.n_sources++];
        code = sw_json_need_str(from, "name", &to->name, err);
        if (!code) code = sw_json_need_str(from, "location", &to->location, err);
        if (!code) code = sw_json_opt_str(from, "version", &to->version, err);
        if (!code) code = sw_json_opt_str(from, "licence", &to->licence, err);
        if (!code) code = sw_json_opt_str(from, "sha256", &to->digest, err);
        if (!code) code = get_time(from, "fetched", &to->fetched, err);
        if (!code) code = get_time(from, "date", &to->date, err);
        if (!code) code = sw_json_opt_int(from, "advisories", &to->advisories, err);
        if (!code) code = sw_json_opt_int(from, "rows", &to->rows, err);
        if (!status.oldest_fetch || to->fetched < status.oldest_fetch)
            status.oldest_fetch = to->fetched;
    }
    if (code) return sw_context(err, "the database's manifest");
    if (db->checked > status.oldest_fetch) status.oldest_fetch = db->checked;
    *ret = status;
    return SW_OK;
}

/* --- updating -------------------------------------------------------------------------------- */

/* How a source of last time is written. */
static struct sw_str spelled(struct sw_arena *a, const struct sw_scan_source_status *s) {
    return sw_arena_printf(a, "%.*s=%.*s", SW_ARG(s->name), SW_ARG(s->location));
}

static enum sw_code add_spec(struct sw_updater *u, const char *text, struct sw_error *err) {
    struct sw_source_spec *more = sw_arena_array(u->a, u->specs.len + 1, sizeof *more);
    if (u->specs.len) memcpy(more, u->specs.ptr, u->specs.len * sizeof *more);
    u->specs.ptr = more;
    struct sw_source_spec *s = &u->specs.ptr[u->specs.len];
    enum sw_code code = sw_source_parse(u->a, text, s, err);
    if (code) return code;
    if (s->local) {
        char *full = realpath(s->location.ptr, NULL);
        if (!full) return sw_fail_sys(err, errno, "opening source %s", s->location.ptr);
        s->location = sw_arena_str(u->a, sw_str(full));
        free(full);
    }
    for (size_t i = 0; i < u->specs.len; i++)
        if (sw_str_eq(u->specs.ptr[i].name, s->name))
            return sw_fail(err, SW_USAGE, "two sources are named %.*s; write NAME=PLACE",
                           SW_ARG(s->name));
    u->specs.len++;
    return SW_OK;
}

static enum sw_code collect_specs(struct sw_updater *u, const struct sw_scan_db_status *before,
                                  struct sw_error *err) {
    const char *const *given = u->options->sources;
    enum sw_code code = SW_OK;
    for (size_t i = 0; given && given[i] && !code; i++) code = add_spec(u, given[i], err);
    if (code || u->specs.len) return code;
    for (size_t i = 0; i < before->n_sources && !code; i++)
        code = add_spec(u, spelled(u->a, &before->sources[i]).ptr, err);
    if (code || u->specs.len) return code;
    return add_spec(u, "golang.org/x/vulndb", err);
}

/* Whether the same inputs, in the same order, made the database that is there. */
static bool same_inputs(const struct sw_specs *specs, const struct sw_scan_db_status *before) {
    if (specs->len != before->n_sources) return false;
    for (size_t i = 0; i < specs->len; i++)
        if (!sw_str_eq(specs->ptr[i].digest, before->sources[i].digest) ||
            !sw_str_eq(specs->ptr[i].name, before->sources[i].name) ||
            !sw_str_eq(specs->ptr[i].location, before->sources[i].location))
            return false;
    return true;
}

static enum sw_code compile_all(struct sw_updater *u, struct sw_buf *out,
                                struct sw_scan_update_result *ret, struct sw_error *err) {
    struct sw_advdb_builder *b = sw_advdb_builder_new();
    SW_BUF struct sw_buf manifest;
    enum sw_code code = SW_OK;
    sw_buf_init(&manifest, 0);
    for (size_t i = 0; i < u->specs.len && !code; i++) {
        struct sw_source_spec *s = &u->specs.ptr[i];
        unsigned step = sw_progress_step(u->options->progress,
                                         sw_arena_printf(u->a, "compile %.*s", SW_ARG(s->name)));
        sw_progress_start(u->options->progress, step);
        code = sw_source_compile(u, s, b, err);
        if (code) {
            sw_progress_fail(u->options->progress, step, err);
            break;
        }
        sw_progress_done(u->options->progress, step);
        ret->advisories += s->counts.advisories;
        ret->rows += s->counts.rows;
        ret->withdrawn += s->counts.withdrawn;
        ret->skipped += s->counts.skipped;
    }
    if (!code) {
        write_manifest(&manifest, &u->specs, u->options->now);
        code = sw_advdb_build(b, u->options->now, sw_buf_str(&manifest), out, err);
    }
    sw_advdb_builder_free(b);
    return code;
}

static enum sw_code fetch_all(struct sw_updater *u, struct sw_error *err) {
    for (size_t i = 0; i < u->specs.len; i++) {
        struct sw_source_spec *s = &u->specs.ptr[i];
        unsigned step = sw_progress_step(
            u->options->progress,
            sw_arena_printf(u->a, "fetch %.*s from %.*s", SW_ARG(s->name), SW_ARG(s->location)));
        sw_progress_start(u->options->progress, step);
        enum sw_code code = sw_source_fetch(u, s, err);
        if (!code) code = sw_source_digest(u, s, err);
        if (code) {
            sw_progress_fail(u->options->progress, step, err);
            return code;
        }
        sw_progress_done(u->options->progress, step);
    }
    return SW_OK;
}

/* The database that is there, if it can be used to tell what changed. */
static void read_before(struct sw_updater *u, struct sw_scan_db_status *ret, size_t *ret_size) {
    struct sw_scan_db db = {0};
    struct sw_error ignored;
    struct sw_scan_db_status status = {0};
    *ret = status;
    if (sw_scan_db_open(u->options->dir, &db, &ignored)) return;
    if (!sw_scan_db_status(u->a, &db, &status, &ignored)) {
        /* The strings live in the tree, which the parser copied into the arena. */
        *ret = status;
        *ret_size = db.size;
        if (sw_advdb_verify(&db.advdb, &ignored)) *ret = (struct sw_scan_db_status){0};
    }
    sw_scan_db_close(&db);
}

/* The database stays as it is; that it is still what the sources say is noted beside it. */
static enum sw_code write_checked(struct sw_updater *u, int state,
                                  const struct sw_scan_db_status *before, struct sw_error *err) {
    struct sw_str text =
        sw_arena_printf(u->a, "%lld %lld\n", (long long)before->built, (long long)u->options->now);
    return sw_write_file_at(state, CHECKED_NAME, 0644, text, err);
}

static enum sw_code run_update(struct sw_updater *u, int state, struct sw_scan_update_result *ret,
                               struct sw_error *err) {
    struct sw_scan_db_status before;
    size_t size = 0;
    read_before(u, &before, &size);
    enum sw_code code = collect_specs(u, &before, err);
    if (!code) code = fetch_all(u, err);
    if (code) return code;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, SW_ADVDB_SIZE_MAX);
    if (same_inputs(&u->specs, &before)) {
        ret->unchanged = true;
        ret->size_bytes = size;
        return write_checked(u, state, &before, err);
    }
    code = compile_all(u, &out, ret, err);
    if (code) return code;
    ret->size_bytes = out.len;
    return sw_write_file_at(state, SW_SCAN_DB_NAME, 0644, sw_buf_str(&out), err);
}

enum sw_code sw_scan_update(const struct sw_scan_update *options, struct sw_scan_update_result *ret,
                            struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    SW_FD int state = -1, dir = -1, lock = -1;
    struct sw_scan_update_result result = {0};
    sw_arena_init(&a, (size_t)1 << 30);
    SW_FREE char *sources = sw_asprintf("%s/sources", options->dir);
    struct sw_updater u = {.a = &a, .options = options, .dir_path = sources};
    enum sw_code code = open_dir(options->dir, &state, err);
    if (!code) code = open_dir(sources, &dir, err);
    if (!code) code = sw_lock_file_at(state, "update.lock", true, true, &lock, err);
    if (code) return sw_context(err, "updating the advisory database");
    u.dir = dir;
    if (!options->offline) {
        struct sw_http_options http = {.insecure = options->insecure};
        u.http = sw_http_new(&http);
    }
    code = run_update(&u, state, &result, err);
    sw_http_free(u.http);
    if (code) return sw_context(err, "updating the advisory database");
    *ret = result;
    return SW_OK;
}
