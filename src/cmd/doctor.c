#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/proc.h"
#include "cmd/render.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "codec/json_writer.h"
#include "sandbox/probe.h"

static const char *const status_names[] = {"ok", "warn", "missing"};

/* Facts about the store: where it is, how much room it has. */
static void store_facts(struct sw_invocation *inv, struct sw_session *s, struct sw_fact *to) {
    struct statvfs vfs;
    const char *root = sw_store_root(s->store);
    to[0] = (struct sw_fact){"store", SW_FACT_OK, root, ""};
    to[1] = (struct sw_fact){"free-space", SW_FACT_MISSING, "unknown", ""};
    if (statvfs(root, &vfs) < 0) return;
    uint64_t free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    bool low = free_bytes < (uint64_t)2 << 30;
    to[1].status = low ? SW_FACT_WARN : SW_FACT_OK;
    to[1].value = sw_render_size(inv->arena, free_bytes);
    if (low) to[1].advice = "`slipway prune` gives back what is not in use";
}

static enum sw_code as_json(struct sw_invocation *inv, const struct sw_fact *facts, size_t n,
                            struct sw_error *err) {
    SW_BUF struct sw_buf b;
    struct sw_json_writer w;
    sw_buf_init(&b, 0);
    sw_json_writer_init(&w, &b, 0);
    sw_json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        sw_json_begin_object(&w);
        sw_json_put_text(&w, "name", facts[i].name);
        sw_json_put_text(&w, "status", status_names[facts[i].status]);
        sw_json_put_text(&w, "value", facts[i].value);
        sw_json_put_text(&w, "advice", facts[i].advice);
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    return sw_render_document(inv, sw_buf_str(&b), err);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    struct sw_fact *host, all[128];
    size_t n_host, n = 0;
    struct sw_error entered = {0};
    /* A host where nothing can be entered is what this command is for. */
    if (sw_session_open(inv, SW_SESSION_ROOT, &session, &entered)) {
        enum sw_code code = sw_session_open(inv, 0, &session, err);
        if (code) return code;
        all[n++] = (struct sw_fact){"run-as-root", SW_FACT_MISSING, "no", entered.text};
    } else {
        all[n++] =
            (struct sw_fact){"run-as-root", session.userns.why[0] ? SW_FACT_WARN : SW_FACT_OK,
                             sw_userns_mode_name(session.userns.mode), session.userns.why};
    }
    sw_probe_host(sw_store_root_fd(session.store), &session.userns, inv->arena, &host, &n_host);
    for (size_t i = 0; i < n_host && n < 120; i++) all[n++] = host[i];
    store_facts(inv, &session, all + n);
    n += 2;
    if (inv->format) return as_json(inv, all, n, err);
    struct sw_table *t = sw_table_new(inv->arena, 3);
    for (size_t i = 0; i < n; i++)
        sw_table_add(t, (const char *[]){status_names[all[i].status], all[i].name, all[i].value});
    sw_table_print(t, stdout);
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        if (!all[i].advice[0]) continue;
        printf("%s  %s: %s\n", first ? "\nWhat could be better:\n" : "", all[i].name,
               all[i].advice);
        first = false;
        if (all[i].status == SW_FACT_MISSING) inv->exit_status = 1;
    }
    return SW_OK;
}

const struct sw_command sw_cmd_doctor = {
    .name = "doctor",
    .args = "[--format json]",
    .summary = "Say what this host offers, what is missing and how to get it",
    .description = "Exit status 1 where something is missing that building or running needs.",
    .run = run,
};
