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
    return code;
}
