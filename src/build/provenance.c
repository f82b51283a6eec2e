#include "build/provenance_internal.h"

#include "build/fetch.h"
#include "build/git.h"
#include "build/input.h"
#include "build/provenance_notes_internal.h"
#include "build/room_internal.h"

#define MEMORY_MAX ((size_t)64 << 20)

struct sw_provenance *sw_provenance_new(struct sw_build *b) {
    if (b->options->attest.provenance == SW_PROVENANCE_OFF) return NULL;
    struct sw_provenance *p = sw_calloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    sw_arena_init(&p->arena, MEMORY_MAX);
    p->n_stages = b->n_stages;
    p->steps = sw_calloc(b->n_stages + 1, sizeof *p->steps);
    return p;
}

void sw_provenance_free(struct sw_provenance *p) {
    if (!p) return;
    for (size_t i = 0; i < p->n_stages; i++) sw_vec_done(&p->steps[i]);
    free(p->steps);
    sw_vec_done(&p->images);
    sw_vec_done(&p->fetched);
    sw_vec_done(&p->secrets);
    sw_vec_done(&p->ssh);
    sw_vec_done(&p->locals);
    pthread_mutex_destroy(&p->lock);
    sw_arena_done(&p->arena);
    free(p);
}

/* For git over ssh the user is no secret, for http it may be a token. */
struct sw_str sw_url_without_password(struct sw_arena *a, struct sw_str url) {
    size_t start = sw_str_find(url, SW_STR("://"));
    if (start == SIZE_MAX) return sw_arena_str(a, url);
    struct sw_str rest = sw_str_from(url, start + 3), host, tail;
    sw_str_cut(rest, '/', &host, &tail);
    size_t at = sw_str_rfind_char(host, '@');
    if (at == SIZE_MAX) return sw_arena_str(a, url);
    bool password = sw_str_find_char(sw_str_sub(host, 0, at), ':') != SIZE_MAX;
    if (!password && !sw_is_http_url(url)) return sw_arena_str(a, url);
    return sw_arena_printf(a, "%.*s%s%.*s", SW_ARG(sw_str_sub(url, 0, start + 3)),
                           password ? "xxxxx:xxxxx" : "xxxxx", SW_ARG(sw_str_from(rest, at)));
}

/* ---- sources ---- */

void sw_provenance_image(struct sw_build *b, struct sw_str name, const struct sw_platform *platform,
                         const struct sw_digest *digest) {
    struct sw_provenance *p = b->provenance;
    if (!p) return;
    struct sw_str prefix = SW_STR("docker-image://");
    if (sw_str_starts(name, prefix)) name = sw_str_from(name, prefix.len);
    pthread_mutex_lock(&p->lock);
    bool known = false;
    for (size_t i = 0; i < p->images.len && !known; i++)
        known = sw_str_eq(p->images.ptr[i].name, name) &&
                sw_platform_eq(&p->images.ptr[i].platform, platform);
    if (!known) {
        /* Platforms are the options' or an expanded FROM's: they live as long as the build. */
        struct sw_provenance_image i = {sw_arena_str(&p->arena, name), *platform, *digest};
        sw_vec_add(&p->images, i);
    }
    pthread_mutex_unlock(&p->lock);
}

static void fetched(struct sw_provenance *p, struct sw_str url, struct sw_str algorithm,
                    struct sw_str hex, bool git) {
    pthread_mutex_lock(&p->lock);
    struct sw_provenance_fetched f = {.asked = sw_arena_str(&p->arena, url), .git = git};
    f.material = (struct sw_material){.uri = sw_url_without_password(&p->arena, url),
                                      .algorithm = sw_arena_str(&p->arena, algorithm),
                                      .hex = sw_arena_str(&p->arena, hex)};
    bool known = false;
    for (size_t i = 0; i < p->fetched.len && !known; i++)
        known = sw_str_eq(p->fetched.ptr[i].material.uri, f.material.uri) &&
                sw_str_eq(p->fetched.ptr[i].material.hex, f.material.hex);
    if (!known) sw_vec_add(&p->fetched, f);
    pthread_mutex_unlock(&p->lock);
}

void sw_provenance_git(struct sw_build *b, struct sw_str url, struct sw_str commit) {
    if (b->provenance)
        fetched(b->provenance, url, commit.len == 64 ? SW_STR("sha256") : SW_STR("sha1"), commit,
                true);
}

void sw_provenance_http(struct sw_build *b, struct sw_str url, const struct sw_digest *digest) {
    char hex[SW_DIGEST_TEXT_MAX];
    if (b->provenance)
        fetched(b->provenance, url, SW_STR("sha256"), sw_digest_hex(digest, hex), false);
}

void sw_provenance_fetched(struct sw_build *b, struct sw_str url, const struct sw_material *m) {
    if (b->provenance) fetched(b->provenance, url, m->algorithm, m->hex, sw_git_is_url(url, true));
}

/* ---- names ---- */

static void note(struct sw_provenance *p, struct sw_provenance_names *list, struct sw_str id,
                 bool required) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < list->len; i++)
        if (sw_str_eq(list->ptr[i].id, id)) {
            list->ptr[i].required |= required;
            pthread_mutex_unlock(&p->lock);
            return;
        }
    sw_vec_add(list, ((struct sw_provenance_name){sw_arena_str(&p->arena, id), required}));
    pthread_mutex_unlock(&p->lock);
}

void sw_provenance_local(struct sw_build *b, struct sw_str name) {
    if (b->provenance) note(b->provenance, &b->provenance->locals, name, false);
}

void sw_provenance_secret(struct sw_build *b, struct sw_str id, bool required) {
    if (b->provenance) note(b->provenance, &b->provenance->secrets, id, required);
}

void sw_provenance_ssh(struct sw_build *b, struct sw_str id, bool required) {
    if (b->provenance) note(b->provenance, &b->provenance->ssh, id, required);
}

void sw_provenance_network(struct sw_build *b) {
    if (!b->provenance) return;
    pthread_mutex_lock(&b->provenance->lock);
    b->provenance->network = true;
    pthread_mutex_unlock(&b->provenance->lock);
}

/* ---- steps ---- */

static bool wants_steps(const struct sw_build *b) {
    return b->provenance && b->options->attest.provenance == SW_PROVENANCE_MAX;
}

struct sw_str sw_provenance_input(struct sw_stage *s, struct sw_str from) {
    struct sw_build *b = s->build;
    if (!wants_steps(b)) return SW_STR("");
    if (!from.ptr) return SW_STR("local://context");
    struct sw_str context = sw_named_context(b, from), target = SW_STR("target:");
    if (context.ptr && sw_str_starts(context, target)) from = sw_str_from(context, target.len);
    const struct sw_df_stage *df = NULL;
    if (!context.ptr || sw_str_starts(context, target))
        df = sw_df_stage_find(b->file, from, s->index);
    if (df) return sw_arena_printf(&s->arena, "stage:%zu", df->index);
    if (!context.ptr || sw_context_is_image(context))
        return sw_provenance_image_input(&s->arena, context.ptr ? context : from, &s->platform);
    if (!sw_input_is_remote(context))
        return sw_arena_printf(&s->arena, "local://%.*s", SW_ARG(from));
    return sw_url_without_password(&s->arena, context);
}

struct sw_str sw_provenance_url_input(struct sw_stage *s, struct sw_str url) {
    return wants_steps(s->build) ? sw_url_without_password(&s->arena, url) : SW_STR("");
}

void sw_provenance_step(struct sw_stage *s, const struct sw_provenance_step *step) {
    if (!wants_steps(s->build)) return;
    struct sw_provenance_step *copy = sw_vec_push(&s->build->provenance->steps[s->index]);
    *copy = *step;
    copy->in = s->current;
    copy->n_layers = s->layers.len;
}

void sw_provenance_step_done(struct sw_stage *s) {
    if (!wants_steps(s->build)) return;
    size_t n = s->build->provenance->steps[s->index].len;
    if (n) s->build->provenance->steps[s->index].ptr[n - 1].n_layers = s->layers.len;
}
