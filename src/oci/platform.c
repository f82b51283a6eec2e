#include "oci/platform.h"

#include "oci/limits.h"

static const char *const known_os[] = {
    "aix",   "android", "darwin", "dragonfly", "freebsd", "hurd",    "illumos", "ios",     "js",
    "linux", "nacl",    "netbsd", "openbsd",   "plan9",   "solaris", "wasip1",  "windows", "zos",
};
static const char *const known_arch[] = {
    "386",     "amd64",  "amd64p32", "arm",      "armbe",     "arm64",       "arm64be", "loong64",
    "mips",    "mipsle", "mips64",   "mips64le", "mips64p32", "mips64p32le", "ppc",     "ppc64",
    "ppc64le", "riscv",  "riscv64",  "s390",     "s390x",     "sparc",       "sparc64", "wasm",
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The known name that s is, whatever the case of its letters; NULL for none. */
static const char *lookup(struct sw_str s, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (sw_str_ieq(s, sw_str(names[i]))) return names[i];
    return NULL;
}

static bool is_any(struct sw_str s, const char *x, const char *y, const char *z) {
    return sw_str_ieq(s, sw_str(x)) || (y && sw_str_ieq(s, sw_str(y))) ||
           (z && sw_str_ieq(s, sw_str(z)));
}

static void set_arch(struct sw_platform *p, const char *arch, const char *variant) {
    p->architecture = sw_str(arch);
    if (variant) p->variant = sw_str(variant);
}

void sw_platform_normalize(struct sw_platform *p) {
    struct sw_str arch = p->architecture;
    const char *name = lookup(p->os, known_os, COUNT(known_os));
    if (is_any(p->os, "macos", NULL, NULL)) name = "darwin";
    if (name) p->os = sw_str(name);
    name = lookup(arch, known_arch, COUNT(known_arch));
    if (name) p->architecture = sw_str(name);
    if (is_any(arch, "i386", "i486", "i586") || is_any(arch, "i686", "x86", NULL))
        set_arch(p, "386", "");
    else if (is_any(arch, "x86_64", "x86-64", NULL))
        set_arch(p, "amd64", NULL);
    else if (is_any(arch, "aarch64", "armv8", NULL))
        set_arch(p, "arm64", NULL);
    else if (is_any(arch, "armhf", NULL, NULL))
        set_arch(p, "arm", "v7");
    else if (is_any(arch, "armel", NULL, NULL))
        set_arch(p, "arm", "v6");
    else if (is_any(arch, "loongarch64", NULL, NULL))
        set_arch(p, "loong64", NULL);

    static const char *const versions[] = {"v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9"};
    struct sw_str digits = p->variant;
    if (digits.len && (digits.ptr[0] == 'v' || digits.ptr[0] == 'V'))
        digits = sw_str_from(digits, 1);
    if (digits.len == 1 && digits.ptr[0] >= '1' && digits.ptr[0] <= '9')
        p->variant = sw_str(versions[digits.ptr[0] - '1']);
    bool plain = (sw_str_is(p->architecture, "amd64") && sw_str_is(p->variant, "v1")) ||
                 (sw_str_is(p->architecture, "arm64") && sw_str_is(p->variant, "v8"));
    if (plain) p->variant = SW_STR("");
    if (sw_str_is(p->architecture, "arm") && p->variant.len == 0) p->variant = SW_STR("v7");
}

bool sw_platform_is_known(const struct sw_platform *p) {
    return lookup(p->os, known_os, COUNT(known_os)) &&
           lookup(p->architecture, known_arch, COUNT(known_arch));
}

static bool is_word(struct sw_str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_' && c != '.' && c != '-')
            return false;
    }
    return s.len > 0;
}

/* "windows(10.0.17763+win32k)": version and features of the os in parentheses. */
static bool split_os(struct sw_arena *a, struct sw_str text, struct sw_platform *p) {
    struct sw_str options, feature;
    if (!sw_str_cut(text, '(', &p->os, &options)) return is_word(p->os);
    if (options.len == 0 || options.ptr[options.len - 1] != ')') return false;
    options.len--;
    if (!sw_str_next(&options, '+', &p->os_version)) return false;
    if (p->os_version.len && !is_word(p->os_version)) return false;
    while (sw_str_next(&options, '+', &feature)) {
        if (!is_word(feature)) return false;
        sw_strs_add(a, &p->os_features, feature);
    }
    return is_word(p->os);
}

static enum sw_code complete(struct sw_platform *p, const struct sw_platform *host,
                             struct sw_str text, struct sw_error *err) {
    struct sw_platform as_os = *p, as_arch = {.architecture = p->os};
    sw_platform_normalize(&as_os);
    sw_platform_normalize(&as_arch);
    bool os = lookup(as_os.os, known_os, COUNT(known_os)) != NULL;
    bool arch =
        !p->os_version.len && lookup(as_arch.architecture, known_arch, COUNT(known_arch)) != NULL;
    if (!os && !arch)
        return sw_fail(err, SW_USAGE,
                       "platform \"%.*s\": neither an operating system nor an architecture that "
                       "is known; write OS/ARCH[/VARIANT], such as linux/amd64",
                       SW_ARG(text));
    if (!host)
        return sw_fail(err, SW_USAGE, "platform \"%.*s\": write OS/ARCH[/VARIANT]", SW_ARG(text));
    if (os) {
        p->architecture = host->architecture;
        p->variant = host->variant;
    } else {
        p->architecture = p->os;
        p->os = host->os;
    }
    return SW_OK;
}

enum sw_code sw_platform_parse(struct sw_arena *a, struct sw_str text,
                               const struct sw_platform *host, struct sw_platform *ret,
                               struct sw_error *err) {
    struct sw_str parts[3] = {0}, rest = sw_arena_str(a, text);
    struct sw_platform p = {.variant = SW_STR(""), .os_version = SW_STR("")};
    size_t n = 0;
    bool ok = text.len <= SW_PLATFORM_TEXT_MAX;
    while (ok && rest.ptr) {
        ok = n < 3;
        if (ok) sw_str_next(&rest, '/', &parts[n++]);
    }
    ok = ok && n && split_os(a, parts[0], &p);
    for (size_t i = 1; ok && i < n; i++) ok = is_word(parts[i]);
    if (!ok) {
        struct sw_str shown = sw_str_sub(text, 0, 100);
        return sw_fail(err, SW_USAGE,
                       "\"%.*s\" is not a platform; write OS/ARCH[/VARIANT], such as linux/arm64",
                       SW_ARG(shown));
    }
    if (n == 1) {
        enum sw_code code = complete(&p, host, text, err);
        if (code) return code;
    } else {
        p.architecture = parts[1];
        if (n == 3) p.variant = parts[2];
    }
    sw_platform_normalize(&p);
    *ret = p;
    return SW_OK;
}

struct sw_platform sw_platform_of_machine(struct sw_str machine) {
    struct sw_platform p = {.os = SW_STR("linux"), .architecture = machine};
    if (sw_str_starts(machine, SW_STR("armv")) && machine.len > 4) {
        p.architecture = SW_STR("arm");
        p.variant = sw_str_sub(machine, 4, 1);
    }
    sw_platform_normalize(&p);
    return p;
}

struct sw_str sw_platform_format(struct sw_arena *a, const struct sw_platform *p) {
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 4096);
    sw_buf_add(&out, p->os.len ? p->os : SW_STR("unknown"));
    if (p->os_version.len || p->os_features.len) {
        sw_buf_addf(&out, "(%.*s", SW_ARG(p->os_version));
        for (size_t i = 0; i < p->os_features.len; i++)
            sw_buf_addf(&out, "+%.*s", SW_ARG(p->os_features.ptr[i]));
        sw_buf_add_char(&out, ')');
    }
    if (p->architecture.len) sw_buf_addf(&out, "/%.*s", SW_ARG(p->architecture));
    if (p->variant.len) sw_buf_addf(&out, "/%.*s", SW_ARG(p->variant));
    return sw_arena_str(a, sw_buf_str(&out));
}

bool sw_platform_eq(const struct sw_platform *x, const struct sw_platform *y) {
    struct sw_platform p = *x, q = *y;
    sw_platform_normalize(&p);
    sw_platform_normalize(&q);
    return sw_str_eq(p.os, q.os) && sw_str_eq(p.architecture, q.architecture) &&
           sw_str_eq(p.variant, q.variant) && sw_str_eq(p.os_version, q.os_version) &&
           sw_strs_eq(&p.os_features, &q.os_features);
}

/* "v8.2" as 802, "" as the given level; 0 where it is no version. */
static unsigned level_of(struct sw_str variant, unsigned level_of_none) {
    uint64_t major, minor = 0;
    struct sw_str head, tail;
    if (variant.len == 0) return level_of_none;
    if (variant.ptr[0] != 'v') return 0;
    bool has_minor = sw_str_cut(sw_str_from(variant, 1), '.', &head, &tail);
    if (!sw_str_u64(head, &major) || major > 99) return 0;
    if (has_minor && (!sw_str_u64(tail, &minor) || minor > 99)) return 0;
    return (unsigned)(major * 100 + minor);
}

/* ARMv9.x implements v8.(x+5); both as steps from v8.0, with v9 above where both fit. */
static unsigned arm64_reach(unsigned level) {
    return level >= 900 ? 800 + (level - 900) + 5 : level;
}

#define SCORE_EXACT 10000
#define SCORE_SAME_ARCH 1000 /* plus the level, so that the newest variant that runs wins */
#define SCORE_OTHER_ARCH 1   /* plus the level: 32-bit code on a 64-bit processor */

static unsigned score_arch(const struct sw_platform *want, const struct sw_platform *have) {
    struct sw_str w = want->architecture, h = have->architecture;
    if (sw_str_eq(w, h) && sw_str_eq(want->variant, have->variant)) return SCORE_EXACT;
    if (sw_str_is(w, "amd64")) {
        if (sw_str_is(h, "386")) return SCORE_OTHER_ARCH;
        if (!sw_str_is(h, "amd64")) return 0;
        unsigned level = level_of(have->variant, 100);
        return level && level <= level_of(want->variant, 100) ? SCORE_SAME_ARCH + level : 0;
    }
    if (sw_str_is(w, "arm")) {
        unsigned level = level_of(have->variant, 700);
        bool runs = sw_str_is(h, "arm") && level >= 500 && level <= level_of(want->variant, 700);
        return runs ? SCORE_SAME_ARCH + level : 0;
    }
    if (sw_str_is(w, "arm64")) {
        unsigned wanted = level_of(want->variant, 800);
        unsigned level = level_of(have->variant, sw_str_is(h, "arm") ? 700 : 800);
        if (sw_str_is(h, "arm")) return level >= 500 && level <= 800 ? SCORE_OTHER_ARCH + level : 0;
        if (!sw_str_is(h, "arm64") || !level) return 0;
        bool runs = level >= 900 ? level <= wanted : level <= arm64_reach(wanted);
        return runs ? SCORE_SAME_ARCH + level : 0;
    }
    return sw_str_eq(w, h) && have->variant.len == 0 ? SCORE_SAME_ARCH : 0;
}

/* The first n numbers of a dotted version. */
static struct sw_str version_head(struct sw_str version, size_t n) {
    for (size_t i = 0; i < version.len; i++)
        if (version.ptr[i] == '.' && --n == 0) return sw_str_sub(version, 0, i);
    return version;
}

unsigned sw_platform_score(const struct sw_platform *want, const struct sw_platform *have) {
    struct sw_platform w = *want, h = *have;
    sw_platform_normalize(&w);
    sw_platform_normalize(&h);
    if (!sw_str_eq(w.os, h.os)) return 0;
    for (size_t i = 0; i < h.os_features.len; i++)
        if (!sw_strs_has(&w.os_features, h.os_features.ptr[i])) return 0;
    unsigned score = score_arch(&w, &h);
    if (!score) return 0;
    if (!w.os_version.len || !h.os_version.len) return 2 * score;
    if (sw_str_eq(w.os_version, h.os_version)) return 2 * score + 1;
    /* A Windows container runs on the build of Windows that it was made for. */
    bool windows = sw_str_is(w.os, "windows");
    if (windows && !sw_str_eq(version_head(w.os_version, 3), version_head(h.os_version, 3)))
        return 0;
    return 2 * score;
}

enum sw_code sw_platform_from_json(struct sw_arena *a, const struct sw_json *node,
                                   struct sw_platform *ret, struct sw_error *err) {
    struct sw_platform p = {0};
    enum sw_code code = sw_json_opt_str(node, "architecture", &p.architecture, err);
    if (!code) code = sw_json_opt_str(node, "os", &p.os, err);
    if (!code) code = sw_json_opt_str(node, "os.version", &p.os_version, err);
    if (!code) code = sw_json_opt_strs(a, node, "os.features", &p.os_features, err);
    if (!code) code = sw_json_opt_str(node, "variant", &p.variant, err);
    if (!code) *ret = p;
    return code;
}

void sw_platform_members_to_json(struct sw_json_writer *w, const struct sw_platform *p) {
    sw_json_put_str(w, "architecture", p->architecture);
    sw_json_put_str(w, "os", p->os);
    sw_json_put_str_opt(w, "os.version", p->os_version);
    sw_json_put_strs_opt(w, "os.features", &p->os_features);
    sw_json_put_str_opt(w, "variant", p->variant);
}

void sw_platform_to_json(struct sw_json_writer *w, const struct sw_platform *p) {
    sw_json_begin_object(w);
    sw_platform_members_to_json(w, p);
    sw_json_end_object(w);
}
