/* One layer in place of several.
 *
 * The roots of both stacks, with the layers and without, are listed; what the upper one has from
 * the layers above is the new layer, and what only the lower one has is a whiteout in it. A file is
 * the lower stack's where it is the same inode, so nothing has to be read to be compared.
 */
#include "base/mem.h"
#include "build/cache_key.h"
#include "build/copy.h"
#include "build/room_internal.h"

struct root {
    struct sw_source *view; /* owned */
    struct sw_copy copy;    /* every entry, sorted by path */
};

static void root_done(struct root *r) {
    sw_copy_done(&r->copy);
    sw_source_free(r->view);
}
#define ROOT SW_CLEANUP(root_done)

static enum sw_code list(struct sw_build *b, struct sw_blayer *layers, size_t n, struct root *r,
                         struct sw_error *err) {
    struct sw_str everything = SW_STR("");
    enum sw_code code = sw_layers_view(b, layers, n, SW_STR("the result"), &r->view, err);
    if (code) return code;
    struct sw_copy_spec spec = {.verb = "squash",
                                .source = r->view,
                                .paths = &everything,
                                .n_paths = 1,
                                .dest = SW_STR("/"),
                                .epoch_s = b->options->epoch_s,
                                .pool = b->tools->pool};
    return sw_copy_plan(&r->copy, &spec, err);
}

/* ---- what is new, what is gone ---- */

struct diff {
    struct sw_copy *to;
    const struct sw_copy *from;
    struct sw_item *items; /* owned until it is the copy's */
    size_t n;
    int64_t epoch_s;
};

/* The directory of a path, as the upper stack has it. */
static bool has_dir(const struct sw_copy *copy, struct sw_str path) {
    size_t low = 0, high = copy->n;
    if (!path.len) return true;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = sw_str_cmp(copy->items[middle].path, path);
        if (!order) return copy->items[middle].node.type == SW_TAR_DIR;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* What lies beneath something that went needs no mark of its own. */
static void add_whiteout(struct diff *d, struct sw_str path) {
    size_t slash = sw_str_rfind_char(path, '/');
    struct sw_str dir = slash == SIZE_MAX ? SW_STR("") : sw_str_sub(path, 0, slash);
    struct sw_str name = slash == SIZE_MAX ? path : sw_str_from(path, slash + 1);
    if (!has_dir(d->to, dir)) return;
    d->items[d->n++] = (struct sw_item){
        .path = sw_path_join(&d->to->arena, dir,
                             sw_arena_printf(&d->to->arena, ".wh.%.*s", SW_ARG(name))),
        .node = {.type = SW_TAR_FILE, .mtime_sec = d->epoch_s},
        .content = SW_STR("")};
}

static bool is_same_file(const struct sw_item *x, const struct sw_item *y) {
    return x->node.type == y->node.type && x->node.dev == y->node.dev && x->node.ino == y->node.ino;
}

/* Both are sorted the same way. */
static void subtract(struct diff *d) {
    size_t i = 0, k = 0;
    d->items = sw_calloc(d->to->n + d->from->n + 1, sizeof *d->items);
    while (i < d->from->n || k < d->to->n) {
        int order = i == d->from->n ? 1
                    : k == d->to->n ? -1
                                    : sw_str_cmp(d->from->items[i].path, d->to->items[k].path);
        if (order < 0) {
            add_whiteout(d, d->from->items[i].path);
        } else if (order > 0 || !is_same_file(&d->from->items[i], &d->to->items[k])) {
            d->items[d->n++] = d->to->items[k];
        }
        i += order <= 0;
        k += order >= 0;
    }
    free(d->to->items);
    d->to->items = d->items;
    d->to->n = d->n;
}

static enum sw_code make(struct sw_stage *s, size_t n_kept, struct sw_blayer *layer,
                         struct sw_error *err) {
    struct sw_build *b = s->build;
    ROOT struct root with = {0};
    ROOT struct root without = {0};
    struct sw_layer_writer *w = NULL;
    struct sw_layer_blob blob;
    sw_copy_init(&with.copy);
    sw_copy_init(&without.copy);
    enum sw_code code = sw_layers_snapshots(b, s->layers.ptr, s->layers.len, err);
    if (!code) code = list(b, s->layers.ptr, s->layers.len, &with, err);
    if (!code && n_kept) code = list(b, s->layers.ptr, n_kept, &without, err);
    if (code) return code;
    struct diff d = {.to = &with.copy, .from = &without.copy, .epoch_s = b->options->epoch_s};
    subtract(&d);
    code = sw_layer_open(b->tools->store, b->tools->pool, b->compressor.kind,
                         b->options->compression_level, &w, err);
    if (!code) code = sw_copy_archive(&with.copy, w, err);
    if (!code) code = sw_layer_finish(w, &blob, err);
    sw_layer_free(w);
    if (!code) sw_layer_set_blob(b, layer, &blob);
    return code;
}

/* ---- history ---- */

/* The steps stay, without layers; one more has the layer. */
static void rewrite_history(struct sw_stage *s, size_t first, size_t n_layers) {
    struct sw_image_config *c = &s->config;
    static const struct sw_digest pending = {0};
    for (size_t i = first; i < c->n_history; i++) c->history[i].empty_layer = true;
    struct sw_history h = {.created = {.set = true, .sec = s->build->options->epoch_s},
                           .created_by = SW_STR("squash"),
                           .comment =
                               sw_arena_printf(&s->arena, "slipway: %zu layers in one", n_layers)};
    sw_image_config_add_step(&s->arena, c, &h, &pending);
}

/* ---- all ---- */

static struct sw_digest key_of(struct sw_stage *s, size_t n_kept) {
    SW_KEY struct sw_key k;
    sw_key_init(&k, &s->arena, SW_STR("squash 1"));
    sw_key_add(&k, SW_STR("kept"), sw_arena_printf(&s->arena, "%zu", n_kept));
    sw_key_add(&k, SW_STR("epoch"),
               sw_arena_printf(&s->arena, "%lld", (long long)s->build->options->epoch_s));
    for (size_t i = 0; i < s->layers.len; i++) {
        const struct sw_blayer *l = &s->layers.ptr[i];
        struct sw_digest d = l->diff_id;
        if (l->has_key) {
            d = (struct sw_digest){.alg = SW_SHA256};
            memcpy(d.bytes, l->key, sizeof l->key);
        }
        sw_key_add_digest(&k, SW_STR("layer"), &d);
    }
    return sw_key_finish(&k);
}

enum sw_code sw_squash(struct sw_stage *s, struct sw_error *err) {
    struct sw_build *b = s->build;
    const struct sw_build_options *o = b->options;
    bool all = o->squash == SW_SQUASH_ALL, empty;
    size_t n_kept = all ? 0 : s->n_base_layers, n = s->layers.len - n_kept;
    if (o->squash == SW_SQUASH_NOT || !sw_makes_image(b)) return SW_OK;
    if (n < 2) {
        for (size_t i = n_kept; i < s->layers.len; i++) {
            enum sw_code code = sw_layer_need_blob(b, &s->layers.ptr[i], err);
            if (code) return code;
        }
        return SW_OK;
    }
    struct sw_digest key = key_of(s, n_kept);
    struct sw_blayer layer;
    unsigned step =
        sw_progress_step(b->tools->progress, sw_arena_printf(&s->arena, "squashing %zu layers", n));
    sw_progress_start(b->tools->progress, step);
    enum sw_code code = !sw_may_recall(s, &key)
                            ? SW_NOT_FOUND
                            : sw_layer_recall(b, &key, false, &layer, &empty, err);
    bool cached = !code && layer.has_blob;
    if (!cached && (!code || code == SW_NOT_FOUND)) {
        layer = (struct sw_blayer){.identity = key, .has_key = true};
        memcpy(layer.key, key.bytes, sizeof layer.key);
        code = make(s, n_kept, &layer, err);
        if (!code) code = sw_layer_record(b, &layer, false, err);
        if (!code) sw_made(s, &key);
    }
    sw_step_end(s, step, cached, code ? err : NULL);
    if (code) return sw_context(err, "squashing");
    s->layers.ptr[n_kept] = layer;
    s->layers.len = n_kept + 1;
    rewrite_history(s, all ? 0 : s->n_base_history, n);
    return SW_OK;
}
