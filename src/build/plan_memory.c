#include "build/plan_memory_internal.h"

#include <stdio.h>
#include <string.h>

#include "codec/hex.h"

/* Of all that a plan depends on beside its inputs: the rules of COPY themselves. */
#define KIND "plan 1, copy " SW_COPY_KEY_VERSION

static bool is_carried(const struct sw_build *b) {
    return b->options->n_cache_from || b->options->n_cache_to;
}

/* ---- keys ---- */

static void add_number(struct sw_key *k, const char *name, int64_t value) {
    sw_key_add(k, sw_str(name), sw_arena_printf(k->arena, "%lld", (long long)value));
}

/* The stack that the destination is looked up in. */
static bool add_stack(struct sw_stage *s, struct sw_key *k) {
    struct sw_digest content;
    if (!sw_layers_content(s->layers.ptr, s->layers.len, &content)) return false;
    sw_key_add_digest(k, SW_STR("layers before"), &content);
    return true;
}

static void add_flags(struct sw_key *k, const struct sw_df_instruction *in,
                      const struct sw_copy_inputs *c) {
    const struct sw_df_copy *df = &in->copy;
    sw_key_add(k, SW_STR("instruction"), sw_str(c->spec.verb));
    sw_key_add(k, SW_STR("destination"), c->spec.dest);
    sw_key_add(k, SW_STR("chown"), c->owner);
    sw_key_add(k, SW_STR("chmod"), c->mode.ptr ? c->mode : SW_STR(""));
    for (size_t i = 0; i < df->exclude.n; i++)
        sw_key_add(k, SW_STR("exclude"), df->exclude.items[i]);
    add_number(k, "parents", df->parents);
    add_number(k, "link", df->link);
    add_number(k, "unpack", c->spec.unpack);
    add_number(k, "latest time", c->spec.epoch_s);
    for (size_t i = 0; i < df->n_files; i++) sw_key_add(k, c->files[i].name, c->files[i].content);
}

/* What ADD brings from elsewhere. False where a repository did not say what it has. */
static bool add_fetched(struct sw_key *k, const struct sw_copy_inputs *c) {
    for (size_t i = 0; i < c->n_fetched; i++) {
        const struct sw_copy_fetched *f = &c->fetched[i];
        const struct sw_add_repository *r = &c->repositories[i];
        if (!r->commit.ptr) {
            sw_key_add(k, SW_STR("URL's file"), f->name);
            sw_key_add(k, SW_STR("content"), f->path); /* a digest: it is a blob of the store */
            add_number(k, "time", f->node.mtime_sec);
            add_number(k, "unpack", f->unpack);
            continue;
        }
        if (!r->commit.len) return false;
        /* Submodules and .git name the remote, too. */
        sw_key_add(k, SW_STR("remote"), r->options.url.shown);
        sw_key_add(k, SW_STR("commit"), r->commit);
        sw_key_add(k, SW_STR("subdirectory"), r->options.url.subdir);
        add_number(k, "keep .git", r->options.keep_git_dir);
        add_number(k, "no submodules", r->options.url.no_submodules);
    }
    return true;
}

/* Files of a directory, as they would be copied to nowhere in particular: their names below the
 * source, attributes and contents, archives as the files that they are. */
static bool add_directory(struct sw_stage *s, struct sw_key *k, struct sw_source *source,
                          struct sw_copy_inputs *c) {
    struct sw_copy_spec spec = c->spec;
    struct sw_digest key, identity;
    struct sw_error ignored = {0}; /* the plan itself will say it better */
    spec.outline = true;
    spec.source = source;
    spec.view = NULL;
    spec.fetched = NULL;
    spec.files = NULL;
    spec.n_fetched = spec.n_files = 0;
    spec.chmod = NULL;
    spec.has_owner = spec.unpack = false;
    if (sw_copy_plan(c->outline, &spec, &ignored) ||
        sw_copy_key(c->outline, s->build->tools->pool, &key, &identity, &ignored))
        return false;
    sw_key_add_digest(k, SW_STR("files"), &key);
    return true;
}

/* The source of the paths: layers by their content, a directory by its files. */
static enum sw_code add_source(struct sw_stage *s, const struct sw_df_instruction *in,
                               unsigned step, struct sw_key *k, struct sw_copy_inputs *c,
                               bool *ret_named, struct sw_error *err) {
    struct sw_source *source = NULL;
    struct sw_blayer *layers = NULL;
    struct sw_digest content;
    size_t n = 0;
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < c->n_paths; i++) sw_key_add(k, SW_STR("path"), c->paths[i]);
    if (in->copy.from.ptr) code = sw_from_layers(s, in->copy.from, step, &layers, &n, err);
    if (code) return code;
    if (n) {
        *ret_named = sw_layers_content(layers, n, &content);
        if (*ret_named) sw_key_add_digest(k, SW_STR("layers of the source"), &content);
        return SW_OK;
    }
    if (!c->n_paths) return SW_OK;
    if (in->copy.from.ptr) {
        code = sw_from_source(s, in->copy.from, step, &source, err);
    } else {
        code = sw_build_context_source(s->build, &source, err);
    }
    if (!code) *ret_named = add_directory(s, k, source, c);
    return code;
}

static bool is_worth_it(const struct sw_stage *s, const struct sw_df_instruction *in,
                        const struct sw_copy_inputs *c) {
    if (is_carried(s->build)) return true;
    if (in->copy.from.ptr) return !sw_named_context(s->build, in->copy.from).ptr;
    bool dear = c->spec.unpack && c->n_paths;
    for (size_t i = 0; i < c->n_fetched; i++)
        dear |= c->repositories[i].commit.ptr || c->fetched[i].unpack;
    return dear;
}

enum sw_code sw_plan_inputs(struct sw_stage *s, const struct sw_df_instruction *in, unsigned step,
                            struct sw_copy_inputs *c, struct sw_error *err) {
    SW_KEY struct sw_key k = {0};
    bool named = true;
    c->has_key = false;
    if (!is_worth_it(s, in, c)) return SW_OK;
    sw_key_init(&k, &s->arena, SW_STR(KIND));
    add_flags(&k, in, c);
    /* Names of --chown are the stack's to say, also with --link. */
    named = (in->copy.link && !c->owner.len) || add_stack(s, &k);
    if (named) named = add_fetched(&k, c);
    enum sw_code code = named ? add_source(s, in, step, &k, c, &named, err) : SW_OK;
    c->key = sw_key_finish(&k);
    c->has_key = !code && named;
    return code;
}

bool sw_plan_workdir_inputs(struct sw_stage *s, struct sw_str dir, struct sw_digest *ret) {
    SW_KEY struct sw_key k = {0};
    if (!is_carried(s->build)) return false;
    sw_key_init(&k, &s->arena, SW_STR(KIND));
    sw_key_add(&k, SW_STR("instruction"), SW_STR("WORKDIR"));
    sw_key_add(&k, SW_STR("directory"), dir);
    sw_key_add(&k, SW_STR("user"), s->config.config.user);
    add_number(&k, "latest time", s->build->options->epoch_s);
    bool named = add_stack(s, &k);
    *ret = sw_key_finish(&k);
    return named;
}

/* ---- the memory ---- */

/* For --cache-to. */
static void use(struct sw_stage *s, const struct sw_cache_plan *plan) {
    struct sw_build *b = s->build;
    if (!b->options->n_cache_to) return;
    struct sw_planned planned = {*plan, s->exported};
    pthread_mutex_lock(&b->lock);
    sw_vec_add(&b->plans, planned);
    pthread_mutex_unlock(&b->lock);
}

/* "1 EMPTY KEY IDENTITY" */
static bool read_plan(struct sw_arena *a, struct sw_str value, struct sw_cache_plan *ret) {
    int version, empty;
    char key[80], identity[80];
    struct sw_cache_plan p = {.key.alg = SW_SHA256, .identity.alg = SW_SHA256};
    if (sscanf(sw_arena_cstr(a, value), "%d %d %79s %79s", &version, &empty, key, identity) != 4 ||
        version != 1 || strlen(key) != 64 || strlen(identity) != 64 ||
        !sw_hex_decode(sw_str(key), false, p.key.bytes) ||
        !sw_hex_decode(sw_str(identity), false, p.identity.bytes))
        return false;
    p.empty = empty != 0;
    *ret = p;
    return true;
}

bool sw_plan_recall(struct sw_stage *s, const struct sw_digest *inputs, struct sw_cache_plan *ret) {
    struct sw_build *b = s->build;
    struct sw_cache_record record;
    struct sw_error ignored = {0};
    SW_ARENA struct sw_arena a = {0};
    if (s->no_cache) return false;
    sw_arena_init(&a, 0);
    const struct sw_cache_plan *found = sw_cache_find_plan(b, inputs);
    bool known = !sw_cache_get(b->tools->store, &a, inputs->bytes, &record, &ignored) &&
                 read_plan(&a, record.value, ret);
    if (!known && found) *ret = *found;
    if (!known && !found) return false;
    ret->inputs = *inputs;
    use(s, ret);
    return true;
}

enum sw_code sw_plan_remember(struct sw_stage *s, const struct sw_digest *inputs,
                              const struct sw_cache_plan *plan, struct sw_error *err) {
    char text[256], key[SW_DIGEST_TEXT_MAX], identity[SW_DIGEST_TEXT_MAX];
    struct sw_cache_plan kept = *plan;
    struct sw_cache_record record = {0};
    kept.inputs = *inputs;
    kept.key.alg = kept.identity.alg = SW_SHA256; /* an empty one has zeros */
    sw_digest_hex(&kept.key, key);
    sw_digest_hex(&kept.identity, identity);
    int len = snprintf(text, sizeof text, "1 %d %s %s", kept.empty, key, identity);
    record.value = sw_str_n(text, (size_t)len);
    memcpy(record.key, inputs->bytes, sizeof record.key);
    use(s, &kept);
    return sw_cache_put(s->build->tools->store, &record, err);
}
