/* COPY, ADD and WORKDIR: steps whose layer follows from the content of files. */
#include <string.h>

#include "base/mem.h"
#include "build/plan_memory_internal.h"
#include "build/room_internal.h"
#include "build/users.h"

/* Archives or extracts the planned items, whichever the stage has use for. */
static enum sw_code make_layer(struct sw_stage *s, struct sw_copy *copy,
                               const struct sw_digest *key, struct sw_blayer *layer,
                               struct sw_error *err) {
    struct sw_build *b = s->build;
    bool remember = b->tools->userns->mode == SW_USERNS_SINGLE;
    enum sw_code code = sw_store_reserve(b->tools->store, copy->bytes, err);
    if (code) return code;
    if (s->exported && sw_wants_blobs(b)) {
        struct sw_layer_writer *w = NULL;
        struct sw_layer_blob blob;
        code = sw_layer_open(b->tools->store, b->tools->pool, b->compressor.kind,
                             b->options->compression_level, &w, err);
        if (!code) code = sw_copy_archive(copy, w, err);
        if (!code) code = sw_layer_finish(w, &blob, err);
        sw_layer_free(w);
        if (!code) sw_layer_set_blob(b, layer, &blob);
        return code;
    }
    SW_SNAPSHOT_DRAFT struct sw_snapshot_draft draft = SW_SNAPSHOT_DRAFT_NONE;
    struct sw_snapshot_key snapshot_key = {
        .kind = SW_SNAPSHOT_STEP, .form = b->form, .digest = *key};
    struct sw_snapshot made = {0};
    code = sw_snapshot_begin(b->tools->store, &draft, err);
    if (!code) code = sw_copy_extract(copy, &draft, remember, err);
    if (!code) code = sw_snapshot_commit(&draft, &snapshot_key, copy->bytes, copy->n, &made, err);
    if (!code) layer->snapshot = made.id;
    return code;
}

/* Whether a recalled layer has the form that this stage needs; blobs and snapshots are both made
 * from the same items, so a missing one is simply made. */
static bool is_enough(const struct sw_stage *s, const struct sw_blayer *layer) {
    bool want_blob = s->exported && sw_wants_blobs(s->build);
    return want_blob ? layer->has_blob : layer->has_blob || layer->snapshot;
}

static void count(struct sw_stage *s, bool cached) {
    struct sw_build *b = s->build;
    pthread_mutex_lock(&b->lock);
    b->n_keyed++;
    b->n_cached += cached;
    pthread_mutex_unlock(&b->lock);
}

static void add_layer(struct sw_stage *s, const struct sw_blayer *layer) {
    sw_vec_add(&s->layers, *layer);
    sw_stage_drop_view(s);
}

/* The recorded layer of a key, in a form that is of use here; SW_NOT_FOUND. */
static enum sw_code recall(struct sw_stage *s, const struct sw_digest *key, struct sw_blayer *ret,
                           struct sw_error *err) {
    bool empty;
    if (!sw_may_recall(s, key)) return sw_fail(err, SW_NOT_FOUND, "the cache is not to be used");
    return sw_layer_recall(s->build, key, false, ret, &empty, err);
}

enum sw_code sw_step_known(struct sw_stage *s, const struct sw_cache_plan *plan,
                           const struct sw_copy *outline, bool *ret_hit, struct sw_error *err) {
    struct sw_blayer layer;
    *ret_hit = plan->empty;
    if (plan->empty) return SW_OK;
    enum sw_code code = recall(s, &plan->key, &layer, err);
    if (code == SW_NOT_FOUND || (!code && !is_enough(s, &layer))) {
        sw_error_clear(err);
        return SW_OK;
    }
    if (code) return code;
    layer.identity = plan->identity;
    if (outline && outline->n) {
        sw_explain_copy(s, &plan->key, outline);
    } else {
        sw_explain_known(s, &plan->key);
    }
    sw_explain_hit(s);
    add_layer(s, &layer);
    count(s, true);
    *ret_hit = true;
    return SW_OK;
}

enum sw_code sw_step_layer(struct sw_stage *s, struct sw_copy *copy, struct sw_cache_plan *ret_plan,
                           bool *ret_cached, bool *ret_empty, struct sw_error *err) {
    struct sw_build *b = s->build;
    struct sw_digest key, identity;
    struct sw_blayer layer;
    *ret_cached = false;
    *ret_empty = copy->n == 0;
    if (ret_plan) ret_plan->empty = *ret_empty;
    if (!copy->n) return SW_OK;
    enum sw_code code = sw_copy_key(copy, b->tools->pool, &key, &identity, err);
    if (code) return code;
    if (ret_plan) {
        ret_plan->key = key;
        ret_plan->identity = identity;
    }
    sw_explain_copy(s, &key, copy);
    SW_STORE_LOCK struct sw_store_lock lock = SW_STORE_LOCK_NONE;
    code = recall(s, &key, &layer, err);
    if (code == SW_NOT_FOUND || (!code && !is_enough(s, &layer))) {
        code = sw_store_lock(b->tools->store, key.bytes, true, NULL, NULL, &lock, err);
        if (code) return code;
        code = recall(s, &key, &layer, err);
    }
    if (code && code != SW_NOT_FOUND) return code;
    if (code == SW_NOT_FOUND) {
        layer = (struct sw_blayer){.has_key = true, .content = key};
        memcpy(layer.key, key.bytes, sizeof layer.key);
    }
    layer.identity = identity;
    *ret_cached = !code && is_enough(s, &layer);
    if (!*ret_cached) {
        if (b->options->fail_on_miss) return sw_explain_refuse(s, err);
        sw_explain_miss(s);
        code = make_layer(s, copy, &key, &layer, err);
        if (!code) code = sw_layer_record(b, &layer, false, err);
        if (code) return code;
        sw_made(s, &key);
    }
    if (*ret_cached) sw_explain_hit(s);
    add_layer(s, &layer);
    count(s, *ret_cached);
    return SW_OK;
}

/* ---- COPY and ADD ---- */

/* Paths, and for ADD what is elsewhere: files of URLs are brought here, repositories are asked what
 * they have. */
static enum sw_code expand_sources(struct sw_stage *s, const struct sw_df_instruction *in,
                                   unsigned step, struct sw_copy_inputs *c, struct sw_error *err) {
    const struct sw_df_copy *df = &in->copy;
    struct sw_df_lex lex = sw_stage_lex(s);
    c->paths = sw_arena_array(&s->arena, df->sources.n + 1, sizeof *c->paths);
    c->fetched = sw_arena_array(&s->arena, df->sources.n + 1, sizeof *c->fetched);
    c->repositories = sw_arena_array(&s->arena, df->sources.n + 1, sizeof *c->repositories);
    struct sw_str checksum = SW_STR("");
    enum sw_code code = SW_OK;
    if (df->checksum.ptr) code = sw_df_expand_word(&s->arena, &lex, df->checksum, &checksum, err);
    for (size_t i = 0; i < df->sources.n && !code; i++) {
        struct sw_str *path = &c->paths[c->n_paths];
        bool remote = false;
        code = sw_df_expand_word(&s->arena, &lex, df->sources.items[i], path, err);
        if (!code && in->kind == SW_DF_COPY && sw_is_remote(*path))
            return sw_fail(err, SW_SYNTAX, "\"%.*s\" is a URL, which is for ADD and not for COPY",
                           SW_ARG(*path));
        if (!code && in->kind == SW_DF_ADD)
            code = sw_add_remote(s, df, *path, checksum, step, &c->fetched[c->n_fetched],
                                 &c->repositories[c->n_fetched], &remote, err);
        c->n_fetched += remote;
        c->n_paths += !remote;
    }
    if (code) return code;
    if (checksum.len && c->n_paths)
        return sw_fail(err, SW_SYNTAX, "--checksum is for URLs and repositories, not for \"%.*s\"",
                       SW_ARG(c->paths[0]));
    c->files = sw_arena_array(&s->arena, df->n_files + 1, sizeof *c->files);
    for (size_t i = 0; i < df->n_files; i++) {
        const struct sw_df_heredoc *h = &df->files[i];
        c->files[i] = (struct sw_copy_file){.name = h->name, .mode = 0644};
        code = sw_df_expand_heredoc(&s->arena, lex.env, h, &c->files[i].content, err);
        if (code) return code;
    }
    return SW_OK;
}

/* Who --chown or USER means, from the image so far. */
static enum sw_code find_owner(struct sw_stage *s, const struct sw_df_instruction *in,
                               struct sw_str text, uint32_t *ret_uid, uint32_t *ret_gid,
                               struct sw_error *err) {
    struct sw_source *view;
    struct sw_str unknown;
    enum sw_code code = sw_stage_view(s, &view, err);
    if (!code)
        code = sw_owner_find(s->layers.len ? view : NULL, &s->arena, text, ret_uid, ret_gid,
                             &unknown, err);
    if (!code && unknown.ptr)
        sw_progress_warn(s->build->tools->progress,
                         "%s:%u: the image does not know \"%.*s\"; what %.*s makes belongs to 0 "
                         "instead",
                         s->build->options->dockerfile_name, in->span.line, SW_ARG(unknown),
                         SW_ARG(in->name));
    return code;
}

/* All flags but --chown, whose names are the image's to say. */
static enum sw_code expand_flags(struct sw_stage *s, const struct sw_df_copy *df,
                                 struct sw_copy_inputs *c, struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    struct sw_str text;
    enum sw_code code = SW_OK;
    c->owner = SW_STR("");
    if (df->chown.ptr) {
        code = sw_df_expand_word(&s->arena, &lex, df->chown, &c->owner, err);
        if (code) return sw_context(err, "--chown=%.*s", SW_ARG(df->chown));
    }
    if (df->chmod.ptr) {
        code = sw_df_expand_word(&s->arena, &lex, df->chmod, &text, err);
        if (!code && text.len) code = sw_df_chmod_parse(text, &c->chmod, err);
        if (code) return sw_context(err, "--chmod=%.*s", SW_ARG(df->chmod));
        c->mode = text;
        if (text.len) c->spec.chmod = &c->chmod;
    }
    if (df->exclude.n) {
        code = sw_ignore_compile(&s->arena, df->exclude.items, df->exclude.n, &c->exclude, err);
        if (code) return sw_context(err, "--exclude");
        c->spec.exclude = c->exclude;
    }
    return SW_OK;
}

static enum sw_code expand_dest(struct sw_stage *s, const struct sw_df_copy *df, struct sw_str *ret,
                                struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    struct sw_str dest;
    enum sw_code code = sw_df_expand_word(&s->arena, &lex, df->dest, &dest, err);
    if (code) return code;
    /* "" and "." are the working directory, also where --link does not look whether it is one. */
    bool slash = !dest.len || sw_str_is(dest, ".") || sw_str_ends(dest, SW_STR("/")) ||
                 sw_str_ends(dest, SW_STR("/."));
    struct sw_str joined = sw_df_workdir_join(&s->arena, s->config.config.working_dir, dest);
    *ret = slash && !sw_str_is(joined, "/") ? sw_arena_printf(&s->arena, "%.*s/", SW_ARG(joined))
                                            : joined;
    return SW_OK;
}

/* What the plan is made from, read as far as planning needs it. */
static enum sw_code open_inputs(struct sw_stage *s, const struct sw_df_instruction *in,
                                unsigned step, struct sw_copy_inputs *c, struct sw_error *err) {
    enum sw_code code = SW_OK;
    c->spec.has_owner = c->owner.len > 0;
    if (c->owner.len) code = find_owner(s, in, c->owner, &c->spec.uid, &c->spec.gid, err);
    if (code) return sw_context(err, "--chown=%.*s", SW_ARG(in->copy.chown));
    for (size_t i = 0; i < c->n_fetched && !code; i++)
        if (c->repositories[i].commit.ptr) {
            struct sw_str asked = c->repositories[i].commit;
            code = sw_add_checkout(s, &c->repositories[i], step, &c->fetched[i], err);
            /* Somebody has pushed meanwhile: this is not the plan of what was asked for. */
            c->has_key = c->has_key && sw_str_eq(asked, c->repositories[i].commit);
        }
    if (!code && in->copy.from.ptr) {
        code = sw_from_source(s, in->copy.from, step, &c->spec.source, err);
    } else if (!code && c->n_paths) {
        code = sw_build_context_source(s->build, &c->spec.source, err);
    }
    if (!code && !in->copy.link) code = sw_stage_view(s, &c->spec.view, err);
    return code;
}

static enum sw_code plan_and_make(struct sw_stage *s, const struct sw_df_instruction *in,
                                  unsigned step, struct sw_copy_inputs *c, bool *ret_cached,
                                  bool *ret_empty, struct sw_error *err) {
    struct sw_build *b = s->build;
    struct sw_cache_plan plan = {0};
    SW_COPY struct sw_copy copy;
    sw_copy_init(&copy);
    enum sw_code code = open_inputs(s, in, step, c, err);
    if (!code) code = sw_copy_plan(&copy, &c->spec, err);
    if (!code) code = sw_step_layer(s, &copy, &plan, ret_cached, ret_empty, err);
    if (!code && c->has_key) code = sw_plan_remember(s, &c->key, &plan, err);
    if (!code && copy.skipped)
        sw_progress_warn(b->tools->progress, "%s:%u: %u sockets were not copied",
                         b->options->dockerfile_name, in->span.line, copy.skipped);
    if (!code && copy.onto_target > 1)
        sw_progress_warn(b->tools->progress,
                         "%s:%u: %u files were copied to %.*s one over the other; for a directory "
                         "write \"%.*s/\"",
                         b->options->dockerfile_name, in->span.line, copy.onto_target,
                         SW_ARG(c->spec.dest), SW_ARG(c->spec.dest));
    return code;
}

/* For the provenance. */
static void note(struct sw_stage *s, const struct sw_df_instruction *in,
                 const struct sw_copy_inputs *c) {
    if (!s->build->provenance) return;
    size_t n = c->n_paths + in->copy.sources.n + in->copy.n_files;
    struct sw_provenance_action *actions = sw_arena_array(&s->arena, n + 1, sizeof *actions);
    struct sw_provenance_step p = {.op = SW_OP_COPY, .actions = actions};
    struct sw_str from = sw_provenance_input(s, in->copy.from), dest = c->spec.dest;
    if (sw_str_ends(dest, SW_STR("//"))) dest = sw_str_sub(dest, 0, dest.len - 1);
    for (size_t i = 0; i < c->n_paths; i++)
        actions[p.n_actions++] = (struct sw_provenance_action){c->paths[i], dest, from, {0}};
    for (size_t i = 0; i < c->n_fetched; i++) {
        const struct sw_add_repository *r = &c->repositories[i];
        bool git = r->commit.ptr != NULL;
        if (git) sw_provenance_git(s->build, r->source, r->commit);
        actions[p.n_actions++] = (struct sw_provenance_action){
            .src = git ? SW_STR("/") : c->fetched[i].name,
            .dest = dest,
            .input = sw_provenance_url_input(s, git ? r->source : c->fetched[i].url)};
    }
    for (size_t i = 0; i < in->copy.n_files; i++)
        actions[p.n_actions++] =
            (struct sw_provenance_action){.dest = dest, .content = c->files[i].content};
    sw_provenance_step(s, &p);
}

/* "COPY --chown=1:2 a b /dest": sources and flags with their variables expanded. */
static enum sw_code history_text(struct sw_stage *s, const struct sw_df_instruction *in,
                                 struct sw_str *ret, struct sw_error *err) {
    const struct sw_df_copy *df = &in->copy;
    struct sw_df_lex lex = sw_stage_lex(s);
    struct sw_str text;
    enum sw_code code = SW_OK;
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 1 << 20);
    sw_buf_add_text(&b, sw_df_kind_name(in->kind));
    if (df->parents) sw_buf_add_text(&b, " --parents");
    const struct sw_str flags[] = {df->chown, df->chmod};
    for (size_t i = 0; i < 2 && !code; i++) {
        if (!flags[i].ptr) continue;
        code = sw_df_expand_word(&s->arena, &lex, flags[i], &text, err);
        if (!code && text.len) sw_buf_addf(&b, " --%s=%.*s", i ? "chmod" : "chown", SW_ARG(text));
    }
    for (size_t i = 0; i < df->sources.n && !code; i++) {
        code = sw_df_expand_word(&s->arena, &lex, df->sources.items[i], &text, err);
        if (!code) sw_buf_addf(&b, " %.*s", SW_ARG(text));
    }
    for (size_t i = 0; i < df->n_files; i++) sw_buf_addf(&b, " <<%.*s", SW_ARG(df->files[i].name));
    if (!code) code = sw_df_expand_word(&s->arena, &lex, df->dest, &text, err);
    if (!code) sw_buf_addf(&b, " %.*s", SW_ARG(text));
    *ret = sw_arena_str(&s->arena, sw_buf_str(&b));
    return code ? code : sw_buf_check(&b, "the history", err);
}

static enum sw_code do_copy(struct sw_stage *s, const struct sw_df_instruction *in, unsigned step,
                            bool *ret_cached, struct sw_error *err) {
    struct sw_build *b = s->build;
    struct sw_copy_inputs c = {
        .spec = {.verb = in->kind == SW_DF_ADD ? "ADD" : "COPY",
                 .parents = in->copy.parents,
                 .epoch_s = b->options->epoch_s,
                 .unpack = in->kind == SW_DF_ADD && in->copy.unpack != SW_DF_FALSE,
                 .store = b->tools->store,
                 .pool = b->tools->pool}};
    SW_COPY struct sw_copy outline;
    struct sw_cache_plan plan;
    bool empty = false, hit = false;
    sw_copy_init(&outline);
    c.outline = &outline;
    sw_progress_start(b->tools->progress, step);
    enum sw_code code = expand_sources(s, in, step, &c, err);
    if (!code) code = expand_dest(s, &in->copy, &c.spec.dest, err);
    if (!code) code = expand_flags(s, &in->copy, &c, err);
    if (code) return code;
    c.spec.paths = c.paths;
    c.spec.n_paths = c.n_paths;
    c.spec.fetched = c.fetched;
    c.spec.n_fetched = c.n_fetched;
    c.spec.files = c.files;
    c.spec.n_files = in->copy.n_files;
    code = sw_plan_inputs(s, in, step, &c, err);
    if (!code && c.has_key && sw_plan_recall(s, &c.key, &plan)) {
        /* An archive is unpacked where it has to be looked at, and is one file in the outline. */
        code = sw_step_known(s, &plan, c.spec.unpack ? NULL : &outline, &hit, err);
        empty = plan.empty;
    }
    if (!code && hit) *ret_cached = true;
    if (!code && !hit) code = plan_and_make(s, in, step, &c, ret_cached, &empty, err);
    if (!code) note(s, in, &c);
    struct sw_str text;
    if (!code) code = history_text(s, in, &text, err);
    return code ? code : sw_stage_add_history(s, text, empty, err);
}

enum sw_code sw_step_copy(struct sw_stage *s, const struct sw_df_instruction *in,
                          struct sw_error *err) {
    bool cached = false;
    unsigned step = sw_step_begin(s, in->text);
    enum sw_code code = do_copy(s, in, step, &cached, err);
    sw_step_end(s, step, cached, code ? err : NULL);
    return code;
}

/* ---- WORKDIR ---- */

static enum sw_code make_workdir(struct sw_stage *s, const struct sw_df_instruction *in,
                                 struct sw_str dir, const struct sw_digest *inputs,
                                 bool *ret_cached, bool *ret_empty, struct sw_error *err) {
    SW_COPY struct sw_copy copy;
    struct sw_source *view;
    struct sw_cache_plan plan = {0};
    uint32_t uid = 0, gid = 0;
    sw_copy_init(&copy);
    enum sw_code code = SW_OK;
    /* The directory belongs to the USER so far, as with BuildKit. */
    if (s->config.config.user.len) code = find_owner(s, in, s->config.config.user, &uid, &gid, err);
    if (!code) code = sw_stage_view(s, &view, err);
    if (!code)
        code = sw_copy_plan_dirs(&copy, view, dir, uid, gid, s->build->options->epoch_s, err);
    if (!code) code = sw_step_layer(s, &copy, &plan, ret_cached, ret_empty, err);
    if (!code && inputs) code = sw_plan_remember(s, inputs, &plan, err);
    if (!code && *ret_empty) *ret_cached = true;
    return code;
}

static enum sw_code do_workdir(struct sw_stage *s, const struct sw_df_instruction *in,
                               bool *ret_cached, struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    struct sw_str word;
    struct sw_digest inputs;
    struct sw_cache_plan plan;
    bool empty = true, hit = false;
    enum sw_code code = sw_df_expand_word(&s->arena, &lex, in->word, &word, err);
    if (code) return code;
    struct sw_str dir = sw_df_workdir_join(&s->arena, s->config.config.working_dir, word);
    s->config.config.working_dir = dir;
    bool has_key = sw_plan_workdir_inputs(s, dir, &inputs);
    if (has_key && sw_plan_recall(s, &inputs, &plan)) {
        code = sw_step_known(s, &plan, NULL, &hit, err);
        empty = plan.empty;
    }
    if (!code && hit) *ret_cached = true;
    if (!code && !hit)
        code = make_workdir(s, in, dir, has_key ? &inputs : NULL, ret_cached, &empty, err);
    if (!code && !empty && s->build->provenance) {
        struct sw_provenance_action *made = SW_NEW(&s->arena, struct sw_provenance_action);
        made->dest = dir;
        sw_provenance_step(
            s, &(struct sw_provenance_step){.op = SW_OP_MKDIR, .actions = made, .n_actions = 1});
    }
    if (!code)
        code = sw_stage_add_history(s, sw_arena_printf(&s->arena, "WORKDIR %.*s", SW_ARG(dir)),
                                    empty, err);
    return code;
}

enum sw_code sw_step_workdir(struct sw_stage *s, const struct sw_df_instruction *in,
                             struct sw_error *err) {
    bool cached = false;
    unsigned step = sw_step_begin(s, in->text);
    enum sw_code code = do_workdir(s, in, &cached, err);
    sw_step_end(s, step, cached, code ? err : NULL);
    return code;
}
