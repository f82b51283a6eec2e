#include "cmd/build_result.h"

#include <fcntl.h>

#include "base/fs.h"
#include "oci/reference.h"

struct sw_digest build_result_id(const struct build_results *r) {
    bool index = sw_media_type_of(r->target.media_type).kind == SW_MEDIA_INDEX;
    return index ? r->target.digest : r->list[0].config;
}

static enum sw_code put_names(struct sw_json_writer *w, struct sw_invocation *inv,
                              const struct sw_build_options *o, struct sw_error *err) {
    SW_BUF struct sw_buf names;
    sw_buf_init(&names, 0);
    for (size_t i = 0; i < o->tags.len; i++) {
        struct sw_reference ref;
        enum sw_code code = sw_reference_parse(inv->arena, o->tags.ptr[i], &ref, err);
        if (code) return code;
        sw_reference_default_tag(&ref);
        sw_buf_addf(&names, "%s%.*s", i ? "," : "", SW_ARG(sw_reference_format(inv->arena, &ref)));
    }
    sw_json_put_str_opt(w, "image.name", sw_buf_str(&names));
    return SW_OK;
}

/* As docker buildx: of one platform under one name, of several under one each. */
static void put_provenance(struct sw_json_writer *w, struct sw_arena *a,
                           const struct build_results *r) {
    for (size_t i = 0; i < r->n; i++) {
        if (!r->list[i].attested.provenance.ptr) continue;
        struct sw_str key = SW_STR("buildx.build.provenance");
        if (r->n > 1)
            key = sw_arena_printf(a, "%.*s/%.*s", SW_ARG(key),
                                  SW_ARG(sw_platform_format(a, &r->platforms[i])));
        sw_json_key_str(w, key);
        sw_json_raw(w, r->list[i].attested.provenance);
    }
}

static enum sw_code write_metadata(struct sw_invocation *inv, const char *path,
                                   const struct sw_build_options *o, const struct build_results *r,
                                   struct sw_error *err) {
    SW_BUF struct sw_buf text;
    struct sw_json_writer w;
    sw_buf_init(&text, 0);
    sw_json_writer_init(&w, &text, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    put_provenance(&w, inv->arena, r);
    enum sw_code code = SW_OK;
    if (!o->skip_layers) {
        if (r->n == 1) sw_json_put_digest(&w, "containerimage.config.digest", &r->list[0].config);
        sw_json_key(&w, "containerimage.descriptor");
        sw_descriptor_to_json(&w, &r->target);
        sw_json_put_digest(&w, "containerimage.digest", &r->target.digest);
        code = put_names(&w, inv, o, err);
    }
    sw_json_end_object(&w);
    sw_buf_add_char(&text, '\n');
    if (!code) code = sw_buf_check(&text, "the metadata", err);
    return code ? code : sw_write_file_at(AT_FDCWD, path, 0644, sw_buf_str(&text), err);
}

enum sw_code build_result_files(struct sw_invocation *inv, const struct sw_build_options *o,
                                const struct build_results *r, struct sw_error *err) {
    const char *path = sw_opt(inv, "iidfile");
    enum sw_code code = SW_OK;
    if (path && !o->skip_layers) {
        char text[SW_DIGEST_TEXT_MAX];
        struct sw_digest id = build_result_id(r);
        code = sw_write_file_at(AT_FDCWD, path, 0644, sw_digest_format(&id, text), err);
    }
    path = sw_opt(inv, "metadata-file");
    return code || !path ? code : write_metadata(inv, path, o, r, err);
}
