/* A registry as a fleet: every tag of every repository. */
#include <string.h>

#include "cmd/audit_session.h"

/* A host alone is told from a repository of the store by its dot or port. */
bool audit_is_registry(const char *text) {
    struct sw_str s = sw_str(text);
    if (sw_str_starts(s, SW_STR(SW_SCAN_REGISTRY_PREFIX))) return true;
    if (sw_str_find_char(s, '/') != SIZE_MAX || !sw_reference_is_domain(s)) return false;
    size_t colon = sw_str_find_char(s, ':');
    uint64_t port;
    /* "app:1.0" is an image; "host:5000" could be one: a port has nothing but digits, and four of
     * them or more. */
    if (colon != SIZE_MAX)
        return sw_str_u64(sw_str_from(s, colon + 1), &port) && port >= 80 &&
               (sw_str_find_char(sw_str_sub(s, 0, colon), '.') != SIZE_MAX ||
                sw_str_is(sw_str_sub(s, 0, colon), "localhost"));
    return sw_str_find_char(s, '.') != SIZE_MAX || sw_str_is(s, "localhost");
}

/* "sha256-<hex>", also with ".sig" or ".att" behind: where signatures and lists of referrers are.
 */
static bool is_attachment(struct sw_str tag) {
    return sw_str_starts(tag, SW_STR("sha256-")) && tag.len >= 7 + 64;
}

static enum sw_code audit_tag(struct audit_session *s, struct sw_remote *r,
                              struct sw_repository repo, struct sw_str tag, struct sw_error *err) {
    struct sw_arena *a = s->inv->arena;
    struct audit_target target = {
        .name = sw_arena_printf(a, "%.*s/%.*s:%.*s", SW_ARG(repo.domain), SW_ARG(repo.path),
                                SW_ARG(tag)),
        .repository = sw_arena_printf(a, "%.*s/%.*s", SW_ARG(repo.domain), SW_ARG(repo.path))};
    enum sw_code code = sw_remote_manifest_head(r, a, repo, tag, &target.target, err);
    if (!code) return audit_judge(s, &target, err);
    s->seen++;
    return audit_cannot(s, sw_vec_push(&s->rows), target.name, code, err);
}

static enum sw_code audit_repository(struct audit_session *s, struct sw_remote *r,
                                     struct sw_repository repo, struct sw_str tags,
                                     struct sw_error *err) {
    struct sw_strs list = {0};
    struct sw_arena *a = s->inv->arena;
    enum sw_code code = sw_remote_tags(r, a, repo, &list, err);
    if (code) {
        struct sw_str name =
            sw_arena_printf(a, "%.*s/%.*s", SW_ARG(repo.domain), SW_ARG(repo.path));
        s->seen++;
        return audit_cannot(s, sw_vec_push(&s->rows), name, code, err);
    }
    for (size_t i = 0; i < list.len && !code; i++)
        if (!is_attachment(list.ptr[i]) && sw_str_glob(tags, list.ptr[i]))
            code = audit_tag(s, r, repo, list.ptr[i], err);
    return code;
}

enum sw_code audit_registry(struct audit_session *s, const char *text, struct sw_error *err) {
    struct sw_strs list = {0};
    struct sw_remote *r = NULL;
    struct sw_str rest = sw_str(text), host, path, tags = SW_STR("*");
    if (sw_str_starts(rest, SW_STR(SW_SCAN_REGISTRY_PREFIX)))
        rest = sw_str_from(rest, strlen(SW_SCAN_REGISTRY_PREFIX));
    sw_str_cut(rest, '/', &host, &path);
    size_t colon = sw_str_find_char(path, ':');
    if (colon != SIZE_MAX) {
        tags = sw_str_from(path, colon + 1);
        path = sw_str_sub(path, 0, colon);
    }
    struct sw_repository repo = {0};
    enum sw_code code =
        remote_domain(s->inv, sw_arena_cstr(s->inv->arena, host), &repo.domain, err);
    if (!code) code = remote_lazy_session(&s->remote, &r, err);
    if (code) return code;
    /* A name without stars is asked for itself: not everybody may list everything. */
    if (path.len && sw_str_find_char(path, '*') == SIZE_MAX)
        sw_strs_add(s->inv->arena, &list, path);
    else
        code = sw_remote_catalog(r, s->inv->arena, repo.domain, &list, err);
    if (code) return sw_context(err, "listing %.*s", SW_ARG(host));
    for (size_t i = 0; i < list.len && !code; i++) {
        repo.path = list.ptr[i];
        if (!path.len || sw_str_glob(path, repo.path))
            code = audit_repository(s, r, repo, tags, err);
    }
    return code;
}
