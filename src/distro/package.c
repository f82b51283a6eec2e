#include "distro/package.h"

struct sw_package *sw_packages_add(struct sw_arena *a, struct sw_packages *list) {
    if (list->len == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 64;
        struct sw_package *more = sw_arena_array(a, list->cap, sizeof *more);
        if (list->len) memcpy(more, list->ptr, list->len * sizeof *more);
        list->ptr = more;
    }
    struct sw_package *p = &list->ptr[list->len++];
    memset(p, 0, sizeof *p);
    return p;
}

/* Fields of a stanza that matter here; views into the text. */
struct stanza {
    struct sw_str package, version, status, arch, source;
    unsigned line; /* where it begins */
    bool any;
};

/* "source (version)" */
static void split_source(struct sw_str text, struct sw_package *p) {
    struct sw_str name, version;
    p->source = p->name;
    p->source_version = p->version;
    if (text.len == 0) return;
    if (sw_str_cut(text, '(', &name, &version)) {
        sw_str_cut(version, ')', &version, &(struct sw_str){0});
        version = sw_str_trim(version);
        if (version.len) p->source_version = version;
    }
    p->source = sw_str_trim(name);
}

/* The third word of "install ok installed". */
static bool is_installed(struct sw_str status) {
    struct sw_str want, flag, state;
    sw_str_cut(sw_str_trim(status), ' ', &want, &flag);
    sw_str_cut(sw_str_trim(flag), ' ', &flag, &state);
    state = sw_str_trim(state);
    return !sw_str_is(state, "config-files") && !sw_str_is(state, "not-installed");
}

static enum sw_code finish_stanza(struct sw_arena *a, struct stanza *s, struct sw_packages *list,
                                  struct sw_error *err) {
    struct stanza done = *s;
    *s = (struct stanza){0};
    if (!done.any) return SW_OK;
    if (done.package.len == 0)
        return sw_fail(err, SW_SYNTAX, "line %u: a package without a name", done.line);
    if (done.status.len && !is_installed(done.status)) return SW_OK;
    if (done.version.len == 0)
        return sw_fail(err, SW_SYNTAX, "line %u: package %.*s has no version", done.line,
                       SW_ARG(done.package));
    if (list->len == SW_PACKAGES_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d packages", SW_PACKAGES_MAX);
    struct sw_package *p = sw_packages_add(a, list);
    p->name = sw_arena_str(a, done.package);
    p->version = sw_arena_str(a, done.version);
    p->arch = sw_arena_str(a, done.arch);
    split_source(sw_arena_str(a, done.source), p);
    return sw_arena_check(a, "the package list", err);
}

static enum sw_code check_text(struct sw_str text, struct sw_error *err) {
    if (text.len && memchr(text.ptr, 0, text.len))
        return sw_fail(err, SW_SYNTAX, "the package list holds a NUL byte");
    if (text.len && text.ptr[text.len - 1] != '\n')
        return sw_fail(err, SW_SYNTAX, "the package list ends within a line");
    return SW_OK;
}

enum sw_code sw_dpkg_parse(struct sw_arena *a, struct sw_str text, struct sw_packages *ret,
                           struct sw_error *err) {
    struct sw_packages list = {0};
    struct stanza s = {0};
    struct sw_str line;
    enum sw_code code = check_text(text, err);
    for (unsigned number = 1; !code && sw_str_next(&text, '\n', &line); number++) {
        struct sw_str name, value;
        if (sw_str_trim(line).len == 0) {
            code = finish_stanza(a, &s, &list, err);
            continue;
        }
        if (!s.any) s.line = number;
        if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
            if (!s.any) code = sw_fail(err, SW_SYNTAX, "line %u: continues nothing", number);
            continue;
        }
        s.any = true;
        if (!sw_str_cut(line, ':', &name, &value)) {
            code = sw_fail(err, SW_SYNTAX, "line %u: no colon", number);
            break;
        }
        value = sw_str_trim(value);
        if (sw_str_ieq(name, SW_STR("Package")))
            s.package = value;
        else if (sw_str_ieq(name, SW_STR("Version")))
            s.version = value;
        else if (sw_str_ieq(name, SW_STR("Status")))
            s.status = value;
        else if (sw_str_ieq(name, SW_STR("Architecture")))
            s.arch = value;
        else if (sw_str_ieq(name, SW_STR("Source")))
            s.source = value;
    }
    if (!code) code = finish_stanza(a, &s, &list, err);
    if (!code) *ret = list;
    return code;
}

enum sw_code sw_apk_parse(struct sw_arena *a, struct sw_str text, struct sw_packages *ret,
                          struct sw_error *err) {
    struct sw_packages list = {0};
    struct stanza s = {0};
    struct sw_str line;
    enum sw_code code = check_text(text, err);
    for (unsigned number = 1; !code && sw_str_next(&text, '\n', &line); number++) {
        if (line.len == 0) {
            code = finish_stanza(a, &s, &list, err);
            continue;
        }
        if (line.len < 2 || line.ptr[1] != ':') {
            code = sw_fail(err, SW_SYNTAX, "line %u: no field", number);
            break;
        }
        if (!s.any) s.line = number;
        s.any = true;
        struct sw_str value = sw_str_from(line, 2);
        switch (line.ptr[0]) {
        case 'P':
            s.package = value;
            break;
        case 'V':
            s.version = value;
            break;
        case 'A':
            s.arch = value;
            break;
        case 'o':
            s.source = value;
            break;
        default:
            break;
        }
    }
    if (!code) code = finish_stanza(a, &s, &list, err);
    if (!code) *ret = list;
    return code;
}

/* A shell assignment's value: plain, in single or in double quotes with backslashes. */
static struct sw_str shell_value(struct sw_arena *a, struct sw_str v) {
    v = sw_str_trim(v);
    if (v.len < 2 || (v.ptr[0] != '"' && v.ptr[0] != '\'') || v.ptr[v.len - 1] != v.ptr[0])
        return sw_arena_str(a, v);
    char *out = sw_arena_alloc(a, v.len);
    size_t n = 0;
    for (size_t i = 1; i + 1 < v.len; i++) {
        if (v.ptr[i] == '\\' && v.ptr[0] == '"' && i + 2 < v.len) i++;
        out[n++] = v.ptr[i];
    }
    return sw_str_n(out, n);
}

void sw_os_release_parse(struct sw_arena *a, struct sw_str text, struct sw_os_release *ret) {
    struct sw_os_release r = {0};
    struct sw_str line, name, value;
    while (sw_str_next(&text, '\n', &line)) {
        line = sw_str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#' || !sw_str_cut(line, '=', &name, &value)) continue;
        struct {
            const char *name;
            struct sw_str *to;
        } fields[] = {{"ID", &r.id},
                      {"VERSION_ID", &r.version_id},
                      {"PRETTY_NAME", &r.pretty_name},
                      {"VERSION_CODENAME", &r.codename},
                      {"ID_LIKE", &r.id_like},
                      {"SUPPORT_END", &r.support_end}};
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            if (sw_str_is(name, fields[i].name)) *fields[i].to = shell_value(a, value);
    }
    *ret = r;
}
