#include <string.h>

#include "base/clock.h"
#include "cmd/render.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"
#include "store/tags.h"

/* "ghcr.io/a/b:2" apart: repository and tag. */
static void split_name(struct sw_str name, struct sw_str *repository, struct sw_str *tag) {
    size_t colon = sw_str_rfind_char(name, ':'), slash = sw_str_rfind_char(name, '/');
    *repository = name;
    *tag = SW_STR("<none>");
    if (!name.len) *repository = SW_STR("<none>");
    if (colon == SIZE_MAX || (slash != SIZE_MAX && slash > colon)) return;
    *repository = sw_str_sub(name, 0, colon);
    *tag = sw_str_from(name, colon + 1);
}

static const char *short_id(struct sw_arena *arena, const struct sw_digest *d) {
    char text[SW_DIGEST_TEXT_MAX];
    return sw_arena_cstr(arena, sw_str_sub(sw_digest_hex(d, text), 0, 12));
}

static bool wanted(const struct sw_invocation *inv, const struct sw_image *image) {
    struct sw_str repository, tag;
    split_name(image->familiar, &repository, &tag);
    if (!inv->n_args) return true;
    struct sw_str word = sw_str(inv->args[0]);
    return sw_str_eq(word, repository) || sw_str_eq(word, image->familiar) ||
           sw_str_eq(word, image->name);
}

static enum sw_code rows(const struct sw_invocation *inv, const struct sw_images *images,
                         struct sw_error *err) {
    SW_BUF struct sw_buf b;
    struct sw_json_writer w;
    char text[SW_DIGEST_TEXT_MAX];
    int64_t now = sw_now_unix_s();
    sw_buf_init(&b, 0);
    sw_json_writer_init(&w, &b, 0);
    sw_json_begin_array(&w);
    for (size_t i = 0; i < images->len; i++) {
        const struct sw_image *image = &images->ptr[i];
        struct sw_str repository, tag;
        if (!wanted(inv, image)) continue;
        split_name(image->familiar, &repository, &tag);
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "Repository", repository);
        sw_json_put_str(&w, "Tag", tag);
        sw_json_put_str(&w, "ID", sw_digest_format(&image->id, text));
        sw_json_put_str(&w, "Digest", sw_digest_format(&image->target.digest, text));
        sw_json_put_text(&w, "CreatedSince", sw_render_ago(inv->arena, image->created, now));
        sw_json_put_int(&w, "CreatedUnix", image->created == INT64_MIN ? 0 : image->created);
        sw_json_put_text(&w, "Size", sw_render_size(inv->arena, image->size));
        sw_json_put_int(&w, "SizeBytes", (int64_t)image->size);
        sw_json_put_str(&w, "Platform", sw_platform_format(inv->arena, &image->platform));
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    return sw_render_rows(inv, sw_buf_str(&b), err);
}

static void table(const struct sw_invocation *inv, const struct sw_images *images, bool digests,
                  bool no_trunc) {
    struct sw_table *t = sw_table_new(inv->arena, digests ? 6 : 5);
    int64_t now = sw_now_unix_s();
    char text[SW_DIGEST_TEXT_MAX];
    const char *head[] = {"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "DIGEST"};
    sw_table_add(t, head);
    for (size_t i = 0; i < images->len; i++) {
        const struct sw_image *image = &images->ptr[i];
        struct sw_str repository, tag;
        if (!wanted(inv, image)) continue;
        split_name(image->familiar, &repository, &tag);
        const char *id = no_trunc ? sw_arena_cstr(inv->arena, sw_digest_format(&image->id, text))
                                  : short_id(inv->arena, &image->id);
        const char *cells[] = {
            sw_arena_cstr(inv->arena, repository),
            sw_arena_cstr(inv->arena, tag),
            id,
            sw_render_ago(inv->arena, image->created, now),
            sw_render_size(inv->arena, image->size),
            sw_arena_cstr(inv->arena, sw_digest_format(&image->target.digest, text)),
        };
        sw_table_add(t, cells);
    }
    sw_table_print(t, stdout);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    struct sw_images images;
    enum sw_code code = sw_session_open(inv, SW_SESSION_READ_ONLY, &session, err);
    if (!code) code = sw_tags_list(session.store, inv->arena, &images, err);
    if (code) return code;
    if (sw_opt_flag(inv, "quiet") || sw_opt_flag(inv, "quiet-names")) {
        char text[SW_DIGEST_TEXT_MAX];
        bool names = sw_opt_flag(inv, "quiet-names");
        for (size_t i = 0; i < images.len; i++) {
            if (!wanted(inv, &images.ptr[i]) || (names && !images.ptr[i].familiar.len)) continue;
            if (names) {
                printf("%.*s\n", SW_ARG(images.ptr[i].familiar));
            } else if (sw_opt_flag(inv, "no-trunc")) {
                printf("%s\n", sw_digest_format(&images.ptr[i].id, text).ptr);
            } else {
                printf("%s\n", short_id(inv->arena, &images.ptr[i].id));
            }
        }
        return SW_OK;
    }
    if (inv->format && strcmp(inv->format, "table") != 0) return rows(inv, &images, err);
    table(inv, &images, sw_opt_flag(inv, "digests"), sw_opt_flag(inv, "no-trunc"));
    return SW_OK;
}

static const struct sw_option options[] = {
    {"quiet", 'q', NULL, "image IDs alone", 0, NULL, NULL},
    {"digests", 0, NULL, "manifest digests too", 0, NULL, NULL},
    {"no-trunc", 0, NULL, "whole IDs", 0, NULL, NULL},
    {"all", 'a', NULL, "docker's: there are no hidden images", SW_OPT_IGNORED, NULL, NULL},
    {"quiet-names", 0, NULL, "names alone, for completions", SW_OPT_HIDDEN, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_images = {
    .name = "images",
    .aliases = "ls",
    .args = "[OPTIONS] [NAME]",
    .summary = "List the images in the local store",
    .description =
        "Fields for --format: Repository Tag ID Digest CreatedSince CreatedUnix Size SizeBytes "
        "Platform.",
    .examples = "  slipway images\n  slipway images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
    .options = options,
    .max_args = 1,
    .run = run,
};
