/* The verdict as an attestation: in a file, and at the image in its registry. */
#include <fcntl.h>

#include "base/fs.h"
#include "cmd/scan_session.h"
#include "cmd/signing.h"
#include "remote/attach.h"

#define ANN_PREDICATE_TYPE "predicateType" /* as cosign names it */
#define ANN_COSIGN "dev.cosignproject.cosign/signature"

static enum sw_code write_file(const char *path, struct sw_str text, struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, err);
    return code ? code : sw_write_full(fd, text.ptr, text.len, err);
}

/* What the statement is about: the manifest that was scanned, and the index around it where that
 * holds nothing else. An index with other platforms was not looked at as a whole. */
static enum sw_code sign(struct scan_session *s, const char *key, struct sw_str predicate,
                         struct sw_str *ret, struct sw_error *err) {
    const struct sw_inventory *v = &s->inventory;
    struct sw_statement_subject subjects[2] = {{v->target, v->digest}, {v->target, {0}}};
    size_t n = 1;
    if (!sw_digest_is_set(&v->digest))
        return sw_fail(err, SW_USAGE, "only verdicts on images can be signed");
    if (v->whole && !sw_digest_eq(&v->named.digest, &v->digest))
        subjects[n++].digest = v->named.digest;
    return signing_seal(s->inv->arena, key, SW_SCAN_PREDICATE_TYPE, subjects, n, predicate, ret,
                        err);
}

static enum sw_code attach(struct scan_session *s, struct sw_str envelope, struct sw_error *err) {
    const struct sw_inventory *v = &s->inventory;
    struct sw_arena *a = s->inv->arena;
    struct sw_remote *remote = NULL;
    struct sw_reference ref;
    struct sw_descriptor manifest, there;
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_attachment x = {.subject = {.media_type = v->named.media_type,
                                          .digest = v->named.digest,
                                          .size = v->named.size},
                              .artifact_type = SW_MT_DSSE,
                              .layer_type = SW_MT_DSSE,
                              .bytes = envelope};
    if (s->kind != SW_SCAN_IMAGE)
        return sw_fail(err, SW_USAGE, "--attach: name an image of a registry");
    if (!v->whole)
        return sw_fail(err, SW_UNSUPPORTED,
                       "--attach: the name stands for several platforms, and one was scanned; "
                       "scan each by its digest");
    enum sw_code code = remote_reference(s->inv, s->inv->args[0], &ref, err);
    if (!code) code = remote_lazy_session(&s->remote, &remote, err);
    if (code) return code;
    code = sw_remote_manifest_head(remote, a, sw_repository_of(&ref),
                                   sw_digest_format(&v->named.digest, text), &there, err);
    if (code == SW_NOT_FOUND) sw_advise(err, "; what is attached to must be pushed first");
    if (code) return code;
    struct sw_pair annotations[] = {{SW_STR(ANN_COSIGN), SW_STR("")},
                                    {SW_STR(ANN_PREDICATE_TYPE), SW_STR(SW_SCAN_PREDICATE_TYPE)}};
    x.layer_annotations = (struct sw_pairs){annotations, 2, 2};
    code = sw_remote_attach(remote, a, sw_repository_of(&ref), &x, &manifest, err);
    if (!code)
        fprintf(stderr, "slipway: the verdict is attached as %.*s\n",
                SW_ARG(sw_digest_format(&manifest.digest, text)));
    return code;
}

enum sw_code scan_attest(struct scan_session *s, struct sw_error *err) {
    const char *predicate = sw_opt(s->inv, "predicate"), *key = sw_opt(s->inv, "sign-key");
    const char *file = sw_opt(s->inv, "attestation");
    bool to_registry = sw_opt_flag(s->inv, "attach");
    SW_BUF struct sw_buf out;
    struct sw_str envelope;
    enum sw_code code = SW_OK;
    sw_buf_init(&out, 0);
    if ((file || to_registry) != (key != NULL))
        return sw_fail(err, SW_USAGE, "--sign-key goes with --attestation FILE or --attach");
    if (predicate || key) sw_report_predicate(&s->report, &out);
    if (predicate) code = write_file(predicate, sw_buf_str(&out), err);
    if (code || !key) return code;
    code = sign(s, key, sw_buf_str(&out), &envelope, err);
    if (!code && file) code = write_file(file, envelope, err);
    return !code && to_registry ? attach(s, envelope, err) : code;
}
