#include "distro/version.h"

#include <stdio.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
static bool is_alnum(char c) { return is_digit(c) || is_alpha(c); }
static int sign(int v) { return (v > 0) - (v < 0); }

/* Takes the digits at the front. */
static struct sw_str take_digits(struct sw_str *s) {
    size_t n = 0;
    while (n < s->len && is_digit(s->ptr[n])) n++;
    struct sw_str digits = sw_str_sub(*s, 0, n);
    *s = sw_str_from(*s, n);
    return digits;
}

/* Numbers of any length. */
static int cmp_digits(struct sw_str a, struct sw_str b) {
    while (a.len && *a.ptr == '0') a = sw_str_from(a, 1);
    while (b.len && *b.ptr == '0') b = sw_str_from(b, 1);
    if (a.len != b.len) return a.len < b.len ? -1 : 1;
    return sign(sw_str_cmp(a, b));
}

/* --- dpkg ------------------------------------------------------------------------------------ */

/* The rank of a character that is no digit: ~, then the end, letters, everything else. */
static int dpkg_rank(struct sw_str s) {
    if (s.len == 0 || is_digit(*s.ptr)) return 0;
    if (*s.ptr == '~') return -1;
    return is_alpha(*s.ptr) ? (unsigned char)*s.ptr : (unsigned char)*s.ptr + 256;
}

/* Alternates between parts without digits and numbers. */
static int dpkg_part_cmp(struct sw_str a, struct sw_str b) {
    while (a.len || b.len) {
        while ((a.len && !is_digit(*a.ptr)) || (b.len && !is_digit(*b.ptr))) {
            int d = dpkg_rank(a) - dpkg_rank(b);
            if (d) return sign(d);
            a = sw_str_from(a, 1);
            b = sw_str_from(b, 1);
        }
        struct sw_str x = take_digits(&a), y = take_digits(&b);
        int d = cmp_digits(x, y);
        if (d) return d;
    }
    return 0;
}

struct evr {
    struct sw_str epoch, version, release;
    bool has_epoch, has_release;
};

/* The epoch ends at the first colon, the release begins after the last hyphen. */
static struct evr split_evr(struct sw_str s) {
    struct evr v = {.epoch = SW_STR("0"), .version = sw_str_trim(s), .release = SW_STR("")};
    struct sw_str head, tail;
    if (sw_str_cut(v.version, ':', &head, &tail)) {
        bool number = true;
        for (size_t i = 0; i < head.len; i++) number = number && is_digit(head.ptr[i]);
        if (number) {
            v.has_epoch = true;
            if (head.len) v.epoch = head;
            v.version = tail;
        }
    }
    size_t hyphen = sw_str_rfind_char(v.version, '-');
    if (hyphen != SIZE_MAX) {
        v.has_release = true;
        v.release = sw_str_from(v.version, hyphen + 1);
        v.version = sw_str_sub(v.version, 0, hyphen);
    }
    return v;
}

static int dpkg_cmp(struct sw_str a, struct sw_str b) {
    struct evr x = split_evr(a), y = split_evr(b);
    int d = cmp_digits(x.epoch, y.epoch);
    if (!d) d = dpkg_part_cmp(x.version, y.version);
    return d ? d : dpkg_part_cmp(x.release, y.release);
}

static bool only(struct sw_str s, const char *more) {
    for (size_t i = 0; i < s.len; i++)
        if (!is_alnum(s.ptr[i]) && !(s.ptr[i] && strchr(more, s.ptr[i]))) return false;
    return true;
}

static bool dpkg_valid(struct sw_str s) {
    struct evr v = split_evr(s);
    struct sw_str head, tail;
    if (sw_str_cut(s, ':', &head, &tail) && (!v.has_epoch || head.len == 0)) return false;
    return v.version.len && only(v.version, ".-+~:") && only(v.release, ".+~");
}

/* --- rpm ------------------------------------------------------------------------------------- */

static struct sw_str rpm_skip(struct sw_str s) {
    while (s.len && !is_alnum(*s.ptr) && *s.ptr != '~' && *s.ptr != '^') s = sw_str_from(s, 1);
    return s;
}

static struct sw_str rpm_segment(struct sw_str *s, bool digits) {
    size_t n = 0;
    while (n < s->len && (digits ? is_digit(s->ptr[n]) : is_alpha(s->ptr[n]))) n++;
    struct sw_str segment = sw_str_sub(*s, 0, n);
    *s = sw_str_from(*s, n);
    return segment;
}

static bool at_char(struct sw_str s, char c) { return s.len && *s.ptr == c; }

static int rpm_part_cmp(struct sw_str a, struct sw_str b) {
    if (sw_str_eq(a, b)) return 0;
    for (;;) {
        a = rpm_skip(a);
        b = rpm_skip(b);
        if (at_char(a, '~') || at_char(b, '~')) {
            if (!at_char(a, '~')) return 1;
            if (!at_char(b, '~')) return -1;
            a = sw_str_from(a, 1);
            b = sw_str_from(b, 1);
            continue;
        }
        /* A caret sorts after the end of the other version, and before anything else in it. */
        if (at_char(a, '^') || at_char(b, '^')) {
            if (!a.len) return -1;
            if (!b.len) return 1;
            if (!at_char(a, '^')) return 1;
            if (!at_char(b, '^')) return -1;
            a = sw_str_from(a, 1);
            b = sw_str_from(b, 1);
            continue;
        }
        if (!a.len || !b.len) break;
        bool digits = is_digit(*a.ptr);
        struct sw_str x = rpm_segment(&a, digits), y = rpm_segment(&b, digits);
        if (y.len == 0) return digits ? 1 : -1; /* numbers are newer than letters */
        int d = digits ? cmp_digits(x, y) : sign(sw_str_cmp(x, y));
        if (d) return d;
    }
    return (a.len > 0) - (b.len > 0);
}

static int rpm_cmp(struct sw_str a, struct sw_str b) {
    struct evr x = split_evr(a), y = split_evr(b);
    int d = cmp_digits(x.epoch, y.epoch);
    if (!d) d = rpm_part_cmp(x.version, y.version);
    if (d) return d;
    if (x.has_release != y.has_release) return x.has_release ? 1 : -1;
    return rpm_part_cmp(x.release, y.release);
}

static bool rpm_valid(struct sw_str s) {
    struct evr v = split_evr(s);
    return v.version.len && only(v.version, "._+~^") && only(v.release, "._+~^");
}

/* --- apk ------------------------------------------------------------------------------------- */

/* The parts of a version in the order in which they may come. Of two versions that are equal up to
 * a point, the one that goes on with the earlier kind is the newer: 1.0.1 > 1.0a > 1.0_p1 >
 * 1.0-r1 > 1.0; only the suffixes of pre-releases make a version older. */
enum apk_kind {
    APK_FIRST,
    APK_DIGITS,
    APK_LETTER,
    APK_SUFFIX,
    APK_SUFFIX_NUMBER,
    APK_HASH,
    APK_REVISION,
    APK_END,
    APK_INVALID,
};

struct apk_part {
    enum apk_kind kind;
    struct sw_str text;
    int suffix; /* rank; below 0 before the release */
};

static bool apk_suffix(struct sw_str text, int *ret_rank) {
    static const char *const names[] = {"alpha", "beta", "pre", "rc", "cvs",
                                        "svn",   "git",  "hg",  "p"};
    for (int i = 0; i < 9; i++)
        if (sw_str_is(text, names[i])) {
            *ret_rank = i - 4 + (i >= 4);
            return true;
        }
    return false;
}

static struct sw_str take_lower(struct sw_str *s) {
    size_t n = 0;
    while (n < s->len && is_lower(s->ptr[n])) n++;
    struct sw_str word = sw_str_sub(*s, 0, n);
    *s = sw_str_from(*s, n);
    return word;
}

/* Takes the next part; kind last was before it. */
static struct apk_part apk_next(struct sw_str *s, enum apk_kind last) {
    struct apk_part p = {.kind = APK_INVALID};
    if (s->len == 0) return (struct apk_part){.kind = APK_END};
    char c = *s->ptr;
    bool numbers = last == APK_FIRST || last == APK_DIGITS;
    if (c == '.' && numbers) {
        *s = sw_str_from(*s, 1);
        p.text = take_digits(s);
        if (p.text.len) p.kind = APK_DIGITS;
    } else if (is_lower(c) && numbers) {
        p.text = sw_str_sub(*s, 0, 1);
        *s = sw_str_from(*s, 1);
        p.kind = APK_LETTER;
    } else if (c == '_' && last <= APK_SUFFIX_NUMBER) {
        *s = sw_str_from(*s, 1);
        p.text = take_lower(s);
        if (apk_suffix(p.text, &p.suffix)) p.kind = APK_SUFFIX;
    } else if (is_digit(c) && last == APK_SUFFIX) {
        p.text = take_digits(s);
        p.kind = APK_SUFFIX_NUMBER;
    } else if (c == '~' && last < APK_HASH) {
        *s = sw_str_from(*s, 1);
        size_t n = 0;
        while (n < s->len && (is_digit(s->ptr[n]) || (s->ptr[n] >= 'a' && s->ptr[n] <= 'f'))) n++;
        p.text = sw_str_sub(*s, 0, n);
        *s = sw_str_from(*s, n);
        if (n) p.kind = APK_HASH;
    } else if (c == '-' && s->len > 2 && s->ptr[1] == 'r' && last < APK_REVISION) {
        *s = sw_str_from(*s, 2);
        p.text = take_digits(s);
        if (p.text.len) p.kind = APK_REVISION;
    }
    return p;
}

static struct apk_part apk_first(struct sw_str *s) {
    struct apk_part p = {.kind = APK_FIRST, .text = take_digits(s)};
    if (p.text.len == 0) p.kind = APK_INVALID;
    return p;
}

static int apk_part_cmp(const struct apk_part *a, const struct apk_part *b) {
    switch (a->kind) {
    case APK_DIGITS:
        /* A leading zero makes it a fraction: 1.09 comes before 1.1. */
        if (at_char(a->text, '0') || at_char(b->text, '0'))
            return sign(sw_str_cmp(a->text, b->text));
        return cmp_digits(a->text, b->text);
    case APK_FIRST:
    case APK_SUFFIX_NUMBER:
    case APK_REVISION:
        return cmp_digits(a->text, b->text);
    case APK_SUFFIX:
        return sign(a->suffix - b->suffix);
    case APK_LETTER:
    case APK_HASH:
        return sign(sw_str_cmp(a->text, b->text));
    default:
        return 0;
    }
}

static int apk_cmp(struct sw_str a, struct sw_str b) {
    struct apk_part x = apk_first(&a), y = apk_first(&b);
    for (;;) {
        if (x.kind != y.kind) break;
        int d = apk_part_cmp(&x, &y);
        if (d) return d;
        if (x.kind >= APK_END) return 0;
        enum apk_kind last = x.kind;
        x = apk_next(&a, last);
        y = apk_next(&b, last);
    }
    if (x.kind == APK_SUFFIX && x.suffix < 0) return -1;
    if (y.kind == APK_SUFFIX && y.suffix < 0) return 1;
    return x.kind > y.kind ? -1 : 1;
}

static bool apk_valid(struct sw_str s) {
    struct apk_part p = apk_first(&s);
    while (p.kind < APK_END) p = apk_next(&s, p.kind);
    return p.kind == APK_END;
}

/* --- semantic versions ----------------------------------------------------------------------- */

struct semver {
    struct sw_str number[3];
    struct sw_str prerelease; /* without the hyphen */
    bool valid;
};

/* Fields of letters, digits and hyphens between dots, none empty; strict: numbers without leading
 * zeros. */
static bool semver_identifiers(struct sw_str s, bool numbers_strict) {
    size_t start = 0;
    bool digits = true;
    for (size_t i = 0; i <= s.len; i++) {
        if (i < s.len && s.ptr[i] != '.') {
            if (is_digit(s.ptr[i])) continue;
            if (!is_alnum(s.ptr[i]) && s.ptr[i] != '-') return false;
            digits = false;
            continue;
        }
        if (i == start) return false;
        if (numbers_strict && digits && i - start > 1 && s.ptr[start] == '0') return false;
        start = i + 1;
        digits = true;
    }
    return true;
}

static struct semver semver_parse(struct sw_str s) {
    struct semver v = {.number = {SW_STR("0"), SW_STR("0"), SW_STR("0")}};
    if (at_char(s, 'v')) s = sw_str_from(s, 1);
    for (int i = 0; i < 3; i++) {
        struct sw_str digits = take_digits(&s);
        if (digits.len == 0 || (digits.len > 1 && digits.ptr[0] == '0')) return v;
        v.number[i] = digits;
        if (!at_char(s, '.') || i == 2) break;
        s = sw_str_from(s, 1);
    }
    if (at_char(s, '-')) {
        size_t plus = sw_str_find_char(s, '+');
        v.prerelease = sw_str_sub(s, 1, plus == SIZE_MAX ? SIZE_MAX : plus - 1);
        s = plus == SIZE_MAX ? sw_str_from(s, s.len) : sw_str_from(s, plus);
        if (!semver_identifiers(v.prerelease, true)) return v;
    }
    if (at_char(s, '+')) {
        if (!semver_identifiers(sw_str_from(s, 1), false)) return v;
        s = sw_str_from(s, s.len);
    }
    v.valid = s.len == 0;
    return v;
}

static bool all_digits(struct sw_str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!is_digit(s.ptr[i])) return false;
    return s.len != 0;
}

/* Section 11 of the specification: numbers before words, fewer fields before more. */
static int prerelease_cmp(struct sw_str a, struct sw_str b) {
    if (!a.len || !b.len) return (a.len == 0) - (b.len == 0);
    struct sw_str x, y;
    for (;;) {
        bool more_a = sw_str_next(&a, '.', &x), more_b = sw_str_next(&b, '.', &y);
        if (!more_a || !more_b) return (int)more_a - (int)more_b;
        bool number_x = all_digits(x), number_y = all_digits(y);
        if (number_x != number_y) return number_x ? -1 : 1;
        int d = number_x ? cmp_digits(x, y) : sign(sw_str_cmp(x, y));
        if (d) return d;
    }
}

/* "1.22.3", with or without a v, as one number, and what follows it: the bulk of the time of a scan
 * goes into comparing those. False for what must be parsed in full, which need not be wrong. */
static bool semver_core(struct sw_str s, uint64_t *ret, struct sw_str *ret_rest) {
    const char *p = s.ptr, *end = s.ptr + s.len;
    uint64_t key = 0;
    if (p < end && *p == 'v') p++;
    for (int i = 0; i < 3; i++) {
        const char *start = p;
        uint64_t n = 0;
        while (p < end && p - start < 7 && is_digit(*p)) n = n * 10 + (uint64_t)(*p++ - '0');
        /* Six digits fit in 21 bits. A leading zero is an error of its own. */
        if (p == start || p - start > 6 || (*start == '0' && p - start > 1)) return false;
        key |= n << (21 * (2 - i));
        if (i == 2 || p == end || *p != '.') break;
        p++;
    }
    *ret = key;
    *ret_rest = sw_str_n(p, (size_t)(end - p));
    return true;
}

/* "", "-rc.1", "+meta", "-rc.1+meta". */
static bool semver_tail(struct sw_str s, struct sw_str *ret_prerelease) {
    *ret_prerelease = SW_STR("");
    if (s.len == 0) return true;
    size_t plus = sw_str_find_char(s, '+');
    if (plus != SIZE_MAX && !semver_identifiers(sw_str_from(s, plus + 1), false)) return false;
    if (plus == 0) return true;
    if (s.ptr[0] != '-') return false;
    *ret_prerelease = sw_str_sub(s, 1, plus == SIZE_MAX ? SIZE_MAX : plus - 1);
    return semver_identifiers(*ret_prerelease, true);
}

static int semver_cmp(struct sw_str a, struct sw_str b, bool *ret_valid) {
    uint64_t key_a, key_b;
    struct sw_str rest_a, rest_b;
    if (semver_core(a, &key_a, &rest_a) && semver_core(b, &key_b, &rest_b)) {
        struct sw_str pre_a, pre_b;
        bool valid_a = semver_tail(rest_a, &pre_a), valid_b = semver_tail(rest_b, &pre_b);
        *ret_valid = valid_a;
        if (!valid_a || !valid_b) return (int)valid_a - (int)valid_b;
        return key_a != key_b ? (key_a > key_b) - (key_a < key_b) : prerelease_cmp(pre_a, pre_b);
    }
    struct semver x = semver_parse(a), y = semver_parse(b);
    *ret_valid = x.valid;
    if (!x.valid || !y.valid) return (int)x.valid - (int)y.valid;
    for (int i = 0; i < 3; i++) {
        int d = cmp_digits(x.number[i], y.number[i]);
        if (d) return d;
    }
    return prerelease_cmp(x.prerelease, y.prerelease);
}

bool sw_version_is_pseudo(struct sw_str v, struct sw_str *ret_time) {
    struct semver s = semver_parse(v);
    size_t hyphen = sw_str_rfind_char(s.prerelease, '-');
    if (!s.valid || hyphen == SIZE_MAX || s.prerelease.len - hyphen - 1 != 12 || hyphen < 14)
        return false;
    struct sw_str time = sw_str_sub(s.prerelease, hyphen - 14, 14);
    if (!all_digits(time) || (hyphen > 14 && s.prerelease.ptr[hyphen - 15] != '.')) return false;
    *ret_time = time;
    return true;
}

bool sw_version_from_go_tag(struct sw_str tag, char *buffer, size_t size, struct sw_str *ret) {
    if (!sw_str_starts(tag, SW_STR("go"))) return false;
    struct sw_str s = sw_str_from(tag, 2), n[3] = {SW_STR(""), SW_STR("0"), SW_STR("0")};
    for (int i = 0; i < 3; i++) {
        n[i] = take_digits(&s);
        if (n[i].len == 0) return false;
        if (!at_char(s, '.')) break;
        if (i == 2) return false;
        s = sw_str_from(s, 1);
    }
    for (int i = 0; i < 3; i++)
        if (n[i].len == 0) n[i] = SW_STR("0");
    struct sw_str word = take_lower(&s), number = take_digits(&s);
    /* A vendor's suffix ("go1.20.5-fips") says nothing about the order. */
    if (s.len && *s.ptr != '-' && *s.ptr != '+') return false;
    bool pre = sw_str_is(word, "beta") || sw_str_is(word, "rc") || sw_str_is(word, "alpha");
    if (word.len ? !pre || number.len == 0 : number.len != 0) return false;
    int len = snprintf(buffer, size, "%.*s.%.*s.%.*s%s%.*s%s%.*s", SW_ARG(n[0]), SW_ARG(n[1]),
                       SW_ARG(n[2]), pre ? "-" : "", SW_ARG(word), pre ? "." : "", SW_ARG(number));
    if (len < 0 || (size_t)len >= size) return false;
    *ret = sw_str_n(buffer, (size_t)len);
    return true;
}

/* --- all ------------------------------------------------------------------------------------- */

int sw_version_cmp(enum sw_version_scheme scheme, struct sw_str a, struct sw_str b) {
    switch (scheme) {
    case SW_VERSION_DPKG:
        return dpkg_cmp(a, b);
    case SW_VERSION_APK:
        return apk_cmp(a, b);
    case SW_VERSION_RPM:
        return rpm_cmp(a, b);
    case SW_VERSION_SEMVER:
        break;
    }
    bool valid;
    return semver_cmp(a, b, &valid);
}

int sw_version_cmp_bound(enum sw_version_scheme scheme, struct sw_str bound, struct sw_str v,
                         bool *ret_valid) {
    if (scheme == SW_VERSION_SEMVER) return semver_cmp(bound, v, ret_valid);
    *ret_valid = sw_version_valid(scheme, bound);
    return sw_version_cmp(scheme, bound, v);
}

bool sw_version_valid(enum sw_version_scheme scheme, struct sw_str v) {
    switch (scheme) {
    case SW_VERSION_DPKG:
        return dpkg_valid(v);
    case SW_VERSION_APK:
        return apk_valid(v);
    case SW_VERSION_RPM:
        return rpm_valid(v);
    case SW_VERSION_SEMVER:
        break;
    }
    return semver_parse(v).valid;
}

const char *sw_version_scheme_name(enum sw_version_scheme scheme) {
    static const char *const names[] = {"", "dpkg", "apk", "rpm", "semver"};
    return names[scheme];
}
