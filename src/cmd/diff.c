#include "cmd/diff.h"

#include <stdio.h>

#include "build/layer_diff.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "codec/json.h"
#include "oci/limits.h"
#include "store/blob.h"

struct report {
    struct sw_arena *arena;
    struct sw_store *store;
    FILE *to;
    size_t n;
};

/* The instruction that made the nth layer. */
static struct sw_str step_of(const struct sw_image_read *image, size_t layer) {
    for (size_t i = 0, n = 0; i < image->config.n_history; i++)
        if (!image->config.history[i].empty_layer && n++ == layer)
            return image->config.history[i].created_by;
    return SW_STR("(unknown)");
}

/* ---- documents ---- */

static struct sw_str value_text(struct sw_arena *a, const struct sw_json *v) {
    SW_BUF struct sw_buf b;
    struct sw_json_writer w;
    sw_buf_init(&b, 0);
    if (!v) return SW_STR("(none)");
    sw_json_writer_init(&w, &b, 0);
    sw_json_tree(&w, v);
    return sw_arena_str(a, sw_buf_str(&b));
}

static void differs(struct report *r, const char *what, struct sw_str path, struct sw_str from,
                    struct sw_str to) {
    r->n++;
    fprintf(r->to, "%s %.*s\n  - %.*s\n  + %.*s\n", what, SW_ARG(path), SW_ARG(from), SW_ARG(to));
}

/* Member by member; arrays and scalars as a whole. The trees are at most as deep as the parser
 * allows. */
static void compare_json(struct report *r, struct sw_str path, const struct sw_json *x,
                         const struct sw_json *y) {
    bool objects = x && y && x->type == SW_JSON_OBJECT && y->type == SW_JSON_OBJECT;
    if (!objects) {
        struct sw_str from = value_text(r->arena, x), to = value_text(r->arena, y);
        if (!sw_str_eq(from, to)) differs(r, "config", path, from, to);
        return;
    }
    for (size_t i = 0; i < x->len; i++) {
        char *key = sw_arena_cstr(r->arena, x->items[i].key);
        compare_json(r, sw_arena_printf(r->arena, "%.*s.%s", SW_ARG(path), key), &x->items[i],
                     sw_json_get(y, key));
    }
    for (size_t i = 0; i < y->len; i++) {
        char *key = sw_arena_cstr(r->arena, y->items[i].key);
        if (!sw_json_get(x, key))
            compare_json(r, sw_arena_printf(r->arena, "%.*s.%s", SW_ARG(path), key), NULL,
                         &y->items[i]);
    }
}

static enum sw_code read_config(struct report *r, const struct sw_image_read *image,
                                const struct sw_json **ret, struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    enum sw_code code =
        sw_blob_read(r->store, &image->manifest.config.digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    return code ? code : sw_json_parse(r->arena, sw_buf_str(&bytes), NULL, ret, err);
}

/* ---- layers ---- */

static void print_difference(struct report *r, const struct sw_layer_difference *d) {
    const char *only = !d->from.ptr ? "is only in the second" : "is only in the first";
    r->n++;
    if (!d->from.ptr || !d->to.ptr) {
        fprintf(r->to, "  /%.*s %s (%.*s)\n", SW_ARG(d->path), only,
                SW_ARG(d->from.ptr ? d->from : d->to));
        return;
    }
    fprintf(r->to, "  /%.*s: %s", SW_ARG(d->path), d->what);
    if (*d->what == 'c' && d->offset != UINT64_MAX)
        fprintf(r->to, " from byte %llu", (unsigned long long)d->offset);
    fprintf(r->to, "\n    - %.*s\n    + %.*s\n", SW_ARG(d->from), SW_ARG(d->to));
}

static enum sw_code compare_layer(struct report *r, const struct sw_image_read *x,
                                  const struct sw_image_read *y, size_t i, struct sw_error *err) {
    struct sw_layer_difference *list;
    size_t n = 0;
    fprintf(r->to, "layer %zu: %.*s\n", i + 1, SW_ARG(step_of(x, i)));
    if (!sw_str_eq(step_of(x, i), step_of(y, i)))
        fprintf(r->to, "  in the second: %.*s\n", SW_ARG(step_of(y, i)));
    enum sw_code code = sw_layer_diff(r->store, r->arena, &x->manifest.layers[i].digest,
                                      &y->manifest.layers[i].digest, &list, &n, err);
    if (code) return sw_context(err, "layer %zu", i + 1);
    for (size_t k = 0; k < n; k++) print_difference(r, &list[k]);
    if (n) return SW_OK;
    r->n++;
    bool same_archive = i < x->config.n_diff_ids && i < y->config.n_diff_ids &&
                        sw_digest_eq(&x->config.diff_ids[i], &y->config.diff_ids[i]);
    fputs(same_archive ? "  the same archive, compressed to other bytes\n"
                       : "  the same entries, archived in other bytes\n",
          r->to);
    return SW_OK;
}

enum sw_code sw_diff_images(struct sw_store *store, struct sw_arena *arena,
                            const struct sw_image_read *from, const struct sw_image_read *to_image,
                            FILE *to, size_t *ret_n, struct sw_error *err) {
    struct report r = {.arena = arena, .store = store, .to = to};
    const struct sw_image_read *x = from, *y = to_image;
    const struct sw_json *p, *q;
    size_t n =
        x->manifest.n_layers < y->manifest.n_layers ? x->manifest.n_layers : y->manifest.n_layers;
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < n && !code; i++)
        if (!sw_digest_eq(&x->manifest.layers[i].digest, &y->manifest.layers[i].digest))
            code = compare_layer(&r, x, y, i, err);
    for (size_t i = n; i < x->manifest.n_layers; i++, r.n++)
        fprintf(to, "layer %zu is only in the first: %.*s\n", i + 1, SW_ARG(step_of(x, i)));
    for (size_t i = n; i < y->manifest.n_layers; i++, r.n++)
        fprintf(to, "layer %zu is only in the second: %.*s\n", i + 1, SW_ARG(step_of(y, i)));
    if (!code) code = read_config(&r, x, &p, err);
    if (!code) code = read_config(&r, y, &q, err);
    if (code) return code;
    compare_json(&r, SW_STR(""), p, q);
    if (!r.n && !sw_digest_eq(&x->manifest_descriptor.digest, &y->manifest_descriptor.digest)) {
        r.n++;
        fputs("the manifests differ (annotations or media types)\n", to);
    }
    *ret_n = r.n;
    return SW_OK;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    struct sw_image_read x, y;
    size_t n = 0;
    enum sw_code code = sw_session_open(inv, SW_SESSION_READ_ONLY, &session, err);
    if (!code) code = sw_image_read(session.store, inv->arena, sw_str(inv->args[0]), &x, err);
    if (!code) code = sw_image_read(session.store, inv->arena, sw_str(inv->args[1]), &y, err);
    if (!code) code = sw_diff_images(session.store, inv->arena, &x, &y, stdout, &n, err);
    if (!code && n) inv->exit_status = 1;
    return code;
}

const struct sw_command sw_cmd_diff = {
    .name = "diff",
    .args = "IMAGE IMAGE",
    .summary = "Show what two images do not have in common",
    .description =
        "Compares layer by layer: entries, their type, mode, owner, time, link, extended "
        "attributes and content, with the first byte that differs; then the configuration. Each "
        "layer is shown with the instruction that made it.\n\n"
        "Exit status: 0 the same, 1 different.",
    .examples = "  slipway diff app:1.0 app:1.1",
    .min_args = 2,
    .max_args = 2,
    .run = run,
};
