#include "dockerfile/reference_internal.h"

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alnum(char c) { return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z'); }

/* [a-z0-9]+ joined by one ".", one or two "_", or any number of "-". */
static bool is_component(struct sw_str s) {
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len;) {
        if (is_lower(s.ptr[i]) || is_digit(s.ptr[i])) {
            i++;
            continue;
        }
        size_t n = 0;
        char c = s.ptr[i];
        while (i + n < s.len && s.ptr[i + n] == c) n++;
        bool good = c == '-' || (c == '.' && n == 1) || (c == '_' && n <= 2);
        if (!good || i == 0 || i + n == s.len) return false;
        i += n;
        if (!is_lower(s.ptr[i]) && !is_digit(s.ptr[i])) return false;
    }
    return true;
}

static bool is_path(struct sw_str s) {
    struct sw_str component;
    while (sw_str_next(&s, '/', &component))
        if (!is_component(component)) return false;
    return true;
}

static bool is_port(struct sw_str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!is_digit(s.ptr[i])) return false;
    return s.len > 0;
}

static bool is_domain(struct sw_str s) {
    struct sw_str host, port, part;
    size_t colon = sw_str_rfind_char(s, ':');
    if (s.len > 0 && s.ptr[0] == '[') {
        size_t end = sw_str_find_char(s, ']');
        if (end == SIZE_MAX || end < 2) return false;
        port = sw_str_from(s, end + 1);
        return port.len == 0 || (port.ptr[0] == ':' && is_port(sw_str_from(port, 1)));
    }
    host = colon == SIZE_MAX ? s : sw_str_sub(s, 0, colon);
    if (colon != SIZE_MAX && !is_port(sw_str_from(s, colon + 1))) return false;
    while (sw_str_next(&host, '.', &part)) {
        for (size_t i = 0; i < part.len; i++)
            if (!is_alnum(part.ptr[i]) && (part.ptr[i] != '-' || i == 0 || i + 1 == part.len))
                return false;
        if (part.len == 0) return false;
    }
    return true;
}

static bool is_tag(struct sw_str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!is_alnum(c) && c != '_' && (i == 0 || (c != '.' && c != '-'))) return false;
    }
    return s.len > 0 && s.len <= 128;
}

static bool is_hex(struct sw_str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!is_digit(s.ptr[i]) && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f')) return false;
    return true;
}

static bool is_digest(struct sw_str s) {
    struct sw_str algorithm, hex;
    if (!sw_str_cut(s, ':', &algorithm, &hex) || !is_hex(hex)) return false;
    if (sw_str_is(algorithm, "sha256")) return hex.len == 64;
    if (sw_str_is(algorithm, "sha384")) return hex.len == 96;
    return sw_str_is(algorithm, "sha512") && hex.len == 128;
}

bool sw_df_is_reference(struct sw_str s) {
    struct sw_str name, digest, first, rest;
    if (sw_str_cut(s, '@', &name, &digest) && !is_digest(digest)) return false;
    size_t slash = sw_str_rfind_char(name, '/'), colon = sw_str_rfind_char(name, ':');
    if (colon != SIZE_MAX && (slash == SIZE_MAX || colon > slash)) {
        if (!is_tag(sw_str_from(name, colon + 1))) return false;
        name = sw_str_sub(name, 0, colon);
    }
    /* A bare 64-digit name would be taken for an image ID. */
    if (name.len == 64 && is_hex(name)) return false;
    bool domain = sw_str_cut(name, '/', &first, &rest);
    domain = domain && (sw_str_find_char(first, '.') != SIZE_MAX ||
                        sw_str_find_char(first, ':') != SIZE_MAX || sw_str_is(first, "localhost"));
    if (!domain && rest.len > 0) /* an upper-case first part cannot be but a host */
        for (size_t i = 0; i < first.len && !domain; i++)
            domain = first.ptr[i] >= 'A' && first.ptr[i] <= 'Z';
    if (domain) return is_domain(first) && is_path(rest);
    return name.len <= 255 && is_path(name);
}

static const struct {
    const char *alias, *os, *arch, *variant;
} aliases[] = {
    {"x86_64", "", "amd64", ""},  {"x86-64", "", "amd64", ""}, {"i386", "", "386", ""},
    {"aarch64", "", "arm64", ""}, {"armhf", "", "arm", "v7"},  {"armel", "", "arm", "v6"},
    {"macos", "darwin", "", ""},
};
static const char *const systems[] = {"aix",     "android", "darwin",  "dragonfly", "freebsd",
                                      "illumos", "ios",     "js",      "linux",     "netbsd",
                                      "openbsd", "plan9",   "solaris", "windows"};
static const char *const architectures[] = {"386",     "amd64",   "arm",    "arm64",    "loong64",
                                            "mips",    "mipsle",  "mips64", "mips64le", "ppc64",
                                            "ppc64le", "riscv64", "s390x",  "wasm"};

static bool among(struct sw_str s, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (sw_str_ieq(s, sw_str(list[i]))) return true;
    return false;
}

static void normalize(struct sw_df_platform *p) {
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (aliases[i].os[0] && sw_str_ieq(p->os, sw_str(aliases[i].alias)))
            p->os = sw_str(aliases[i].os);
        if (!aliases[i].arch[0] || !sw_str_ieq(p->arch, sw_str(aliases[i].alias))) continue;
        p->arch = sw_str(aliases[i].arch);
        if (aliases[i].variant[0]) p->variant = sw_str(aliases[i].variant);
    }
    if (sw_str_is(p->arch, "arm64") && sw_str_is(p->variant, "v8")) p->variant = SW_STR("");
    if (sw_str_is(p->arch, "amd64") && sw_str_is(p->variant, "v1")) p->variant = SW_STR("");
    if (sw_str_is(p->arch, "arm") && p->variant.len == 0) p->variant = SW_STR("v7");
}

bool sw_df_platform_parse(struct sw_str s, struct sw_df_platform *ret) {
    struct sw_df_platform p = {0};
    struct sw_str parts[4] = {{0}}, rest = s;
    size_t n = 0;
    while (n < 4 && sw_str_next(&rest, '/', &parts[n])) n++;
    if (n > 3) return false;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len == 0) return false;
        for (size_t k = 0; k < parts[i].len; k++)
            if (!is_alnum(parts[i].ptr[k]) && !strchr("_.-()", parts[i].ptr[k])) return false;
    }
    p.os = parts[0];
    p.arch = parts[1];
    p.variant = parts[2];
    if (n == 1) {
        struct sw_df_platform alone = {.arch = parts[0]};
        normalize(&alone);
        bool arch = among(alone.arch, architectures, sizeof architectures / sizeof *architectures);
        bool os = among(parts[0], systems, sizeof systems / sizeof *systems) ||
                  sw_str_ieq(parts[0], SW_STR("macos"));
        if (!arch && !os) return false;
        if (arch) p = (struct sw_df_platform){.os = SW_STR("linux"), .arch = parts[0]};
    }
    normalize(&p);
    *ret = p;
    return true;
}

bool sw_df_platform_same(const struct sw_df_platform *a, const struct sw_df_platform *b) {
    struct sw_df_platform x = *a, y = *b;
    normalize(&x);
    normalize(&y);
    return sw_str_eq(x.os, y.os) && sw_str_eq(x.arch, y.arch);
}

struct sw_str sw_df_platform_text(struct sw_arena *arena, const struct sw_df_platform *p) {
    struct sw_df_platform n = *p;
    normalize(&n);
    return sw_arena_printf(arena, "%.*s%s%.*s%s%.*s", SW_ARG(n.os), n.arch.len > 0 ? "/" : "",
                           SW_ARG(n.arch), n.variant.len > 0 ? "/" : "", SW_ARG(n.variant));
}
