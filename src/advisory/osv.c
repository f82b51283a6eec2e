#include "advisory/osv.h"

#include "codec/json.h"
#include "codec/rfc3339.h"

/* The members of an array, or none where it is absent. */
static enum sw_code items_of(const struct sw_json *obj, const char *key, const struct sw_json **ret,
                             size_t *ret_n, struct sw_error *err) {
    const struct sw_json *list = NULL;
    enum sw_code code = sw_json_opt_node(obj, key, SW_JSON_ARRAY, &list, err);
    if (code) return code;
    *ret = list ? list->items : NULL;
    *ret_n = list ? list->len : 0;
    if (*ret_n > SW_OSV_ITEMS_MAX)
        return sw_fail(err, SW_LIMIT, "%s has more than %d items", key, SW_OSV_ITEMS_MAX);
    return SW_OK;
}

static enum sw_code read_severities(struct sw_arena *a, const struct sw_json *obj,
                                    struct sw_osv_severity **ret, size_t *ret_n,
                                    struct sw_error *err) {
    const struct sw_json *items = NULL;
    size_t n = 0;
    enum sw_code code = items_of(obj, "severity", &items, &n, err);
    if (code) return code;
    *ret = sw_arena_array(a, n, sizeof **ret);
    *ret_n = n;
    for (size_t i = 0; i < n && !code; i++) {
        code = sw_json_opt_str(&items[i], "type", &(*ret)[i].type, err);
        if (!code) code = sw_json_opt_str(&items[i], "score", &(*ret)[i].score, err);
    }
    return code;
}

static enum sw_code read_event(const struct sw_json *node, struct sw_osv_event *to, bool *ret_known,
                               struct sw_error *err) {
    static const struct {
        const char *name;
        enum sw_osv_event_kind kind;
    } kinds[] = {{"introduced", SW_OSV_INTRODUCED},
                 {"fixed", SW_OSV_FIXED},
                 {"last_affected", SW_OSV_LAST_AFFECTED},
                 {"limit", SW_OSV_LIMIT}};
    *ret_known = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct sw_str version = {0};
        enum sw_code code = sw_json_opt_str(node, kinds[i].name, &version, err);
        if (code) return code;
        if (!version.ptr) continue;
        *to = (struct sw_osv_event){kinds[i].kind, version};
        *ret_known = true;
        return SW_OK;
    }
    return SW_OK;
}

/* The events of all ranges but GIT ones. */
static enum sw_code read_ranges(struct sw_arena *a, const struct sw_json *obj,
                                struct sw_osv_affected *to, bool *ret_git, struct sw_error *err) {
    const struct sw_json *ranges = NULL, *events = NULL;
    size_t n = 0, n_events = 0, total = 0;
    enum sw_code code = items_of(obj, "ranges", &ranges, &n, err);
    for (size_t i = 0; i < n && !code; i++) {
        code = items_of(&ranges[i], "events", &events, &n_events, err);
        total += n_events + 1;
    }
    if (code) return code;
    to->events = sw_arena_array(a, total, sizeof *to->events);
    for (size_t i = 0; i < n; i++) {
        struct sw_str type = SW_STR("");
        code = sw_json_opt_str(&ranges[i], "type", &type, err);
        if (code) return code;
        if (sw_str_is(type, "GIT")) {
            *ret_git = true;
            continue;
        }
        code = items_of(&ranges[i], "events", &events, &n_events, err);
        if (!code && n_events)
            to->events[to->n_events++] = (struct sw_osv_event){SW_OSV_RANGE, SW_STR("")};
        for (size_t j = 0; j < n_events && !code; j++) {
            bool known;
            code = read_event(&events[j], &to->events[to->n_events], &known, err);
            if (known) to->n_events++;
        }
        if (code) return code;
    }
    return SW_OK;
}

static enum sw_code read_imports(struct sw_arena *a, const struct sw_json *specific,
                                 struct sw_osv_affected *to, struct sw_error *err) {
    const struct sw_json *items = NULL;
    size_t n = 0;
    const struct sw_json *imports = sw_json_get(specific, "imports");
    if (!imports || imports->type != SW_JSON_ARRAY) return SW_OK;
    enum sw_code code = items_of(specific, "imports", &items, &n, err);
    if (code) return code;
    to->imports = sw_arena_array(a, n, sizeof *to->imports);
    to->n_imports = n;
    for (size_t i = 0; i < n && !code; i++) {
        struct sw_osv_import *import = &to->imports[i];
        code = sw_json_opt_str(&items[i], "path", &import->path, err);
        if (!code) code = sw_json_opt_strs(a, &items[i], "symbols", &import->symbols, err);
        if (!code) code = sw_json_opt_strs(a, &items[i], "goos", &import->goos, err);
        if (!code) code = sw_json_opt_strs(a, &items[i], "goarch", &import->goarch, err);
    }
    return code;
}

/* A word of severity, under the names that databases have for it. Members of other shapes are not
 * ours to judge: these objects are free-form. */
static void read_rating(const struct sw_json *specific, struct sw_str *to) {
    static const char *const names[] = {"severity", "urgency", "ubuntu_priority"};
    if (!specific) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct sw_json *word = sw_json_get(specific, names[i]);
        enum sw_severity ignored;
        if (!to->len && word && word->type == SW_JSON_STRING &&
            sw_severity_parse(word->text, &ignored))
            *to = word->text;
    }
}

static enum sw_code read_affected(struct sw_arena *a, const struct sw_json *node,
                                  struct sw_osv_affected *to, struct sw_error *err) {
    const struct sw_json *package = NULL;
    bool git = false;
    enum sw_code code = sw_json_opt_node(node, "package", SW_JSON_OBJECT, &package, err);
    if (!code && package) code = sw_json_opt_str(package, "ecosystem", &to->ecosystem, err);
    if (!code && package) code = sw_json_opt_str(package, "name", &to->name, err);
    if (!code) code = read_ranges(a, node, to, &git, err);
    if (!code && to->n_events == 0)
        code = sw_json_opt_strs(a, node, "versions", &to->versions, err);
    if (!code) code = read_severities(a, node, &to->severities, &to->n_severities, err);
    if (code) return code;
    to->only_git = git && to->n_events == 0 && to->versions.len == 0;
    const struct sw_json *specific = sw_json_get(node, "ecosystem_specific");
    if (specific) {
        read_rating(specific, &to->rating);
        code = read_imports(a, specific, to, err);
    }
    read_rating(sw_json_get(node, "database_specific"), &to->rating);
    return code;
}

static enum sw_code read_time(const struct sw_json *root, const char *key, int64_t *ret,
                              struct sw_error *err) {
    struct sw_str text = {0};
    uint32_t nsec;
    enum sw_code code = sw_json_opt_str(root, key, &text, err);
    if (code || !text.len) return code;
    code = sw_rfc3339_parse(text, ret, &nsec, err);
    if (code) return sw_context(err, "%s", key);
    if (*ret < 0) *ret = 0; /* the year 1 stands for "unknown" in some databases */
    return SW_OK;
}

/* The page for people: the database's own, else an advisory, else the first reference. */
static void read_url(const struct sw_json *root, struct sw_str *to) {
    const struct sw_json *own = sw_json_get(sw_json_get(root, "database_specific"), "url");
    if (own && own->type == SW_JSON_STRING) {
        *to = own->text;
        return;
    }
    const struct sw_json *list = sw_json_get(root, "references");
    for (size_t i = 0; list && i < list->len; i++) {
        const struct sw_json *url = sw_json_get(&list->items[i], "url");
        const struct sw_json *type = sw_json_get(&list->items[i], "type");
        if (!url || url->type != SW_JSON_STRING) continue;
        if (!to->len) *to = url->text;
        if (type && type->type == SW_JSON_STRING && sw_str_is(type->text, "ADVISORY")) {
            *to = url->text;
            return;
        }
    }
}

enum sw_code sw_osv_parse(struct sw_arena *a, struct sw_str text, struct sw_osv *ret,
                          struct sw_error *err) {
    struct sw_json_limits limits = {.bytes = SW_OSV_DOCUMENT_MAX};
    const struct sw_json *root = NULL, *items = NULL;
    struct sw_osv o = {0};
    struct sw_strs upstream = {0};
    enum sw_code code = sw_json_parse(a, text, &limits, &root, err);
    if (!code) code = sw_json_expect(root, SW_JSON_OBJECT, err);
    if (!code) code = sw_json_need_str(root, "id", &o.id, err);
    if (code) return code;
    code = sw_json_opt_str(root, "summary", &o.summary, err);
    if (!code) code = sw_json_opt_str(root, "details", &o.details, err);
    if (!code) code = sw_json_opt_strs(a, root, "aliases", &o.aliases, err);
    if (!code) code = sw_json_opt_strs(a, root, "upstream", &upstream, err);
    if (!code) code = read_time(root, "published", &o.published, err);
    if (!code) code = read_time(root, "modified", &o.modified, err);
    if (!code) code = read_severities(a, root, &o.severities, &o.n_severities, err);
    if (!code) code = items_of(root, "affected", &items, &o.n_affected, err);
    if (code) return sw_context(err, "%.*s", SW_ARG(o.id));
    for (size_t i = 0; i < upstream.len; i++)
        if (!sw_strs_has(&o.aliases, upstream.ptr[i])) sw_strs_add(a, &o.aliases, upstream.ptr[i]);
    const struct sw_json *withdrawn = sw_json_get(root, "withdrawn");
    o.withdrawn = withdrawn && withdrawn->type != SW_JSON_NULL;
    const struct sw_json *specific = sw_json_get(root, "database_specific");
    const struct sw_json *status = specific ? sw_json_get(specific, "review_status") : NULL;
    o.unreviewed =
        status && status->type == SW_JSON_STRING && sw_str_is(status->text, "UNREVIEWED");
    read_rating(specific, &o.rating);
    read_url(root, &o.url);
    o.affected = sw_arena_array(a, o.n_affected, sizeof *o.affected);
    for (size_t i = 0; i < o.n_affected && !code; i++)
        code = read_affected(a, &items[i], &o.affected[i], err);
    if (!code) code = sw_arena_check(a, "the advisory", err);
    if (code) return sw_context(err, "%.*s", SW_ARG(o.id));
    *ret = o;
    return SW_OK;
}
