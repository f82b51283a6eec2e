#include "registry/route.h"

#include "codec/base64.h"
#include "oci/reference.h"
#include "registry/access.h"
#include "registry/limits.h"

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Takes percent-encoding off. form: '+' is a space. False on a broken escape, or a byte that the
 * caller could not tell from structure. */
static bool decode(struct sw_arena *a, struct sw_str s, bool form, struct sw_str *ret) {
    char *to = sw_arena_alloc(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            if (i + 2 >= s.len) return false;
            int hi = hex_value(s.ptr[i + 1]), lo = hex_value(s.ptr[i + 2]);
            if (hi < 0 || lo < 0) return false;
            c = (char)(hi * 16 + lo);
            i += 2;
            if (!form && c == '/') return false;
        } else if (form && c == '+') {
            c = ' ';
        }
        if ((unsigned char)c < ' ' || c == 127) return false;
        to[n++] = c;
    }
    to[n] = 0;
    *ret = sw_str_n(to, n);
    return true;
}

static struct sw_route bad(const char *why) {
    return (struct sw_route){.kind = SW_ROUTE_BAD, .bad = why};
}

static bool cut_last(struct sw_str s, struct sw_str *ret_head, struct sw_str *ret_last) {
    size_t at = sw_str_rfind_char(s, '/');
    if (at == SIZE_MAX) return false;
    *ret_last = sw_str_from(s, at + 1);
    *ret_head = sw_str_sub(s, 0, at);
    return true;
}

static bool upload_id_ok(struct sw_str id) {
    if (id.len == 0 || id.len > 64) return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) return false;
    }
    return true;
}

static struct sw_route with_reference(struct sw_route r) {
    struct sw_error err;
    bool is_digest = sw_str_find_char(r.reference, ':') != SIZE_MAX;
    if (is_digest && sw_digest_parse(r.reference, &r.digest, &err)) return bad("DIGEST_INVALID");
    if (r.kind == SW_ROUTE_MANIFEST && !is_digest && !sw_reference_is_tag(r.reference))
        return bad("MANIFEST_INVALID");
    if ((r.kind == SW_ROUTE_BLOB || r.kind == SW_ROUTE_REFERRERS) && !is_digest)
        return bad("DIGEST_INVALID");
    if (r.kind == SW_ROUTE_UPLOAD && !upload_id_ok(r.reference)) return bad("BLOB_UPLOAD_UNKNOWN");
    return r;
}

/* rest is what follows "/v2/". Names contain slashes, so the route is read from the right. */
static struct sw_route parse_v2(struct sw_str rest) {
    struct sw_route r = {0};
    struct sw_str head, last, before, kind;
    if (rest.len == 0) return (struct sw_route){.kind = SW_ROUTE_BASE};
    if (sw_str_is(rest, "_catalog")) return (struct sw_route){.kind = SW_ROUTE_CATALOG};
    if (!cut_last(rest, &head, &last)) return r;
    if (sw_str_is(last, "uploads") && sw_str_ends(head, SW_STR("/blobs"))) {
        r.kind = SW_ROUTE_UPLOADS;
        r.name = sw_str_sub(head, 0, head.len - 6);
    } else if (!cut_last(head, &before, &kind)) {
        return r;
    } else if (sw_str_is(kind, "uploads") && sw_str_ends(before, SW_STR("/blobs"))) {
        r.kind = last.len ? SW_ROUTE_UPLOAD : SW_ROUTE_UPLOADS;
        r.name = sw_str_sub(before, 0, before.len - 6);
        r.reference = last;
    } else {
        r.name = before;
        r.reference = last;
        if (sw_str_is(kind, "tags") && sw_str_is(last, "list"))
            r.kind = SW_ROUTE_TAGS;
        else if (sw_str_is(kind, "manifests"))
            r.kind = SW_ROUTE_MANIFEST;
        else if (sw_str_is(kind, "blobs"))
            r.kind = SW_ROUTE_BLOB;
        else if (sw_str_is(kind, "referrers"))
            r.kind = SW_ROUTE_REFERRERS;
        else
            return (struct sw_route){0};
    }
    if (!sw_reference_is_path(r.name)) return bad("NAME_INVALID");
    return with_reference(r);
}

struct sw_route sw_route_parse(struct sw_arena *a, struct sw_str path) {
    static const struct {
        const char *path;
        enum sw_route_kind kind;
    } fixed[] = {
        {"/v2", SW_ROUTE_BASE},         {"/token", SW_ROUTE_TOKEN},
        {"/metrics", SW_ROUTE_METRICS}, {"/healthz", SW_ROUTE_HEALTH},
        {"/readyz", SW_ROUTE_READY},    {"/.well-known/jwks.json", SW_ROUTE_KEYS},
    };
    struct sw_str p;
    if (path.len > SW_REG_URL_MAX || !decode(a, path, false, &p)) return (struct sw_route){0};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (sw_str_is(p, fixed[i].path)) return (struct sw_route){.kind = fixed[i].kind};
    if (sw_str_starts(p, SW_STR("/v2/"))) return parse_v2(sw_str_from(p, 4));
    if (sw_str_starts(p, SW_STR("/api/v1/")))
        return (struct sw_route){.kind = SW_ROUTE_API, .reference = sw_str_from(p, 8)};
    return (struct sw_route){0};
}

bool sw_query_next(struct sw_arena *a, struct sw_str *rest, const char *name, struct sw_str *ret) {
    struct sw_str field, key, value;
    while (rest->ptr && sw_str_next(rest, '&', &field)) {
        sw_str_cut(field, '=', &key, &value);
        if (!decode(a, key, true, &key) || !sw_str_is(key, name)) continue;
        if (decode(a, value, true, ret)) return true;
    }
    return false;
}

bool sw_query_get(struct sw_arena *a, struct sw_str query, const char *name, struct sw_str *ret) {
    return sw_query_next(a, &query, name, ret);
}

enum sw_range sw_range_parse(struct sw_str header, uint64_t size, uint64_t *ret_offset,
                             uint64_t *ret_len) {
    struct sw_str first, last;
    uint64_t a, b;
    if (!sw_str_starts(header, SW_STR("bytes="))) return SW_RANGE_NONE;
    header = sw_str_from(header, 6);
    if (!sw_str_cut(header, '-', &first, &last)) return SW_RANGE_NONE;
    if (first.len == 0) { /* the last b bytes */
        if (!sw_str_u64(last, &b)) return SW_RANGE_NONE;
        if (b == 0 || size == 0) return SW_RANGE_BAD;
        if (b > size) b = size;
        *ret_offset = size - b;
        *ret_len = b;
        return SW_RANGE_OK;
    }
    if (!sw_str_u64(first, &a)) return SW_RANGE_NONE;
    if (last.len == 0)
        b = UINT64_MAX;
    else if (!sw_str_u64(last, &b))
        return SW_RANGE_NONE;
    if (a >= size || b < a) return SW_RANGE_BAD;
    if (b >= size) b = size - 1;
    *ret_offset = a;
    *ret_len = b - a + 1;
    return SW_RANGE_OK;
}

bool sw_content_range_parse(struct sw_str header, uint64_t *ret_first, uint64_t *ret_last) {
    struct sw_str first, last, total;
    uint64_t a, b;
    if (sw_str_starts(header, SW_STR("bytes "))) header = sw_str_from(header, 6);
    sw_str_cut(header, '/', &header, &total);
    if (!sw_str_cut(header, '-', &first, &last)) return false;
    if (!sw_str_u64(first, &a) || !sw_str_u64(last, &b) || b < a || b == UINT64_MAX) return false;
    *ret_first = a;
    *ret_last = b;
    return true;
}

static bool scheme(struct sw_str header, const char *name, struct sw_str *ret_rest) {
    struct sw_str head, rest;
    if (!sw_str_cut(header, ' ', &head, &rest) || !sw_str_ieq(head, sw_str(name))) return false;
    *ret_rest = sw_str_trim(rest);
    return ret_rest->len > 0;
}

bool sw_bearer_parse(struct sw_str header, struct sw_str *ret_token) {
    return scheme(header, "bearer", ret_token) && ret_token->len <= SW_REG_TOKEN_MAX;
}

bool sw_basic_parse(struct sw_arena *a, struct sw_str header, struct sw_str *ret_user,
                    struct sw_str *ret_password) {
    struct sw_str text, bytes;
    struct sw_error err;
    if (!scheme(header, "basic", &text) || text.len > SW_REG_TOKEN_MAX) return false;
    if (sw_base64_decode(a, text, 0, &bytes, &err)) return false;
    if (bytes.len && memchr(bytes.ptr, 0, bytes.len)) return false;
    return sw_str_cut(bytes, ':', ret_user, ret_password);
}

bool sw_scope_parse(struct sw_str text, struct sw_scope *ret) {
    struct sw_scope s = {0};
    struct sw_str rest, actions, action;
    if (!sw_str_cut(text, ':', &s.type, &rest)) return false;
    size_t at = sw_str_rfind_char(rest, ':');
    if (at == SIZE_MAX) return false;
    s.name = sw_str_sub(rest, 0, at);
    actions = sw_str_from(rest, at + 1);
    /* "repository(plugin)": the class is ignored, as by the peers. */
    s.type = sw_str_sub(s.type, 0, sw_str_find_char(s.type, '('));
    bool repository = sw_str_is(s.type, "repository");
    if (repository && !sw_reference_is_path(s.name)) return false;
    if (!repository && !(sw_str_is(s.type, "registry") && sw_str_is(s.name, "catalog")))
        return false;
    while (sw_str_next(&actions, ',', &action)) s.actions |= sw_action_of(action);
    *ret = s;
    return true;
}

/* Wildcards matched with one step back at a time: linear for '*' alone, and bounded for "**" by
 * the number of them that sw_repo_pattern_ok() allows. */
static bool match(const char *p, const char *p_end, const char *s, const char *s_end) {
    const char *star = NULL, *star_s = NULL;
    while (s < s_end || p < p_end) {
        if (p + 1 < p_end && p[0] == '*' && p[1] == '*') {
            if (p + 2 == p_end) return true;
            for (const char *t = s; t <= s_end; t++)
                if (match(p + 2, p_end, t, s_end)) return true;
            /* "a/" + "**" + "/b" is also a/b. */
            return p[2] == '/' && match(p + 3, p_end, s, s_end);
        }
        if (p < p_end && *p == '*') {
            star = p++;
            star_s = s;
        } else if (p < p_end && s < s_end && *p == *s) {
            p++;
            s++;
        } else if (star && star_s < s_end && *star_s != '/') {
            p = star + 1;
            s = ++star_s;
        } else {
            return false;
        }
    }
    return true;
}

bool sw_repo_pattern_match(struct sw_str pattern, struct sw_str name) {
    /* "prod/" + "**" also means prod itself. */
    if (sw_str_ends(pattern, SW_STR("/**")) &&
        sw_str_eq(sw_str_sub(pattern, 0, pattern.len - 3), name))
        return true;
    return match(pattern.ptr, pattern.ptr + pattern.len, name.ptr, name.ptr + name.len);
}

bool sw_repo_pattern_ok(struct sw_str p) {
    unsigned doubles = 0;
    if (p.len == 0 || p.len > 255) return false;
    for (size_t i = 0; i < p.len; i++) {
        char c = p.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("._/*-", c);
        if (!ok || !c) return false;
        if (c == '*' && i + 1 < p.len && p.ptr[i + 1] == '*') doubles++;
    }
    return doubles <= 4;
}

bool sw_tag_pattern_match(struct sw_str pattern, struct sw_str text) {
    size_t p = 0, t = 0, star = SIZE_MAX, star_t = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            star_t = t;
        } else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++star_t;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

bool sw_account_name_ok(struct sw_str name) {
    if (sw_str_starts(name, SW_STR("robot$"))) name = sw_str_from(name, 6);
    if (name.len == 0 || name.len > SW_REG_ACCOUNT_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alnum && (i == 0 || !c || !strchr("._-", c))) return false;
    }
    return true;
}
