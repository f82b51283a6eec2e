#include "gotool/choose.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "golang/files.h"
#include "golang/modfile.h"

enum { SMALL_FILE_MAX = 1 << 20 };

struct chooser {
    struct sw_arena *a;
    const struct sw_go_choose_options *o;
    const char *dir; /* absolute */
    struct sw_go_choice *c;
    struct sw_error *err;
};

/* What a place asks for. */
struct wish {
    bool set;
    struct sw_go_constraint constraint;
    const char *origin;
};

static void step(struct chooser *ch, const char *place, const char *value, const char *said) {
    struct sw_go_choice *c = ch->c;
    if (c->n_steps < SW_GO_STEPS_MAX)
        c->steps[c->n_steps++] = (struct sw_go_step){place, value, said};
}

static enum sw_code parse_wish(struct chooser *ch, const char *place, const char *value,
                               struct wish *ret) {
    struct wish w = {.set = true, .origin = place};
    enum sw_code code = sw_go_constraint_parse(sw_str(value), &w.constraint, ch->err);
    if (code) return sw_context(ch->err, "%s", place);
    *ret = w;
    return SW_OK;
}

/* ---- files ---- */

/* The file's text when it is there; false otherwise. */
static bool read_file(struct chooser *ch, struct sw_str dir, const char *name, struct sw_str *ret,
                      const char **ret_path) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    sw_buf_init(&text, SMALL_FILE_MAX);
    struct sw_str path = sw_arena_printf(ch->a, "%.*s/%s", SW_ARG(dir), name);
    if (sw_read_file_at(AT_FDCWD, path.ptr, SMALL_FILE_MAX, &text, &ignored)) return false;
    *ret = sw_arena_str(ch->a, sw_buf_str(&text));
    *ret_path = path.ptr;
    return true;
}

/* The next directory upwards: "/a/b", "/a", "" (the root); false behind that. */
static bool parent(struct sw_str *dir) {
    if (!dir->len) return false;
    dir->len = sw_str_rfind_char(*dir, '/');
    return dir->len != SIZE_MAX;
}

static struct sw_str yaml_go(struct sw_str text) { return sw_go_version_of_yaml(text, "go"); }

static enum sw_code pinned(struct chooser *ch, struct wish *ret) {
    static const struct {
        const char *name;
        struct sw_str (*read)(struct sw_str text);
    } files[] = {
        {".go-version", sw_go_version_of_file},
        {".tool-versions", sw_go_version_of_tool_versions},
        {"mise.toml", sw_go_version_of_mise},
        {".mise.toml", sw_go_version_of_mise},
        {"slipway.yaml", yaml_go},
    };
    struct sw_str dir = sw_str(ch->dir);
    if (sw_str_is(dir, "/")) dir.len = 0;
    do {
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            struct sw_str text, value;
            const char *path;
            if (!read_file(ch, dir, files[i].name, &text, &path)) continue;
            value = files[i].read(text);
            if (!value.len) {
                step(ch, path, "", "names no Go version");
                continue;
            }
            return parse_wish(ch, path, sw_arena_cstr(ch->a, value), ret);
        }
    } while (parent(&dir));
    return SW_OK;
}

/* go.work, or else go.mod: GOWORK names one, or "off". */
static bool find_mod(struct chooser *ch, struct sw_str *ret_text, const char **ret_path) {
    static const char *const names[] = {"go.work", "go.mod"};
    const char *gowork = getenv("GOWORK");
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    sw_buf_init(&text, SMALL_FILE_MAX);
    bool off = gowork && !strcmp(gowork, "off");
    if (gowork && *gowork && !off) {
        *ret_path = sw_arena_cstr(ch->a, sw_str(gowork));
        if (sw_read_file_at(AT_FDCWD, gowork, SMALL_FILE_MAX, &text, &ignored)) return false;
        *ret_text = sw_arena_str(ch->a, sw_buf_str(&text));
        return true;
    }
    for (size_t i = off ? 1 : 0; i < 2; i++) {
        struct sw_str dir = sw_str(ch->dir);
        if (sw_str_is(dir, "/")) dir.len = 0;
        do
            if (read_file(ch, dir, names[i], ret_text, ret_path)) return true;
        while (parent(&dir));
    }
    return false;
}

/* The version that go.work or go.mod asks for at least. */
static enum sw_code required(struct chooser *ch, bool *ret_set, struct sw_go_version *ret,
                             const char **ret_origin) {
    struct sw_str text;
    struct sw_go_modfile m;
    const char *path;
    *ret_set = false;
    if (!find_mod(ch, &text, &path)) {
        step(ch, "go.work, go.mod", "", "none here or above");
        return SW_OK;
    }
    enum sw_code code = sw_go_modfile_parse(text, &m, ch->err);
    if (code) return sw_context(ch->err, "%s", path);
    struct sw_go_version go, toolchain;
    if (m.go.len && sw_go_version_read(m.go, &go)) {
        *ret = go;
        *ret_set = true;
        *ret_origin =
            sw_arena_printf(ch->a, "%s line %u (go %.*s)", path, m.go_line, SW_ARG(m.go)).ptr;
    }
    if (m.toolchain.len && sw_go_toolchain_read(m.toolchain, &toolchain) &&
        (!*ret_set || sw_go_version_cmp(&toolchain, ret) > 0)) {
        *ret = toolchain;
        *ret_set = true;
        *ret_origin = sw_arena_printf(ch->a, "%s line %u (toolchain %.*s)", path, m.toolchain_line,
                                      SW_ARG(m.toolchain))
                          .ptr;
    }
    if (!*ret_set) step(ch, path, "", "has no go line");
    return SW_OK;
}

enum sw_code sw_go_choose_mod(struct sw_arena *a, const char *dir, struct sw_str *ret,
                              struct sw_error *err) {
    struct sw_go_choice choice = {.found = false};
    SW_FREE char *absolute = realpath(dir, NULL);
    if (!absolute) return sw_fail_sys(err, errno, "open %s", dir);
    struct chooser ch = {.a = a, .dir = absolute, .c = &choice, .err = err};
    struct sw_go_version v;
    const char *origin;
    bool set;
    char text[SW_GO_VERSION_SIZE];
    enum sw_code code = required(&ch, &set, &v, &origin);
    if (code) return code;
    if (!set)
        return sw_fail(err, SW_NOT_FOUND,
                       "neither go.work nor go.mod at %s or above names a Go "
                       "version",
                       absolute);
    *ret = sw_arena_str(a, sw_go_version_format(&v, text));
    return SW_OK;
}

/* ---- deciding ---- */

static bool newest_installed(struct chooser *ch, const struct sw_go_constraint *c,
                             const struct sw_go_version *at_least, struct sw_go_installed *ret) {
    struct sw_go_installed *list;
    struct sw_error ignored;
    size_t n = 0, best = SIZE_MAX;
    if (c->want == SW_GO_WANT_EXACT && !at_least)
        return sw_go_store_find(ch->o->store, ch->a, &c->bounds[0].version, ret);
    if (sw_go_store_list(ch->o->store, ch->a, &list, &n, &ignored)) return false;
    struct sw_go_version *versions = sw_arena_array(ch->a, n + 1, sizeof *versions);
    for (size_t i = 0; i < n; i++) versions[i] = list[i].version;
    best = sw_go_constraint_pick(c, versions, n);
    if (best == SIZE_MAX) return false;
    if (at_least && sw_go_version_cmp(&versions[best], at_least) < 0) return false;
    *ret = list[best];
    return true;
}

static enum sw_code decide(struct chooser *ch, const struct wish *w) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 512);
    struct sw_go_choice *c = ch->c;
    c->constraint = w->constraint;
    c->origin = w->origin;
    if (w->constraint.want == SW_GO_WANT_EXACT) sw_buf_add_text(&text, "go");
    sw_go_constraint_format(&w->constraint, &text);
    c->wanted = sw_arena_str(ch->a, sw_buf_str(&text)).ptr;
    if (!c->found) c->found = newest_installed(ch, &w->constraint, NULL, &c->it);
    step(ch, w->origin, c->wanted, "decides");
    return SW_OK;
}

/* The places that decide by themselves; *ret_done when one did. GOTOOLCHAIN may only name the
 * local toolchain. */
static enum sw_code explicit_places(struct chooser *ch, bool *ret_done, struct wish *ret_local) {
    const char *const places[] = {"command line", "SLIPWAY_GO_VERSION", "GO_VERSION"};
    const char *const values[] = {ch->o->version, getenv("SLIPWAY_GO_VERSION"),
                                  getenv("GO_VERSION")};
    *ret_done = false;
    for (int i = 0; i < 3; i++) {
        if (!values[i] || !*values[i]) {
            step(ch, places[i], "", "not set");
            continue;
        }
        struct wish w = {.set = false};
        enum sw_code code = parse_wish(ch, places[i], sw_arena_cstr(ch->a, sw_str(values[i])), &w);
        if (code) return code;
        *ret_done = true;
        return decide(ch, &w);
    }
    const struct sw_go_setting *g = &ch->o->settings->gotoolchain;
    bool user = !strcmp(g->origin, "environment") || !strcmp(g->origin, "go env file");
    struct sw_gotoolchain t = {.may_switch = true, .name = SW_STR("local")};
    if (!user) {
        step(ch, "GOTOOLCHAIN", "", "not set");
        return SW_OK;
    }
    enum sw_code code = sw_gotoolchain_parse(g->value, &t, ch->err);
    if (code) return code;
    struct sw_go_version v;
    const char *value = sw_arena_cstr(ch->a, g->value);
    const char *place = sw_arena_printf(ch->a, "GOTOOLCHAIN (%s)", g->origin).ptr;
    if (!sw_go_toolchain_read(t.name, &v)) {
        /* local keeps the go command from switching by itself; choosing is what we are for. */
        step(ch, place, value, "names no version");
        return SW_OK;
    }
    struct wish w = {true, sw_go_constraint_of(&v), place};
    if (t.may_switch) {
        step(ch, place, value, "names the local toolchain");
        *ret_local = w;
        return SW_OK;
    }
    *ret_done = true;
    return decide(ch, &w);
}

static void default_places(struct chooser *ch, struct wish *local) {
    struct sw_go_version v;
    const struct sw_go_store *store = ch->o->store;
    if (sw_go_store_current(store, &v)) {
        *local = (struct wish){true, sw_go_constraint_of(&v),
                               sw_arena_printf(ch->a, "default (%s/current)", store->root).ptr};
    } else if (sw_go_store_system_current(store, &v)) {
        *local =
            (struct wish){true, sw_go_constraint_of(&v),
                          sw_arena_printf(ch->a, "system default (%s/current)", store->system).ptr};
    } else {
        step(ch, "default", "", "none is set");
    }
}

/* Whether the local wish is at least v, as far as it can be told without installing. */
static bool satisfies(struct chooser *ch, const struct wish *local, const struct sw_go_version *v,
                      const char **ret_name) {
    struct sw_go_installed it;
    if (newest_installed(ch, &local->constraint, NULL, &it)) {
        *ret_name = it.name;
        return sw_go_version_cmp(&it.version, v) >= 0;
    }
    const struct sw_go_bound *b = &local->constraint.bounds[0];
    *ret_name = local->origin;
    if (!local->constraint.n_bounds) return true; /* latest */
    if (b->op == SW_GO_EQ) return sw_go_version_cmp(&b->version, v) >= 0;
    struct sw_go_version line = sw_go_version_line(v), mine = sw_go_version_line(&b->version);
    return sw_go_version_cmp(&mine, &line) >= 0;
}

static enum sw_code with_modules(struct chooser *ch, const struct wish *local) {
    struct sw_go_version v;
    const char *origin, *name = "";
    char text[SW_GO_VERSION_SIZE];
    bool set;
    enum sw_code code = required(ch, &set, &v, &origin);
    if (code) return code;
    if (!set) return local->set ? decide(ch, local) : SW_OK;
    const char *value = sw_arena_str(ch->a, sw_go_version_format(&v, text)).ptr;
    if (local->set && satisfies(ch, local, &v, &name)) {
        step(ch, origin, value,
             sw_arena_printf(ch->a, "asks for at least that; satisfied by %s", name).ptr);
        return decide(ch, local);
    }
    if (local->set)
        step(ch, local->origin, sw_arena_cstr(ch->a, sw_str(name)),
             "is older than what the module needs");
    struct wish w = {true, sw_go_constraint_of(&v), origin};
    /* A newer release of the same line that is there will do: the file asks for a minimum. */
    struct sw_go_version line = sw_go_version_line(&v);
    struct sw_go_constraint in_line = {.want = SW_GO_WANT_RANGE,
                                       .prereleases = sw_go_version_is_prerelease(&v),
                                       .n_bounds = 1,
                                       .bounds = {{SW_GO_IN_LINE, line}}};
    if (!newest_installed(ch, &w.constraint, NULL, &ch->c->it))
        ch->c->found = newest_installed(ch, &in_line, &v, &ch->c->it);
    return decide(ch, &w);
}

enum sw_code sw_go_choose(struct sw_arena *a, const struct sw_go_choose_options *o,
                          struct sw_go_choice *ret, struct sw_error *err) {
    struct sw_go_choice choice = {.found = false};
    SW_FREE char *dir = realpath(o->dir ? o->dir : ".", NULL);
    struct chooser ch = {.a = a, .o = o, .dir = dir ? dir : "/", .c = &choice, .err = err};
    struct wish local = {.set = false};
    bool done;
    enum sw_code code = explicit_places(&ch, &done, &local);
    if (code) return code;
    if (!done) {
        if (!local.set) {
            code = pinned(&ch, &local);
            if (code) return code;
            if (local.set)
                step(&ch, local.origin, "", "names the local toolchain");
            else
                step(&ch, ".go-version, .tool-versions, mise.toml, slipway.yaml", "", "none");
        }
        if (!local.set) default_places(&ch, &local);
        code = with_modules(&ch, &local);
        if (code) return code;
    }
    if (!choice.wanted)
        return sw_fail(err, SW_NOT_FOUND,
                       "nothing names a Go version and there is no default; run "
                       "`slipway go install latest --default`");
    *ret = choice;
    return SW_OK;
}
