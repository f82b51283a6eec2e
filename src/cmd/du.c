#include <string.h>

#include "cmd/render.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "codec/json_writer.h"
#include "store/gc.h"

static void put_kind(struct sw_json_writer *w, const char *name, const struct sw_du_kind *k) {
    sw_json_key(w, name);
    sw_json_begin_object(w);
    sw_json_put_int(w, "count", (int64_t)k->count);
    sw_json_put_int(w, "bytes", (int64_t)k->bytes);
    sw_json_put_int(w, "reclaimable", (int64_t)k->reclaimable);
    sw_json_end_object(w);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    struct sw_du du;
    enum sw_code code = sw_session_open(inv, SW_SESSION_ROOT, &session, err);
    if (!code) code = sw_du_read(session.store, &du, err);
    if (code) return code;
    if (inv->format) {
        SW_BUF struct sw_buf b;
        struct sw_json_writer w;
        sw_buf_init(&b, 0);
        sw_json_writer_init(&w, &b, 0);
        sw_json_begin_object(&w);
        put_kind(&w, "images", &du.images);
        put_kind(&w, "cache", &du.cache);
        put_kind(&w, "snapshots", &du.snapshots);
        put_kind(&w, "mounts", &du.mounts);
        put_kind(&w, "other", &du.other);
        sw_json_put_int(&w, "unreferenced_bytes", (int64_t)du.unreferenced_bytes);
        sw_json_put_int(&w, "total_bytes", (int64_t)du.total_bytes);
        sw_json_put_int(&w, "free_bytes", (int64_t)du.free_bytes);
        sw_json_end_object(&w);
        return sw_render_document(inv, sw_buf_str(&b), err);
    }
    const struct {
        const char *name;
        const struct sw_du_kind *kind;
    } kinds[] = {{"Images", &du.images},
                 {"Build cache", &du.cache},
                 {"Unpacked layers", &du.snapshots},
                 {"Cache mounts", &du.mounts},
                 {"Other", &du.other}};
    struct sw_table *t = sw_table_new(inv->arena, 4);
    sw_table_add(t, (const char *[]){"TYPE", "COUNT", "SIZE", "RECLAIMABLE"});
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        sw_table_add(
            t,
            (const char *[]){
                kinds[i].name,
                sw_arena_printf(inv->arena, "%llu", (unsigned long long)kinds[i].kind->count).ptr,
                sw_render_size(inv->arena, kinds[i].kind->bytes),
                sw_render_size(inv->arena, kinds[i].kind->reclaimable)});
    sw_table_print(t, stdout);
    printf("\n%s in %s, %s free\n", sw_render_size(inv->arena, du.total_bytes),
           sw_store_root(session.store), sw_render_size(inv->arena, du.free_bytes));
    return SW_OK;
}

const struct sw_command sw_cmd_du = {
    .name = "du",
    .args = "",
    .summary = "Show what the local store holds and what could be given back",
    .run = run,
};
