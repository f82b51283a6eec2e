#include "build/attest.h"

#include "build/limits.h"
#include "build/room_internal.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "store/blob.h"

#define STATEMENT_TYPE "https://in-toto.io/Statement/v0.1"
/* Of a predicate that is indented for reading; a larger one stays on one line. */
#define PREDICATE_VALUES_MAX 20000000
#define ARTIFACT_TYPE "application/vnd.docker.attestation.manifest.v1+json"

/* ---- statements ---- */

void sw_build_statement(struct sw_buf *out, const char *predicate_type,
                        const struct sw_pairs *subjects, struct sw_str predicate, bool pretty) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, pretty ? SW_JSON_INDENT : SW_JSON_HTML);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "_type", STATEMENT_TYPE);
    sw_json_put_text(&w, "predicateType", predicate_type);
    sw_json_key(&w, "subject");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < subjects->len; i++) {
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "name", subjects->ptr[i].name);
        sw_json_key(&w, "digest");
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "sha256", subjects->ptr[i].value);
        sw_json_end_object(&w);
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_key(&w, "predicate");
    SW_ARENA struct sw_arena arena;
    static const struct sw_json_limits limits = {.bytes = SW_PREDICATE_MAX,
                                                 .values = PREDICATE_VALUES_MAX};
    const struct sw_json *tree;
    struct sw_error ignored = {0};
    sw_arena_init(&arena, (size_t)4 << 30);
    if (pretty && sw_json_parse(&arena, predicate, &limits, &tree, &ignored) == SW_OK)
        sw_json_tree(&w, tree);
    else
        sw_json_raw(&w, predicate);
    sw_json_end_object(&w);
}

enum sw_code sw_image_purl(struct sw_arena *a, const char *type, struct sw_str name,
                           const struct sw_platform *platform, struct sw_str *ret,
                           struct sw_error *err) {
    struct sw_reference ref;
    char digest[SW_DIGEST_TEXT_MAX] = "";
    enum sw_code code = sw_reference_parse(a, name, &ref, err);
    if (code) return code;
    if (sw_digest_is_set(&ref.digest))
        sw_digest_format(&ref.digest, digest);
    else
        sw_reference_default_tag(&ref);
    struct sw_str version = ref.tag;
    ref.tag = SW_STR("");
    ref.digest = (struct sw_digest){0};
    SW_BUF struct sw_buf p;
    sw_buf_init(&p, 0);
    struct sw_str text = sw_platform_format(a, platform);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '/')
            sw_buf_add_text(&p, "%2F");
        else
            sw_buf_add_char(&p, text.ptr[i]);
    *ret = sw_arena_printf(a, "pkg:%s/%.*s%s%.*s?%s%s%splatform=%.*s", type,
                           SW_ARG(sw_reference_familiar(a, &ref)), version.len ? "@" : "",
                           SW_ARG(version), *digest ? "digest=" : "", digest, *digest ? "&" : "",
                           SW_ARG(sw_buf_str(&p)));
    return SW_OK;
}

/* The image under each of its names; one that has none is "_", since a statement has to be about
 * something. */
static enum sw_code image_subjects(struct sw_build *b, const struct sw_build_result *r,
                                   struct sw_pairs *ret, struct sw_error *err) {
    char hex[SW_DIGEST_TEXT_MAX];
    struct sw_str digest = sw_arena_str(b->arena, sw_digest_hex(&r->manifest.digest, hex));
    for (size_t i = 0; i < b->options->tags.len; i++) {
        struct sw_str purl;
        enum sw_code code = sw_image_purl(b->arena, "docker", b->options->tags.ptr[i],
                                          &b->options->platform, &purl, err);
        if (code) return code;
        sw_pairs_set(b->arena, ret, purl, digest);
    }
    if (!ret->len) sw_pairs_set(b->arena, ret, SW_STR("_"), digest);
    return SW_OK;
}

/* ---- the manifest ---- */

static enum sw_code add_statement(struct sw_build *b, struct sw_manifest *m,
                                  const char *predicate_type, const struct sw_pairs *subjects,
                                  struct sw_str predicate, struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_PREDICATE_MAX + (1 << 20));
    sw_build_statement(&bytes, predicate_type, subjects, predicate, false);
    enum sw_code code = sw_buf_check(&bytes, "an attestation", err);
    if (!code) code = sw_blob_put(b->tools->store, sw_buf_str(&bytes), NULL, err);
    if (code) return code;
    struct sw_descriptor d = sw_descriptor_of(SW_MT_IN_TOTO, sw_buf_str(&bytes));
    sw_pairs_set(b->arena, &d.annotations, SW_STR(SW_ANN_PREDICATE_TYPE), sw_str(predicate_type));
    sw_manifest_add_layer(b->arena, m, &d);
    return SW_OK;
}

static enum sw_code put_document(struct sw_build *b, const char *type, const struct sw_buf *bytes,
                                 struct sw_descriptor *ret, struct sw_error *err) {
    enum sw_code code = sw_buf_check(bytes, "an attestation's manifest", err);
    if (!code) code = sw_blob_put(b->tools->store, sw_buf_str(bytes), NULL, err);
    if (!code) *ret = sw_descriptor_of(type, sw_buf_str(bytes));
    return code;
}

/* An image configuration, for tools that know only images; it says that it runs nowhere. */
static enum sw_code put_config(struct sw_build *b, struct sw_manifest *m, struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    struct sw_image_config c = {
        .platform = {.os = SW_STR("unknown"), .architecture = SW_STR("unknown")}};
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    c.diff_ids = sw_arena_array(b->arena, m->n_layers + 1, sizeof *c.diff_ids);
    for (size_t i = 0; i < m->n_layers; i++) c.diff_ids[c.n_diff_ids++] = m->layers[i].digest;
    sw_image_config_write(&bytes, &c);
    return put_document(b, SW_MT_OCI_CONFIG, &bytes, &m->config, err);
}

static enum sw_code put_artifact_config(struct sw_build *b, struct sw_manifest *m,
                                        const struct sw_build_result *r, struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, 16);
    sw_buf_add_text(&bytes, "{}");
    m->artifact_type = SW_STR(ARTIFACT_TYPE);
    m->subject = SW_NEW(b->arena, struct sw_descriptor);
    *m->subject = (struct sw_descriptor){.media_type = r->manifest.media_type,
                                         .digest = r->manifest.digest,
                                         .size = r->manifest.size};
    enum sw_code code = put_document(b, SW_MT_OCI_EMPTY, &bytes, &m->config, err);
    m->config.data = SW_STR("{}");
    return code;
}

static enum sw_code write_manifest(struct sw_build *b, struct sw_build_result *r,
                                   struct sw_error *err) {
    struct sw_manifest m = {.media_type = SW_STR(SW_MT_OCI_MANIFEST)};
    struct sw_pairs subjects = {0};
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    enum sw_code code = image_subjects(b, r, &subjects, err);
    if (!code && r->attested.sbom.ptr)
        code = add_statement(b, &m, SW_PREDICATE_SPDX, &subjects, r->attested.sbom, err);
    if (!code && r->attested.provenance.ptr)
        code =
            add_statement(b, &m, SW_PREDICATE_PROVENANCE, &subjects, r->attested.provenance, err);
    if (!code)
        code = b->options->attest.oci_artifact ? put_artifact_config(b, &m, r, err)
                                               : put_config(b, &m, err);
    if (code) return code;
    sw_manifest_write(&bytes, &m);
    code = put_document(b, SW_MT_OCI_MANIFEST, &bytes, &r->attestation, err);
    if (code) return code;
    struct sw_platform *nowhere = SW_NEW(b->arena, struct sw_platform);
    *nowhere = (struct sw_platform){.os = SW_STR("unknown"), .architecture = SW_STR("unknown")};
    char text[SW_DIGEST_TEXT_MAX];
    r->attestation.platform = nowhere;
    sw_pairs_set(b->arena, &r->attestation.annotations, SW_STR(SW_ANN_ATTESTATION_TYPE),
                 SW_STR("attestation-manifest"));
    sw_pairs_set(b->arena, &r->attestation.annotations, SW_STR(SW_ANN_ATTESTATION_DIGEST),
                 sw_arena_str(b->arena, sw_digest_format(&r->manifest.digest, text)));
    return SW_OK;
}

enum sw_code sw_attest_finish(struct sw_build *b, struct sw_build_result *r, struct sw_error *err) {
    const struct sw_build_options *o = b->options;
    if (!sw_attest_wanted(&o->attest)) return SW_OK;
    struct sw_progress *p = b->tools->progress;
    unsigned step = sw_progress_step(p, SW_STR("attesting"));
    sw_progress_start(p, step);
    enum sw_code code = SW_OK;
    if (o->attest.sbom) {
        struct sw_str name = o->tags.len ? o->tags.ptr[0] : SW_STR("image");
        code = o->attest.sbom->describe(o->attest.sbom->ctx, &r->manifest, name, b->arena,
                                        &r->attested.sbom, err);
        if (code) sw_context(err, "the bill of materials");
    }
    if (!code && b->provenance) code = sw_provenance_write(b, &r->attested.provenance, err);
    if (!code && !o->skip_layers) code = write_manifest(b, r, err);
    char text[SW_DIGEST_TEXT_MAX];
    if (code) {
        sw_progress_fail(p, step, err);
    } else {
        if (!o->skip_layers)
            sw_progress_note(p, step, "attestation %s",
                             sw_digest_format(&r->attestation.digest, text).ptr);
        sw_progress_done(p, step);
    }
    return code;
}
