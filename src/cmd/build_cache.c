#include "cmd/build_cache.h"

#include "base/vec.h"
#include "oci/reference.h"

#define CACHES_MAX 32 /* of one option: each is asked for every step that is a miss */
/* The tag of a bare repository, as buildah's users type it: "latest" may be the image itself. */
#define BARE_TAG "slipway-cache"

struct parsing {
    struct sw_invocation *inv;
    const struct sw_build_options *o;
    const char *option, *text;
    bool to;
    struct sw_str type, ref, dir;
    struct sw_build_cache cache;
};

static enum sw_code take_bool(const struct parsing *p, struct sw_str key, struct sw_str value,
                              bool *ret, struct sw_error *err) {
    *ret = sw_str_is(value, "true") || sw_str_is(value, "1");
    if (*ret || sw_str_is(value, "false") || sw_str_is(value, "0")) return SW_OK;
    return sw_fail(err, SW_USAGE, "--%s %s: %.*s wants true or false", p->option, p->text,
                   SW_ARG(key));
}

/* What decides the bytes of layers is decided for the image; the cache holds the same blobs. */
static enum sw_code check_compression(const struct parsing *p, struct sw_str value,
                                      struct sw_error *err) {
    enum sw_compression kind = SW_COMPRESS_NONE;
    if (!sw_str_is(value, "uncompressed") && !sw_compression_parse(value, &kind))
        return sw_fail(err, SW_USAGE,
                       "--%s %s: compression is gzip, zstd or uncompressed here, not \"%.*s\"",
                       p->option, p->text, SW_ARG(value));
    if (kind == p->o->compression) return SW_OK;
    return sw_fail(err, SW_UNSUPPORTED,
                   "--%s %s: the cache has the image's own layers; say --compression %.*s for both",
                   p->option, p->text, SW_ARG(value));
}

/* Keys of where to write. *ret_known false: none of them. */
static enum sw_code take_to(struct parsing *p, struct sw_str key, struct sw_str value,
                            bool *ret_known, struct sw_error *err) {
    bool flag = false;
    enum sw_code code;
    *ret_known = true;
    if (sw_str_is(key, "mode")) {
        p->cache.max = sw_str_is(value, "max");
        if (p->cache.max || sw_str_is(value, "min")) return SW_OK;
        return sw_fail(err, SW_USAGE, "--%s %s: mode is min or max", p->option, p->text);
    }
    if (sw_str_is(key, "ignore-error"))
        return take_bool(p, key, value, &p->cache.ignore_error, err);
    if (sw_str_is(key, "compression")) return check_compression(p, value, err);
    if (sw_str_is(key, "force-compression")) return take_bool(p, key, value, &flag, err);
    if (sw_str_is(key, "image-manifest")) {
        code = take_bool(p, key, value, &flag, err);
        if (code || flag) return code;
        return sw_fail(err, SW_UNSUPPORTED,
                       "--%s %s: the cache is an image manifest, which every registry takes; leave "
                       "image-manifest=false out",
                       p->option, p->text);
    }
    if (sw_str_is(key, "oci-mediatypes")) {
        code = take_bool(p, key, value, &flag, err);
        p->cache.docker_format = !flag;
        return code;
    }
    *ret_known = false;
    return SW_OK;
}

static enum sw_code take(struct parsing *p, struct sw_str key, struct sw_str value,
                         struct sw_error *err) {
    struct sw_arena *a = p->inv->arena;
    bool known = true;
    enum sw_code code = SW_OK;
    if (sw_str_is(key, "type")) return SW_OK;
    if (sw_str_is(key, "ref")) {
        p->ref = sw_arena_str(a, value);
    } else if (sw_str_is(key, p->to ? "dest" : "src")) {
        p->dir = sw_arena_str(a, value);
    } else if (p->to) {
        code = take_to(p, key, value, &known, err);
    } else {
        known = false;
    }
    if (code || known) return code;
    return sw_fail(err, SW_USAGE, "--%s %s: \"%.*s\" is not understood", p->option, p->text,
                   SW_ARG(key));
}

/* One name for an image and a cache: whichever is pushed last would take it from the other. */
static enum sw_code check_tags(const struct parsing *p, const struct sw_reference *ref,
                               struct sw_error *err) {
    for (size_t i = 0; p->to && i < p->o->tags.len; i++) {
        struct sw_reference tag;
        enum sw_code code = sw_reference_parse(p->inv->arena, p->o->tags.ptr[i], &tag, err);
        if (code) return code;
        sw_reference_default_tag(&tag);
        if (sw_reference_eq(ref, &tag))
            return sw_fail(err, SW_USAGE,
                           "--%s %s: this is the image's name, too; give the cache another tag",
                           p->option, p->text);
    }
    return SW_OK;
}

static enum sw_code take_reference(struct parsing *p, struct sw_str text, bool bare,
                                   struct sw_error *err) {
    struct sw_arena *a = p->inv->arena;
    struct sw_reference ref;
    enum sw_code code = sw_reference_parse(a, text, &ref, err);
    if (code) return sw_context(err, "--%s %s", p->option, p->text);
    if (bare && !ref.tag.len && !sw_digest_is_set(&ref.digest)) {
        if (!p->to) {
            struct sw_reference image = ref;
            sw_reference_default_tag(&image);
            p->cache.fallback = sw_reference_format(a, &image);
        }
        ref.tag = SW_STR(BARE_TAG);
    }
    sw_reference_default_tag(&ref);
    if (p->to && sw_digest_is_set(&ref.digest))
        return sw_fail(err, SW_USAGE, "--%s %s: a cache is written under a tag, not a digest",
                       p->option, p->text);
    p->cache.type = SW_BUILD_CACHE_REGISTRY;
    p->cache.place = sw_reference_format(a, &ref);
    return check_tags(p, &ref, err);
}

/* Before all else: the keys of another type mean nothing here. */
static enum sw_code find_type(struct parsing *p, struct sw_error *err) {
    struct sw_str rest = sw_str(p->text), field, key, value;
    p->type = SW_STR("registry");
    while (sw_str_next(&rest, ',', &field))
        if (sw_str_cut(field, '=', &key, &value) && sw_str_is(key, "type")) p->type = value;
    if (sw_str_is(p->type, "local") || sw_str_is(p->type, "registry")) return SW_OK;
    if (sw_str_is(p->type, "inline") && p->to) return SW_OK;
    if (sw_str_is(p->type, "inline"))
        return sw_fail(err, SW_USAGE,
                       "--%s %s: what type=inline wrote is read with type=registry,ref=IMAGE",
                       p->option, p->text);
    return sw_fail(err, SW_UNSUPPORTED,
                   "--%s %s: there is no type=%.*s here; take registry, local%s", p->option,
                   p->text, SW_ARG(p->type), p->to ? " or inline" : "");
}

static enum sw_code finish(struct parsing *p, struct sw_error *err) {
    if (sw_str_is(p->type, "local")) {
        p->cache.type = SW_BUILD_CACHE_LOCAL;
        p->cache.place = p->dir;
        if (p->dir.len) return SW_OK;
        return sw_fail(err, SW_USAGE, "--%s %s: %s=DIR is missing", p->option, p->text,
                       p->to ? "dest" : "src");
    }
    if (sw_str_is(p->type, "registry")) {
        if (p->ref.len) return take_reference(p, p->ref, false, err);
        return sw_fail(err, SW_USAGE, "--%s %s: ref=REFERENCE is missing", p->option, p->text);
    }
    p->cache.type = SW_BUILD_CACHE_INLINE;
    return SW_OK;
}

typedef SW_VEC(struct sw_build_cache) caches;

/* "type=...,KEY=VALUE...", or references alone, separated by commas. */
static enum sw_code parse(struct parsing *p, caches *to, struct sw_error *err) {
    struct sw_str rest = sw_str(p->text), field, key, value;
    enum sw_code code = SW_OK;
    if (sw_str_find_char(rest, '=') == SIZE_MAX) {
        while (!code && sw_str_next(&rest, ',', &field)) {
            p->cache = (struct sw_build_cache){0};
            code = take_reference(p, field, true, err);
            if (!code) sw_vec_add(to, p->cache);
        }
        return code;
    }
    code = find_type(p, err);
    while (!code && sw_str_next(&rest, ',', &field)) {
        if (!sw_str_cut(field, '=', &key, &value))
            return sw_fail(err, SW_USAGE, "--%s %s: \"%.*s\" is not understood", p->option, p->text,
                           SW_ARG(field));
        code = take(p, sw_str_trim(key), value, err);
    }
    if (!code) code = finish(p, err);
    if (!code) sw_vec_add(to, p->cache);
    return code;
}

static enum sw_code parse_all(struct sw_invocation *inv, const struct sw_build_options *o,
                              const char *option, const struct sw_build_cache **ret, size_t *ret_n,
                              struct sw_error *err) {
    size_t n;
    const char *const *texts = sw_opt_list(inv, option, &n);
    caches list = {0};
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < n && !code; i++) {
        struct parsing p = {.inv = inv, .o = o, .option = option, .text = texts[i]};
        p.to = sw_str_is(sw_str(option), "cache-to");
        code = parse(&p, &list, err);
        if (!code && list.len > CACHES_MAX)
            code = sw_fail(err, SW_LIMIT, "more than %d of --%s", CACHES_MAX, option);
    }
    if (!code) {
        struct sw_build_cache *all = sw_arena_array(inv->arena, list.len + 1, sizeof *all);
        for (size_t i = 0; i < list.len; i++) all[i] = list.ptr[i];
        *ret = all;
        *ret_n = list.len;
    }
    sw_vec_done(&list);
    return code;
}

enum sw_code sw_build_cache_parse(struct sw_invocation *inv, struct sw_build_options *o,
                                  struct sw_error *err) {
    enum sw_code code = parse_all(inv, o, "cache-from", &o->cache_from, &o->n_cache_from, err);
    return code ? code : parse_all(inv, o, "cache-to", &o->cache_to, &o->n_cache_to, err);
}
