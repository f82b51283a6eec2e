/* Packages out of bills of materials: what their package URLs say. */
#include "codec/json.h"
#include "scan/scan.h"

static int hex_value(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static struct sw_str percent_decoded(struct sw_arena *a, struct sw_str s) {
    char *to = sw_arena_alloc(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        int high = s.ptr[i] == '%' && i + 2 < s.len + 0 ? hex_value(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.ptr[i + 2]) : -1;
        if (low >= 0) {
            to[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            to[n++] = s.ptr[i];
        }
    }
    return sw_str_n(to, n);
}

static struct sw_str qualifier(struct sw_arena *a, struct sw_str list, const char *name) {
    struct sw_str field, key, value;
    while (list.len && sw_str_next(&list, '&', &field))
        if (sw_str_cut(field, '=', &key, &value) && sw_str_is(key, name))
            return percent_decoded(a, value);
    return SW_STR("");
}

/* "7.2.4-12" is the twelfth build of 7.2.4, which advisories name; it is no pre-release. */
static struct sw_str without_revision(struct sw_str version) {
    uint64_t number;
    size_t hyphen = sw_str_rfind_char(version, '-');
    if (hyphen == SIZE_MAX || !sw_str_u64(sw_str_from(version, hyphen + 1), &number))
        return version;
    return sw_str_sub(version, 0, hyphen);
}

/* pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH (the purl specification). False for types that
 * are not compared here. */
static bool take_purl(struct sw_arena *a, struct sw_str purl, struct sw_scan_package *p,
                      struct sw_os_release *os) {
    struct sw_str type, rest, version = SW_STR(""), qualifiers = SW_STR("");
    if (!sw_str_starts(purl, SW_STR("pkg:"))) return false;
    sw_str_cut(sw_str_from(purl, 4), '#', &rest, &type);
    sw_str_cut(rest, '?', &rest, &qualifiers);
    size_t at = sw_str_rfind_char(rest, '@');
    if (at != SIZE_MAX) {
        version = percent_decoded(a, sw_str_from(rest, at + 1));
        rest = sw_str_sub(rest, 0, at);
    }
    if (!sw_str_cut(rest, '/', &type, &rest)) return false;
    p->p.version = version;
    if (sw_str_is(type, "golang")) {
        p->p.name = percent_decoded(a, rest);
        p->ecosystem = SW_STR("Go");
        p->stdlib = sw_str_is(p->p.name, "stdlib");
        if (p->stdlib && !sw_str_starts(version, SW_STR("go")))
            p->p.version = sw_arena_printf(
                a, "go%.*s",
                SW_ARG(version.len && version.ptr[0] == 'v' ? sw_str_from(version, 1) : version));
        return true;
    }
    if (sw_str_is(type, "bitnami")) {
        p->p.name = percent_decoded(a, rest);
        p->p.arch = qualifier(a, qualifiers, "arch");
        p->p.version = without_revision(version);
        p->ecosystem = SW_STR("Bitnami");
        return true;
    }
    bool deb = sw_str_is(type, "deb"), apk = sw_str_is(type, "apk"), rpm = sw_str_is(type, "rpm");
    if (!deb && !apk && !rpm) return false;
    struct sw_str space, distro = qualifier(a, qualifiers, "distro"), id, release;
    sw_str_cut(rest, '/', &space, &rest);
    p->p.name = percent_decoded(a, rest);
    p->p.arch = qualifier(a, qualifiers, "arch");
    struct sw_str epoch = qualifier(a, qualifiers, "epoch");
    if (rpm && epoch.len && !sw_str_is(epoch, "0"))
        p->p.version = sw_arena_printf(a, "%.*s:%.*s", SW_ARG(epoch), SW_ARG(version));
    struct sw_str upstream = qualifier(a, qualifiers, "upstream");
    if (upstream.len) sw_str_cut(upstream, '@', &p->p.source, &p->p.source_version);
    os->id = space;
    if (sw_str_cut(distro, '-', &id, &release)) {
        os->id = id;
        os->version_id = release;
    }
    return true;
}

struct collected {
    struct sw_arena *a;
    struct sw_scan_package *packages;
    size_t n, cap;
    size_t unknown; /* components that are not compared here */
    enum sw_scan_kind os_kind;
    struct sw_os_release os;
};

static void take(struct collected *c, struct sw_str purl) {
    struct sw_scan_package p = {0};
    struct sw_os_release os = {0};
    if (!take_purl(c->a, purl, &p, &os)) {
        c->unknown++;
        return;
    }
    if (!p.ecosystem.len) {
        c->os = os;
        c->os_kind = sw_str_starts(purl, SW_STR("pkg:deb"))   ? SW_SCAN_DPKG
                     : sw_str_starts(purl, SW_STR("pkg:apk")) ? SW_SCAN_APK
                                                              : SW_SCAN_RPM;
    }
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        struct sw_scan_package *more = sw_arena_array(c->a, c->cap, sizeof *more);
        if (c->n) memcpy(more, c->packages, c->n * sizeof *more);
        c->packages = more;
    }
    c->packages[c->n++] = p;
}

static void cyclonedx(struct collected *c, const struct sw_json *list, unsigned depth) {
    for (size_t i = 0; list && list->type == SW_JSON_ARRAY && i < list->len && depth < 32; i++) {
        const struct sw_json *purl = sw_json_get(&list->items[i], "purl");
        if (purl && purl->type == SW_JSON_STRING) take(c, purl->text);
        cyclonedx(c, sw_json_get(&list->items[i], "components"), depth + 1);
    }
}

static void spdx(struct collected *c, const struct sw_json *list) {
    for (size_t i = 0; list->type == SW_JSON_ARRAY && i < list->len; i++) {
        const struct sw_json *refs = sw_json_get(&list->items[i], "externalRefs");
        for (size_t j = 0; refs && refs->type == SW_JSON_ARRAY && j < refs->len; j++) {
            const struct sw_json *type = sw_json_get(&refs->items[j], "referenceType");
            const struct sw_json *at = sw_json_get(&refs->items[j], "referenceLocator");
            if (type && at && type->type == SW_JSON_STRING && at->type == SW_JSON_STRING &&
                sw_str_is(type->text, "purl"))
                take(c, at->text);
        }
    }
}

enum sw_code sw_scan_sbom(struct sw_arena *a, struct sw_str text, struct sw_str path,
                          struct sw_inventory *ret, struct sw_error *err) {
    struct sw_json_limits limits = {.bytes = SW_SCAN_DOCUMENT_MAX};
    struct collected c = {.a = a};
    const struct sw_json *root;
    enum sw_code code = sw_json_parse(a, text, &limits, &root, err);
    if (code) return code;
    const struct sw_json *packages = sw_json_get(root, "packages");
    if (sw_json_get(root, "bomFormat"))
        cyclonedx(&c, sw_json_get(root, "components"), 0);
    else if (sw_json_get(root, "spdxVersion") && packages)
        spdx(&c, packages);
    else
        return sw_fail(err, SW_SYNTAX, "neither a CycloneDX nor an SPDX document in JSON");
    /* Packages of the distribution and of Go are matched by different rules. */
    ret->artifacts = sw_arena_array(a, 2, sizeof *ret->artifacts);
    ret->n_artifacts = c.os_kind ? 2 : 1;
    struct sw_scan_artifact *own = &ret->artifacts[0], *os = &ret->artifacts[1];
    own->kind = SW_SCAN_SBOM;
    own->path = os->path = path;
    os->kind = c.os_kind;
    ret->os = c.os;
    ret->os_text = c.os.id.len
                       ? sw_arena_printf(a, "%.*s %.*s", SW_ARG(c.os.id), SW_ARG(c.os.version_id))
                       : SW_STR("");
    own->packages = sw_arena_array(a, c.n, sizeof *own->packages);
    os->packages = sw_arena_array(a, c.n, sizeof *os->packages);
    for (size_t i = 0; i < c.n; i++) {
        struct sw_scan_artifact *to = c.packages[i].ecosystem.len ? own : os;
        to->packages[to->n_packages++] = c.packages[i];
    }
    if (c.unknown)
        own->problem =
            sw_arena_printf(a, "%zu components are of kinds that are not compared here", c.unknown);
    return sw_arena_check(a, "the bill of materials", err);
}

enum sw_code sw_scan_bitnami(struct sw_arena *a, struct sw_str text, struct sw_scan_package **ret,
                             size_t *ret_n, struct sw_error *err) {
    struct sw_json_limits limits = {.bytes = SW_SCAN_DOCUMENT_MAX};
    struct collected c = {.a = a};
    const struct sw_json *root, *packages = NULL;
    enum sw_code code = sw_json_parse(a, text, &limits, &root, err);
    if (!code) code = sw_json_need_node(root, "packages", SW_JSON_ARRAY, &packages, err);
    if (code) return code;
    spdx(&c, packages);
    size_t kept = 0;
    for (size_t i = 0; i < c.n; i++)
        if (sw_str_is(c.packages[i].ecosystem, "Bitnami")) c.packages[kept++] = c.packages[i];
    if (!kept) return sw_fail(err, SW_SYNTAX, "it names no package of Bitnami");
    *ret = c.packages;
    *ret_n = kept;
    return SW_OK;
}
