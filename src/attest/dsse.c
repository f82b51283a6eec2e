#include "attest/dsse.h"

#include "codec/base64.h"
#include "codec/json_writer.h"

struct sw_str sw_dsse_pae(struct sw_arena *a, struct sw_str type, struct sw_str body) {
    struct sw_buf b SW_BUF = {0};
    sw_buf_init(&b, SW_ATTEST_BYTES_MAX * 2);
    sw_buf_addf(&b, "DSSEv1 %zu %.*s %zu ", type.len, SW_ARG(type), body.len);
    sw_buf_add(&b, body);
    return sw_arena_str(a, sw_buf_str(&b));
}

/* Writers disagree about the alphabet; the bytes are signed, not their text. */
static enum sw_code decode(struct sw_arena *a, struct sw_str text, struct sw_str *ret,
                           struct sw_error *err) {
    if (sw_base64_decode(a, text, 0, ret, err) == SW_OK) return SW_OK;
    return sw_base64_decode(a, text, SW_BASE64_URL, ret, err);
}

static enum sw_code check_signatures(struct sw_arena *a, const struct sw_json *root,
                                     struct sw_str signed_bytes, struct sw_key *const *keys,
                                     size_t n_keys, struct sw_error *err) {
    const struct sw_json *list = NULL;
    enum sw_code code = sw_json_need_node(root, "signatures", SW_JSON_ARRAY, &list, err);
    if (code) return code;
    if (list->len > SW_ATTEST_SIGNATURES_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d signatures", SW_ATTEST_SIGNATURES_MAX);
    for (size_t i = 0; i < list->len; i++) {
        struct sw_str text, sig;
        code = sw_json_need_str(&list->items[i], "sig", &text, err);
        if (!code) code = decode(a, text, &sig, err);
        if (code) return code;
        for (size_t k = 0; k < n_keys; k++)
            if (sw_key_verify(keys[k], signed_bytes, sig, false, err) == SW_OK) return SW_OK;
    }
    return sw_fail(err, SW_DENIED, "no signature is by a key that is trusted here");
}

enum sw_code sw_dsse_open(struct sw_arena *a, struct sw_str envelope, struct sw_key *const *keys,
                          size_t n_keys, struct sw_statement *ret, struct sw_error *err) {
    const struct sw_json *root = NULL, *statement = NULL;
    struct sw_str type, text, body, statement_type;
    struct sw_json_limits limits = {.bytes = SW_ATTEST_BYTES_MAX};
    struct sw_statement s = {0};
    enum sw_code code = sw_json_parse(a, envelope, &limits, &root, err);
    if (!code) code = sw_json_need_str(root, "payloadType", &type, err);
    if (!code) code = sw_json_need_str(root, "payload", &text, err);
    if (!code) code = decode(a, text, &body, err);
    if (code) return sw_context(err, "attestation");
    code = check_signatures(a, root, sw_dsse_pae(a, type, body), keys, n_keys, err);
    if (code) return sw_context(err, "attestation");
    if (!sw_str_is(type, SW_MT_STATEMENT))
        return sw_fail(err, SW_SYNTAX, "attestation: it signs %.*s, not a statement", SW_ARG(type));
    code = sw_json_parse(a, body, &limits, &statement, err);
    if (!code) code = sw_json_need_str(statement, "_type", &statement_type, err);
    if (!code && !sw_str_starts(statement_type, SW_STR("https://in-toto.io/Statement/")))
        code = sw_fail(err, SW_SYNTAX, "not a statement: %.*s", SW_ARG(statement_type));
    if (!code) code = sw_json_need_str(statement, "predicateType", &s.predicate_type, err);
    if (!code) code = sw_json_need_node(statement, "subject", SW_JSON_ARRAY, &s.subjects, err);
    if (code) return sw_context(err, "attestation");
    s.predicate = sw_json_get(statement, "predicate");
    *ret = s;
    return SW_OK;
}

bool sw_statement_is_about(const struct sw_statement *s, const struct sw_digest *digest) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_str hex = sw_digest_hex(digest, text);
    for (size_t i = 0; i < s->subjects->len; i++) {
        const struct sw_json *d = sw_json_get(&s->subjects->items[i], "digest");
        const struct sw_json *v = d ? sw_json_get(d, sw_digest_alg_name(digest->alg)) : NULL;
        if (v && v->type == SW_JSON_STRING && sw_str_eq(v->text, hex)) return true;
    }
    return false;
}

enum sw_code sw_statement_write(struct sw_arena *a, const char *predicate_type,
                                const struct sw_statement_subject *subjects, size_t n_subjects,
                                struct sw_str predicate, struct sw_str *ret, struct sw_error *err) {
    struct sw_buf out SW_BUF = {0};
    struct sw_json_writer w;
    char text[SW_DIGEST_TEXT_MAX];
    sw_buf_init(&out, SW_ATTEST_BYTES_MAX);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "_type", "https://in-toto.io/Statement/v1");
    sw_json_key(&w, "subject");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < n_subjects; i++) {
        const struct sw_digest *d = &subjects[i].digest;
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "name", subjects[i].name);
        sw_json_key(&w, "digest");
        sw_json_begin_object(&w);
        sw_json_put_str(&w, sw_digest_alg_name((enum sw_digest_alg)d->alg), sw_digest_hex(d, text));
        sw_json_end_object(&w);
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_put_text(&w, "predicateType", predicate_type);
    sw_json_key(&w, "predicate");
    sw_json_raw(&w, predicate);
    sw_json_end_object(&w);
    enum sw_code code = sw_buf_check(&out, "a statement", err);
    if (!code) *ret = sw_arena_str(a, sw_buf_str(&out));
    return code;
}

enum sw_code sw_dsse_seal(struct sw_arena *a, struct sw_str type, struct sw_str body,
                          const struct sw_key *key, struct sw_str *ret_envelope,
                          struct sw_error *err) {
    struct sw_buf out SW_BUF = {0};
    struct sw_buf b64 SW_BUF = {0};
    struct sw_json_writer w;
    struct sw_str sig;
    sw_buf_init(&out, SW_ATTEST_BYTES_MAX * 2);
    sw_buf_init(&b64, SW_ATTEST_BYTES_MAX * 2);
    enum sw_code code = sw_key_sign(key, a, sw_dsse_pae(a, type, body), &sig, err);
    if (code) return code;
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "payloadType", type);
    sw_base64_encode(&b64, body, 0);
    sw_json_put_str(&w, "payload", sw_buf_str(&b64));
    sw_json_key(&w, "signatures");
    sw_json_begin_array(&w);
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "keyid", sw_key_id(key));
    sw_buf_reset(&b64);
    sw_base64_encode(&b64, sig, 0);
    sw_json_put_str(&w, "sig", sw_buf_str(&b64));
    sw_json_end_object(&w);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    code = sw_buf_check(&out, "an attestation", err);
    if (!code) *ret_envelope = sw_arena_str(a, sw_buf_str(&out));
    return code;
}
