#include "cmd/image_read.h"
#include "cmd/inspect_attest.h"
#include "cmd/inspect_place.h"
#include "cmd/render.h"
#include "cmd/table.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"

static enum sw_code names_of(struct sw_invocation *inv, struct sw_store *store,
                             const struct sw_digest *target, struct sw_strs *ret,
                             struct sw_error *err) {
    struct sw_images images;
    enum sw_code code = sw_tags_list(store, inv->arena, &images, err);
    for (size_t i = 0; !code && i < images.len; i++)
        if (sw_digest_eq(&images.ptr[i].target.digest, target) && images.ptr[i].familiar.len)
            sw_strs_add(inv->arena, ret, images.ptr[i].familiar);
    return code;
}

static void put_time(struct sw_json_writer *w, const char *key, const struct sw_time *t) {
    char text[SW_RFC3339_MAX];
    if (t->set) sw_json_put_str(w, key, sw_rfc3339_format(t->sec, t->nsec, text));
}

static enum sw_code describe(struct sw_invocation *inv, struct sw_store *store, const char *word,
                             struct sw_json_writer *w, struct sw_error *err) {
    struct sw_image_read image;
    struct sw_strs names = {0};
    enum sw_code code = sw_image_read(store, inv->arena, sw_str(word), &image, err);
    struct inspect_attested attested;
    if (!code) code = names_of(inv, store, &image.image.target.digest, &names, err);
    if (!code) code = inspect_attested_find(store, inv->arena, &image, &attested, err);
    if (code) return code;
    const struct sw_image_config *c = &image.config;
    char text[SW_DIGEST_TEXT_MAX];
    sw_json_begin_object(w);
    sw_json_put_digest(w, "Id", &image.manifest.config.digest);
    sw_json_put_strs(w, "RepoTags", &names);
    sw_json_put_digest(w, "Digest", &image.manifest_descriptor.digest);
    sw_json_put_str(w, "MediaType", image.manifest_descriptor.media_type);
    put_time(w, "Created", &c->created);
    sw_json_put_str(w, "Author", c->author);
    sw_json_put_str(w, "Architecture", c->platform.architecture);
    sw_json_put_str_opt(w, "Variant", c->platform.variant);
    sw_json_put_str(w, "Os", c->platform.os);
    sw_json_put_int(w, "Size", (int64_t)image.image.size);
    sw_json_key(w, "Config");
    sw_container_config_to_json(w, &c->config);
    sw_json_key(w, "RootFS");
    sw_json_begin_object(w);
    sw_json_put_text(w, "Type", "layers");
    sw_json_key(w, "Layers");
    sw_json_begin_array(w);
    for (size_t i = 0; i < c->n_diff_ids; i++)
        sw_json_str(w, sw_digest_format(&c->diff_ids[i], text));
    sw_json_end_array(w);
    sw_json_end_object(w);
    sw_json_put_pairs(w, "Annotations", &image.manifest.annotations);
    code = inspect_attested_put(inv, store, w, &attested, err);
    sw_json_end_object(w);
    return code;
}

/* docker's form: an array of what is in the store. */
static enum sw_code inspect_store(struct sw_invocation *inv, struct cmd_places *places,
                                  const struct sw_strs *names, struct sw_error *err) {
    SW_BUF struct sw_buf all;
    struct sw_json_writer w;
    sw_buf_init(&all, 0);
    sw_json_writer_init(&w, &all, 0);
    sw_json_begin_array(&w);
    for (size_t i = 0; i < names->len; i++) {
        SW_BUF struct sw_buf one;
        struct sw_json_writer single;
        sw_buf_init(&one, 0);
        sw_json_writer_init(&single, &one, 0);
        enum sw_code code = describe(inv, places->store.store, names->ptr[i].ptr, &single, err);
        if (!code && inv->format) code = sw_render_document(inv, sw_buf_str(&one), err);
        if (code) return code;
        sw_json_raw(&w, sw_buf_str(&one));
    }
    sw_json_end_array(&w);
    if (inv->format || !names->len) return SW_OK;
    return sw_render_document(inv, sw_buf_str(&all), err);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    CMD_PLACES struct cmd_places places = {0};
    struct cmd_inspect_options o = {.raw = sw_opt_flag(inv, "raw"),
                                    .config = sw_opt_flag(inv, "config"),
                                    .no_tags = sw_opt_flag(inv, "no-tags")};
    struct sw_strs names = {0};
    enum sw_code code = remote_platform(inv, sw_opt(inv, "platform"), &o.platform, err);
    if (!code && !o.platform)
        code = sw_fail(err, SW_USAGE, "--platform all: name the one to inspect");
    if (!code) code = cmd_places_init(&places, inv, SW_SESSION_READ_ONLY, err);
    for (int i = 0; !code && i < inv->n_args; i++) {
        SW_PLACE struct sw_place p = {0};
        code = cmd_place_open(&places, inv->args[i], SW_PLACE_STORE, false, &p, err);
        if (code) break;
        if (p.kind == SW_PLACE_STORE && !o.raw && !o.config)
            sw_strs_add(inv->arena, &names, p.name);
        else
            code = cmd_inspect_place(inv, &p, &o, err);
    }
    return code ? code : inspect_store(inv, &places, &names, err);
}

static const struct sw_option options[] = {
    {"type", 0, "TYPE", "docker's: everything here is an image", SW_OPT_IGNORED, NULL, NULL},
    {"raw", 0, NULL, "the manifest's or index's own bytes", 0, NULL, NULL},
    {"config", 0, NULL, "the configuration; with --raw its bytes", 0, NULL, NULL},
    {"no-tags", 'n', NULL, "do not ask a registry for the other tags", 0, NULL, NULL},
    {"platform", 0, "PLATFORM", "of an image for several (default: this machine's)", 0, NULL, NULL},
    REMOTE_OPTIONS,
    {NULL},
};

const struct sw_command sw_cmd_inspect = {
    .name = "inspect",
    .args = "[OPTIONS] IMAGE...",
    .summary = "Show what an image is made of",
    .description =
        "A name alone is an image of the store. docker://NAME asks a registry; "
        "oci:DIRECTORY[:TAG], "
        "oci-archive:FILE[:TAG] and docker-archive:FILE[:NAME] are read where they are. Those are "
        "shown with skopeo's fields: Name Digest MediaType RepoTags Created Labels Architecture Os "
        "Env Layers LayersData Annotations.\n\n"
        "Attestations that were built with an image of the store are listed; .SBOM.SPDX and "
        ".Provenance.SLSA are their content for --format.",
    .examples = "  slipway inspect app:1.0\n"
                "  slipway inspect --format '{{.Config.Cmd}}' app:1.0\n"
                "  slipway inspect --format '{{.Digest}}' docker://registry.example.org/app:1.0\n"
                "  slipway inspect --format '{{json .SBOM.SPDX}}' app:1.0\n"
                "  slipway inspect --raw oci-archive:app.tar",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
