#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/go_common.h"
#include "cmd/table.h"
#include "codec/json_writer.h"
#include "gotool/matrix.h"

static const struct sw_option options[] = {
    {"go", 0, "LIST", "versions and constraints, comma separated", SW_OPT_LIST, NULL, NULL},
    {"jobs", 'j', "N", "how many at once; as many as processors", 0, NULL, NULL},
    {"verbose", 'v', NULL, "also show the output of runs that succeed", 0, NULL, NULL},
    GO_NETWORK_OPTIONS,
    {NULL},
};

static enum sw_code gather(struct go_session *s, struct sw_invocation *inv, struct sw_go_run *runs,
                           size_t *ret_n, struct sw_error *err) {
    size_t n_lists = 0, n = 0;
    const char *const *lists = sw_opt_list(inv, "go", &n_lists);
    for (size_t i = 0; i < n_lists; i++) {
        struct sw_str rest = sw_str(lists[i]), one;
        while (sw_str_next(&rest, ',', &one)) {
            struct sw_go_install_result result = {0};
            struct sw_go_version v;
            struct sw_go_installed it;
            one = sw_str_trim(one);
            if (!one.len) continue;
            if (n == SW_GO_MATRIX_MAX)
                return sw_fail(err, SW_LIMIT, "more than %d versions", SW_GO_MATRIX_MAX);
            const char *text = sw_arena_cstr(inv->arena, one);
            enum sw_code code = go_session_find(s, inv, text, &it, err);
            if (code == SW_NOT_FOUND) {
                code = go_session_install(s, inv, text, &v, &result, err);
                if (!code && !sw_go_store_find(&s->store, inv->arena, &v, &it))
                    code = sw_fail(err, SW_NOT_FOUND, "%s is not installed", text);
            }
            if (code) return code;
            runs[n++].it = it;
        }
    }
    *ret_n = n;
    return n ? SW_OK : sw_fail(err, SW_USAGE, "which versions? --go 1.20,1.21,1.22");
}

static void print_json(const struct sw_go_run *runs, size_t n) {
    SW_BUF struct sw_buf out;
    struct sw_json_writer w;
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        sw_json_begin_object(&w);
        sw_json_put_text(&w, "version", runs[i].it.name + 2);
        sw_json_put_bool(&w, "ok", runs[i].status == 0);
        sw_json_put_int(&w, "status", runs[i].status);
        sw_json_put_int(&w, "durationMs", runs[i].duration_ns / 1000000);
        sw_json_put_str(&w, "output", sw_buf_str(&runs[i].output));
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    printf("%s\n", out.ptr);
}

static void print_table(const struct sw_go_run *runs, size_t n, bool verbose) {
    for (size_t i = 0; i < n; i++) {
        if (!runs[i].output.len || (!runs[i].status && !verbose)) continue;
        printf("--- %s\n%s%s", runs[i].it.name, runs[i].output.ptr,
               runs[i].output.ptr[runs[i].output.len - 1] == '\n' ? "" : "\n");
    }
    printf("%-14s %-12s %s\n", "GO", "RESULT", "TIME");
    for (size_t i = 0; i < n; i++) {
        char result[32] = "ok";
        if (runs[i].status) snprintf(result, sizeof result, "failed (%d)", runs[i].status);
        printf("%-14s %-12s %.1fs\n", runs[i].it.name, result, (double)runs[i].duration_ns / 1e9);
    }
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_run *runs = sw_arena_array(inv->arena, SW_GO_MATRIX_MAX, sizeof *runs);
    size_t n = 0;
    uint64_t jobs = 0;
    const char *const *argv = inv->args;
    if (!strcmp(argv[0], "--")) argv++;
    if (!argv[0]) return sw_fail(err, SW_USAGE, "which command? slipway go matrix --go ... -- CMD");
    enum sw_code code = sw_opt_u64(inv, "jobs", &jobs, err);
    if (code || (code = go_session_open(&s, inv, GO_CREATE | GO_NETWORK, err)) ||
        (code = gather(&s, inv, runs, &n, err)))
        return code;
    code =
        sw_go_matrix(&s.store, runs, n, jobs > 1024 ? 1024 : (unsigned)jobs, argv, inv->arena, err);
    if (!code && inv->format && !strcmp(inv->format, "json"))
        print_json(runs, n);
    else if (!code)
        print_table(runs, n, sw_opt_flag(inv, "verbose"));
    for (size_t i = 0; i < n; i++)
        if (runs[i].status) inv->exit_status = 1;
    sw_go_matrix_done(runs, n);
    return code;
}

const struct sw_command sw_cmd_go_matrix = {
    .name = "go matrix",
    .args = "[OPTIONS] --go LIST -- CMD [ARG...]",
    .summary = "Run a command under several Go versions in parallel",
    .description = "Versions that are missing are installed first. Ends with 1 when a run fails; "
                   "the output of failed runs is shown.",
    .examples = "slipway go matrix --go 1.20,1.21,1.22 -- go test ./...",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .flags = SW_CMD_PASS_REST,
    .run = run,
};
