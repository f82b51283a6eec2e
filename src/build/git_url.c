#include "build/git.h"

/* ---- what is one ---- */

/* user@host:path, without a scheme. */
static bool is_scp(struct sw_str s) {
    size_t at = sw_str_find_char(s, '@'), colon = sw_str_find_char(s, ':');
    if (at == SIZE_MAX || colon == SIZE_MAX || at == 0 || at > colon) return false;
    if (sw_str_find(s, SW_STR("://")) != SIZE_MAX) return false;
    for (size_t i = 0; i < colon; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.' || c == '@'))
            return false;
    }
    return s.ptr[0] != '-' && colon + 1 < s.len;
}

static bool is_http(struct sw_str s) {
    return sw_str_starts(s, SW_STR("http://")) || sw_str_starts(s, SW_STR("https://"));
}

/* The remote without the user and the password that http takes: for messages and .git/config. */
static struct sw_str without_password(struct sw_arena *arena, struct sw_str remote) {
    size_t host = sw_str_find(remote, SW_STR("://"));
    if (!is_http(remote)) return remote;
    host += 3;
    struct sw_str rest = sw_str_from(remote, host), authority, path;
    sw_str_cut(rest, '/', &authority, &path);
    size_t at = sw_str_rfind_char(authority, '@');
    if (at == SIZE_MAX) return remote;
    return sw_arena_printf(arena, "%.*s%.*s", (int)host, remote.ptr,
                           SW_ARG(sw_str_from(rest, at + 1)));
}

/* ---- what follows the name ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* %2F; in a query also + for a blank. False for % without two digits, and for a zero byte. */
static bool decode(struct sw_arena *arena, struct sw_str s, bool query, struct sw_str *ret) {
    char *out = sw_arena_array(arena, s.len + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '+' && query) c = ' ';
        if (c == '%') {
            int high = i + 1 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
            int low = i + 2 < s.len ? hex_digit(s.ptr[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0) return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[n++] = c;
    }
    *ret = sw_str_n(out, n);
    return true;
}

static bool parse_bool(struct sw_str s, bool *ret) {
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (sw_str_is(s, yes[i]) || sw_str_is(s, no[i])) {
            *ret = sw_str_is(s, yes[i]);
            return true;
        }
    }
    return false;
}

/* The values of a query as they are found; ref, tag and branch are put together at the end. */
struct query {
    struct sw_arena *arena;
    struct sw_str ref, tag, branch, subdir, commit, keep_git_dir, submodules;
};

/* Where a key's value goes; NULL for a key that nobody knows. */
static struct sw_str *field_of(struct query *q, struct sw_str key) {
    struct {
        const char *name;
        struct sw_str *field;
    } fields[] = {{"ref", &q->ref},
                  {"tag", &q->tag},
                  {"branch", &q->branch},
                  {"subdir", &q->subdir},
                  {"commit", &q->commit},
                  {"checksum", &q->commit},
                  {"keep-git-dir", &q->keep_git_dir},
                  {"submodules", &q->submodules}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (sw_str_is(key, fields[i].name)) return fields[i].field;
    return NULL;
}

static enum sw_code read_query(struct query *q, struct sw_str text, struct sw_error *err) {
    struct sw_str pair, key, value;
    while (sw_str_next(&text, '&', &pair)) {
        if (!pair.len) continue;
        sw_str_cut(pair, '=', &key, &value);
        if (!decode(q->arena, key, true, &key) || !decode(q->arena, value, true, &value))
            return sw_fail(err, SW_SYNTAX, "\"%.*s\" in the query of a repository is badly escaped",
                           SW_ARG(pair));
        struct sw_str *field = field_of(q, key);
        if (!field)
            return sw_fail(err, SW_SYNTAX,
                           "the query of a repository has an unknown key \"%.*s\": it takes ref, "
                           "branch, tag, commit, subdir, keep-git-dir and submodules",
                           SW_ARG(key));
        bool is_switch = field == &q->keep_git_dir || field == &q->submodules;
        if (!value.len && !is_switch)
            return sw_fail(err, SW_SYNTAX, "\"%.*s\" in the query of a repository has no value",
                           SW_ARG(key));
        if (field->len && !sw_str_eq(*field, value))
            return sw_fail(err, SW_SYNTAX, "\"%.*s\" stands twice in the query of a repository",
                           SW_ARG(key));
        *field = value.len ? value : SW_STR("true");
    }
    return SW_OK;
}

static enum sw_code conflict(const char *what, struct sw_str a, struct sw_str b,
                             struct sw_error *err) {
    return sw_fail(err, SW_SYNTAX, "a repository with two values for %s: \"%.*s\" and \"%.*s\"",
                   what, SW_ARG(a), SW_ARG(b));
}

/* A branch or a tag by its whole name, so that one cannot be taken for the other. */
static enum sw_code add_ref(struct sw_arena *arena, const char *prefix, struct sw_str name,
                            struct sw_str *ref, struct sw_error *err) {
    if (!name.len) return SW_OK;
    if (!sw_str_starts(name, sw_str(prefix)))
        name = sw_arena_printf(arena, "%s%.*s", prefix, SW_ARG(name));
    if (ref->len && !sw_str_eq(*ref, name)) return conflict("the ref", *ref, name, err);
    *ref = name;
    return SW_OK;
}

static enum sw_code take_query(struct query *q, struct sw_git_url *u, struct sw_error *err) {
    if (q->ref.len && u->ref.len && !sw_str_eq(q->ref, u->ref))
        return conflict("the ref", u->ref, q->ref, err);
    if (q->subdir.len && u->subdir.len && !sw_str_eq(q->subdir, u->subdir))
        return conflict("the directory", u->subdir, q->subdir, err);
    if (q->ref.len) u->ref = q->ref;
    if (q->subdir.len) u->subdir = q->subdir;
    u->commit = q->commit;
    enum sw_code code = add_ref(q->arena, "refs/tags/", q->tag, &u->ref, err);
    if (!code) code = add_ref(q->arena, "refs/heads/", q->branch, &u->ref, err);
    if (code) return code;
    bool submodules = true;
    u->has_keep_git_dir = q->keep_git_dir.len > 0;
    if ((u->has_keep_git_dir && !parse_bool(q->keep_git_dir, &u->keep_git_dir)) ||
        (q->submodules.len && !parse_bool(q->submodules, &submodules)))
        return sw_fail(err, SW_SYNTAX,
                       "keep-git-dir and submodules of a repository are true or false");
    u->no_submodules = !submodules;
    return SW_OK;
}

enum sw_code sw_git_url_parse(struct sw_arena *arena, struct sw_str text, bool local_names,
                              struct sw_git_url *ret, bool *ret_is, struct sw_error *err) {
    struct sw_git_url u = {.ref = SW_STR(""), .subdir = SW_STR(""), .commit = SW_STR("")};
    struct query q = {.arena = arena};
    struct sw_str base, fragment, query = {0};
    bool has_fragment = sw_str_cut(text, '#', &base, &fragment);
    bool has_query = sw_str_cut(base, '?', &base, &query);
    *ret_is = false;
    if (local_names && sw_str_starts(base, SW_STR("github.com/"))) {
        base = sw_arena_printf(arena, "https://%.*s", SW_ARG(base));
    } else if (is_http(base)) {
        if (!sw_str_ends(base, SW_STR(".git"))) return SW_OK;
    } else if (!sw_str_starts(base, SW_STR("git://")) && !sw_str_starts(base, SW_STR("ssh://")) &&
               !is_scp(base)) {
        return SW_OK;
    }
    *ret_is = true;
    u.remote = base;
    u.shown = without_password(arena, base);
    if (has_fragment) {
        if (!is_scp(base) && !decode(arena, fragment, false, &fragment))
            return sw_fail(err, SW_SYNTAX, "\"#%.*s\" of a repository is badly escaped",
                           SW_ARG(fragment));
        sw_str_cut(fragment, ':', &u.ref, &u.subdir);
    }
    enum sw_code code = has_query ? read_query(&q, query, err) : SW_OK;
    if (!code && has_query) code = take_query(&q, &u, err);
    if (code) return sw_context(err, "%.*s", SW_ARG(u.shown));
    *ret = u;
    return SW_OK;
}

bool sw_git_is_url(struct sw_str text, bool local_names) {
    SW_ARENA struct sw_arena arena;
    struct sw_git_url ignored;
    struct sw_error why = {0};
    bool is = false;
    sw_arena_init(&arena, 0);
    return sw_git_url_parse(&arena, text, local_names, &ignored, &is, &why) || is;
}
