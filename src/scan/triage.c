#include "scan/triage.h"

#include "codec/json.h"
#include "codec/rfc3339.h"
#include "codec/yaml.h"

bool sw_triage_date(struct sw_str text, int64_t *ret) {
    uint64_t y, m, d;
    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        !sw_str_u64(sw_str_sub(text, 0, 4), &y) || !sw_str_u64(sw_str_sub(text, 5, 2), &m) ||
        !sw_str_u64(sw_str_sub(text, 8, 2), &d) || m < 1 || m > 12 || d < 1 || d > 31)
        return false;
    *ret = sw_days_from_date((int64_t)y, (unsigned)m, (unsigned)d) * 86400;
    return true;
}

static bool is_about(const struct sw_finding *f, struct sw_str id) {
    return sw_str_ieq(f->vuln.id, id) || sw_strs_has(&f->aliases, id);
}

/* --- ignore files ---------------------------------------------------------------------------- */

struct ignore_line {
    unsigned number;
    struct sw_str id, package, reason;
    struct sw_strs paths, purls; /* one of each must fit; none: all do */
    int64_t expires;             /* 0 never */
};

static enum sw_code read_line(struct sw_arena *a, struct sw_str line, unsigned number,
                              struct ignore_line *ret, struct sw_error *err) {
    struct ignore_line l = *ret;
    struct sw_str word;
    size_t comment = sw_str_find_char(line, '#');
    if (comment != SIZE_MAX) {
        l.reason = sw_str_trim(sw_str_from(line, comment + 1));
        line = sw_str_sub(line, 0, comment);
    }
    line = sw_str_trim(line);
    while (line.len) {
        size_t end = 0;
        while (end < line.len && line.ptr[end] != ' ' && line.ptr[end] != '\t') end++;
        word = sw_str_sub(line, 0, end);
        line = sw_str_trim(sw_str_from(line, end));
        if (!l.id.len)
            l.id = word;
        else if (sw_str_starts(word, SW_STR("pkg:")))
            l.package = sw_str_from(word, 4);
        else if (sw_str_starts(word, SW_STR("path:")))
            sw_strs_add(a, &l.paths, sw_str_from(word, 5));
        else if (sw_str_starts(word, SW_STR("exp:"))) {
            if (!sw_triage_date(sw_str_from(word, 4), &l.expires))
                return sw_fail(err, SW_SYNTAX, "line %u: exp: wants a day as 2026-01-31", number);
        } else {
            return sw_fail(err, SW_SYNTAX, "line %u: \"%.*s\" is none of pkg:, path:, exp:", number,
                           SW_ARG(word));
        }
    }
    *ret = l;
    return SW_OK;
}

static bool covers(const struct ignore_line *l, const struct sw_finding *f, struct sw_str purl) {
    struct sw_str head, rest;
    if (!is_about(f, l->id) || f->state != SW_FINDING_OPEN) return false;
    if (l->package.len && !sw_str_eq(f->name, l->package) &&
        !sw_str_eq(f->package->p.name, l->package))
        return false;
    bool here = l->paths.len == 0;
    for (size_t i = 0; i < l->paths.len && !here; i++)
        here = sw_str_glob(l->paths.ptr[i], f->artifact->path);
    bool named = l->purls.len == 0;
    for (size_t i = 0; i < l->purls.len && !named; i++) {
        /* A package URL without its qualifiers stands for all of them. */
        sw_str_cut(purl, '?', &head, &rest);
        named = sw_str_eq(l->purls.ptr[i], purl) || sw_str_eq(l->purls.ptr[i], head);
    }
    return here && named;
}

static void apply(struct sw_arena *a, const struct ignore_line *l, const struct sw_os_release *os,
                  struct sw_matches *m, int64_t now, struct sw_strs *notes) {
    bool expired = l->expires && now >= l->expires, noted = false;
    for (size_t i = 0; i < m->n_findings; i++) {
        struct sw_finding *f = &m->findings[i];
        struct sw_str purl = SW_STR("");
        if (l->purls.len && is_about(f, l->id))
            purl = sw_triage_purl(a, f->artifact, f->package, os);
        if (!covers(l, f, purl)) continue;
        if (!expired) {
            f->state = SW_FINDING_IGNORED;
            f->reason = l->reason.len ? sw_arena_str(a, l->reason) : SW_STR("ignore file");
        } else if (!noted) {
            noted = true;
            sw_strs_add(a, notes,
                        sw_arena_printf(a,
                                        "line %u of the ignore file (%.*s) is past its day: the "
                                        "finding counts again",
                                        l->number, SW_ARG(l->id)));
        }
    }
}

enum sw_code sw_triage_ignore(struct sw_arena *a, struct sw_str text,
                              const struct sw_os_release *os, struct sw_matches *m, int64_t now,
                              struct sw_strs *notes, struct sw_error *err) {
    struct sw_str line;
    for (unsigned number = 1; sw_str_next(&text, '\n', &line); number++) {
        struct ignore_line l = {.number = number};
        enum sw_code code = read_line(a, line, number, &l, err);
        if (code) return sw_context(err, "ignore file");
        if (l.id.len) apply(a, &l, os, m, now, notes);
    }
    return sw_arena_check(a, "the ignore file", err);
}

static enum sw_code read_entry(struct sw_arena *a, const struct sw_yaml *node,
                               struct ignore_line *ret, struct sw_error *err) {
    static const char *const names[] = {"id", "paths", "purls", "expired_at", "statement"};
    struct ignore_line l = {.number = node->line};
    struct sw_str day = SW_STR("");
    enum sw_code code = sw_yaml_expect(node, SW_YAML_MAP, err);
    if (!code) code = sw_yaml_only(node, names, 5, err);
    if (!code) code = sw_yaml_opt_str(node, "id", &l.id, err);
    if (!code) code = sw_yaml_opt_strs(a, node, "paths", &l.paths, err);
    if (!code) code = sw_yaml_opt_strs(a, node, "purls", &l.purls, err);
    if (!code) code = sw_yaml_opt_str(node, "expired_at", &day, err);
    if (!code) code = sw_yaml_opt_str(node, "statement", &l.reason, err);
    if (code) return code;
    if (!l.id.len) return sw_yaml_fail(node, err, "an entry without an id");
    if (day.len && !sw_triage_date(sw_str_sub(day, 0, 10), &l.expires))
        return sw_yaml_fail(node, err, "expired_at wants a day as 2026-01-31");
    *ret = l;
    return SW_OK;
}

enum sw_code sw_triage_ignore_yaml(struct sw_arena *a, struct sw_str text,
                                   const struct sw_os_release *os, struct sw_matches *m,
                                   int64_t now, struct sw_strs *notes, struct sw_error *err) {
    /* The other lists are for scanners that are none of ours. */
    static const char *const names[] = {"vulnerabilities", "misconfigurations", "secrets",
                                        "licenses"};
    const struct sw_yaml *root, *list = NULL;
    enum sw_code code = sw_yaml_parse(a, text, NULL, &root, err);
    if (!code) code = sw_yaml_expect(root, SW_YAML_MAP, err);
    if (!code) code = sw_yaml_only(root, names, 4, err);
    if (!code) code = sw_yaml_opt_node(root, "vulnerabilities", SW_YAML_LIST, &list, err);
    for (size_t i = 0; list && i < list->len && !code; i++) {
        struct ignore_line l;
        code = read_entry(a, &list->items[i], &l, err);
        if (!code) apply(a, &l, os, m, now, notes);
    }
    if (code) return sw_context(err, "ignore file");
    return sw_arena_check(a, "the ignore file", err);
}

/* --- package URLs ---------------------------------------------------------------------------- */

static void add_encoded(struct sw_buf *to, struct sw_str s, bool keep_slash) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '-' || c == '_' || c == '~' || c == ':' ||
                     (c == '/' && keep_slash);
        if (plain) {
            sw_buf_add_char(to, (char)c);
        } else {
            sw_buf_add_char(to, '%');
            sw_buf_add_char(to, hex[c >> 4]);
            sw_buf_add_char(to, hex[c & 15]);
        }
    }
}

struct sw_str sw_triage_purl(struct sw_arena *a, const struct sw_scan_artifact *x,
                             const struct sw_scan_package *p, const struct sw_os_release *os) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    const char *type = x->kind == SW_SCAN_DPKG  ? "deb"
                       : x->kind == SW_SCAN_APK ? "apk"
                       : x->kind == SW_SCAN_RPM ? "rpm"
                                                : "golang";
    if (sw_str_is(p->ecosystem, "Bitnami")) type = "bitnami";
    sw_buf_addf(&b, "pkg:%s/", type);
    bool system = x->kind == SW_SCAN_DPKG || x->kind == SW_SCAN_APK || x->kind == SW_SCAN_RPM;
    if (system && os->id.len) {
        add_encoded(&b, os->id, false);
        sw_buf_add_char(&b, '/');
    }
    add_encoded(&b, p->p.name, !system);
    struct sw_str version = p->p.version;
    if (p->stdlib && sw_str_starts(version, SW_STR("go"))) version = sw_str_from(version, 2);
    /* rpm's epoch is a qualifier of its own. */
    struct sw_str epoch = SW_STR(""), head, tail;
    if (x->kind == SW_SCAN_RPM && sw_str_cut(version, ':', &head, &tail)) {
        epoch = head;
        version = tail;
    }
    if (version.len) {
        sw_buf_add_char(&b, '@');
        add_encoded(&b, version, false);
    }
    if (system && p->p.arch.len) {
        sw_buf_add_text(&b, "?arch=");
        add_encoded(&b, p->p.arch, false);
        if (epoch.len) sw_buf_addf(&b, "&epoch=%.*s", SW_ARG(epoch));
        /* Advisories know the source package; without it a reader could not compare. */
        if (x->kind != SW_SCAN_RPM && p->p.source.len && !sw_str_eq(p->p.source, p->p.name)) {
            sw_buf_add_text(&b, "&upstream=");
            add_encoded(&b, p->p.source, false);
            if (!sw_str_eq(p->p.source_version, p->p.version) && p->p.source_version.len) {
                sw_buf_add_text(&b, "%40");
                add_encoded(&b, p->p.source_version, false);
            }
        }
        if (os->id.len && os->version_id.len) {
            sw_buf_add_text(&b, "&distro=");
            add_encoded(&b, os->id, false);
            sw_buf_add_char(&b, '-');
            add_encoded(&b, os->version_id, false);
        }
    }
    return sw_arena_str(a, sw_buf_str(&b));
}

/* --- OpenVEX --------------------------------------------------------------------------------- */

static struct sw_str text_of(const struct sw_json *node, const char *key) {
    const struct sw_json *v = node && node->type == SW_JSON_STRING ? node : sw_json_get(node, key);
    return v && v->type == SW_JSON_STRING ? v->text : SW_STR("");
}

/* Without qualifiers; without the version where the pattern has none. */
static bool purl_matches(struct sw_str pattern, struct sw_str purl) {
    struct sw_str rest;
    sw_str_cut(pattern, '?', &pattern, &rest);
    sw_str_cut(purl, '?', &purl, &rest);
    if (sw_str_eq(pattern, purl)) return true;
    size_t at = sw_str_rfind_char(purl, '@');
    return sw_str_find_char(pattern, '@') == SIZE_MAX && at != SIZE_MAX &&
           sw_str_eq(pattern, sw_str_sub(purl, 0, at));
}

/* Whether a product's name means what was scanned: the name itself, with or without its tag, or
 * the URL of an OCI image of that repository. */
static bool is_target(struct sw_str id, struct sw_str target) {
    struct sw_str name = target, rest;
    if (sw_str_eq(id, target)) return true;
    sw_str_cut(name, '@', &name, &rest);
    size_t slash = sw_str_rfind_char(name, '/');
    size_t colon = sw_str_rfind_char(name, ':');
    if (colon != SIZE_MAX && (slash == SIZE_MAX || colon > slash))
        name = sw_str_sub(name, 0, colon);
    if (sw_str_eq(id, name)) return true;
    if (!sw_str_starts(id, SW_STR("pkg:oci/"))) return false;
    id = sw_str_from(id, strlen("pkg:oci/"));
    sw_str_cut(id, '?', &id, &rest);
    sw_str_cut(id, '@', &id, &rest);
    return sw_str_eq(id, slash == SIZE_MAX ? name : sw_str_from(name, slash + 1));
}

/* Products that are named: one must be this target (and, where it names subcomponents, one of them
 * this package) or the package itself. */
static bool applies(const struct sw_json *statement, struct sw_str target, struct sw_str purl) {
    const struct sw_json *products = sw_json_get(statement, "products");
    if (!products || products->type != SW_JSON_ARRAY || products->len == 0) return true;
    for (size_t i = 0; i < products->len; i++) {
        const struct sw_json *product = &products->items[i];
        struct sw_str id = text_of(product, "@id");
        if (purl_matches(id, purl)) return true;
        if (!is_target(id, target)) continue;
        const struct sw_json *parts = sw_json_get(product, "subcomponents");
        if (!parts || parts->type != SW_JSON_ARRAY || parts->len == 0) return true;
        for (size_t j = 0; j < parts->len; j++)
            if (purl_matches(text_of(&parts->items[j], "@id"), purl)) return true;
    }
    return false;
}

static bool names_vulnerability(const struct sw_json *statement, const struct sw_finding *f) {
    const struct sw_json *v = sw_json_get(statement, "vulnerability");
    if (!v) return false;
    struct sw_str name = text_of(v, "name");
    if (name.len && is_about(f, name)) return true;
    const struct sw_json *aliases = sw_json_get(v, "aliases");
    for (size_t i = 0; aliases && aliases->type == SW_JSON_ARRAY && i < aliases->len; i++)
        if (is_about(f, text_of(&aliases->items[i], ""))) return true;
    return false;
}

enum sw_code sw_triage_vex(struct sw_arena *a, struct sw_str text, struct sw_str target,
                           struct sw_matches *m, struct sw_error *err) {
    const struct sw_json *root, *list = NULL;
    struct sw_os_release none = {0};
    enum sw_code code = sw_json_parse(a, text, NULL, &root, err);
    if (!code) code = sw_json_need_node(root, "statements", SW_JSON_ARRAY, &list, err);
    if (code) return sw_context(err, "OpenVEX document");
    /* Later statements replace earlier ones. */
    for (size_t i = 0; i < list->len; i++) {
        const struct sw_json *s = &list->items[i];
        struct sw_str status = text_of(sw_json_get(s, "status"), "");
        bool clears = sw_str_is(status, "not_affected") || sw_str_is(status, "fixed");
        if (!clears && !sw_str_is(status, "affected") && !sw_str_is(status, "under_investigation"))
            return sw_json_fail(s, err,
                                "a status is not_affected, affected, fixed or "
                                "under_investigation");
        for (size_t j = 0; j < m->n_findings; j++) {
            struct sw_finding *f = &m->findings[j];
            if (f->state == SW_FINDING_IGNORED || !names_vulnerability(s, f)) continue;
            if (!applies(s, target, sw_triage_purl(a, f->artifact, f->package, &none))) continue;
            struct sw_str why = text_of(sw_json_get(s, "justification"), "");
            if (!why.len) why = text_of(sw_json_get(s, "impact_statement"), "");
            f->state = clears ? SW_FINDING_NOT_AFFECTED : SW_FINDING_OPEN;
            f->reason = clears ? sw_arena_printf(a, "VEX: %.*s%s%.*s", SW_ARG(status),
                                                 why.len ? ", " : "", SW_ARG(why))
                               : SW_STR("");
        }
    }
    return sw_arena_check(a, "the OpenVEX document", err);
}
