#include "oci/annotation.h"

#include <string.h>

static const char *const levels[] = {
    [SW_ANNOTATE_MANIFEST] = "manifest",
    [SW_ANNOTATE_MANIFEST_DESCRIPTOR] = "manifest-descriptor",
    [SW_ANNOTATE_INDEX] = "index",
    [SW_ANNOTATE_INDEX_DESCRIPTOR] = "index-descriptor",
};

static enum sw_code append(struct sw_arena *a, struct sw_annotations *list,
                           const struct sw_annotation *one, struct sw_error *err) {
    if (list->len == SW_ANNOTATIONS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d annotations", SW_ANNOTATIONS_MAX);
    if (list->len == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        struct sw_annotation *grown = sw_arena_array(a, cap, sizeof *grown);
        if (list->len) memcpy(grown, list->ptr, list->len * sizeof *grown);
        list->ptr = grown;
        list->cap = cap;
    }
    struct sw_annotation *to = &list->ptr[list->len++];
    *to = *one;
    to->name = sw_arena_str(a, one->name);
    to->value = sw_arena_str(a, one->value);
    return SW_OK;
}

/* "index", "manifest[linux/arm64]". */
static enum sw_code parse_level(struct sw_arena *a, struct sw_str text, struct sw_annotation *ret,
                                struct sw_error *err) {
    struct sw_str word = text, platform = {0};
    size_t open = sw_str_find_char(text, '[');
    if (open != SIZE_MAX && sw_str_ends(text, SW_STR("]"))) {
        word = sw_str_sub(text, 0, open);
        platform = sw_str_sub(text, open + 1, text.len - open - 2);
    }
    size_t i = 0;
    while (i < sizeof levels / sizeof levels[0] && !sw_str_is(word, levels[i])) i++;
    if (i == sizeof levels / sizeof levels[0])
        return sw_fail(err, SW_USAGE,
                       "\"%.*s\" is no place for an annotation; want manifest, "
                       "manifest-descriptor, index or index-descriptor",
                       SW_ARG(word));
    ret->level = (enum sw_annotation_level)i;
    ret->has_platform = platform.ptr != NULL;
    if (!platform.ptr) return SW_OK;
    if (ret->level == SW_ANNOTATE_INDEX || ret->level == SW_ANNOTATE_INDEX_DESCRIPTOR)
        return sw_fail(err, SW_USAGE, "\"%.*s\": an index is not for one platform", SW_ARG(text));
    return sw_platform_parse(a, platform, NULL, &ret->platform, err);
}

enum sw_code sw_annotations_add(struct sw_arena *a, struct sw_annotations *list, struct sw_str text,
                                struct sw_error *err) {
    struct sw_annotation one = {.level = SW_ANNOTATE_MANIFEST};
    struct sw_str key, where, name, level;
    if (!sw_str_cut(text, '=', &key, &one.value))
        return sw_fail(err, SW_USAGE, "\"%.*s\": want NAME=VALUE", SW_ARG(text));
    bool placed = sw_str_cut(key, ':', &where, &name);
    one.name = placed ? name : key;
    if (!one.name.len)
        return sw_fail(err, SW_USAGE, "\"%.*s\": the annotation has no name", SW_ARG(text));
    if (!placed) return append(a, list, &one, err);
    if (!where.len) return sw_fail(err, SW_USAGE, "\"%.*s\": of what?", SW_ARG(text));
    enum sw_code code = SW_OK;
    while (!code && sw_str_next(&where, ',', &level)) {
        code = parse_level(a, level, &one, err);
        if (!code) code = append(a, list, &one, err);
    }
    return code;
}

enum sw_code sw_annotations_add_key(struct sw_arena *a, struct sw_annotations *list,
                                    struct sw_str key, struct sw_str value, bool *ret_known,
                                    struct sw_error *err) {
    struct sw_annotation one = {.level = SW_ANNOTATE_MANIFEST, .value = value};
    struct sw_str prefix = SW_STR("annotation"), where;
    *ret_known = false;
    if (!sw_str_starts(key, prefix)) return SW_OK;
    struct sw_str rest = sw_str_from(key, prefix.len);
    /* Neither levels nor platforms have a dot in them. */
    if (!sw_str_cut(rest, '.', &where, &one.name)) return SW_OK;
    if (where.len && where.ptr[0] != '-' && where.ptr[0] != '[') return SW_OK;
    *ret_known = true;
    if (!one.name.len)
        return sw_fail(err, SW_USAGE, "\"%.*s\": the annotation has no name", SW_ARG(key));
    enum sw_code code = SW_OK;
    if (where.len && where.ptr[0] == '-')
        code = parse_level(a, sw_str_from(where, 1), &one, err);
    else if (where.len)
        code = parse_level(a, sw_arena_printf(a, "manifest%.*s", SW_ARG(where)), &one, err);
    return code ? code : append(a, list, &one, err);
}

struct sw_pairs sw_annotations_for(struct sw_arena *a, const struct sw_annotations *list,
                                   enum sw_annotation_level level,
                                   const struct sw_platform *platform) {
    struct sw_pairs out = {0};
    for (size_t i = 0; i < list->len; i++) {
        const struct sw_annotation *one = &list->ptr[i];
        if (one->level != level) continue;
        if (one->has_platform && platform && !sw_platform_eq(&one->platform, platform)) continue;
        sw_pairs_set(a, &out, sw_arena_str(a, one->name), sw_arena_str(a, one->value));
    }
    return out;
}

bool sw_annotations_has(const struct sw_annotations *list, enum sw_annotation_level level) {
    for (size_t i = 0; i < list->len; i++)
        if (list->ptr[i].level == level) return true;
    return false;
}
