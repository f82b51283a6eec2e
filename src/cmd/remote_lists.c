#include <string.h>

#include "cmd/remote_common.h"
#include "cmd/table.h"
#include "codec/json_writer.h"

static const struct sw_option options[] = {REMOTE_OPTIONS, {NULL}};

static void print_list(struct sw_invocation *inv, const struct sw_strs *list) {
    if (inv->format && strcmp(inv->format, "json") == 0) {
        SW_BUF struct sw_buf out = {0};
        struct sw_json_writer w;
        sw_buf_init(&out, 0);
        sw_json_writer_init(&w, &out, 0);
        sw_json_begin_array(&w);
        for (size_t i = 0; i < list->len; i++) sw_json_str(&w, list->ptr[i]);
        sw_json_end_array(&w);
        printf("%s\n", out.ptr);
        return;
    }
    for (size_t i = 0; i < list->len; i++) printf("%.*s\n", SW_ARG(list->ptr[i]));
}

static enum sw_code run_tags(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_remote *r REMOTE = NULL;
    struct sw_reference ref;
    struct sw_strs list = {0};
    enum sw_code code = remote_reference(inv, inv->args[0], &ref, err);
    if (!code) code = remote_open(inv, &r, err);
    if (!code) code = sw_remote_tags(r, inv->arena, sw_repository_of(&ref), &list, err);
    if (!code) print_list(inv, &list);
    return code;
}

const struct sw_command sw_cmd_tags = {
    .name = "tags",
    .args = "[OPTIONS] REPOSITORY",
    .summary = "List the tags of a repository in a registry",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run_tags,
};

static enum sw_code run_catalog(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_remote *r REMOTE = NULL;
    struct sw_str domain;
    struct sw_strs list = {0};
    enum sw_code code = remote_domain(inv, inv->args[0], &domain, err);
    if (!code) code = remote_open(inv, &r, err);
    if (!code) code = sw_remote_catalog(r, inv->arena, domain, &list, err);
    if (!code) print_list(inv, &list);
    return code;
}

const struct sw_command sw_cmd_catalog = {
    .name = "catalog",
    .args = "[OPTIONS] REGISTRY",
    .summary = "List the repositories of a registry",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run_catalog,
};

static enum sw_code run_delete(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_remote *r REMOTE = NULL;
    enum sw_code code = remote_open(inv, &r, err);
    for (int i = 0; !code && i < inv->n_args; i++) {
        struct sw_reference ref;
        char text[SW_DIGEST_TEXT_MAX];
        code = remote_exact_reference(inv, inv->args[i], &ref, err);
        if (code) return code;
        bool digest = sw_digest_is_set(&ref.digest);
        if (!digest && !ref.tag.len)
            return sw_fail(err, SW_USAGE, "%s: name the tag or the digest to delete", inv->args[i]);
        struct sw_str what = digest ? sw_digest_format(&ref.digest, text) : ref.tag;
        code = sw_remote_manifest_delete(r, sw_repository_of(&ref), what, err);
        if (!code) printf("deleted %s\n", inv->args[i]);
    }
    return code;
}

const struct sw_command sw_cmd_delete = {
    .name = "delete",
    .args = "[OPTIONS] IMAGE...",
    .summary = "Delete tags and manifests in a registry",
    .description = "NAME:TAG takes the tag away, NAME@DIGEST the manifest with all its tags. "
                   "Nothing is deleted without one of the two.",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .run = run_delete,
};

static const struct sw_option referrers_options[] = {
    {"type", 0, "TYPE", "only of this artifact type", 0, NULL, NULL},
    REMOTE_OPTIONS,
    {NULL},
};

static enum sw_code run_referrers(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_remote *r REMOTE = NULL;
    struct sw_reference ref;
    struct sw_descriptor subject = {0}, *list = NULL;
    size_t n = 0;
    char text[SW_DIGEST_TEXT_MAX];
    enum sw_code code = remote_reference(inv, inv->args[0], &ref, err);
    if (!code) code = remote_open(inv, &r, err);
    if (code) return code;
    subject.digest = ref.digest;
    if (!sw_digest_is_set(&ref.digest))
        code =
            sw_remote_manifest_head(r, inv->arena, sw_repository_of(&ref), ref.tag, &subject, err);
    if (!code)
        code = sw_remote_referrers(r, inv->arena, sw_repository_of(&ref), &subject.digest,
                                   sw_str(sw_opt(inv, "type")), &list, &n, err);
    if (code) return code;
    if (inv->format && strcmp(inv->format, "json") == 0) {
        SW_BUF struct sw_buf out = {0};
        struct sw_json_writer w;
        sw_buf_init(&out, 0);
        sw_json_writer_init(&w, &out, 0);
        sw_json_begin_array(&w);
        for (size_t i = 0; i < n; i++) sw_descriptor_to_json(&w, &list[i]);
        sw_json_end_array(&w);
        printf("%s\n", out.ptr);
        return SW_OK;
    }
    for (size_t i = 0; i < n; i++) {
        sw_digest_format(&list[i].digest, text);
        printf("%s  %.*s\n", text, SW_ARG(list[i].artifact_type));
    }
    return SW_OK;
}

const struct sw_command sw_cmd_referrers = {
    .name = "referrers",
    .args = "[OPTIONS] IMAGE",
    .summary = "List what refers to an image: signatures, attestations, SBOMs",
    .options = referrers_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_referrers,
};
