/* Who vouches for an archive: the checksum database, the download site's index, the user. */
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/hex.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"
#include "gotool/install_internal.h"

static void add_proof(struct install *in, struct go_proof proof) {
    if (in->n_proofs < GO_PROOFS_MAX) in->proofs[in->n_proofs++] = proof;
}

static enum sw_code mismatch(const char *what, const char *by, const char *expected,
                             const char *actual, struct sw_error *err) {
    return sw_fail(err, SW_CORRUPT,
                   "%s does not match: %s says %s, the download has %s. It was removed", what, by,
                   expected, actual);
}

/* From 1.21.0 on the module and the archive are made of the same files, reproducibly; earlier
 * modules were repacked by other rules. */
static bool comparable(const struct install *in, const struct go_archive *archive) {
    const struct sw_go_version first = {.major = 1, .minor = 21, .patch = 0};
    return archive->form == GO_FORM_ZIP || sw_go_version_cmp(&in->version, &first) >= 0;
}

static enum sw_code by_database(struct install *in, const struct go_archive *archive,
                                const struct lookup *l, struct sw_error *err) {
    if (l->off) {
        add_proof(in, (struct go_proof){.by = "checksum database", .hash = "", .detail = l->off});
        return SW_OK;
    }
    if (l->code == SW_CORRUPT || l->code == SW_CANCELLED) {
        *err = l->err;
        return l->code;
    }
    if (l->code) {
        add_proof(in, (struct go_proof){.by = "checksum database",
                                        .hash = "",
                                        .detail = sw_arena_str(in->a, sw_str(l->err.text)).ptr});
        return SW_OK;
    }
    const char *by = sw_arena_str(in->a, sw_str(l->sum.database)).ptr;
    if (strcmp(l->sum.hash, in->module_hash) == 0) {
        add_proof(in, (struct go_proof){
                          .by = by,
                          .hash = in->module_hash,
                          .holds = true,
                          .detail = sw_arena_printf(in->a, "%stree of %llu records",
                                                    l->sum.remembered ? "proven earlier, " : "",
                                                    (unsigned long long)l->sum.tree_size)
                                        .ptr,
                          .tree_size = l->sum.tree_size,
                          .record = l->sum.record});
        return SW_OK;
    }
    if (comparable(in, archive))
        return mismatch("the module hash", by, l->sum.hash, in->module_hash, err);
    add_proof(in, (struct go_proof){
                      .by = by,
                      .hash = "",
                      .detail = "modules before 1.21 have other files than the site's archives"});
    return SW_OK;
}

/* The index's entry: of the source itself, or one that was kept. */
static const struct sw_go_archive *index_entry(struct install *in,
                                               const struct go_archive *archive) {
    struct sw_go_archive *list;
    struct sw_error ignored;
    size_t n = 0;
    if (archive->index) return archive->index;
    if (sw_go_remote_index(in->o->http, in->o->store, in->o->settings, in->a, &list, &n, &ignored))
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (sw_go_version_eq(&list[i].version, &in->version)) return &list[i];
    return NULL;
}

static enum sw_code by_index(struct install *in, const struct go_archive *archive,
                             struct sw_error *err) {
    if (archive->form != GO_FORM_TAR) return SW_OK;
    const struct sw_go_archive *entry = index_entry(in, archive);
    if (!entry) {
        add_proof(in, (struct go_proof){
                          .by = "index", .hash = "", .detail = "the site's index was not had"});
        return SW_OK;
    }
    char expected[65] = "";
    sw_hex_encode(entry->sha256, 32, expected);
    if (strcmp(expected, in->archive_sha256) != 0)
        return mismatch("the archive's sha256", "the index", expected, in->archive_sha256, err);
    add_proof(in, (struct go_proof){.by = "index",
                                    .hash = in->archive_sha256,
                                    .holds = true,
                                    .detail = "sha256 of the archive"});
    return SW_OK;
}

static enum sw_code by_user(struct install *in, struct sw_error *err) {
    if (!in->o->sha256) return SW_OK;
    if (strcasecmp(in->o->sha256, in->archive_sha256) != 0)
        return mismatch("the archive's sha256", "--sha256", in->o->sha256, in->archive_sha256, err);
    add_proof(in, (struct go_proof){.by = "--sha256",
                                    .hash = in->archive_sha256,
                                    .holds = true,
                                    .detail = "given by the user"});
    return SW_OK;
}

enum sw_code go_verify(struct install *in, const struct go_archive *archive,
                       const struct sw_go_tree *tree, struct sw_go_fetch *fetch,
                       const struct lookup *lookup, struct sw_error *err) {
    SW_BUF struct sw_buf hash;
    sw_buf_init(&hash, 128);
    sw_go_tree_hash(tree, sw_buf_str(&in->module_version), &hash);
    in->module_hash = sw_arena_str(in->a, sw_buf_str(&hash)).ptr;
    in->archive_sha256 = "";
    if (fetch->want_sha256) {
        char hex[SW_DIGEST_TEXT_MAX];
        in->archive_sha256 = sw_arena_str(in->a, sw_digest_hex(&fetch->sha256, hex)).ptr;
    }
    enum sw_code code;
    if ((code = by_index(in, archive, err)) || (code = by_user(in, err)) ||
        (code = by_database(in, archive, lookup, err)))
        return code;
    bool holds = false;
    for (unsigned i = 0; i < in->n_proofs; i++) holds = holds || in->proofs[i].holds;
    if (holds || lookup->off) return SW_OK;
    /* Nobody vouches: the database's own failure says most. */
    if (lookup->code)
        *err = lookup->err;
    else
        sw_fail(err, SW_DENIED, "neither the index nor the checksum database knows this archive");
    enum sw_code reason = err->code;
    sw_context(err, "nothing vouches for the archive, so it is not installed");
    err->code = reason == SW_NOT_FOUND ? SW_DENIED : reason;
    return err->code;
}

const char *go_proofs_text(const struct install *in) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 4096);
    for (unsigned i = 0; i < in->n_proofs; i++)
        if (in->proofs[i].holds)
            sw_buf_addf(&text, "%s%s (%s)", text.len ? ", " : "", in->proofs[i].by,
                        in->proofs[i].detail);
    if (!text.len)
        for (unsigned i = 0; i < in->n_proofs; i++)
            if (!in->proofs[i].holds && !text.len)
                sw_buf_addf(&text, "nothing: %s", in->proofs[i].detail);
    return sw_arena_str(in->a, sw_buf_str(&text)).ptr;
}

void go_record_write(const struct install *in, const struct go_archive *archive,
                     const struct sw_go_tree *tree, struct sw_buf *to) {
    struct sw_go_tree_stat stat;
    struct sw_json_writer w;
    const struct sw_go_platform *p = &in->o->settings->platform;
    sw_go_tree_stat(tree, &stat);
    sw_json_writer_init(&w, to, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_put_int(&w, "format", 1);
    sw_json_put_text(&w, "version", in->name);
    sw_json_put_str(&w, "platform", sw_arena_printf(in->a, "%s/%s", p->os, p->arch));
    sw_json_put_text(&w, "source", archive->shown);
    sw_json_put_text(&w, "address", archive->url ? archive->url : archive->path);
    sw_json_put_int(&w, "installed", sw_now_unix_s());
    sw_json_put_int(&w, "files", (int64_t)stat.files);
    sw_json_put_int(&w, "bytes", (int64_t)stat.bytes);
    sw_json_put_int(&w, "sharedBytes", (int64_t)stat.shared_bytes);
    sw_json_put_text(&w, "moduleHash", in->module_hash);
    if (*in->archive_sha256) sw_json_put_text(&w, "archiveSha256", in->archive_sha256);
    sw_json_key(&w, "verification");
    sw_json_begin_array(&w);
    for (unsigned i = 0; i < in->n_proofs; i++) {
        const struct go_proof *proof = &in->proofs[i];
        sw_json_begin_object(&w);
        sw_json_put_text(&w, "by", proof->by);
        sw_json_put_bool(&w, "holds", proof->holds);
        if (proof->holds) sw_json_put_text(&w, "hash", proof->hash);
        sw_json_put_text(&w, "detail", proof->detail);
        if (proof->tree_size) {
            sw_json_put_int(&w, "treeSize", (int64_t)proof->tree_size);
            sw_json_put_int(&w, "record", (int64_t)proof->record);
        }
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_buf_add_char(to, '\n');
}
