#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/scan_session.h"
#include "cmd/scan_state.h"

static enum sw_code choose_target(struct scan_session *s, struct sw_scan_options *o,
                                  struct sw_error *err) {
    static const struct {
        const char *name;
        enum sw_scan_target_kind kind;
    } kinds[] = {{"image", SW_SCAN_IMAGE},
                 {"rootfs", SW_SCAN_ROOTFS},
                 {"binary", SW_SCAN_PROGRAM},
                 {"sbom", SW_SCAN_SBOM_FILE},
                 {"input", SW_SCAN_ARCHIVE}};
    const struct sw_invocation *inv = s->inv;
    const char *as = sw_opt(inv, "as");
    int given = 0;
    o->kind = SW_SCAN_IMAGE;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *value = i == 0 ? NULL : sw_opt(inv, kinds[i].name);
        if (value) {
            o->kind = kinds[i].kind;
            o->target = value;
            given++;
        } else if (as && !strcmp(as, kinds[i].name)) {
            o->kind = kinds[i].kind;
        }
    }
    if (inv->n_args) {
        o->target = inv->args[0];
        given++;
    }
    if (given != 1)
        return sw_fail(err, SW_USAGE,
                       "name one thing to scan: IMAGE, --input FILE, --rootfs DIR, "
                       "--binary FILE or --sbom FILE");
    o->name = sw_opt(inv, "image");
    o->platform = sw_opt(inv, "platform");
    s->kind = o->kind;
    return SW_OK;
}

/* trivy's words for what is here are those of its daemons. */
static enum sw_code choose_places(struct scan_session *s, bool *local, bool *remote,
                                  struct sw_error *err) {
    static const char *const here[] = {"local", "docker", "containerd", "podman"};
    const char *text = sw_opt(s->inv, "image-src");
    struct sw_str rest = sw_str(text), word;
    *local = *remote = text == NULL;
    if (sw_opt_flag(s->inv, "offline-scan")) *remote = false;
    while (text && sw_str_next(&rest, ',', &word)) {
        bool known = sw_str_is(word, "remote");
        *remote = *remote || known;
        for (int i = 0; i < 4; i++)
            if (sw_str_is(word, here[i])) *local = known = true;
        if (!known)
            return sw_fail(err, SW_USAGE, "--image-src %.*s: local or remote", SW_ARG(word));
    }
    return SW_OK;
}

/* Where the registry is, and as whom, if the command line says. */
static enum sw_code prepare_remote(struct scan_session *s, const char *target,
                                   struct sw_error *err) {
    const char *user = sw_opt(s->inv, "username"), *password = sw_opt(s->inv, "password");
    if (s->trivy && !user) user = getenv("TRIVY_USERNAME");
    if (s->trivy && !password) password = getenv("TRIVY_PASSWORD");
    if (user && *user) {
        s->credential = (struct sw_credential){.user = sw_str(user), .password = sw_str(password)};
        s->remote.credential = &s->credential;
    }
    if (!sw_opt_flag(s->inv, "insecure")) return SW_OK;
    struct sw_reference ref;
    enum sw_code code = remote_reference(s->inv, target, &ref, err);
    if (!code) s->remote.insecure = sw_arena_cstr(s->inv->arena, ref.domain);
    return code;
}

static enum sw_code open_places(struct scan_session *s, struct sw_scan_options *o,
                                struct sw_error *err) {
    struct sw_store_options store = {.root = s->root};
    bool local, remote;
    enum sw_code code = choose_places(s, &local, &remote, err);
    if (!code && local) code = sw_store_open(&store, &s->store, err);
    if (!code) code = prepare_remote(s, o->target, err);
    o->store = s->store;
    if (remote) o->remote = remote_lazy_session;
    o->remote_context = &s->remote;
    return code;
}

/* --- what is left out ------------------------------------------------------------------------ */

struct filter {
    const char *const *dirs, *const *files;
    bool os, library;
};

static enum sw_code read_filter(const struct sw_invocation *inv, struct filter *f,
                                struct sw_error *err) {
    const char *types = sw_opt(inv, "pkg-types");
    size_t n;
    if (!types) types = sw_opt(inv, "vuln-type");
    struct sw_str rest = sw_str(types), word;
    f->os = f->library = types == NULL;
    while (types && sw_str_next(&rest, ',', &word)) {
        if (sw_str_is(word, "os"))
            f->os = true;
        else if (sw_str_is(word, "library"))
            f->library = true;
        else
            return sw_fail(err, SW_USAGE, "--pkg-types %.*s: os or library", SW_ARG(word));
    }
    f->dirs = sw_opt_list(inv, "skip-dirs", &n);
    f->files = sw_opt_list(inv, "skip-files", &n);
    return SW_OK;
}

static struct sw_str clean(const char *path) {
    struct sw_str s = sw_str(path);
    while (sw_str_starts(s, SW_STR("./"))) s = sw_str_from(s, 2);
    while (sw_str_starts(s, SW_STR("/"))) s = sw_str_from(s, 1);
    while (sw_str_ends(s, SW_STR("/"))) s.len--;
    return s;
}

static bool is_left_out(struct sw_arena *a, const struct filter *f,
                        const struct sw_scan_artifact *x) {
    bool system = x->kind == SW_SCAN_DPKG || x->kind == SW_SCAN_APK || x->kind == SW_SCAN_RPM;
    if (x->kind == SW_SCAN_OS) return false;
    if (!(system ? f->os : f->library) && x->kind != SW_SCAN_SBOM) return true;
    for (size_t i = 0; f->files[i]; i++)
        if (sw_str_glob(clean(f->files[i]), x->path)) return true;
    for (size_t i = 0; f->dirs[i]; i++)
        if (sw_str_glob(sw_arena_printf(a, "%.*s/*", SW_ARG(clean(f->dirs[i]))), x->path))
            return true;
    return false;
}

/* What the user does not want to be looked at. Layers are kept whole: another scan may want it. */
static enum sw_code leave_out(struct scan_session *s, struct sw_error *err) {
    struct filter f = {0};
    size_t kept = 0;
    enum sw_code code = read_filter(s->inv, &f, err);
    for (size_t i = 0; i < s->inventory.n_artifacts && !code; i++)
        if (!is_left_out(s->inv->arena, &f, &s->inventory.artifacts[i]))
            s->inventory.artifacts[kept++] = s->inventory.artifacts[i];
    if (!code) s->inventory.n_artifacts = kept;
    return code;
}

enum sw_code scan_read_target(struct scan_session *s, struct sw_error *err) {
    struct sw_scan_options o = {0};
    enum sw_code code = choose_target(s, &o, err);
    if (code) return code;
    if (o.kind == SW_SCAN_IMAGE) {
        code = open_places(s, &o, err);
        if (code) return code;
    }
    o.cache_dir = sw_opt_flag(s->inv, "no-cache")
                      ? NULL
                      : sw_arena_printf(s->inv->arena, "%s/layers", s->dir).ptr;
    o.temp_dir = sw_scan_temp_dir();
    o.pool = sw_pool_new(0, 0);
    enum sw_progress_mode mode = sw_opt_flag(s->inv, "quiet") || s->trivy || !isatty(STDERR_FILENO)
                                     ? SW_PROGRESS_QUIET
                                     : SW_PROGRESS_AUTO;
    o.progress = sw_progress_new(mode, STDERR_FILENO, s->inv->color_err);
    code = sw_scan_inventory(s->inv->arena, &o, &s->inventory, NULL, err);
    sw_progress_free(o.progress);
    sw_pool_free(o.pool);
    if (code == SW_NOT_FOUND && o.kind == SW_SCAN_IMAGE)
        sw_advise(err, "; --input scans an archive");
    return code ? code : leave_out(s, err);
}
