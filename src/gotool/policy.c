#include "gotool/policy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "advisory/osv.h"
#include "base/fs.h"
#include "base/vec.h"
#include "codec/json_writer.h"
#include "gotool/remote.h"

enum {
    ADVISORIES_MAX = 256 << 20, /* bytes of one file; the whole Go database has 8 MiB */
    FIXES_MAX = 4096,
};

void sw_go_support_seen(struct sw_go_support *s, const struct sw_go_version *v) {
    if (v->major == 1 && v->stage == SW_GO_FINAL && v->minor > s->newest_minor)
        s->newest_minor = v->minor;
}

void sw_go_support_init(struct sw_go_support *s, const struct sw_go_store *store,
                        const struct sw_go_settings *settings, struct sw_arena *a) {
    struct sw_go_installed *list;
    struct sw_go_remote kept;
    struct sw_error ignored;
    size_t n = 0;
    s->newest_minor = sw_go_known_minor();
    if (!sw_go_store_list(store, a, &list, &n, &ignored))
        for (size_t i = 0; i < n; i++) sw_go_support_seen(s, &list[i].version);
    sw_go_remote_kept(store, settings, a, &kept);
    for (size_t i = 0; i < kept.n; i++) sw_go_support_seen(s, &kept.versions[i]);
}

bool sw_go_support_alive(const struct sw_go_support *s, const struct sw_go_version *v) {
    return v->major != 1 || v->minor + 1 >= s->newest_minor;
}

/* ---- advisories ---- */

struct check {
    const struct sw_go_version *v;
    unsigned hits;
    struct sw_str first;                /* id of the first that matches; arena */
    SW_VEC(struct sw_go_version) fixes; /* one for each hit that has one */
    bool unfixed;
    struct sw_arena *a;
};

/* Whether v lies in one of the ranges; the fix that ends it, where there is one. */
static bool affected(const struct sw_osv_affected *p, const struct sw_go_version *v,
                     bool *ret_has_fix, struct sw_go_version *ret_fix) {
    bool inside = false, hit = false, open = false;
    *ret_has_fix = false;
    /* Events of Go's advisories come in ascending order: introduced, fixed, introduced ... */
    for (size_t i = 0; i < p->n_events; i++) {
        const struct sw_osv_event *e = &p->events[i];
        struct sw_go_version at = {.patch = SW_GO_PATCH_NONE};
        bool zero = sw_str_is(e->version, "0");
        if (!zero && !sw_go_version_read_semver(e->version, &at)) continue;
        int order = zero ? 1 : sw_go_version_cmp(v, &at);
        if (e->kind == SW_OSV_INTRODUCED) {
            inside = order >= 0;
            open = inside;
        } else if (e->kind == SW_OSV_FIXED && inside) {
            if (order < 0) {
                hit = true;
                *ret_has_fix = true;
                *ret_fix = at;
            }
            inside = open = false;
        } else if (e->kind == SW_OSV_LAST_AFFECTED && inside) {
            hit = hit || order <= 0;
            inside = open = false;
        }
        if (hit) return true;
    }
    return open;
}

static enum sw_code one_advisory(struct check *c, struct sw_str text, struct sw_error *err) {
    SW_ARENA struct sw_arena scratch;
    struct sw_osv osv;
    sw_arena_init(&scratch, 64u << 20);
    enum sw_code code = sw_osv_parse(&scratch, text, &osv, err);
    if (code || osv.withdrawn) return code;
    for (size_t i = 0; i < osv.n_affected; i++) {
        const struct sw_osv_affected *p = &osv.affected[i];
        bool go = sw_str_is(p->ecosystem, "Go") &&
                  (sw_str_is(p->name, "stdlib") || sw_str_is(p->name, "toolchain"));
        struct sw_go_version fix;
        bool has_fix;
        if (!go && !(sw_str_is(p->ecosystem, "Bitnami") && sw_str_is(p->name, "golang"))) continue;
        if (!affected(p, c->v, &has_fix, &fix)) continue;
        if (!c->hits++) c->first = sw_arena_str(c->a, osv.id);
        if (has_fix && c->fixes.len < FIXES_MAX) sw_vec_add(&c->fixes, fix);
        c->unfixed = c->unfixed || !has_fix;
        break;
    }
    return SW_OK;
}

static enum sw_code one_file(struct check *c, int dir, const char *name, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, ADVISORIES_MAX);
    enum sw_code code = sw_read_file_at(dir, name, ADVISORIES_MAX, &text, err);
    if (code) return code;
    struct sw_str rest = sw_str_trim(sw_buf_str(&text));
    /* Most of the database is about modules; those files need no parsing. */
    if (sw_str_find(rest, SW_STR("\"stdlib\"")) == SIZE_MAX &&
        sw_str_find(rest, SW_STR("\"toolchain\"")) == SIZE_MAX &&
        sw_str_find(rest, SW_STR("\"golang\"")) == SIZE_MAX)
        return SW_OK;
    if (sw_str_starts(rest, SW_STR("["))) {
        SW_ARENA struct sw_arena scratch;
        const struct sw_json_limits limits = {.bytes = ADVISORIES_MAX};
        const struct sw_json *root;
        sw_arena_init(&scratch, 2u << 30);
        code = sw_json_parse(&scratch, rest, &limits, &root, err);
        for (size_t i = 0; !code && i < root->len; i++) {
            SW_BUF struct sw_buf one;
            struct sw_json_writer w;
            sw_buf_init(&one, SW_OSV_DOCUMENT_MAX);
            sw_json_writer_init(&w, &one, 0);
            sw_json_tree(&w, &root->items[i]);
            code = one_advisory(c, sw_buf_str(&one), err);
        }
    } else if (one_advisory(c, rest, err)) {
        /* Not one document: one a line. */
        struct sw_str line;
        while (!code && sw_str_next(&rest, '\n', &line))
            if (sw_str_trim(line).len) code = one_advisory(c, line, err);
    }
    return code ? sw_context(err, "%s", name) : SW_OK;
}

static enum sw_code all_files(struct check *c, const char *path, struct sw_error *err) {
    struct stat st;
    if (stat(path, &st) < 0) return sw_fail_sys(err, errno, "open the advisories %s", path);
    if (!S_ISDIR(st.st_mode)) return one_file(c, AT_FDCWD, path, err);
    DIR *d = opendir(path);
    if (!d) return sw_fail_sys(err, errno, "open the advisories %s", path);
    enum sw_code code = SW_OK;
    for (struct dirent *e; !code && (e = readdir(d));)
        if (sw_str_ends(sw_str(e->d_name), SW_STR(".json")))
            code = one_file(c, dirfd(d), e->d_name, err);
    closedir(d);
    return code;
}

static void compose(const struct sw_go_support *s, struct check *c, struct sw_arena *a,
                    struct sw_go_verdict *r) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 4096);
    char name[SW_GO_VERSION_SIZE];
    struct sw_str version = sw_go_version_format(c->v, name);
    if (r->ended) {
        const char *day = sw_go_release_day(c->v->minor + 2);
        sw_buf_addf(&text, "go%.*s is past its end: Go 1.%u got fixes until 1.%u.0%s%s%s",
                    SW_ARG(version), c->v->minor, c->v->minor + 2, day ? " (" : "", day ? day : "",
                    day ? ")" : "");
    }
    if (c->hits) {
        if (!text.len) sw_buf_addf(&text, "go%.*s", SW_ARG(version));
        sw_buf_addf(&text, "%s has %u known vulnerabilit%s (%.*s%s)", r->ended ? ", and" : "",
                    c->hits, c->hits == 1 ? "y" : "ies", SW_ARG(c->first),
                    c->hits > 1 ? " ..." : "");
    }
    if (r->has_fix)
        sw_buf_addf(&text, "; fixed in go%.*s", SW_ARG(sw_go_version_format(&r->fix, name)));
    if (r->ended)
        sw_buf_addf(&text, "; supported lines: 1.%u, 1.%u", s->newest_minor, s->newest_minor - 1);
    r->text = sw_arena_str(a, sw_buf_str(&text)).ptr;
}

static enum sw_code ask(const struct sw_go_advisories *known, struct check *c,
                        struct sw_error *err) {
    char name[SW_GO_VERSION_SIZE];
    struct sw_go_asked asked = {0};
    struct sw_go_version fix = {.patch = SW_GO_PATCH_NONE};
    enum sw_code code =
        known->ask(known->context, c->a, sw_go_version_format(c->v, name), &asked, err);
    if (code || !asked.vulnerabilities) return code;
    c->hits = asked.vulnerabilities;
    c->first = asked.first;
    c->unfixed = !asked.fixed.len || !sw_go_version_read_semver(asked.fixed, &fix);
    if (!c->unfixed) sw_vec_add(&c->fixes, fix);
    return SW_OK;
}

enum sw_code sw_go_policy_check(const struct sw_go_support *s, const char *advisories,
                                const struct sw_go_advisories *known, const struct sw_go_version *v,
                                struct sw_arena *a, struct sw_go_verdict *ret,
                                struct sw_error *err) {
    struct sw_go_verdict r = {.text = ""};
    struct check c = {.v = v, .a = a};
    if (!advisories) advisories = getenv("SLIPWAY_GO_ADVISORIES");
    enum sw_code code = SW_OK;
    if (advisories && *advisories)
        code = all_files(&c, advisories, err);
    else if (known)
        code = ask(known, &c, err);
    if (code) {
        sw_vec_done(&c.fixes);
        return code;
    }
    r.ended = !sw_go_support_alive(s, v);
    r.vulnerabilities = c.hits;
    /* The release that has them all fixed is the newest of the fixes. */
    for (size_t i = 0; i < c.fixes.len; i++) {
        if (!r.has_fix || sw_go_version_cmp(&c.fixes.ptr[i], &r.fix) > 0) r.fix = c.fixes.ptr[i];
        r.has_fix = true;
    }
    if (c.unfixed) r.has_fix = false;
    if (r.ended || c.hits) compose(s, &c, a, &r);
    sw_vec_done(&c.fixes);
    *ret = r;
    return SW_OK;
}
