#include "cmd/place.h"

enum sw_code cmd_places_init(struct cmd_places *places, struct sw_invocation *inv, unsigned flags,
                             struct sw_error *err) {
    *places = (struct cmd_places){.inv = inv, .flags = flags & ~(unsigned)SW_SESSION_PROGRESS};
    if (!(flags & SW_SESSION_PROGRESS)) return SW_OK;
    return sw_session_progress(inv, &places->progress, err);
}

void cmd_places_done(struct cmd_places *places) {
    sw_progress_free(places->progress);
    sw_remote_free(places->remote);
    sw_session_close(&places->store);
    places->progress = NULL;
    places->remote = NULL;
}

enum sw_code cmd_place_open_name(struct cmd_places *places, const struct sw_place_name *name,
                                 bool target, struct sw_place *ret, struct sw_error *err) {
    enum sw_code code = SW_OK;
    if (name->kind == SW_PLACE_REGISTRY && !places->remote)
        code = remote_open(places->inv, &places->remote, err);
    if (!code && name->kind == SW_PLACE_STORE && !places->store.store)
        code = sw_session_open(places->inv, places->flags, &places->store, err);
    if (code) return code;
    return sw_place_open(places->inv->arena, name, target, places->remote, places->store.store, ret,
                         err);
}

enum sw_code cmd_place_open(struct cmd_places *places, const char *text, enum sw_place_kind bare,
                            bool target, struct sw_place *ret, struct sw_error *err) {
    struct sw_place_name name;
    enum sw_code code = sw_place_parse(sw_str(text), &name, err);
    if (code) return code;
    if (name.bare) name.kind = bare;
    return cmd_place_open_name(places, &name, target, ret, err);
}

enum sw_code cmd_copy(struct cmd_places *places, const char *verb, const struct sw_place *from,
                      const struct sw_place *to, const struct sw_copy_options *options,
                      struct sw_copy_result *ret, struct sw_error *err) {
    struct sw_arena *a = places->inv->arena;
    struct sw_progress *p = places->progress;
    struct sw_copy_options o = *options;
    bool in = to->kind == SW_PLACE_STORE;
    struct sw_str name =
        sw_arena_printf(a, "%s %.*s", verb, SW_ARG(sw_place_text(in ? from : to, a)));
    o.progress = p;
    o.step = sw_progress_step(p, name);
    sw_progress_start(p, o.step);
    enum sw_code code = sw_copy_image(a, from, to, &o, ret, err);
    if (code)
        sw_progress_fail(p, o.step, err);
    else
        sw_progress_done(p, o.step);
    return code;
}
