#include "golang/version.h"

#include <stdio.h>

/* A decimal number without leading zeros, up to 9 digits, at the start of *s; false on none. */
static bool take_number(struct sw_str *s, uint32_t *ret) {
    size_t n = 0;
    uint32_t value = 0;
    while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9') {
        if (n == 9) return false;
        value = value * 10 + (uint32_t)(s->ptr[n++] - '0');
    }
    if (n == 0 || (n > 1 && s->ptr[0] == '0')) return false;
    *s = sw_str_from(*s, n);
    *ret = value;
    return true;
}

static bool take(struct sw_str *s, const char *prefix) {
    if (!sw_str_starts(*s, sw_str(prefix))) return false;
    *s = sw_str_from(*s, strlen(prefix));
    return true;
}

bool sw_go_version_read(struct sw_str text, struct sw_go_version *ret) {
    struct sw_go_version v = {.patch = SW_GO_PATCH_NONE};
    struct sw_str s = text;
    uint32_t patch;
    take(&s, "go");
    if (!take_number(&s, &v.major)) return false;
    if (!s.len) { /* "1" is 1.0.0 */
        v.patch = 0;
        *ret = v;
        return true;
    }
    if (!take(&s, ".") || !take_number(&s, &v.minor)) return false;
    if (!s.len) {
        if (v.major == 1 && v.minor < 21) v.patch = 0;
    } else if (take(&s, ".")) {
        if (!take_number(&s, &patch) || s.len) return false;
        v.patch = (int32_t)patch;
    } else {
        v.stage = take(&s, "alpha")  ? SW_GO_ALPHA
                  : take(&s, "beta") ? SW_GO_BETA
                  : take(&s, "rc")   ? SW_GO_RC
                                     : SW_GO_FINAL;
        if (v.stage == SW_GO_FINAL || !take_number(&s, &v.pre) || s.len) return false;
    }
    *ret = v;
    return true;
}

enum sw_code sw_go_version_parse(struct sw_str text, struct sw_go_version *ret,
                                 struct sw_error *err) {
    if (sw_go_version_read(text, ret)) return SW_OK;
    return sw_fail(err, SW_USAGE, "\"%.*s\" is not a Go version (1.21.3, 1.22rc1, 1.20)",
                   SW_ARG(sw_str_sub(text, 0, 80)));
}

bool sw_go_toolchain_read(struct sw_str name, struct sw_go_version *ret) {
    if (!sw_str_starts(name, SW_STR("go"))) return false;
    struct sw_str head, tail;
    sw_str_cut(name, ' ', &head, &tail);
    sw_str_cut(head, '-', &head, &tail);
    return sw_go_version_read(head, ret);
}

static int cmp_int(int64_t a, int64_t b) { return (a > b) - (a < b); }

int sw_go_version_cmp(const struct sw_go_version *a, const struct sw_go_version *b) {
    int c = cmp_int(a->major, b->major);
    if (!c) c = cmp_int(a->minor, b->minor);
    if (!c) c = cmp_int(a->patch, b->patch);
    if (!c) c = cmp_int(a->stage, b->stage);
    if (!c) c = cmp_int(a->pre, b->pre);
    return c;
}

bool sw_go_version_is_release(const struct sw_go_version *v) {
    return v->patch != SW_GO_PATCH_NONE || v->stage != SW_GO_FINAL;
}

bool sw_go_version_is_prerelease(const struct sw_go_version *v) { return v->stage != SW_GO_FINAL; }

struct sw_go_version sw_go_version_line(const struct sw_go_version *v) {
    struct sw_go_version line = {.major = v->major, .minor = v->minor, .patch = SW_GO_PATCH_NONE};
    if (v->major == 1 && v->minor < 21) line.patch = 0;
    return line;
}

static const char *const stage_names[] = {"", "alpha", "beta", "rc"};

struct sw_str sw_go_version_format(const struct sw_go_version *v,
                                   char ret_text[SW_GO_VERSION_SIZE]) {
    int n;
    if (v->stage != SW_GO_FINAL)
        n = snprintf(ret_text, SW_GO_VERSION_SIZE, "%u.%u%s%u", v->major, v->minor,
                     stage_names[v->stage], v->pre);
    else if (v->major == 1 && v->minor == 0 && v->patch == 0)
        n = snprintf(ret_text, SW_GO_VERSION_SIZE, "1");
    else if (v->patch == SW_GO_PATCH_NONE || (v->patch == 0 && v->major == 1 && v->minor < 21))
        n = snprintf(ret_text, SW_GO_VERSION_SIZE, "%u.%u", v->major, v->minor);
    else
        n = snprintf(ret_text, SW_GO_VERSION_SIZE, "%u.%u.%d", v->major, v->minor, v->patch);
    return sw_str_n(ret_text, (size_t)n);
}

struct sw_str sw_go_version_format_semver(const struct sw_go_version *v,
                                          char ret_text[SW_GO_VERSION_SIZE]) {
    int n = snprintf(ret_text, SW_GO_VERSION_SIZE, "%u.%u.%d", v->major, v->minor,
                     v->patch == SW_GO_PATCH_NONE ? 0 : v->patch);
    if (v->stage != SW_GO_FINAL)
        n += snprintf(ret_text + n, SW_GO_VERSION_SIZE - (size_t)n, "-%s.%u", stage_names[v->stage],
                      v->pre);
    return sw_str_n(ret_text, (size_t)n);
}

bool sw_go_version_read_semver(struct sw_str text, struct sw_go_version *ret) {
    struct sw_go_version v = {0};
    struct sw_str s = text;
    uint32_t patch = 0;
    if (!take_number(&s, &v.major)) return false;
    if (take(&s, ".") && !take_number(&s, &v.minor)) return false;
    if (take(&s, ".") && !take_number(&s, &patch)) return false;
    v.patch = (int32_t)patch;
    if (take(&s, "-")) {
        /* "-0" is the convention for "from the first prerelease on". */
        if (sw_str_is(s, "0")) {
            v.patch = patch ? (int32_t)patch : SW_GO_PATCH_NONE;
            *ret = v;
            return true;
        }
        v.stage = take(&s, "alpha")  ? SW_GO_ALPHA
                  : take(&s, "beta") ? SW_GO_BETA
                  : take(&s, "rc")   ? SW_GO_RC
                                     : SW_GO_FINAL;
        if (v.stage == SW_GO_FINAL) return false;
        take(&s, ".");
        if (!take_number(&s, &v.pre)) return false;
        if (!patch) v.patch = SW_GO_PATCH_NONE;
    }
    if (s.len) return false;
    *ret = v;
    return true;
}
