/* The SLSA provenance predicate, version 1, in the shape that BuildKit gives it.
 *
 * Nothing in it depends on when or on which machine a build ran, so that it is the same for the
 * same build: no times, no invocation ID, no directory of the host.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/limits.h"
#include "build/provenance_notes_internal.h"
#include "build/room_internal.h"
#include "codec/base64.h"
#include "oci/reference.h"

#define BUILD_TYPE                                                                                 \
    "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"
#define BUILDER_ID "https://slipway.dev/builder"

struct writer {
    struct sw_build *b;
    struct sw_provenance *p;
    struct sw_arena *a;
    struct sw_json_writer w;
    bool max, incomplete_request;
    struct sw_map ids;   /* input -> text of a step's ID */
    struct sw_map lasts; /* "stage:N" -> the input that its last step, or its base, is */
    unsigned n_steps;
};

/* ---- names ---- */

/* "DIR:TAG" and "DIR@DIGEST": the directory's own name, since where it lies is nobody's business.
 */
static struct sw_str layout_name(struct sw_str name) {
    struct sw_str prefix = SW_STR("oci-layout://");
    name = sw_str_from(name, prefix.len);
    size_t slash = sw_str_rfind_char(name, '/');
    return slash == SIZE_MAX ? name : sw_str_from(name, slash + 1);
}

static bool is_layout(struct sw_str name) { return sw_str_starts(name, SW_STR("oci-layout://")); }

static struct sw_str plain_name(struct sw_str name) {
    struct sw_str prefix = SW_STR("docker-image://");
    return sw_str_starts(name, prefix) ? sw_str_from(name, prefix.len) : name;
}

struct sw_str sw_provenance_image_input(struct sw_arena *a, struct sw_str name,
                                        const struct sw_platform *platform) {
    return sw_arena_printf(a, "image:%.*s %.*s", SW_ARG(plain_name(name)),
                           SW_ARG(sw_platform_format(a, platform)));
}

static struct sw_str image_identifier(struct writer *t, const struct sw_provenance_image *i) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_reference ref;
    struct sw_error ignored = {0};
    struct sw_str digest = sw_digest_format(&i->digest, text);
    if (is_layout(i->name))
        return sw_arena_printf(t->a, "oci-layout://%.*s@%.*s", SW_ARG(layout_name(i->name)),
                               SW_ARG(digest));
    if (sw_reference_parse(t->a, plain_name(i->name), &ref, &ignored))
        return sw_arena_printf(t->a, "docker-image://%.*s", SW_ARG(plain_name(i->name)));
    sw_reference_default_tag(&ref);
    ref.digest = i->digest;
    return sw_arena_printf(t->a, "docker-image://%.*s", SW_ARG(sw_reference_format(t->a, &ref)));
}

/* ---- order ---- */

static int compare_images(const void *x, const void *y) {
    const struct sw_provenance_image *a = x, *b = y;
    int c = sw_str_cmp(a->name, b->name);
    if (!c) c = sw_str_cmp(a->platform.os, b->platform.os);
    if (!c) c = sw_str_cmp(a->platform.architecture, b->platform.architecture);
    return c ? c : sw_str_cmp(a->platform.variant, b->platform.variant);
}

static int compare_fetched(const void *x, const void *y) {
    const struct sw_provenance_fetched *a = x, *b = y;
    if (a->git != b->git) return a->git ? -1 : 1; /* as BuildKit: git before http */
    int c = sw_str_cmp(a->material.uri, b->material.uri);
    return c ? c : sw_str_cmp(a->material.hex, b->material.hex);
}

static int compare_names(const void *x, const void *y) {
    return sw_str_cmp(((const struct sw_provenance_name *)x)->id,
                      ((const struct sw_provenance_name *)y)->id);
}

static void sort_names(struct sw_provenance_names *list) {
    if (list->len) qsort(list->ptr, list->len, sizeof *list->ptr, compare_names);
}

static void sort_all(struct sw_provenance *p) {
    if (p->images.len) qsort(p->images.ptr, p->images.len, sizeof *p->images.ptr, compare_images);
    if (p->fetched.len)
        qsort(p->fetched.ptr, p->fetched.len, sizeof *p->fetched.ptr, compare_fetched);
    sort_names(&p->secrets);
    sort_names(&p->ssh);
    sort_names(&p->locals);
}

/* ---- materials ---- */

static void put_digest_set(struct writer *t, struct sw_str algorithm, struct sw_str hex) {
    if (!algorithm.len) return;
    sw_json_key(&t->w, "digest");
    sw_json_begin_object(&t->w);
    sw_json_key_str(&t->w, algorithm);
    sw_json_str(&t->w, hex);
    sw_json_end_object(&t->w);
}

static enum sw_code put_dependencies(struct writer *t, struct sw_error *err) {
    sw_json_key(&t->w, "resolvedDependencies");
    sw_json_begin_array(&t->w);
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < t->p->images.len && !code; i++) {
        const struct sw_provenance_image *image = &t->p->images.ptr[i];
        char hex[SW_DIGEST_TEXT_MAX];
        struct sw_str purl;
        code = is_layout(image->name) ? sw_image_purl(t->a, "oci", layout_name(image->name),
                                                      &image->platform, &purl, err)
                                      : sw_image_purl(t->a, "docker", plain_name(image->name),
                                                      &image->platform, &purl, err);
        if (code) break;
        sw_json_begin_object(&t->w);
        sw_json_put_str(&t->w, "uri", purl);
        put_digest_set(t, SW_STR("sha256"), sw_digest_hex(&image->digest, hex));
        sw_json_end_object(&t->w);
    }
    for (size_t i = 0; i < t->p->fetched.len && !code; i++) {
        const struct sw_material *m = &t->p->fetched.ptr[i].material;
        struct sw_str uri = m->uri, query;
        /* "?token=$TOKEN" is the value of an argument; the content is known by its digest. */
        if (!t->max && !t->p->fetched.ptr[i].git) sw_str_cut(m->uri, '?', &uri, &query);
        sw_json_begin_object(&t->w);
        sw_json_put_str(&t->w, "uri", uri);
        put_digest_set(t, m->algorithm, m->hex);
        sw_json_end_object(&t->w);
    }
    sw_json_end_array(&t->w);
    return code;
}

/* ---- what was asked for ---- */

/* Proxies are for this host's network alone, and may hold a password. */
static bool is_proxy(struct sw_str name) {
    for (size_t i = 0; i < SW_DF_PROXIES; i++)
        if (sw_str_eq(name, sw_df_proxy_name(i, true)) ||
            sw_str_eq(name, sw_df_proxy_name(i, false)))
            return true;
    return false;
}

static void add_prefixed(struct writer *t, struct sw_pairs *args, const char *prefix,
                         const struct sw_pairs *list) {
    for (size_t i = 0; i < list->len; i++) {
        if (is_proxy(list->ptr[i].name)) continue;
        if (!t->max) {
            t->incomplete_request = true;
            continue;
        }
        sw_pairs_set(t->a, args, sw_arena_printf(t->a, "%s%.*s", prefix, SW_ARG(list->ptr[i].name)),
                     sw_url_without_password(t->a, list->ptr[i].value));
    }
}

/* What decides the result. --no-cache does not: a build that executed everything says the same as
 * one that found it. */
static struct sw_pairs request_args(struct writer *t) {
    const struct sw_build_options *o = t->b->options;
    struct sw_pairs args = {0};
    add_prefixed(t, &args, "build-arg:", &o->args);
    add_prefixed(t, &args, "label:", &o->labels);
    if (o->target.len) sw_pairs_set(t->a, &args, SW_STR("target"), o->target);
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 0);
    if (o->network == SW_NETWORK_NONE)
        sw_pairs_set(t->a, &args, SW_STR("force-network-mode"), SW_STR("none"));
    for (size_t i = 0; i < o->n_add_hosts; i++)
        sw_buf_addf(&text, "%s%s=%s", i ? "," : "", o->add_hosts[i].name, o->add_hosts[i].ip);
    if (text.len)
        sw_pairs_set(t->a, &args, SW_STR("add-hosts"), sw_arena_str(t->a, sw_buf_str(&text)));
    if (o->shm_bytes)
        sw_pairs_set(t->a, &args, SW_STR("shm-size"),
                     sw_arena_printf(t->a, "%llu", (unsigned long long)o->shm_bytes));
    for (size_t i = 0; i < o->n_contexts; i++) {
        struct sw_str value = o->contexts[i].value;
        if (is_layout(value))
            value = sw_arena_printf(t->a, "oci-layout://%.*s", SW_ARG(layout_name(value)));
        else if (sw_str_find(value, SW_STR("://")) == SIZE_MAX &&
                 !sw_str_starts(value, SW_STR("target:")))
            value = sw_arena_printf(t->a, "local:%.*s", SW_ARG(o->contexts[i].name));
        sw_pairs_set(t->a, &args,
                     sw_arena_printf(t->a, "context:%.*s", SW_ARG(o->contexts[i].name)),
                     sw_url_without_password(t->a, value));
    }
    return args;
}

static void put_names(struct writer *t, const char *key, const struct sw_provenance_names *list) {
    if (!list->len) return;
    sw_json_key(&t->w, key);
    sw_json_begin_array(&t->w);
    for (size_t i = 0; i < list->len; i++) {
        sw_json_begin_object(&t->w);
        sw_json_put_str(&t->w, "id", list->ptr[i].id);
        if (!list->ptr[i].required) sw_json_put_bool(&t->w, "optional", true);
        sw_json_end_object(&t->w);
    }
    sw_json_end_array(&t->w);
}

static void put_locals(struct writer *t) {
    if (!t->p->locals.len) return;
    sw_json_key(&t->w, "locals");
    sw_json_begin_array(&t->w);
    for (size_t i = 0; i < t->p->locals.len; i++) {
        sw_json_begin_object(&t->w);
        sw_json_put_str(&t->w, "name", t->p->locals.ptr[i].id);
        sw_json_end_object(&t->w);
    }
    sw_json_end_array(&t->w);
}

/* The Dockerfile's name, without the directory that it lies in on this host. */
static struct sw_str file_name(const struct sw_build *b) {
    struct sw_str name = sw_str(b->options->dockerfile_name);
    size_t slash = sw_str_rfind_char(name, '/');
    bool keep = name.len && name.ptr[0] != '/' && !sw_str_starts(name, SW_STR("../"));
    return slash == SIZE_MAX || keep ? name : sw_str_from(name, slash + 1);
}

static void put_request(struct writer *t) {
    const struct sw_attest_options *o = &t->b->options->attest;
    struct sw_pairs args = request_args(t);
    sw_json_key(&t->w, "externalParameters");
    sw_json_begin_object(&t->w);
    sw_json_key(&t->w, "configSource");
    sw_json_begin_object(&t->w);
    if (o->context) {
        sw_json_put_str(&t->w, "uri", sw_url_without_password(t->a, o->context->uri));
        put_digest_set(t, o->context->algorithm, o->context->hex);
    }
    sw_json_put_str(&t->w, "path", file_name(t->b));
    sw_json_end_object(&t->w);
    sw_json_key(&t->w, "request");
    sw_json_begin_object(&t->w);
    sw_json_put_text(&t->w, "frontend", "dockerfile.v0");
    sw_json_put_pairs_opt(&t->w, "args", &args);
    if (t->max) {
        put_names(t, "secrets", &t->p->secrets);
        put_names(t, "ssh", &t->p->ssh);
    }
    put_locals(t);
    sw_json_end_object(&t->w);
    sw_json_end_object(&t->w);
}

/* ---- steps ---- */

static const char *step_id(struct writer *t, struct sw_str input) {
    for (int hops = 0; hops < 1000; hops++) {
        const struct sw_str *last = sw_map_get(&t->lasts, input);
        if (!last) break;
        input = *last;
    }
    return sw_map_get(&t->ids, input);
}

static void begin_step(struct writer *t, struct sw_str input) {
    char *id = sw_arena_cstr(t->a, sw_arena_printf(t->a, "step%u", t->n_steps++));
    sw_map_put(&t->ids, sw_arena_str(t->a, input), id);
    sw_json_begin_object(&t->w);
    sw_json_put_text(&t->w, "id", id);
    sw_json_key(&t->w, "op");
    sw_json_begin_object(&t->w);
    sw_json_key(&t->w, "Op");
    sw_json_begin_object(&t->w);
}

static void put_platform(struct writer *t, const struct sw_platform *p) {
    sw_json_key(&t->w, "platform");
    sw_json_begin_object(&t->w);
    sw_json_put_str(&t->w, "Architecture", p->architecture);
    sw_json_put_str(&t->w, "OS", p->os);
    sw_json_put_str_opt(&t->w, "Variant", p->variant);
    sw_json_end_object(&t->w);
}

static void end_step(struct writer *t, const struct sw_platform *platform,
                     const struct sw_strs *inputs) {
    sw_json_end_object(&t->w);
    if (platform) put_platform(t, platform);
    sw_json_key(&t->w, "constraints");
    sw_json_begin_object(&t->w);
    sw_json_end_object(&t->w);
    sw_json_end_object(&t->w);
    if (inputs->len) {
        sw_json_key(&t->w, "inputs");
        sw_json_begin_array(&t->w);
        for (size_t i = 0; i < inputs->len; i++)
            sw_json_str(&t->w, sw_arena_printf(t->a, "%.*s:0", SW_ARG(inputs->ptr[i])));
        sw_json_end_array(&t->w);
    }
    sw_json_end_object(&t->w);
}

static void put_source(struct writer *t, struct sw_str input, struct sw_str identifier,
                       const struct sw_platform *platform) {
    static const struct sw_strs none = {0};
    begin_step(t, input);
    sw_json_key(&t->w, "source");
    sw_json_begin_object(&t->w);
    sw_json_put_str(&t->w, "identifier", identifier);
    sw_json_end_object(&t->w);
    end_step(t, platform, &none);
}

static void put_sources(struct writer *t) {
    for (size_t i = 0; i < t->p->images.len; i++) {
        const struct sw_provenance_image *image = &t->p->images.ptr[i];
        put_source(t, sw_provenance_image_input(t->a, image->name, &image->platform),
                   image_identifier(t, image), &image->platform);
    }
    for (size_t i = 0; i < t->p->fetched.len; i++) {
        const struct sw_provenance_fetched *f = &t->p->fetched.ptr[i];
        struct sw_str identifier = f->material.uri;
        if (f->git)
            identifier = sw_arena_printf(t->a, "git://%.*s#%.*s", SW_ARG(f->material.uri),
                                         SW_ARG(f->material.hex));
        put_source(t, sw_url_without_password(t->a, f->asked), identifier, NULL);
    }
    const struct sw_material *context = t->b->options->attest.context;
    if (context) {
        const char *id = sw_map_get(&t->ids, sw_url_without_password(t->a, context->uri));
        if (id) sw_map_put(&t->ids, SW_STR("local://context"), (void *)(uintptr_t)id);
    }
    for (size_t i = 0; i < t->p->locals.len; i++) {
        struct sw_str input = sw_arena_printf(t->a, "local://%.*s", SW_ARG(t->p->locals.ptr[i].id));
        put_source(t, input, input, NULL);
    }
}

static void put_exec(struct writer *t, const struct sw_provenance_step *s) {
    sw_json_key(&t->w, "exec");
    sw_json_begin_object(&t->w);
    sw_json_key(&t->w, "meta");
    sw_json_begin_object(&t->w);
    sw_json_put_strs(&t->w, "args", &s->argv);
    sw_json_put_strs_opt(&t->w, "env", &s->env);
    sw_json_put_str(&t->w, "cwd", s->cwd.len ? s->cwd : SW_STR("/"));
    sw_json_put_str_opt(&t->w, "user", s->user);
    sw_json_end_object(&t->w);
    sw_json_end_object(&t->w);
}

static void put_base64(struct writer *t, const char *key, struct sw_str bytes) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 0);
    sw_base64_encode(&text, bytes, 0);
    sw_json_put_str(&t->w, key, sw_buf_str(&text));
}

static void put_action(struct writer *t, const struct sw_provenance_step *s,
                       const struct sw_provenance_action *action) {
    const char *what = s->op == SW_OP_MKDIR ? "mkdir" : action->content.ptr ? "mkfile" : "copy";
    sw_json_begin_object(&t->w);
    sw_json_key(&t->w, "Action");
    sw_json_begin_object(&t->w);
    sw_json_key(&t->w, what);
    sw_json_begin_object(&t->w);
    if (s->op == SW_OP_MKDIR) {
        sw_json_put_str(&t->w, "path", action->dest);
        sw_json_put_int(&t->w, "mode", 0755);
        sw_json_put_bool(&t->w, "makeParents", true);
    } else if (action->content.ptr) {
        sw_json_put_str(&t->w, "path", action->dest);
        put_base64(t, "data", action->content);
    } else {
        sw_json_put_str(&t->w, "src", action->src);
        sw_json_put_str(&t->w, "dest", action->dest);
    }
    sw_json_end_object(&t->w);
    sw_json_end_object(&t->w);
    sw_json_end_object(&t->w);
}

static void add_input(struct writer *t, struct sw_strs *list, struct sw_str input) {
    const char *id = input.len ? step_id(t, input) : NULL;
    if (id && !sw_strs_has(list, sw_str(id))) sw_strs_add(t->a, list, sw_str(id));
}

/* before: what the step follows, "" at the beginning of an empty stage. */
static void put_step(struct writer *t, const struct sw_stage *stage, struct sw_str before,
                     struct sw_str input, const struct sw_provenance_step *s) {
    struct sw_strs inputs = {0};
    add_input(t, &inputs, before);
    for (size_t i = 0; i < s->n_actions; i++) add_input(t, &inputs, s->actions[i].input);
    for (size_t i = 0; i < s->inputs.len; i++) add_input(t, &inputs, s->inputs.ptr[i]);
    begin_step(t, input);
    if (s->op == SW_OP_EXEC) {
        put_exec(t, s);
    } else {
        sw_json_key(&t->w, "file");
        sw_json_begin_object(&t->w);
        sw_json_key(&t->w, "actions");
        sw_json_begin_array(&t->w);
        for (size_t i = 0; i < s->n_actions; i++) put_action(t, s, &s->actions[i]);
        sw_json_end_array(&t->w);
        sw_json_end_object(&t->w);
    }
    end_step(t, &stage->platform, &inputs);
}

static struct sw_str base_input(struct writer *t, const struct sw_stage *s) {
    switch (s->base) {
    case SW_BASE_STAGE:
        return sw_arena_printf(t->a, "stage:%zu", s->base_stage->index);
    case SW_BASE_IMAGE:
        return sw_provenance_image_input(t->a, s->base_name, &s->platform);
    case SW_BASE_CONTEXT:
        if (sw_context_is_image(s->base_name))
            return sw_provenance_image_input(t->a, s->base_name, &s->platform);
        return sw_arena_printf(t->a, "local://%.*s", SW_ARG(s->context_name));
    case SW_BASE_SCRATCH:
        break;
    }
    return SW_STR("");
}

static struct sw_str input_of(struct writer *t, const struct sw_stage *s, size_t i) {
    return sw_arena_printf(t->a, "stage:%zu step:%zu", s->index, i);
}

static void put_build_config(struct writer *t) {
    sw_json_key(&t->w, "buildConfig");
    sw_json_begin_object(&t->w);
    sw_json_key(&t->w, "llbDefinition");
    sw_json_begin_array(&t->w);
    put_sources(t);
    for (size_t i = 0; i < t->b->n_stages; i++) {
        const struct sw_stage *s = &t->b->stages[i];
        if (!s->needed) continue;
        struct sw_str *last = SW_NEW(t->a, struct sw_str);
        *last = base_input(t, s);
        for (size_t k = 0; k < t->p->steps[i].len; k++) {
            struct sw_str input = input_of(t, s, k);
            put_step(t, s, *last, input, &t->p->steps[i].ptr[k]);
            *last = input;
        }
        sw_map_put(&t->lasts, sw_arena_printf(t->a, "stage:%zu", i), last);
    }
    sw_json_end_array(&t->w);
    sw_json_end_object(&t->w);
}

/* ---- the source map, layers ---- */

static void put_line(struct writer *t, const char *key, uint32_t line) {
    sw_json_key(&t->w, key);
    sw_json_begin_object(&t->w);
    sw_json_put_int(&t->w, "line", line);
    sw_json_end_object(&t->w);
}

static void put_locations(struct writer *t) {
    sw_json_key(&t->w, "locations");
    sw_json_begin_object(&t->w);
    for (size_t i = 0; i < t->b->n_stages; i++) {
        for (size_t k = 0; k < t->p->steps[i].len; k++) {
            const struct sw_provenance_step *s = &t->p->steps[i].ptr[k];
            sw_json_key(&t->w, step_id(t, input_of(t, &t->b->stages[i], k)));
            sw_json_begin_object(&t->w);
            sw_json_key(&t->w, "locations");
            sw_json_begin_array(&t->w);
            sw_json_begin_object(&t->w);
            sw_json_key(&t->w, "ranges");
            sw_json_begin_array(&t->w);
            sw_json_begin_object(&t->w);
            put_line(t, "start", s->in->span.line);
            put_line(t, "end", s->in->span.end_line);
            sw_json_end_object(&t->w);
            sw_json_end_array(&t->w);
            sw_json_end_object(&t->w);
            sw_json_end_array(&t->w);
            sw_json_end_object(&t->w);
        }
    }
    sw_json_end_object(&t->w);
}

static void put_source_map(struct writer *t) {
    sw_json_key(&t->w, "source");
    sw_json_begin_object(&t->w);
    put_locations(t);
    sw_json_key(&t->w, "infos");
    sw_json_begin_array(&t->w);
    sw_json_begin_object(&t->w);
    sw_json_put_str(&t->w, "filename", file_name(t->b));
    sw_json_put_text(&t->w, "language", "Dockerfile");
    put_base64(t, "data", t->b->options->dockerfile);
    sw_json_end_object(&t->w);
    sw_json_end_array(&t->w);
    sw_json_end_object(&t->w);
}

/* Of the steps of the result: the chain of layers that each ends with, where it is in the image. */
static void put_layers(struct writer *t) {
    const struct sw_stage *target = t->b->target;
    if (t->b->options->squash || t->b->options->skip_layers) return;
    sw_json_key(&t->w, "layers");
    sw_json_begin_object(&t->w);
    for (size_t i = 0; i < t->b->n_stages; i++) {
        if (!t->b->stages[i].exported) continue;
        for (size_t k = 0; k < t->p->steps[i].len; k++) {
            const struct sw_provenance_step *s = &t->p->steps[i].ptr[k];
            const char *id = step_id(t, input_of(t, &t->b->stages[i], k));
            sw_json_key_str(&t->w, sw_arena_printf(t->a, "%s:0", id));
            sw_json_begin_array(&t->w);
            sw_json_begin_array(&t->w);
            for (size_t n = 0; n < s->n_layers && n < target->layers.len; n++) {
                const struct sw_blayer *l = &target->layers.ptr[n];
                struct sw_descriptor d = {.media_type = sw_str(l->media_type),
                                          .digest = l->blob,
                                          .size = (int64_t)l->size};
                sw_descriptor_to_json(&t->w, &d);
            }
            sw_json_end_array(&t->w);
            sw_json_end_array(&t->w);
        }
    }
    sw_json_end_object(&t->w);
}

/* ---- the document ---- */

static void put_run_details(struct writer *t) {
    const struct sw_attest_options *o = &t->b->options->attest;
    bool complete = !t->p->locals.len;
    sw_json_key(&t->w, "runDetails");
    sw_json_begin_object(&t->w);
    sw_json_key(&t->w, "builder");
    sw_json_begin_object(&t->w);
    sw_json_put_str(&t->w, "id", o->builder_id.len ? o->builder_id : SW_STR(BUILDER_ID));
    if (o->program_version.len) {
        sw_json_key(&t->w, "version");
        sw_json_begin_object(&t->w);
        sw_json_put_str(&t->w, "slipway", o->program_version);
        sw_json_end_object(&t->w);
    }
    sw_json_end_object(&t->w);
    sw_json_key(&t->w, "metadata");
    sw_json_begin_object(&t->w);
    sw_json_key(&t->w, "buildkit_metadata");
    sw_json_begin_object(&t->w);
    sw_json_put_pairs_opt(&t->w, "vcs", &o->vcs);
    if (t->max) {
        put_source_map(t);
        put_layers(t);
    }
    sw_json_end_object(&t->w);
    if (complete && !t->p->network) sw_json_put_bool(&t->w, "buildkit_hermetic", true);
    sw_json_key(&t->w, "buildkit_completeness");
    sw_json_begin_object(&t->w);
    sw_json_put_bool(&t->w, "request", !t->incomplete_request);
    sw_json_put_bool(&t->w, "resolvedDependencies", complete);
    sw_json_end_object(&t->w);
    if (o->reproducible) sw_json_put_bool(&t->w, "buildkit_reproducible", true);
    sw_json_end_object(&t->w);
    sw_json_end_object(&t->w);
}

static enum sw_code put_predicate(struct writer *t, struct sw_error *err) {
    sw_json_begin_object(&t->w);
    sw_json_key(&t->w, "buildDefinition");
    sw_json_begin_object(&t->w);
    sw_json_put_text(&t->w, "buildType", BUILD_TYPE);
    put_request(t);
    sw_json_key(&t->w, "internalParameters");
    sw_json_begin_object(&t->w);
    if (t->max) put_build_config(t);
    sw_json_put_str(&t->w, "builderPlatform", sw_platform_format(t->a, &t->b->options->host));
    sw_json_end_object(&t->w);
    enum sw_code code = put_dependencies(t, err);
    sw_json_end_object(&t->w);
    put_run_details(t);
    sw_json_end_object(&t->w);
    return code;
}

enum sw_code sw_provenance_write(struct sw_build *b, struct sw_str *ret, struct sw_error *err) {
    const struct sw_attest_options *o = &b->options->attest;
    SW_BUF struct sw_buf out;
    struct writer t = {.b = b,
                       .p = b->provenance,
                       .a = &b->provenance->arena,
                       .max = o->provenance == SW_PROVENANCE_MAX};
    sw_buf_init(&out, SW_PREDICATE_MAX);
    if (o->context) {
        sw_provenance_fetched(b, o->context->uri, o->context);
    } else {
        if (b->context) sw_provenance_local(b, SW_STR("context"));
        sw_provenance_local(b, SW_STR("dockerfile"));
    }
    sort_all(b->provenance);
    sw_json_writer_init(&t.w, &out, SW_JSON_HTML);
    enum sw_code code = put_predicate(&t, err);
    if (!code) code = sw_buf_check(&out, "the provenance", err);
    if (!code) code = sw_arena_check(t.a, "the provenance", err);
    if (!code) *ret = sw_arena_str(b->arena, sw_buf_str(&out));
    sw_map_done(&t.ids);
    sw_map_done(&t.lasts);
    return code;
}
