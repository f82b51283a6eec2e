#include "golang/goenv.h"

struct sw_str sw_goenv_get(struct sw_str text, const char *key) {
    struct sw_str line;
    while (sw_str_next(&text, '\n', &line)) {
        struct sw_str name, value;
        if (sw_str_ends(line, SW_STR("\r"))) line.len--;
        if (sw_str_starts(line, SW_STR("#")) || !sw_str_cut(line, '=', &name, &value)) continue;
        if (sw_str_is(name, key)) return value.ptr ? value : SW_STR("");
    }
    return (struct sw_str){0};
}

enum sw_code sw_goproxy_parse(struct sw_str text, struct sw_goproxy *ret_list, size_t *ret_n,
                              struct sw_error *err) {
    struct sw_goproxy list[SW_GOPROXY_MAX];
    size_t n = 0;
    while (text.len) {
        size_t end = 0;
        while (end < text.len && text.ptr[end] != ',' && text.ptr[end] != '|') end++;
        struct sw_str entry = sw_str_trim(sw_str_sub(text, 0, end));
        bool pipe = end < text.len && text.ptr[end] == '|';
        text = sw_str_from(text, end + 1);
        if (!entry.len) continue;
        if (n == SW_GOPROXY_MAX)
            return sw_fail(err, SW_LIMIT, "GOPROXY has more than %d entries", SW_GOPROXY_MAX);
        struct sw_goproxy *p = &list[n++];
        *p = (struct sw_goproxy){.fall_back_on_error = pipe};
        if (sw_str_is(entry, "off") || sw_str_is(entry, "direct")) {
            p->kind = sw_str_is(entry, "off") ? SW_GOPROXY_OFF : SW_GOPROXY_DIRECT;
            break;
        }
        if (!sw_str_starts(entry, SW_STR("https://")) && !sw_str_starts(entry, SW_STR("http://")) &&
            !sw_str_starts(entry, SW_STR("file:///")))
            return sw_fail(err, SW_USAGE, "GOPROXY: \"%.*s\" is not an http, https or file address",
                           SW_ARG(sw_str_sub(entry, 0, 200)));
        while (sw_str_ends(entry, SW_STR("/"))) entry.len--;
        p->url = entry;
    }
    if (!n) return sw_fail(err, SW_USAGE, "GOPROXY lists no proxy; use off to forbid downloads");
    memcpy(ret_list, list, n * sizeof *list);
    *ret_n = n;
    return SW_OK;
}

/* One character class "[a-z]" or "[^a-z]"; *p stands behind '[' and moves behind ']'. */
static bool class_match(struct sw_str pattern, size_t *p, char c, bool *ret_valid) {
    bool negated = *p < pattern.len && pattern.ptr[*p] == '^', match = false, any = false;
    if (negated) ++*p;
    *ret_valid = false;
    while (*p < pattern.len && !(pattern.ptr[*p] == ']' && any)) {
        any = true;
        if (pattern.ptr[*p] == '\\' && ++*p >= pattern.len) return false;
        char low = pattern.ptr[(*p)++], high = low;
        if (*p + 1 < pattern.len && pattern.ptr[*p] == '-' && pattern.ptr[*p + 1] != ']') {
            ++*p;
            if (pattern.ptr[*p] == '\\' && ++*p >= pattern.len) return false;
            high = pattern.ptr[(*p)++];
        }
        if (low <= c && c <= high) match = true;
    }
    if (*p >= pattern.len) return false;
    ++*p;
    *ret_valid = true;
    return match != negated;
}

/* path.Match; linear in pattern times name: only the last star is ever tried again. */
static bool glob_match(struct sw_str pattern, struct sw_str name) {
    size_t p = 0, n = 0, star = SIZE_MAX, star_n = 0;
    while (n < name.len || p < pattern.len) {
        bool ok = false;
        if (p < pattern.len) {
            char c = pattern.ptr[p];
            if (c == '*') {
                star = ++p;
                star_n = n;
                continue;
            }
            if (n < name.len) {
                if (c == '?') {
                    ok = name.ptr[n] != '/';
                    p++;
                } else if (c == '[') {
                    bool valid;
                    p++;
                    ok = class_match(pattern, &p, name.ptr[n], &valid) && valid;
                } else {
                    if (c == '\\' && p + 1 < pattern.len) c = pattern.ptr[++p];
                    ok = name.ptr[n] == c;
                    p++;
                }
                n++;
            }
        }
        if (ok) continue;
        /* The last star takes one character more, which may not be a slash. */
        if (star == SIZE_MAX || star_n >= name.len || name.ptr[star_n] == '/') return false;
        n = ++star_n;
        p = star;
    }
    return true;
}

bool sw_goprivate_match(struct sw_str patterns, struct sw_str path) {
    struct sw_str pattern;
    while (sw_str_next(&patterns, ',', &pattern)) {
        while (sw_str_ends(pattern, SW_STR("/"))) pattern.len--;
        if (!pattern.len) continue;
        /* As many elements of the path as the pattern has. */
        size_t slashes = 0, end = 0;
        for (size_t i = 0; i < pattern.len; i++) slashes += pattern.ptr[i] == '/';
        for (; end < path.len; end++)
            if (path.ptr[end] == '/' && slashes-- == 0) break;
        if (end == path.len && slashes != 0) continue;
        if (glob_match(pattern, sw_str_sub(path, 0, end))) return true;
    }
    return false;
}

bool sw_goflags_has(struct sw_str flags, const char *flag) {
    struct sw_str word, name, value;
    while (sw_str_next(&flags, ' ', &word)) {
        if (sw_str_starts(word, SW_STR("--"))) word = sw_str_from(word, 1);
        bool assigned = sw_str_cut(word, '=', &name, &value);
        if (!sw_str_is(name, flag)) continue;
        if (!assigned || sw_str_is(value, "true") || sw_str_is(value, "1")) return true;
    }
    return false;
}

enum sw_code sw_gotoolchain_parse(struct sw_str text, struct sw_gotoolchain *ret,
                                  struct sw_error *err) {
    struct sw_gotoolchain t = {.name = text};
    struct sw_str mode;
    struct sw_go_version v;
    bool has_mode = sw_str_cut(text, '+', &t.name, &mode);
    if (!has_mode && (sw_str_is(text, "auto") || sw_str_is(text, "path"))) {
        mode = text;
        t.name = SW_STR("local");
        has_mode = true;
    }
    t.may_switch = has_mode;
    t.path_only = has_mode && sw_str_is(mode, "path");
    bool name_ok = sw_str_is(t.name, "local") || sw_go_toolchain_read(t.name, &v);
    bool mode_ok = !has_mode || sw_str_is(mode, "auto") || sw_str_is(mode, "path");
    if (!name_ok || !mode_ok)
        return sw_fail(err, SW_USAGE,
                       "GOTOOLCHAIN=%.*s is none of local, auto, path, goVERSION[+auto|+path]",
                       SW_ARG(sw_str_sub(text, 0, 80)));
    *ret = t;
    return SW_OK;
}
