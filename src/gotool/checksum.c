#include "gotool/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "golang/sumdb.h"

enum { SMALL_TIMEOUT_MS = 60000 }; /* for documents of a few KiB, retries included */

struct kept_tile {
    char path[SW_SUMDB_TILE_PATH_MAX];
    struct sw_str bytes; /* arena */
    bool complete;       /* may be kept on disk */
};

struct client {
    struct sw_http *http;
    const struct sw_go_store *store;
    const struct sw_go_settings *settings;
    struct sw_sumdb_key key;
    struct sw_str direct; /* the database's own address */
    bool no_proxy;        /* GOSUMDB names an address: it is used and nothing else */
    struct sw_str base;   /* where documents come from; "" not yet decided; arena */
    int dir;              /* sumdb/NAME in the store */
    struct sw_sumdb_head newest;
    SW_VEC(struct kept_tile) tiles;
    struct sw_arena arena;
};

/* GOSUMDB: NAME | KEY | NAME ADDRESS | KEY ADDRESS. */
static enum sw_code read_database(struct client *c, struct sw_error *err) {
    struct sw_str text = sw_str_trim(c->settings->gosumdb.value), name, address;
    c->no_proxy = sw_str_cut(text, ' ', &name, &address);
    address = sw_str_trim(address);
    if (sw_str_is(name, "sum.golang.google.cn")) {
        name = SW_STR("sum.golang.org");
        if (!address.len) address = SW_STR("https://sum.golang.google.cn");
        c->no_proxy = true;
    }
    struct sw_str key = sw_str_is(name, "sum.golang.org") ? sw_str(sw_sumdb_known_key) : name;
    enum sw_code code = sw_sumdb_key_parse(key, &c->key, err);
    if (code) return sw_context(err, "GOSUMDB");
    if (strchr(c->key.name, '/') || c->key.name[0] == '.')
        return sw_fail(err, SW_USAGE, "GOSUMDB: \"%s\" is not a name", c->key.name);
    c->direct = address.len ? address : sw_arena_printf(&c->arena, "https://%s", c->key.name);
    while (sw_str_ends(c->direct, SW_STR("/"))) c->direct.len--;
    return SW_OK;
}

static enum sw_code get(struct client *c, struct sw_str base, const char *path,
                        struct sw_str *ret_body, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r;
    sw_http_response_init(&r);
    struct sw_http_request q = {
        .url = sw_arena_printf(&c->arena, "%.*s/%s", SW_ARG(base), path).ptr,
        .flags = SW_HTTP_ALLOW_FILE,
        .max_body = SW_SUMDB_NOTE_MAX,
        .timeout_ms = SMALL_TIMEOUT_MS,
    };
    enum sw_code code = sw_http_get(c->http, &q, &r, err);
    if (!code) *ret_body = sw_arena_str(&c->arena, sw_buf_str(&r.body));
    return code;
}

/* A proxy may stand in for the database; it says so under /supported. Follows GOPROXY's list. */
static enum sw_code choose_base(struct client *c, struct sw_error *err) {
    struct sw_goproxy list[SW_GOPROXY_MAX];
    size_t n = 0;
    struct sw_str ignored;
    c->base = c->direct;
    if (c->no_proxy) return SW_OK;
    enum sw_code code = sw_goproxy_parse(c->settings->goproxy.value, list, &n, err);
    if (code) return code;
    for (size_t i = 0; i < n; i++) {
        if (list[i].kind == SW_GOPROXY_DIRECT) return SW_OK;
        if (list[i].kind == SW_GOPROXY_OFF)
            return i ? SW_OK
                     : sw_fail(err, SW_DENIED, "GOPROXY=off forbids asking the checksum database");
        struct sw_str base =
            sw_arena_printf(&c->arena, "%.*s/sumdb/%s", SW_ARG(list[i].url), c->key.name);
        code = get(c, base, "supported", &ignored, err);
        if (!code) {
            c->base = base;
            return SW_OK;
        }
        if (code != SW_NOT_FOUND && !list[i].fall_back_on_error)
            return sw_context(err, "asking the proxy for the checksum database");
    }
    return SW_OK;
}

static enum sw_code tile_bytes(struct client *c, const struct sw_sumdb_tile *t, struct sw_str *ret,
                               struct sw_error *err) {
    struct sw_sumdb_tile full = *t;
    char path[SW_SUMDB_TILE_PATH_MAX], full_path[SW_SUMDB_TILE_PATH_MAX];
    full.width = 256;
    sw_sumdb_tile_path(t, path);
    sw_sumdb_tile_path(&full, full_path);
    for (size_t i = 0; i < c->tiles.len; i++)
        if (!strcmp(c->tiles.ptr[i].path, path)) {
            *ret = c->tiles.ptr[i].bytes;
            return SW_OK;
        }
    SW_BUF struct sw_buf kept;
    struct sw_error ignored;
    sw_buf_init(&kept, 256 * 32);
    if (!sw_read_file_at(c->dir, full_path, 256 * 32, &kept, &ignored) && kept.len == 256 * 32) {
        *ret = sw_arena_str(&c->arena, sw_buf_str(&kept));
        return SW_OK;
    }
    enum sw_code code = get(c, c->base, path, ret, err);
    if (code == SW_NOT_FOUND && t->width < 256) code = get(c, c->base, full_path, ret, err);
    if (code) return code;
    struct kept_tile *k = sw_vec_push(&c->tiles);
    snprintf(k->path, sizeof k->path, "%s", path);
    k->bytes = *ret;
    k->complete = t->width == 256;
    return SW_OK;
}

static enum sw_code node(void *context, unsigned level, uint64_t index, struct sw_sumdb_hash *ret,
                         struct sw_error *err) {
    struct client *c = context;
    struct sw_sumdb_tile t = sw_sumdb_tile_of(level, index, c->newest.size);
    struct sw_str bytes;
    enum sw_code code = tile_bytes(c, &t, &bytes, err);
    return code ? code : sw_sumdb_tile_node(&t, bytes, ret, err);
}

/* Complete tiles never change; they are kept once a proof has vouched for them. */
static void keep_tiles(struct client *c) {
    for (size_t i = 0; i < c->tiles.len; i++) {
        struct kept_tile *k = &c->tiles.ptr[i];
        struct sw_error ignored;
        if (!k->complete) continue;
        char dir[SW_SUMDB_TILE_PATH_MAX];
        snprintf(dir, sizeof dir, "%s", k->path);
        *strrchr(dir, '/') = 0;
        if (sw_mkdirs_at(c->dir, dir, 0755, &ignored)) continue;
        SW_FD int at = openat(c->dir, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (at >= 0 && sw_write_file_at(at, strrchr(k->path, '/') + 1, 0644, k->bytes, &ignored))
            sw_debug("gotool", "keeping %s: %s", k->path, ignored.text);
    }
}

/* Brings the remembered head and a new one into line; c->newest is the larger afterwards. */
static enum sw_code merge_head(struct client *c, const struct sw_sumdb_head *head, bool *ret_newer,
                               struct sw_error *err) {
    struct sw_sumdb_nodes nodes = {node, c};
    struct sw_sumdb_head kept = c->newest;
    *ret_newer = head->size > kept.size;
    const struct sw_sumdb_head *older = *ret_newer ? &kept : head;
    const struct sw_sumdb_head *newer = *ret_newer ? head : &kept;
    c->newest = *newer;
    enum sw_code code = sw_sumdb_check_heads(older, newer, &nodes, err);
    if (code == SW_CORRUPT)
        sw_advise(err,
                  "; remembered: %llu records, offered: %llu. Somebody may be attacking the "
                  "checksum database: nothing is installed",
                  (unsigned long long)kept.size, (unsigned long long)head->size);
    return code;
}

static enum sw_code open_dir(struct client *c, int *ret_lock, struct sw_error *err) {
    SW_FREE char *path = sw_asprintf("sumdb/%s", c->key.name);
    enum sw_code code = sw_mkdirs_at(c->store->fd, path, 0755, err);
    if (code || (code = sw_open_at(c->store->fd, path, O_RDONLY | O_DIRECTORY, 0, &c->dir, err)))
        return code;
    code = sw_go_store_lock(c->store, "sumdb", NULL, NULL, ret_lock, err);
    if (code) return code;
    SW_BUF struct sw_buf note;
    sw_buf_init(&note, SW_SUMDB_NOTE_MAX);
    code = sw_read_file_at(c->dir, "latest", SW_SUMDB_NOTE_MAX, &note, err);
    if (code == SW_NOT_FOUND) return SW_OK;
    if (!code) code = sw_sumdb_head_open(sw_buf_str(&note), &c->key, &c->newest, err);
    return code ? sw_context(err, "remembered tree head %s/sumdb/%s/latest", c->store->root,
                             c->key.name)
                : SW_OK;
}

/* Checks a lookup's answer against everything that is known. */
static enum sw_code prove(struct client *c, struct sw_str body, struct sw_str version,
                          struct sw_go_sum *ret, struct sw_error *err) {
    struct sw_sumdb_record r = {0};
    struct sw_sumdb_head head = {0};
    bool newer = false;
    enum sw_code code = sw_sumdb_record_parse(body, &r, err);
    if (code || (code = sw_sumdb_head_open(r.note, &c->key, &head, err)) ||
        (code = merge_head(c, &head, &newer, err)))
        return code;
    struct sw_sumdb_hash hash = sw_sumdb_hash_record(r.text);
    struct sw_sumdb_nodes nodes = {node, c};
    code = sw_sumdb_check_record(&c->newest, r.id, &hash, &nodes, err);
    if (code) return code;
    struct sw_str h1 = sw_sumdb_record_find(r.text, SW_STR(SW_GO_TOOLCHAIN_MODULE), version);
    if (!h1.ptr || h1.len >= sizeof ret->hash)
        return sw_fail(err, SW_CORRUPT, "the record is about something else");
    snprintf(ret->hash, sizeof ret->hash, "%.*s", SW_ARG(h1));
    ret->record = r.id;
    ret->tree_size = c->newest.size;
    if (!newer) return SW_OK;
    return sw_write_file_at(c->dir, "latest", 0644, r.note, err);
}

static enum sw_code look_up(struct client *c, struct sw_str version, struct sw_go_sum *ret,
                            struct sw_error *err) {
    SW_FD int lock = -1;
    enum sw_code code = open_dir(c, &lock, err);
    if (code) return code;
    struct sw_str path =
        sw_arena_printf(&c->arena, "lookup/%s@%.*s", SW_GO_TOOLCHAIN_MODULE, SW_ARG(version));
    SW_FREE char *name = sw_asprintf("record-%.*s", SW_ARG(version));
    SW_BUF struct sw_buf kept;
    struct sw_error ignored;
    sw_buf_init(&kept, SW_SUMDB_NOTE_MAX);
    ret->remembered = !sw_read_file_at(c->dir, name, SW_SUMDB_NOTE_MAX, &kept, &ignored);
    if (ret->remembered) {
        /* Its proof was checked when it was kept; the signature is checked again. */
        struct sw_sumdb_record r;
        struct sw_sumdb_head head;
        code = sw_sumdb_record_parse(sw_buf_str(&kept), &r, &ignored);
        if (!code) code = sw_sumdb_head_open(r.note, &c->key, &head, &ignored);
        struct sw_str h1 = {0};
        if (!code) h1 = sw_sumdb_record_find(r.text, SW_STR(SW_GO_TOOLCHAIN_MODULE), version);
        if (h1.ptr && h1.len < sizeof ret->hash) {
            snprintf(ret->hash, sizeof ret->hash, "%.*s", SW_ARG(h1));
            ret->record = r.id;
            ret->tree_size = c->newest.size;
            return SW_OK;
        }
        ret->remembered = false;
    }
    if (c->settings->offline)
        return sw_fail(err, SW_NOT_FOUND, "offline, and the record was not kept by an earlier run");
    struct sw_str body;
    if ((code = choose_base(c, err)) || (code = get(c, c->base, path.ptr, &body, err)) ||
        (code = prove(c, body, version, ret, err)))
        return code;
    keep_tiles(c);
    return sw_write_file_at(c->dir, name, 0644, body, err);
}

enum sw_code sw_go_checksum_lookup(struct sw_http *http, const struct sw_go_store *store,
                                   const struct sw_go_settings *settings, struct sw_str version,
                                   struct sw_go_sum *ret, struct sw_error *err) {
    struct client c = {.http = http, .store = store, .settings = settings, .dir = -1};
    struct sw_go_sum sum = {.record = 0};
    sw_arena_init(&c.arena, 16 << 20);
    enum sw_code code = read_database(&c, err);
    if (!code) {
        snprintf(sum.database, sizeof sum.database, "%s", c.key.name);
        code = look_up(&c, version, &sum, err);
    }
    sw_closep(&c.dir);
    sw_vec_done(&c.tiles);
    sw_arena_done(&c.arena);
    if (code)
        return sw_context(err, "checksum database: %s@%.*s", SW_GO_TOOLCHAIN_MODULE,
                          SW_ARG(version));
    *ret = sum;
    return SW_OK;
}
