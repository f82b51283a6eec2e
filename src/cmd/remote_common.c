#include "cmd/remote_common.h"

#include <string.h>
#include <sys/utsname.h>

enum sw_code remote_open(struct sw_invocation *inv, struct sw_remote **ret, struct sw_error *err) {
    size_t n = 0;
    struct sw_remote_options o = {.insecure = sw_opt_list(inv, "insecure-registry", &n)};
    *ret = sw_remote_new(&o);
    return SW_OK;
}

enum sw_code remote_exact_reference(struct sw_invocation *inv, const char *text,
                                    struct sw_reference *ret, struct sw_error *err) {
    struct sw_str name = sw_str(text);
    if (sw_str_starts(name, SW_STR("docker://"))) name = sw_str_from(name, 9);
    return sw_reference_parse(inv->arena, name, ret, err);
}

enum sw_code remote_reference(struct sw_invocation *inv, const char *text, struct sw_reference *ret,
                              struct sw_error *err) {
    enum sw_code code = remote_exact_reference(inv, text, ret, err);
    if (!code) sw_reference_default_tag(ret);
    return code;
}

enum sw_code remote_domain(struct sw_invocation *inv, const char *text, struct sw_str *ret,
                           struct sw_error *err) {
    struct sw_str d = text ? sw_str(text) : SW_STR(SW_REFERENCE_DOMAIN), rest;
    if (sw_str_starts(d, SW_STR("https://")))
        d = sw_str_from(d, 8);
    else if (sw_str_starts(d, SW_STR("http://")))
        d = sw_str_from(d, 7);
    sw_str_cut(d, '/', &d, &rest);
    if (sw_str_is(d, "index.docker.io") || sw_str_is(d, "registry-1.docker.io"))
        d = SW_STR(SW_REFERENCE_DOMAIN);
    if (!sw_reference_is_domain(d))
        return sw_fail(err, SW_USAGE, "\"%s\" is no registry: HOST or HOST:PORT", text);
    *ret = d;
    return SW_OK;
}

enum sw_code remote_platform(struct sw_invocation *inv, const char *text,
                             const struct sw_platform **ret, struct sw_error *err) {
    struct utsname host;
    struct sw_platform *p = SW_NEW(inv->arena, struct sw_platform);
    if (text && strcmp(text, "all") == 0) {
        *ret = NULL;
        return SW_OK;
    }
    uname(&host);
    *p = sw_platform_of_machine(sw_arena_str(inv->arena, sw_str(host.machine)));
    if (text) {
        struct sw_platform here = *p;
        enum sw_code code = sw_platform_parse(inv->arena, sw_str(text), &here, p, err);
        if (code) return code;
    }
    *ret = p;
    return SW_OK;
}

void remote_report(const struct sw_invocation *inv, const struct sw_copy_result *r,
                   const char *verb) {
    char text[SW_DIGEST_TEXT_MAX];
    sw_digest_format(&r->target.digest, text);
    printf("%s\n", text);
    if (sw_opt_flag(inv, "quiet")) return;
    fprintf(stderr, "%s %llu blobs (%.1f MB), %llu were there", verb, (unsigned long long)r->blobs,
            (double)r->bytes / 1e6, (unsigned long long)r->present);
    if (r->mounted) fprintf(stderr, ", %llu mounted", (unsigned long long)r->mounted);
    fputc('\n', stderr);
}

enum sw_code remote_pull(struct sw_remote *r, struct sw_store *store, struct sw_str reference,
                         const struct sw_platform *platform, struct sw_progress *progress,
                         unsigned step, struct sw_copy_result *ret, struct sw_error *err) {
    SW_ARENA struct sw_arena a = {0};
    struct sw_place from = {.kind = SW_PLACE_REGISTRY, .remote = r};
    struct sw_place to = {.kind = SW_PLACE_STORE, .store = store, .name = reference};
    struct sw_copy_options o = {.platform = platform, .progress = progress, .step = step};
    struct sw_copy_result result;
    sw_arena_init(&a, (size_t)256 << 20);
    enum sw_code code = sw_reference_parse(&a, reference, &from.ref, err);
    if (code) return code;
    sw_reference_default_tag(&from.ref);
    code = sw_copy_image(&a, &from, &to, &o, &result, err);
    if (code || !ret) return code;
    *ret = result;
    ret->target.media_type = SW_STR(""); /* it was in our arena */
    ret->target.annotations = (struct sw_pairs){0};
    ret->target.platform = NULL;
    return SW_OK;
}

void remote_lazy_init(struct remote_lazy *l, struct sw_invocation *inv) {
    *l = (struct remote_lazy){.inv = inv};
    pthread_mutex_init(&l->lock, NULL);
}

void remote_lazy_done(struct remote_lazy *l) {
    if (!l->inv) return;
    sw_remote_free(l->remote);
    pthread_mutex_destroy(&l->lock);
    l->inv = NULL;
}

enum sw_code remote_lazy_session(void *ctx, struct sw_remote **ret, struct sw_error *err) {
    struct remote_lazy *l = ctx;
    (void)err;
    pthread_mutex_lock(&l->lock);
    if (!l->remote) {
        size_t n = 0;
        const char *const *hosts = sw_opt_list(l->inv, "insecure-registry", &n);
        const char **all = sw_arena_array(l->inv->arena, n + 2, sizeof *all);
        for (size_t i = 0; i < n; i++) all[i] = hosts[i];
        all[n] = l->insecure;
        struct sw_remote_options o = {.insecure = all, .credential = l->credential};
        l->remote = sw_remote_new(&o);
    }
    *ret = l->remote;
    pthread_mutex_unlock(&l->lock);
    return SW_OK;
}

enum sw_code remote_lazy_pull(void *ctx, struct sw_store *store, struct sw_str reference,
                              const struct sw_platform *platform, struct sw_progress *progress,
                              unsigned step, struct sw_error *err) {
    struct sw_remote *remote = NULL;
    enum sw_code code = remote_lazy_session(ctx, &remote, err);
    if (code) return code;
    return remote_pull(remote, store, reference, platform, progress, step, NULL, err);
}

enum sw_code remote_push(struct sw_invocation *inv, struct sw_remote *r, struct sw_store *store,
                         struct sw_str image, const char *target, struct sw_progress *progress,
                         struct sw_copy_result *ret, struct sw_error *err) {
    struct sw_place from = {.kind = SW_PLACE_STORE, .store = store, .name = image};
    struct sw_place to = {.kind = SW_PLACE_REGISTRY, .remote = r};
    enum sw_code code = remote_reference(inv, target, &to.ref, err);
    if (code) return code;
    unsigned step = sw_progress_step(progress, sw_arena_printf(inv->arena, "push %s", target));
    struct sw_copy_options o = {.progress = progress, .step = step};
    sw_progress_start(progress, step);
    code = sw_copy_image(inv->arena, &from, &to, &o, ret, err);
    if (code)
        sw_progress_fail(progress, step, err);
    else
        sw_progress_done(progress, step);
    return code;
}
