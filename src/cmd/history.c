#include <string.h>

#include "base/clock.h"
#include "cmd/image_read.h"
#include "cmd/render.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "codec/json_writer.h"

#define CREATED_BY_MAX 60 /* columns, without --no-trunc */

/* Size of the layer that belongs to the nth history entry; -1 where it made none. */
static int64_t layer_size(const struct sw_image_read *image, size_t n) {
    size_t layer = 0;
    if (image->config.history[n].empty_layer) return -1;
    for (size_t i = 0; i < n; i++) layer += !image->config.history[i].empty_layer;
    return layer < image->manifest.n_layers ? image->manifest.layers[layer].size : -1;
}

static enum sw_code rows(const struct sw_invocation *inv, const struct sw_image_read *image,
                         struct sw_error *err) {
    SW_BUF struct sw_buf b;
    struct sw_json_writer w;
    sw_buf_init(&b, 0);
    sw_json_writer_init(&w, &b, 0);
    sw_json_begin_array(&w);
    for (size_t i = image->config.n_history; i-- > 0;) {
        const struct sw_history *h = &image->config.history[i];
        int64_t size = layer_size(image, i);
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "CreatedBy", h->created_by);
        sw_json_put_str(&w, "Comment", h->comment);
        sw_json_put_text(&w, "CreatedSince",
                         sw_render_ago(inv->arena, h->created.set ? h->created.sec : INT64_MIN,
                                       sw_now_unix_s()));
        sw_json_put_text(&w, "Size", sw_render_size(inv->arena, size < 0 ? 0 : (uint64_t)size));
        sw_json_put_bool(&w, "EmptyLayer", h->empty_layer);
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    return sw_render_rows(inv, sw_buf_str(&b), err);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    struct sw_image_read image;
    enum sw_code code = sw_session_open(inv, SW_SESSION_READ_ONLY, &session, err);
    if (!code) code = sw_image_read(session.store, inv->arena, sw_str(inv->args[0]), &image, err);
    if (code) return code;
    if (inv->format && strcmp(inv->format, "table") != 0) return rows(inv, &image, err);
    struct sw_table *t = sw_table_new(inv->arena, 4);
    sw_table_add(t, (const char *[]){"CREATED", "CREATED BY", "SIZE", "COMMENT"});
    for (size_t i = image.config.n_history; i-- > 0;) {
        const struct sw_history *h = &image.config.history[i];
        int64_t size = layer_size(&image, i);
        struct sw_str by = h->created_by;
        char *text = sw_arena_cstr(inv->arena, by);
        for (char *p = text; *p; p++)
            if (*p == '\n' || *p == '\t') *p = ' ';
        if (!sw_opt_flag(inv, "no-trunc") && by.len > CREATED_BY_MAX)
            memcpy(text + CREATED_BY_MAX - 3, "...", 4);
        sw_table_add(t, (const char *[]){
                            sw_render_ago(inv->arena, h->created.set ? h->created.sec : INT64_MIN,
                                          sw_now_unix_s()),
                            text, sw_render_size(inv->arena, size < 0 ? 0 : (uint64_t)size),
                            sw_arena_cstr(inv->arena, h->comment)});
    }
    sw_table_print(t, stdout);
    return SW_OK;
}

static const struct sw_option options[] = {
    {"no-trunc", 0, NULL, "whole commands", 0, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_history = {
    .name = "history",
    .args = "[OPTIONS] IMAGE",
    .summary = "Show the steps that an image was made by",
    .description =
        "Fields for --format: CreatedBy Comment CreatedSince Size EmptyLayer. Sizes are those of "
        "the compressed layers.",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
