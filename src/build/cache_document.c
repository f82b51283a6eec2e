#include "build/cache_document.h"

#include <string.h>

#include "codec/hex.h"
#include "codec/json.h"
#include "codec/json_writer.h"

#define VERSION 1
#define RECORDS_MAX 65536 /* more than fit in a document of an image */

/* ---- reading ---- */

/* 64 digits: a key is a SHA-256 that is no content's digest, so it is written without its name. */
static enum sw_code read_key(const struct sw_json *node, const char *name, bool needed,
                             struct sw_digest *ret, struct sw_error *err) {
    struct sw_str text = SW_STR("");
    struct sw_digest d = {.alg = SW_SHA256};
    enum sw_code code =
        needed ? sw_json_need_str(node, name, &text, err) : sw_json_opt_str(node, name, &text, err);
    if (code || (!needed && !text.len)) return code;
    if (text.len != 64 || !sw_hex_decode(text, false, d.bytes))
        return sw_json_fail(node, err, "\"%s\" is no key", name);
    *ret = d;
    return SW_OK;
}

static enum sw_code read_step(const struct sw_json *node, struct sw_cache_step *s,
                              struct sw_error *err) {
    struct sw_str compressor = SW_STR("");
    int64_t size = 0, layer = -1;
    *s = (struct sw_cache_step){.layer = SW_CACHE_LAYER_NONE};
    enum sw_code code = read_key(node, "key", true, &s->key, err);
    if (!code) code = sw_json_opt_bool(node, "empty", &s->empty, err);
    if (!code) code = sw_json_opt_digest(node, "diffID", &s->diff_id, err);
    if (!code) code = sw_json_opt_digest(node, "blob", &s->blob, err);
    if (!code) code = sw_json_opt_int(node, "size", &size, err);
    if (!code) code = sw_json_opt_int(node, "layer", &layer, err);
    if (!code) code = sw_json_opt_int(node, "epoch", &s->epoch_s, err);
    if (!code) code = sw_json_opt_str(node, "compressor", &compressor, err);
    if (!code) code = read_key(node, "content", false, &s->content, err);
    if (code) return code;
    /* The store names its blobs by SHA-256 alone. */
    bool whole =
        layer >= 0 || (s->diff_id.alg == SW_SHA256 && s->blob.alg == SW_SHA256 && size > 0);
    if (compressor.len >= sizeof s->compressor || (!s->empty && !whole))
        return sw_json_fail(node, err, "no record of a step");
    memcpy(s->compressor, compressor.ptr, compressor.len);
    s->size = size > 0 ? (uint64_t)size : 0;
    if (layer >= 0) s->layer = (size_t)layer;
    return SW_OK;
}

static enum sw_code read_plan(const struct sw_json *node, struct sw_cache_plan *p,
                              struct sw_error *err) {
    *p = (struct sw_cache_plan){0};
    enum sw_code code = read_key(node, "inputs", true, &p->inputs, err);
    if (!code) code = sw_json_opt_bool(node, "empty", &p->empty, err);
    if (!code && !p->empty) code = read_key(node, "key", true, &p->key, err);
    if (!code && !p->empty) code = read_key(node, "identity", true, &p->identity, err);
    return code;
}

/* The array of a name, which may be missing. */
static enum sw_code read_array(const struct sw_json *root, const char *name,
                               const struct sw_json **ret, struct sw_error *err) {
    *ret = sw_json_get(root, name);
    if (!*ret) return SW_OK;
    enum sw_code code = sw_json_expect(*ret, SW_JSON_ARRAY, err);
    if (!code && (*ret)->len > RECORDS_MAX)
        code = sw_fail(err, SW_LIMIT, "more than %d %s", RECORDS_MAX, name);
    return code;
}

enum sw_code sw_cache_document_parse(struct sw_arena *a, struct sw_str text,
                                     struct sw_cache_document *ret, struct sw_error *err) {
    const struct sw_json *root, *steps, *plans;
    struct sw_cache_document d = {0};
    int64_t version = 0;
    enum sw_code code = sw_json_parse(a, text, NULL, &root, err);
    if (!code) code = sw_json_expect(root, SW_JSON_OBJECT, err);
    if (!code) code = sw_json_need_int(root, "version", &version, err);
    if (!code && version != VERSION)
        code = sw_fail(err, SW_UNSUPPORTED, "a cache of version %lld, which is not known here",
                       (long long)version);
    if (!code) code = read_array(root, "records", &steps, err);
    if (!code && !steps) code = sw_fail(err, SW_SYNTAX, "there are no records");
    if (!code) code = read_array(root, "plans", &plans, err);
    if (code) return code;
    d.steps = sw_arena_array(a, steps->len + 1, sizeof *d.steps);
    for (; !code && d.n_steps < steps->len; d.n_steps++)
        code = read_step(&steps->items[d.n_steps], &d.steps[d.n_steps], err);
    size_t n_plans = plans ? plans->len : 0;
    d.plans = sw_arena_array(a, n_plans + 1, sizeof *d.plans);
    for (; !code && d.n_plans < n_plans; d.n_plans++)
        code = read_plan(&plans->items[d.n_plans], &d.plans[d.n_plans], err);
    if (!code) code = sw_arena_check(a, "a cache's records", err);
    if (!code) *ret = d;
    return code;
}

/* ---- writing ---- */

static void put_key(struct sw_json_writer *w, const char *name, const struct sw_digest *d) {
    char hex[SW_DIGEST_TEXT_MAX];
    sw_json_put_str(w, name, sw_digest_hex(d, hex));
}

static void write_step(struct sw_json_writer *w, const struct sw_cache_step *s) {
    sw_json_begin_object(w);
    put_key(w, "key", &s->key);
    if (s->empty) {
        sw_json_put_bool(w, "empty", true);
    } else {
        if (s->layer != SW_CACHE_LAYER_NONE) {
            sw_json_put_int(w, "layer", (int64_t)s->layer);
        } else {
            sw_json_put_digest(w, "diffID", &s->diff_id);
            sw_json_put_digest(w, "blob", &s->blob);
            sw_json_put_int(w, "size", (int64_t)s->size);
        }
        sw_json_put_text(w, "compressor", s->compressor);
        sw_json_put_int(w, "epoch", s->epoch_s);
        if (sw_digest_is_set(&s->content)) put_key(w, "content", &s->content);
    }
    sw_json_end_object(w);
}

static void write_plan(struct sw_json_writer *w, const struct sw_cache_plan *p) {
    sw_json_begin_object(w);
    put_key(w, "inputs", &p->inputs);
    if (p->empty) {
        sw_json_put_bool(w, "empty", true);
    } else {
        put_key(w, "key", &p->key);
        put_key(w, "identity", &p->identity);
    }
    sw_json_end_object(w);
}

void sw_cache_document_write(struct sw_buf *to, const struct sw_cache_document *d) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, to, 0);
    sw_json_begin_object(&w);
    sw_json_put_int(&w, "version", VERSION);
    sw_json_key(&w, "records");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < d->n_steps; i++) write_step(&w, &d->steps[i]);
    sw_json_end_array(&w);
    if (d->n_plans) {
        sw_json_key(&w, "plans");
        sw_json_begin_array(&w);
        for (size_t i = 0; i < d->n_plans; i++) write_plan(&w, &d->plans[i]);
        sw_json_end_array(&w);
    }
    sw_json_end_object(&w);
}
