#include "golang/constraint.h"

static enum sw_code malformed(struct sw_str text, struct sw_error *err) {
    return sw_fail(err, SW_USAGE,
                   "\"%.*s\" is not a Go version or constraint (1.21.3, 1.21, ~1.21.3, "
                   "\">=1.21 <1.23\", latest, oldstable, rc)",
                   SW_ARG(sw_str_sub(text, 0, 80)));
}

static bool add_bound(struct sw_go_constraint *c, enum sw_go_bound_op op, struct sw_go_version v) {
    if (c->n_bounds == SW_GO_BOUNDS_MAX) return false;
    c->bounds[c->n_bounds++] = (struct sw_go_bound){op, v};
    return true;
}

static bool cut_suffix(struct sw_str *s, const char *suffix) {
    if (!sw_str_ends(*s, sw_str(suffix))) return false;
    s->len -= strlen(suffix);
    return true;
}

/* A version with a wildcard or alone: "1.21", "1.21.x", "1.x", "1.27rc", "1.27.tip", "1.21.3". */
static bool plain_term(struct sw_go_constraint *c, struct sw_str text, bool *ret_exact) {
    struct sw_go_version v;
    struct sw_str s = text;
    bool named = sw_str_starts(s, SW_STR("go"));
    bool tip = cut_suffix(&s, ".tip") || cut_suffix(&s, "-tip") || cut_suffix(&s, "-rc");
    bool digit_before_rc = s.len > 2 && s.ptr[s.len - 3] >= '0' && s.ptr[s.len - 3] <= '9';
    if (!tip && digit_before_rc && cut_suffix(&s, "rc")) tip = true;
    bool any = !tip && (cut_suffix(&s, ".x") || cut_suffix(&s, ".X") || cut_suffix(&s, ".*"));
    if (!sw_go_version_read(s, &v)) return false;
    size_t dots = 0;
    for (size_t i = 0; i < s.len; i++) dots += s.ptr[i] == '.';
    if (tip || any) {
        if (dots > 1 || v.stage != SW_GO_FINAL) return false;
        if (tip) c->prereleases = true;
        if (dots == 0) {
            struct sw_go_version next = {.major = v.major + 1};
            v.patch = SW_GO_PATCH_NONE;
            return add_bound(c, SW_GO_GE, v) && add_bound(c, SW_GO_LT, next);
        }
        return add_bound(c, SW_GO_IN_LINE, v);
    }
    if (v.stage != SW_GO_FINAL) c->prereleases = true;
    if (dots == 1 && v.stage == SW_GO_FINAL && !(named && sw_go_version_is_release(&v)))
        return add_bound(c, SW_GO_IN_LINE, v);
    if (dots == 0 && !named) {
        struct sw_go_version next = {.major = v.major + 1};
        return add_bound(c, SW_GO_GE, v) && add_bound(c, SW_GO_LT, next);
    }
    *ret_exact = true;
    return add_bound(c, SW_GO_EQ, v);
}

static bool compared_term(struct sw_go_constraint *c, struct sw_str op, struct sw_str text) {
    struct sw_go_version v;
    if (!sw_go_version_read(text, &v)) return false;
    if (v.stage != SW_GO_FINAL) c->prereleases = true;
    struct sw_go_version line = sw_go_version_line(&v);
    if (sw_str_is(op, ">=")) return add_bound(c, SW_GO_GE, v);
    if (sw_str_is(op, "<")) return add_bound(c, SW_GO_LT, v);
    /* >1.21 means: not of that line any more; <=1.21 takes the whole line in. */
    bool whole_line =
        v.stage == SW_GO_FINAL && sw_str_find_char(text, '.') == sw_str_rfind_char(text, '.');
    struct sw_go_version above = line;
    above.minor++;
    above.patch = SW_GO_PATCH_NONE;
    if (sw_str_is(op, ">"))
        return whole_line ? add_bound(c, SW_GO_GE, above) : add_bound(c, SW_GO_GT, v);
    if (sw_str_is(op, "<="))
        return whole_line ? add_bound(c, SW_GO_LT, above) : add_bound(c, SW_GO_LE, v);
    if (sw_str_is(op, "!=")) return add_bound(c, SW_GO_NE, v);
    if (sw_str_is(op, "~")) return add_bound(c, SW_GO_GE, v) && add_bound(c, SW_GO_IN_LINE, line);
    struct sw_go_version next = {.major = v.major + 1};
    return add_bound(c, SW_GO_GE, v) && add_bound(c, SW_GO_LT, next); /* ^ */
}

static bool one_term(struct sw_go_constraint *c, struct sw_str term, bool *ret_exact) {
    static const char *const ops[] = {">=", "<=", "==", "!=", "~>", ">", "<", "=", "~", "^"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!sw_str_starts(term, sw_str(ops[i]))) continue;
        struct sw_str rest = sw_str_trim(sw_str_from(term, strlen(ops[i])));
        if (!strcmp(ops[i], "=") || !strcmp(ops[i], "==")) return plain_term(c, rest, ret_exact);
        return compared_term(c, !strcmp(ops[i], "~>") ? SW_STR("~") : sw_str(ops[i]), rest);
    }
    return plain_term(c, term, ret_exact);
}

/* Takes the next term: an operator keeps a version that stands apart from it (">= 1.21"). */
static struct sw_str next_term(struct sw_str *rest) {
    size_t i = 0;
    while (i < rest->len && strchr(" ,\t", rest->ptr[i])) i++;
    size_t start = i;
    while (i < rest->len && strchr("<>=!~^", rest->ptr[i])) i++;
    while (i > start && i < rest->len && rest->ptr[i] == ' ') i++;
    while (i < rest->len && !strchr(" ,\t<>=!~^", rest->ptr[i])) i++;
    struct sw_str term = sw_str_sub(*rest, start, i - start);
    *rest = sw_str_from(*rest, i);
    return term;
}

enum sw_code sw_go_constraint_parse(struct sw_str text, struct sw_go_constraint *ret,
                                    struct sw_error *err) {
    static const struct {
        const char *word;
        enum sw_go_want want;
    } words[] = {
        {"latest", SW_GO_WANT_LATEST},
        {"stable", SW_GO_WANT_LATEST},
        {"oldstable", SW_GO_WANT_OLDSTABLE},
        {"rc", SW_GO_WANT_TIP},
        {"tip", SW_GO_WANT_TIP},
    };
    struct sw_go_constraint c = {.want = SW_GO_WANT_RANGE};
    text = sw_str_trim(text);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (sw_str_is(text, words[i].word)) {
            c.want = words[i].want;
            c.prereleases = c.want == SW_GO_WANT_TIP;
            *ret = c;
            return SW_OK;
        }
    if (!text.len || memchr(text.ptr, 0, text.len)) return malformed(text, err);
    unsigned n = 0;
    bool exact = false;
    for (struct sw_str rest = text; sw_str_trim(rest).len; n++) {
        struct sw_str term = next_term(&rest);
        if (!term.len && !sw_str_trim(rest).len) break;
        if (!term.len || !one_term(&c, term, &exact)) return malformed(text, err);
    }
    if (!c.n_bounds) return malformed(text, err);
    if (n == 1 && exact) c.want = SW_GO_WANT_EXACT;
    *ret = c;
    return SW_OK;
}

struct sw_go_constraint sw_go_constraint_of(const struct sw_go_version *v) {
    bool release = sw_go_version_is_release(v);
    return (struct sw_go_constraint){
        .want = release ? SW_GO_WANT_EXACT : SW_GO_WANT_RANGE,
        .prereleases = v->stage != SW_GO_FINAL,
        .n_bounds = 1,
        .bounds = {{release ? SW_GO_EQ : SW_GO_IN_LINE, *v}},
    };
}

bool sw_go_constraint_match(const struct sw_go_constraint *c, const struct sw_go_version *v) {
    if (!sw_go_version_is_release(v)) return false;
    if (v->stage != SW_GO_FINAL && !c->prereleases) return false;
    for (unsigned i = 0; i < c->n_bounds; i++) {
        const struct sw_go_bound *b = &c->bounds[i];
        int order = sw_go_version_cmp(v, &b->version);
        bool ok = b->op == SW_GO_EQ   ? order == 0
                  : b->op == SW_GO_NE ? order != 0
                  : b->op == SW_GO_LT ? order < 0
                  : b->op == SW_GO_LE ? order <= 0
                  : b->op == SW_GO_GT ? order > 0
                  : b->op == SW_GO_GE ? order >= 0
                                      : sw_go_version_same_line(v, &b->version);
        if (!ok) return false;
    }
    return true;
}

static size_t newest(const struct sw_go_constraint *c, const struct sw_go_version *versions,
                     size_t n, const struct sw_go_version *below_line) {
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (!sw_go_constraint_match(c, &versions[i])) continue;
        if (below_line && sw_go_version_cmp(&versions[i], below_line) >= 0) continue;
        if (best == SIZE_MAX || sw_go_version_cmp(&versions[i], &versions[best]) > 0) best = i;
    }
    return best;
}

size_t sw_go_constraint_pick(const struct sw_go_constraint *c, const struct sw_go_version *versions,
                             size_t n) {
    size_t best = newest(c, versions, n, NULL);
    if (c->want != SW_GO_WANT_OLDSTABLE || best == SIZE_MAX) return best;
    struct sw_go_version line = sw_go_version_line(&versions[best]);
    line.patch = SW_GO_PATCH_NONE;
    return newest(c, versions, n, &line);
}

void sw_go_constraint_format(const struct sw_go_constraint *c, struct sw_buf *to) {
    static const char *const ops[] = {"", "!=", "<", "<=", ">", ">=", ""};
    char text[SW_GO_VERSION_SIZE];
    if (c->want >= SW_GO_WANT_LATEST) {
        static const char *const words[] = {"latest", "oldstable", "tip"};
        sw_buf_add_text(to, words[c->want - SW_GO_WANT_LATEST]);
        return;
    }
    for (unsigned i = 0; i < c->n_bounds; i++) {
        const struct sw_go_bound *b = &c->bounds[i];
        sw_buf_add_text(to, i ? " " : "");
        if (b->op == SW_GO_IN_LINE)
            sw_buf_addf(to, "%u.%u%s", b->version.major, b->version.minor,
                        c->prereleases ? ".tip" : ".x");
        else
            sw_buf_addf(to, "%s%.*s", ops[b->op], SW_ARG(sw_go_version_format(&b->version, text)));
    }
}
