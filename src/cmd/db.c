#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/proc.h"
#include "cmd/scan_state.h"
#include "cmd/table.h"
#include "codec/hex.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"
#include "scan/update.h"

static const struct sw_option update_options[] = {
    {"offline", 0, NULL, "compile what was fetched before, without the network"},
    {"insecure", 0, "HOST", "do not check this host's certificate", SW_OPT_LIST},
    {"quiet", 'q', NULL, "say nothing but errors"},
    {NULL},
};

/* GOPROXY as the environment has it, else as the installed go command would use it. */
static const char *goproxy(struct sw_arena *a) {
    const char *set = getenv("GOPROXY");
    if (set && *set) return set;
    const char *const argv[] = {"go", "env", "GOPROXY", NULL};
    struct sw_proc_options run = {.argv = argv};
    struct sw_error ignored;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 4096);
    if (sw_proc_run(&run, &out, &ignored)) return NULL;
    return sw_arena_cstr(a, sw_str_trim(sw_buf_str(&out)));
}

static enum sw_code run_update(struct sw_invocation *inv, struct sw_error *err) {
    const char *root, *dir;
    size_t n;
    struct sw_scan_update_result result;
    enum sw_code code = sw_scan_state_dir(inv, &root, &dir, err);
    if (code) return code;
    bool quiet = sw_opt_flag(inv, "quiet");
    struct sw_progress *progress = sw_progress_new(quiet ? SW_PROGRESS_QUIET : SW_PROGRESS_AUTO,
                                                   STDERR_FILENO, inv->color_err);
    struct sw_scan_update options = {.dir = dir,
                                     .sources = inv->args,
                                     .goproxy = goproxy(inv->arena),
                                     .insecure = sw_opt_list(inv, "insecure", &n),
                                     .now = sw_now_unix_s(),
                                     .offline = sw_opt_flag(inv, "offline"),
                                     .progress = progress};
    code = sw_scan_update(&options, &result, err);
    sw_progress_free(progress);
    if (code || quiet) return code;
    if (result.unchanged)
        printf("the advisory database is up to date\n");
    else
        printf(
            "%llu advisories about %llu packages and versions, %llu withdrawn left out; %llu KiB\n",
            (unsigned long long)result.advisories, (unsigned long long)result.rows,
            (unsigned long long)result.withdrawn, (unsigned long long)result.size_bytes / 1024);
    return SW_OK;
}

const struct sw_command sw_cmd_db_update = {
    .name = "db update",
    .args = "[SOURCE...]",
    .summary = "Fetch advisories and compile the database",
    .description =
        "A SOURCE is a zip or a directory of OSV documents, the address of one, the address of a "
        "database in the layout of the Go vulnerability database (http, https or file), the module "
        "golang.org/x/vulndb, which comes through GOPROXY, osv:ECOSYSTEM for what osv.dev "
        "publishes, kev for CISA's catalogue of exploited vulnerabilities or epss for FIRST's "
        "scores; NAME=SOURCE names it. Without one, those of the last time are used, at first "
        "golang.org/x/vulndb.\n\n"
        "What did not change is not fetched again. If a source cannot be fetched or understood, "
        "the database stays as it was.",
    .examples = "slipway db update  # Go, through GOPROXY\n"
                "slipway db update golang.org/x/vulndb osv:Debian osv:Alpine kev epss  # more\n"
                "slipway db update go=vulndb.zip bitnami=/srv/bitnami.zip  # from files",
    .options = update_options,
    .max_args = -1,
    .run = run_update,
};

/* --- status ---------------------------------------------------------------------------------- */

static struct sw_str day(int64_t sec, char text[SW_RFC3339_MAX]) {
    if (!sec) return SW_STR("-");
    return sw_rfc3339_format(sec, 0, text);
}

static void print_status(const struct sw_scan_db *db, const struct sw_scan_db_status *s) {
    char x[SW_RFC3339_MAX], y[SW_RFC3339_MAX];
    char hex[64];
    sw_hex_encode(db->advdb.digest, 32, hex);
    printf("built      %.*s\n", SW_ARG(day(s->built, x)));
    printf("checked    %.*s\n", SW_ARG(day(s->oldest_fetch, x)));
    printf("digest     sha256:%.64s\n", hex);
    printf("size       %zu bytes; %llu advisories, %llu packages, %llu rows\n\n", db->size,
           (unsigned long long)sw_advdb_count(&db->advdb, SW_ADVDB_VULNS),
           (unsigned long long)sw_advdb_count(&db->advdb, SW_ADVDB_PACKAGES),
           (unsigned long long)sw_advdb_count(&db->advdb, SW_ADVDB_ROWS));
    printf("%-14s %10s %10s  %-20s  %-20s  %s\n", "SOURCE", "ADVISORIES", "ROWS", "NEWEST",
           "FETCHED", "LICENCE, PLACE");
    for (size_t i = 0; i < s->n_sources; i++) {
        const struct sw_scan_source_status *q = &s->sources[i];
        printf("%-14.*s %10lld %10lld  %-20.*s  %-20.*s  %.*s%s%.*s\n", SW_ARG(q->name),
               (long long)q->advisories, (long long)q->rows, SW_ARG(day(q->date, x)),
               SW_ARG(day(q->fetched, y)), SW_ARG(q->licence), q->licence.len ? "; " : "",
               SW_ARG(q->location));
    }
    int64_t age = (sw_now_unix_s() - s->oldest_fetch) / 86400;
    if (age > 7)
        fprintf(stderr,
                "slipway: the advisories were checked %lld days ago; run `slipway db update`\n",
                (long long)age);
}

static enum sw_code open_db(struct sw_invocation *inv, struct sw_scan_db *db,
                            struct sw_error *err) {
    const char *root, *dir;
    enum sw_code code = sw_scan_state_dir(inv, &root, &dir, err);
    return code ? code : sw_scan_db_open(dir, db, err);
}

static enum sw_code run_status(struct sw_invocation *inv, struct sw_error *err) {
    SW_SCAN_DB struct sw_scan_db db = {0};
    struct sw_scan_db_status status;
    struct sw_str manifest;
    enum sw_code code = open_db(inv, &db, err);
    if (!code) code = sw_scan_db_status(inv->arena, &db, &status, err);
    if (!code) code = sw_advdb_manifest(&db.advdb, &manifest, err);
    if (code) return code;
    if (inv->format && !strcmp(inv->format, "json"))
        printf("%.*s\n", SW_ARG(manifest));
    else
        print_status(&db, &status);
    return SW_OK;
}

const struct sw_command sw_cmd_db_status = {
    .name = "db status",
    .args = "[--format json]",
    .summary = "Say what the advisory database is made of, and how old it is",
    .run = run_status,
};

/* --- verify, export, import ------------------------------------------------------------------ */

static enum sw_code run_verify(struct sw_invocation *inv, struct sw_error *err) {
    SW_SCAN_DB struct sw_scan_db db = {0};
    enum sw_code code =
        inv->n_args ? sw_scan_db_open_file(inv->args[0], &db, err) : open_db(inv, &db, err);
    if (!code) code = sw_advdb_verify(&db.advdb, err);
    if (!code) printf("every page and the digest match\n");
    return code;
}

const struct sw_command sw_cmd_db_verify = {
    .name = "db verify",
    .args = "[FILE]",
    .summary = "Check every byte of the advisory database",
    .max_args = 1,
    .run = run_verify,
};

static enum sw_code run_export(struct sw_invocation *inv, struct sw_error *err) {
    SW_SCAN_DB struct sw_scan_db db = {0};
    enum sw_code code = open_db(inv, &db, err);
    if (!code) code = sw_advdb_verify(&db.advdb, err);
    if (code) return code;
    if (!strcmp(inv->args[0], "-")) return sw_write_full(STDOUT_FILENO, db.map, db.size, err);
    const char *slash = strrchr(inv->args[0], '/');
    const char *dir =
        !slash ? "."
        : slash == inv->args[0]
            ? "/"
            : sw_arena_cstr(inv->arena, sw_str_n(inv->args[0], (size_t)(slash - inv->args[0])));
    SW_FD int fd = -1;
    code = sw_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (!code)
        code = sw_write_file_at(fd, slash ? slash + 1 : inv->args[0], 0644,
                                sw_str_n(db.map, db.size), err);
    return code;
}

const struct sw_command sw_cmd_db_export = {
    .name = "db export",
    .args = "FILE|-",
    .summary = "Write the advisory database to a file, for a machine without network",
    .min_args = 1,
    .max_args = 1,
    .run = run_export,
};

static enum sw_code run_import(struct sw_invocation *inv, struct sw_error *err) {
    const char *root, *dir;
    enum sw_code code = sw_scan_state_dir(inv, &root, &dir, err);
    return code ? code : sw_scan_db_import(dir, inv->args[0], err);
}

const struct sw_command sw_cmd_db_import = {
    .name = "db import",
    .args = "FILE",
    .summary = "Verify an exported advisory database and use it",
    .min_args = 1,
    .max_args = 1,
    .run = run_import,
};
