/* A layer's inventory on disk: docs/format/scan-layer.md.
 *
 *     "swlayer\n"  version u32  0 u32  checksum u64 (of what follows)  body
 *
 * Numbers are little-endian; a string is its length (u32) and its bytes; a list its count (u32) and
 * its members.
 */
#include "base/map.h"
#include "scan/inventory.h"

#define MAGIC "swlayer\n"
enum { HEAD = 24 };

/* --- writing --------------------------------------------------------------------------------- */

static void put8(struct sw_buf *b, unsigned v) { sw_buf_add_char(b, (char)v); }
static void put32(struct sw_buf *b, uint64_t v) {
    for (int i = 0; i < 4; i++) sw_buf_add_char(b, (char)(v >> (8 * i)));
}
static void put64(struct sw_buf *b, uint64_t v) {
    put32(b, v & UINT32_MAX);
    put32(b, v >> 32);
}
static void put_str(struct sw_buf *b, struct sw_str s) {
    put32(b, s.len);
    sw_buf_add(b, s);
}
static void put_strs(struct sw_buf *b, const struct sw_strs *list) {
    put32(b, list->len);
    for (size_t i = 0; i < list->len; i++) put_str(b, list->ptr[i]);
}
static void put_hashes(struct sw_buf *b, const uint64_t *hashes, size_t n) {
    put32(b, n);
    for (size_t i = 0; i < n; i++) put64(b, hashes[i]);
}

static void put_package(struct sw_buf *b, const struct sw_scan_package *p) {
    put_str(b, p->p.name);
    put_str(b, p->p.version);
    put_str(b, p->p.arch);
    put_str(b, p->p.source);
    put_str(b, p->p.source_version);
    put_str(b, p->p.module_label);
    put_str(b, p->p.vendor);
    put_str(b, p->ecosystem);
    put8(b, (p->main ? 1u : 0u) | (p->stdlib ? 2u : 0u));
}

static void put_artifact(struct sw_buf *b, const struct sw_scan_artifact *x) {
    put8(b, x->kind);
    put_str(b, x->path);
    put_str(b, x->problem);
    const struct sw_str os[] = {x->os.id,       x->os.version_id, x->os.pretty_name,
                                x->os.codename, x->os.id_like,    x->os.support_end};
    for (size_t i = 0; i < 6; i++) put_str(b, os[i]);
    put32(b, x->n_packages);
    for (size_t i = 0; i < x->n_packages; i++) put_package(b, &x->packages[i]);
    const struct sw_str go[] = {x->go_version, x->go_version_raw, x->main_path,
                                x->goos,       x->goarch,         x->format};
    for (size_t i = 0; i < 6; i++) put_str(b, go[i]);
    put32(b, x->settings.len);
    for (size_t i = 0; i < x->settings.len; i++) {
        put_str(b, x->settings.ptr[i].name);
        put_str(b, x->settings.ptr[i].value);
    }
    put8(b, (x->modules_unknown ? 1u : 0u) | (x->functions.known ? 2u : 0u) |
                (x->functions.complete ? 4u : 0u));
    put_hashes(b, x->functions.hashes, x->functions.n);
    put_strs(b, &x->functions.packages);
}

void sw_scan_layer_write(const struct sw_scan_layer *layer, struct sw_buf *out) {
    size_t start = out->len;
    sw_buf_add_text(out, MAGIC);
    put32(out, SW_SCAN_LAYER_VERSION);
    put32(out, 0);
    put64(out, 0);
    put8(out, layer->diff_id.alg);
    sw_buf_add_bytes(out, layer->diff_id.bytes, sizeof layer->diff_id.bytes);
    put64(out, layer->bytes);
    put_strs(out, &layer->whiteouts);
    put_strs(out, &layer->opaques);
    put64(out, layer->seed);
    put_hashes(out, layer->files, layer->n_files);
    put_hashes(out, layer->dirs, layer->n_dirs);
    put32(out, layer->n_artifacts);
    for (size_t i = 0; i < layer->n_artifacts; i++) put_artifact(out, &layer->artifacts[i]);
    if (out->overflow) return;
    uint64_t sum = sw_hash_bytes(out->ptr + start + HEAD, out->len - start - HEAD, 0);
    for (int i = 0; i < 8; i++) out->ptr[start + 16 + (size_t)i] = (char)(sum >> (8 * i));
}

/* --- reading --------------------------------------------------------------------------------- */

/* Anything beyond the end reads as zero and sets bad. */
struct cursor {
    struct sw_arena *a;
    struct sw_str rest;
    bool bad;
};

static const char *take(struct cursor *c, size_t len) {
    if (len > c->rest.len) {
        c->bad = true;
        c->rest.len = 0;
        return NULL;
    }
    const char *p = c->rest.ptr;
    c->rest = sw_str_from(c->rest, len);
    return p;
}
static uint64_t get(struct cursor *c, size_t size) {
    const char *p = take(c, size);
    uint64_t v = 0;
    for (size_t i = 0; p && i < size; i++) v |= (uint64_t)(uint8_t)p[i] << (8 * i);
    return v;
}
static struct sw_str get_str(struct cursor *c) {
    size_t len = (size_t)get(c, 4);
    const char *p = take(c, len);
    return p ? sw_str_n(p, len) : SW_STR("");
}
/* A count of members that have at least size bytes each. */
static size_t get_count(struct cursor *c, size_t size) {
    size_t n = (size_t)get(c, 4);
    if (n <= c->rest.len / size) return n;
    c->bad = true;
    return 0;
}
static struct sw_strs get_strs(struct cursor *c) {
    struct sw_strs list = {.len = get_count(c, 4)};
    list.cap = list.len;
    list.ptr = sw_arena_array(c->a, list.len, sizeof *list.ptr);
    for (size_t i = 0; i < list.len; i++) list.ptr[i] = get_str(c);
    return list;
}
static uint64_t *get_hashes(struct cursor *c, size_t *ret_n) {
    size_t n = get_count(c, 8);
    uint64_t *hashes = sw_arena_array(c->a, n, sizeof *hashes);
    const char *p = take(c, n * 8);
    for (size_t i = 0; p && i < n; i++)
        for (unsigned k = 0; k < 8; k++) hashes[i] |= (uint64_t)(uint8_t)p[8 * i + k] << (8 * k);
    *ret_n = n;
    return hashes;
}

static void get_package(struct cursor *c, struct sw_scan_package *p) {
    p->p.name = get_str(c);
    p->p.version = get_str(c);
    p->p.arch = get_str(c);
    p->p.source = get_str(c);
    p->p.source_version = get_str(c);
    p->p.module_label = get_str(c);
    p->p.vendor = get_str(c);
    p->ecosystem = get_str(c);
    unsigned flags = (unsigned)get(c, 1);
    p->main = flags & 1;
    p->stdlib = flags & 2;
}

static void get_artifact(struct cursor *c, struct sw_scan_artifact *x) {
    x->kind = (enum sw_scan_kind)get(c, 1);
    if (x->kind < SW_SCAN_OS || x->kind > SW_SCAN_SBOM) c->bad = true;
    x->path = get_str(c);
    x->problem = get_str(c);
    struct sw_str *const os[] = {&x->os.id,       &x->os.version_id, &x->os.pretty_name,
                                 &x->os.codename, &x->os.id_like,    &x->os.support_end};
    for (size_t i = 0; i < 6; i++) *os[i] = get_str(c);
    x->n_packages = get_count(c, 33);
    x->packages = sw_arena_array(c->a, x->n_packages, sizeof *x->packages);
    for (size_t i = 0; i < x->n_packages; i++) get_package(c, &x->packages[i]);
    struct sw_str *const go[] = {&x->go_version, &x->go_version_raw, &x->main_path,
                                 &x->goos,       &x->goarch,         &x->format};
    for (size_t i = 0; i < 6; i++) *go[i] = get_str(c);
    size_t n = get_count(c, 8);
    for (size_t i = 0; i < n; i++) {
        struct sw_str name = get_str(c), value = get_str(c);
        sw_pairs_set(c->a, &x->settings, name, value);
    }
    unsigned flags = (unsigned)get(c, 1);
    x->modules_unknown = flags & 1;
    x->functions.known = flags & 2;
    x->functions.complete = flags & 4;
    x->functions.hashes = get_hashes(c, &x->functions.n);
    x->functions.packages = get_strs(c);
}

enum sw_code sw_scan_layer_read(struct sw_arena *a, struct sw_str bytes, struct sw_scan_layer *ret,
                                struct sw_error *err) {
    struct cursor c = {.a = a, .rest = bytes};
    struct sw_scan_layer l = {0};
    if (!sw_str_starts(bytes, SW_STR(MAGIC)))
        return sw_fail(err, SW_CORRUPT, "not a layer's inventory");
    take(&c, 8);
    if (get(&c, 4) != SW_SCAN_LAYER_VERSION)
        return sw_fail(err, SW_UNSUPPORTED, "an inventory of another version");
    take(&c, 4);
    uint64_t sum = get(&c, 8);
    if (c.bad || sum != sw_hash_bytes(c.rest.ptr, c.rest.len, 0))
        return sw_fail(err, SW_CORRUPT, "the layer's inventory is damaged");
    l.diff_id.alg = (uint8_t)get(&c, 1);
    const char *digest = take(&c, sizeof l.diff_id.bytes);
    if (digest) memcpy(l.diff_id.bytes, digest, sizeof l.diff_id.bytes);
    l.bytes = get(&c, 8);
    l.whiteouts = get_strs(&c);
    l.opaques = get_strs(&c);
    l.seed = get(&c, 8);
    l.files = get_hashes(&c, &l.n_files);
    l.dirs = get_hashes(&c, &l.n_dirs);
    l.n_artifacts = get_count(&c, 60);
    l.artifacts = sw_arena_array(a, l.n_artifacts, sizeof *l.artifacts);
    for (size_t i = 0; i < l.n_artifacts && !c.bad; i++) get_artifact(&c, &l.artifacts[i]);
    if (c.bad || c.rest.len) return sw_fail(err, SW_CORRUPT, "the layer's inventory is damaged");
    *ret = l;
    return sw_arena_check(a, "the layer's inventory", err);
}
