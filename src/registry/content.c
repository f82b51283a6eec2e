#include "registry/content.h"

#include "registry/limits.h"

static struct sw_sql_value digest_value(const struct sw_digest *d, char text[SW_DIGEST_TEXT_MAX]) {
    return sw_sql_text(sw_digest_format(d, text));
}

enum sw_code sw_repo_id(struct sw_tx *tx, struct sw_str name, bool create, int64_t now_s,
                        int64_t *ret, struct sw_error *err) {
    struct sw_sql_rows rows;
    struct sw_sql_value key = sw_sql_text(name);
    enum sw_code code = sw_tx_do(tx, &rows, err, "SELECT id FROM repos WHERE name = $1", key);
    if (!code && rows.n_rows == 0 && create) {
        code = sw_tx_do(tx, NULL, err,
                        "INSERT INTO repos(name, created) VALUES($1, $2) ON CONFLICT DO NOTHING",
                        key, sw_sql_int(now_s));
        if (!code) code = sw_tx_do(tx, &rows, err, "SELECT id FROM repos WHERE name = $1", key);
    }
    if (code) return code;
    if (rows.n_rows == 0) return sw_fail(err, SW_NOT_FOUND, "no repository %.*s", SW_ARG(name));
    *ret = sw_sql_row(&rows, 0)->number;
    return SW_OK;
}

/* ---- blobs ---- */

enum sw_code sw_blob_find(struct sw_tx *tx, struct sw_str repo, const struct sw_digest *d,
                          struct sw_blob_row *ret, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_sql_rows rows;
    enum sw_code code = sw_tx_do(tx, &rows, err,
                                 "SELECT b.size, l.touched, b.location FROM repos r "
                                 "JOIN repo_blobs l ON l.repo = r.id "
                                 "JOIN blobs b ON b.digest = l.digest "
                                 "WHERE r.name = $1 AND l.digest = $2",
                                 sw_sql_text(repo), digest_value(d, text));
    if (code) return code;
    if (rows.n_rows == 0) return sw_fail(err, SW_NOT_FOUND, "no blob %s", text);
    const struct sw_sql_value *v = sw_sql_row(&rows, 0);
    *ret = (struct sw_blob_row){v[0].number, v[1].number, v[2].text};
    return SW_OK;
}

enum sw_code sw_blob_touch(struct sw_tx *tx, struct sw_str repo, const struct sw_digest *d,
                           int64_t now_s, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    return sw_tx_do(tx, NULL, err,
                    "UPDATE repo_blobs SET touched = $3 WHERE digest = $2 AND "
                    "repo = (SELECT id FROM repos WHERE name = $1)",
                    sw_sql_text(repo), digest_value(d, text), sw_sql_int(now_s));
}

static enum sw_code link_blob(struct sw_tx *tx, int64_t repo, struct sw_sql_value digest,
                              int64_t now_s, struct sw_error *err) {
    return sw_tx_do(tx, NULL, err,
                    "INSERT INTO repo_blobs(repo, digest, touched) VALUES($1, $2, $3) "
                    "ON CONFLICT(repo, digest) DO UPDATE SET touched = excluded.touched",
                    sw_sql_int(repo), digest, sw_sql_int(now_s));
}

enum sw_code sw_blob_add(struct sw_tx *tx, int64_t repo, const struct sw_digest *d, uint64_t size,
                         struct sw_str location, int64_t now_s, bool *ret_used,
                         struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_sql_rows rows;
    struct sw_sql_value digest = digest_value(d, text);
    enum sw_code code =
        sw_tx_do(tx, &rows, err,
                 "INSERT INTO blobs(digest, size, location, touched) VALUES($1, $2, $3, $4) "
                 "ON CONFLICT(digest) DO UPDATE SET touched = excluded.touched RETURNING location",
                 digest, sw_sql_int((int64_t)size), sw_sql_text(location), sw_sql_int(now_s));
    if (code) return code;
    *ret_used = rows.n_rows == 1 && sw_str_eq(sw_sql_row(&rows, 0)->text, location);
    return link_blob(tx, repo, digest, now_s, err);
}

enum sw_code sw_blob_mount(struct sw_tx *tx, int64_t repo, const struct sw_digest *d, int64_t now_s,
                           struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_sql_rows rows;
    struct sw_sql_value digest = digest_value(d, text);
    enum sw_code code = sw_tx_do(tx, &rows, err, "UPDATE blobs SET touched = $2 WHERE digest = $1",
                                 digest, sw_sql_int(now_s));
    if (code) return code;
    if (rows.changes == 0) return sw_fail(err, SW_NOT_FOUND, "no blob %s", text);
    return link_blob(tx, repo, digest, now_s, err);
}

enum sw_code sw_blob_repos(struct sw_tx *tx, const struct sw_digest *d, size_t max,
                           struct sw_sql_rows *ret, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    return sw_tx_do(tx, ret, err,
                    "SELECT r.name FROM repo_blobs l JOIN repos r ON r.id = l.repo "
                    "WHERE l.digest = $1 LIMIT $2",
                    digest_value(d, text), sw_sql_int((int64_t)max));
}

enum sw_code sw_blob_unlink(struct sw_tx *tx, struct sw_str repo, const struct sw_digest *d,
                            struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_sql_rows rows;
    int64_t id = 0;
    struct sw_sql_value digest = digest_value(d, text);
    enum sw_code code = sw_repo_id(tx, repo, false, 0, &id, err);
    if (!code)
        code = sw_tx_do(tx, &rows, err,
                        "SELECT m.digest FROM manifest_refs f JOIN repo_manifests m "
                        "ON m.digest = f.manifest AND m.repo = $1 WHERE f.child = $2 LIMIT 1",
                        sw_sql_int(id), digest);
    if (code) return code;
    if (rows.n_rows)
        return sw_fail(err, SW_BUSY, "the manifest %.*s needs the blob",
                       SW_ARG(sw_sql_row(&rows, 0)->text));
    code = sw_tx_do(tx, &rows, err, "DELETE FROM repo_blobs WHERE repo = $1 AND digest = $2",
                    sw_sql_int(id), digest);
    if (!code && rows.changes == 0) return sw_fail(err, SW_NOT_FOUND, "no blob %s", text);
    return code;
}

enum sw_code sw_repo_bytes(struct sw_tx *tx, int64_t repo, int64_t *ret, struct sw_error *err) {
    struct sw_sql_rows rows;
    enum sw_code code = sw_tx_do(tx, &rows, err,
                                 "SELECT COALESCE(SUM(b.size), 0) FROM repo_blobs l "
                                 "JOIN blobs b ON b.digest = l.digest WHERE l.repo = $1",
                                 sw_sql_int(repo));
    if (!code) *ret = sw_sql_row(&rows, 0)->number;
    return code;
}

/* ---- manifests ---- */

enum sw_code sw_manifest_find(struct sw_tx *tx, struct sw_str repo, struct sw_str reference,
                              bool with_body, struct sw_manifest_row *ret, struct sw_error *err) {
    struct sw_sql_rows rows;
    struct sw_sql_value r = sw_sql_text(repo), t = sw_sql_text(reference);
    bool digest = sw_str_find_char(reference, ':') != SIZE_MAX;
    enum sw_code code;
#define FROM_TAG                                                                                   \
    " FROM repos r JOIN tags t ON t.repo = r.id JOIN manifests m ON m.digest = t.digest "          \
    "WHERE r.name = $1 AND t.name = $2"
#define FROM_DIGEST                                                                                \
    " FROM repos r JOIN repo_manifests l ON l.repo = r.id JOIN manifests m "                       \
    "ON m.digest = l.digest WHERE r.name = $1 AND l.digest = $2"
#define COLUMNS "SELECT m.digest, m.media_type, length(m.body)"
    if (digest && with_body)
        code = sw_tx_do(tx, &rows, err, COLUMNS ", m.body" FROM_DIGEST, r, t);
    else if (digest)
        code = sw_tx_do(tx, &rows, err, COLUMNS FROM_DIGEST, r, t);
    else if (with_body)
        code = sw_tx_do(tx, &rows, err, COLUMNS ", m.body" FROM_TAG, r, t);
    else
        code = sw_tx_do(tx, &rows, err, COLUMNS FROM_TAG, r, t);
#undef FROM_TAG
#undef FROM_DIGEST
#undef COLUMNS
    if (code) return code;
    if (rows.n_rows == 0) return sw_fail(err, SW_NOT_FOUND, "no manifest %.*s", SW_ARG(reference));
    const struct sw_sql_value *v = sw_sql_row(&rows, 0);
    *ret =
        (struct sw_manifest_row){.digest = v[0].text, .media_type = v[1].text, .size = v[2].number};
    if (with_body) ret->body = v[3].text;
    return SW_OK;
}

/* Every blob and manifest that it names must be in the repository, and stays there. */
static enum sw_code check_refs(struct sw_tx *tx, int64_t repo, const struct sw_pushed *p,
                               int64_t now_s, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_sql_rows rows;
    enum sw_code code = SW_OK;
    for (size_t i = 0; !code && i < p->n_refs; i++) {
        const struct sw_ref *ref = &p->refs[i];
        struct sw_sql_value digest = digest_value(&ref->digest, text), id = sw_sql_int(repo);
        if (ref->kind == SW_REF_FOREIGN) continue;
        if (ref->kind == SW_REF_BLOB)
            code = sw_tx_do(tx, &rows, err,
                            "UPDATE repo_blobs SET touched = $3 WHERE repo = $1 AND digest = $2",
                            id, digest, sw_sql_int(now_s));
        else
            code = sw_tx_do(tx, &rows, err,
                            "UPDATE repo_manifests SET pushed = pushed "
                            "WHERE repo = $1 AND digest = $2",
                            id, digest);
        if (!code && rows.changes == 0)
            return sw_fail(err, SW_NOT_FOUND, "the manifest needs %s, which is not here", text);
    }
    return code;
}

static enum sw_code add_refs(struct sw_tx *tx, struct sw_sql_value manifest,
                             const struct sw_pushed *p, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    enum sw_code code = SW_OK;
    for (size_t i = 0; !code && i < p->n_refs; i++)
        code = sw_tx_do(tx, NULL, err,
                        "INSERT INTO manifest_refs(manifest, child, kind, size) "
                        "VALUES($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                        manifest, digest_value(&p->refs[i].digest, text),
                        sw_sql_int(p->refs[i].kind), sw_sql_int(p->refs[i].size));
    return code;
}

enum sw_code sw_manifest_add(struct sw_tx *tx, int64_t repo, const struct sw_pushed *p,
                             struct sw_str body, struct sw_str account, int64_t now_s,
                             struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX], subject_text[SW_DIGEST_TEXT_MAX];
    struct sw_sql_value digest = digest_value(&p->digest, text), subject = {0};
    if (sw_digest_is_set(&p->subject)) subject = digest_value(&p->subject, subject_text);
    enum sw_code code = check_refs(tx, repo, p, now_s, err);
    if (!code)
        code = sw_tx_do(tx, NULL, err,
                        "INSERT INTO manifests(digest, media_type, body, touched) "
                        "VALUES($1, $2, $3, $4) "
                        "ON CONFLICT(digest) DO UPDATE SET touched = excluded.touched",
                        digest, sw_sql_text(p->media_type), sw_sql_bytes(body), sw_sql_int(now_s));
    if (!code) code = add_refs(tx, digest, p, err);
    if (!code)
        code = sw_tx_do(tx, NULL, err,
                        "INSERT INTO repo_manifests(repo, digest, pushed, account, subject, "
                        "artifact_type, descriptor) VALUES($1, $2, $3, $4, $5, $6, $7) "
                        "ON CONFLICT DO NOTHING",
                        sw_sql_int(repo), digest, sw_sql_int(now_s), sw_sql_text(account), subject,
                        sw_sql_text(p->artifact_type), sw_sql_text(p->descriptor));
    return code;
}

enum sw_code sw_tag_get(struct sw_tx *tx, int64_t repo, struct sw_str tag,
                        struct sw_str *ret_digest, struct sw_error *err) {
    struct sw_sql_rows rows;
    enum sw_code code =
        sw_tx_do(tx, &rows, err, "SELECT digest FROM tags WHERE repo = $1 AND name = $2",
                 sw_sql_int(repo), sw_sql_text(tag));
    if (!code) *ret_digest = rows.n_rows ? sw_sql_row(&rows, 0)->text : SW_STR("");
    return code;
}

enum sw_code sw_tag_set(struct sw_tx *tx, int64_t repo, struct sw_str tag,
                        const struct sw_digest *d, int64_t now_s, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    return sw_tx_do(tx, NULL, err,
                    "INSERT INTO tags(repo, name, digest, updated) VALUES($1, $2, $3, $4) "
                    "ON CONFLICT(repo, name) DO UPDATE SET digest = excluded.digest, "
                    "updated = excluded.updated",
                    sw_sql_int(repo), sw_sql_text(tag), digest_value(d, text), sw_sql_int(now_s));
}

enum sw_code sw_tag_delete(struct sw_tx *tx, int64_t repo, struct sw_str tag,
                           struct sw_str *ret_digest, struct sw_error *err) {
    struct sw_sql_rows rows;
    enum sw_code code =
        sw_tx_do(tx, &rows, err, "DELETE FROM tags WHERE repo = $1 AND name = $2 RETURNING digest",
                 sw_sql_int(repo), sw_sql_text(tag));
    if (code) return code;
    if (rows.n_rows == 0) return sw_fail(err, SW_NOT_FOUND, "no tag %.*s", SW_ARG(tag));
    *ret_digest = sw_sql_row(&rows, 0)->text;
    return SW_OK;
}

enum sw_code sw_manifest_tags(struct sw_tx *tx, int64_t repo, struct sw_str digest,
                              struct sw_sql_rows *ret, struct sw_error *err) {
    return sw_tx_do(tx, ret, err,
                    "SELECT name FROM tags WHERE repo = $1 AND digest = $2 ORDER BY name",
                    sw_sql_int(repo), sw_sql_text(digest));
}

enum sw_code sw_manifest_delete(struct sw_tx *tx, int64_t repo, struct sw_str digest,
                                struct sw_error *err) {
    struct sw_sql_rows rows;
    struct sw_sql_value id = sw_sql_int(repo), d = sw_sql_text(digest);
    enum sw_code code = sw_tx_do(
        tx, &rows, err, "DELETE FROM repo_manifests WHERE repo = $1 AND digest = $2", id, d);
    if (code) return code;
    if (rows.changes == 0) return sw_fail(err, SW_NOT_FOUND, "no manifest %.*s", SW_ARG(digest));
    return sw_tx_do(tx, NULL, err, "DELETE FROM tags WHERE repo = $1 AND digest = $2", id, d);
}

/* ---- lists ---- */

enum sw_code sw_tags_page(struct sw_tx *tx, int64_t repo, struct sw_str last, size_t n,
                          struct sw_sql_rows *ret, struct sw_error *err) {
    return sw_tx_do(tx, ret, err,
                    "SELECT name FROM tags WHERE repo = $1 AND name > $2 ORDER BY name LIMIT $3",
                    sw_sql_int(repo), sw_sql_text(last), sw_sql_int((int64_t)n));
}

enum sw_code sw_repos_page(struct sw_tx *tx, struct sw_str last, size_t n, struct sw_sql_rows *ret,
                           struct sw_error *err) {
    return sw_tx_do(tx, ret, err,
                    "SELECT name FROM repos r WHERE name > $1 AND "
                    "EXISTS(SELECT 1 FROM repo_manifests m WHERE m.repo = r.id) "
                    "ORDER BY name LIMIT $2",
                    sw_sql_text(last), sw_sql_int((int64_t)n));
}

enum sw_code sw_referrers_page(struct sw_tx *tx, struct sw_str repo, struct sw_str subject,
                               struct sw_str artifact_type, struct sw_str last, size_t n,
                               struct sw_sql_rows *ret, struct sw_error *err) {
    struct sw_sql_value v[] = {sw_sql_text(repo), sw_sql_text(subject), sw_sql_text(last),
                               sw_sql_int((int64_t)n), sw_sql_text(artifact_type)};
    if (artifact_type.len)
        return sw_tx_run(tx,
                         "SELECT m.digest, m.artifact_type, m.descriptor FROM repos r "
                         "JOIN repo_manifests m ON m.repo = r.id WHERE r.name = $1 AND "
                         "m.subject = $2 AND m.digest > $3 AND m.artifact_type = $5 "
                         "ORDER BY m.digest LIMIT $4",
                         v, 5, ret, err);
    return sw_tx_run(tx,
                     "SELECT m.digest, m.artifact_type, m.descriptor FROM repos r "
                     "JOIN repo_manifests m ON m.repo = r.id WHERE r.name = $1 AND "
                     "m.subject = $2 AND m.digest > $3 ORDER BY m.digest LIMIT $4",
                     v, 4, ret, err);
}
