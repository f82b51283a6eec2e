#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/proc.h"
#include "cmd/scan_state.h"
#include "cmd/signing.h"
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

static enum sw_code update(struct sw_invocation *inv, struct sw_scan_update *options,
                           struct sw_error *err) {
    const char *root, *dir;
    struct sw_scan_update_result result;
    enum sw_code code = sw_scan_state_dir(inv, &root, &dir, err);
    if (code) return code;
    bool quiet = sw_opt_flag(inv, "quiet");
    struct sw_progress *progress = sw_progress_new(quiet ? SW_PROGRESS_QUIET : SW_PROGRESS_AUTO,
                                                   STDERR_FILENO, inv->color_err);
    options->dir = dir;
    options->goproxy = goproxy(inv->arena);
    options->now = sw_now_unix_s();
    options->progress = progress;
    code = sw_scan_update(options, &result, err);
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

static enum sw_code run_update(struct sw_invocation *inv, struct sw_error *err) {
    size_t n;
    struct sw_scan_update options = {.sources = inv->args,
                                     .insecure = sw_opt_list(inv, "insecure", &n),
                                     .offline = sw_opt_flag(inv, "offline")};
    return update(inv, &options, err);
}

enum sw_code sw_db_update_usual(struct sw_invocation *inv, struct sw_error *err) {
    static const char *const none[] = {NULL};
    struct sw_scan_update options = {.sources = none, .insecure = none};
    return update(inv, &options, err);
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
        "Go rates none of its advisories: their severities come from another source that knows the "
        "same CVE, such as osv:Bitnami.\n\nWhat did not change is not fetched again. If a source "
        "cannot be fetched or understood, "
        "the database stays as it was.",
    .examples =
        "slipway db update  # Go, through GOPROXY\n"
        "slipway db update golang.org/x/vulndb osv:Bitnami osv:Debian osv:Alpine kev epss  # more\n"
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

static const struct sw_option verify_options[] = {
    {"key", 0, "FILE", "the public key that signed it (SLIPWAY_DB_KEY)"},
    {"signature", 0, "FILE", "where its signature is (the file's name and .sig)"},
    {NULL},
};

static enum sw_code run_verify(struct sw_invocation *inv, struct sw_error *err) {
    SW_SCAN_DB struct sw_scan_db db = {0};
    const char *root, *dir;
    enum sw_code code = sw_scan_state_dir(inv, &root, &dir, err);
    if (code) return code;
    const char *given = sw_opt(inv, "key");
    const char *path =
        inv->n_args ? inv->args[0] : sw_arena_printf(inv->arena, "%s/%s", dir, SW_SCAN_DB_NAME).ptr;
    /* What was compiled here bears no signature: it is asked for only where that is meant. */
    const char *key = given || inv->n_args ? sw_scan_db_key(inv, given, dir) : NULL;
    code = sw_scan_db_open_file(path, &db, err);
    if (!code) code = sw_advdb_verify(&db.advdb, err);
    if (!code && key)
        code = sw_scan_db_check_signature(inv, &db, path, sw_opt(inv, "signature"), key, err);
    if (code) return code;
    printf("every page and the digest match\n");
    if (key) printf("signed by the key in %s\n", key);
    return SW_OK;
}

const struct sw_command sw_cmd_db_verify = {
    .name = "db verify",
    .args = "[FILE]",
    .summary = "Check every byte of the advisory database, and its signature",
    .options = verify_options,
    .max_args = 1,
    .run = run_verify,
};

static const struct sw_option export_options[] = {
    {"sign-key", 0, "FILE", "sign it with this private key: FILE.sig"},
    {NULL},
};

/* The directory and the name of a path. */
static enum sw_code open_parent(struct sw_invocation *inv, const char *path, int *ret,
                                const char **ret_name, struct sw_error *err) {
    const char *slash = strrchr(path, '/');
    const char *dir = !slash ? "."
                      : slash == path
                          ? "/"
                          : sw_arena_cstr(inv->arena, sw_str_n(path, (size_t)(slash - path)));
    *ret_name = slash ? slash + 1 : path;
    return sw_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

static enum sw_code sign_database(struct sw_invocation *inv, const struct sw_scan_db *db,
                                  const char *key, const char *name, struct sw_str *ret,
                                  struct sw_error *err) {
    struct sw_statement_subject subject = {sw_str(name),
                                           sw_digest_of(SW_SHA256, sw_str_n(db->map, db->size))};
    struct sw_str manifest;
    enum sw_code code = sw_advdb_manifest(&db->advdb, &manifest, err);
    return code ? code
                : signing_seal(inv->arena, key, SW_PREDICATE_DB, &subject, 1, manifest, ret, err);
}

static enum sw_code run_export(struct sw_invocation *inv, struct sw_error *err) {
    SW_SCAN_DB struct sw_scan_db db = {0};
    SW_FD int fd = -1;
    const char *path = inv->args[0], *name, *key = sw_opt(inv, "sign-key");
    struct sw_str signature = {0};
    enum sw_code code = open_db(inv, &db, err);
    if (!code) code = sw_advdb_verify(&db.advdb, err);
    if (code) return code;
    if (!strcmp(path, "-")) {
        if (key) return sw_fail(err, SW_USAGE, "--sign-key needs a FILE to put FILE.sig beside");
        return sw_write_full(STDOUT_FILENO, db.map, db.size, err);
    }
    code = open_parent(inv, path, &fd, &name, err);
    if (!code && key) code = sign_database(inv, &db, key, name, &signature, err);
    if (!code) code = sw_write_file_at(fd, name, 0644, sw_str_n(db.map, db.size), err);
    const char *sig_name = sw_arena_printf(inv->arena, "%s%s", name, SW_SCAN_DB_SIGNATURE).ptr;
    if (!code && key) code = sw_write_file_at(fd, sig_name, 0644, signature, err);
    return code;
}

const struct sw_command sw_cmd_db_export = {
    .name = "db export",
    .args = "[--sign-key KEY] FILE|-",
    .summary = "Write the advisory database to a file, for other machines",
    .description =
        "With --sign-key, FILE.sig holds a signed in-toto statement about FILE's digest, "
        "which `db import`, `db verify` and `scan --db` check where a key is configured. "
        "`slipway key generate` makes keys.",
    .examples = "slipway db export --sign-key release.key advisories.db",
    .options = export_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_export,
};

static const struct sw_option import_options[] = {
    {"key", 0, "FILE", "the public key that must have signed it (SLIPWAY_DB_KEY)"},
    {"signature", 0, "FILE", "where its signature is (the file's name and .sig)"},
    {"allow-older", 0, NULL, "also one that was built before the one that is here"},
    {NULL},
};

/* A signature says who made it, not that it is the newest: an old one is refused by its age. */
static enum sw_code check_age(struct sw_invocation *inv, const struct sw_scan_db *db,
                              const char *dir, struct sw_error *err) {
    SW_SCAN_DB struct sw_scan_db here = {0};
    struct sw_error ignored;
    if (sw_opt_flag(inv, "allow-older") || sw_scan_db_open(dir, &here, &ignored)) return SW_OK;
    if (db->advdb.built >= here.advdb.built) return SW_OK;
    char x[SW_RFC3339_MAX], y[SW_RFC3339_MAX];
    sw_fail(err, SW_DENIED, "it was built at %.*s, before the one that is here (%.*s)",
            SW_ARG(sw_rfc3339_format(db->advdb.built, 0, x)),
            SW_ARG(sw_rfc3339_format(here.advdb.built, 0, y)));
    return sw_advise(err, "; --allow-older takes it all the same");
}

static enum sw_code run_import(struct sw_invocation *inv, struct sw_error *err) {
    SW_SCAN_DB struct sw_scan_db db = {0};
    const char *root, *dir, *path = inv->args[0];
    enum sw_code code = sw_scan_state_dir(inv, &root, &dir, err);
    if (code) return code;
    const char *key = sw_scan_db_key(inv, sw_opt(inv, "key"), dir);
    code = sw_scan_db_open_file(path, &db, err);
    if (!code && key)
        code = sw_scan_db_check_signature(inv, &db, path, sw_opt(inv, "signature"), key, err);
    if (!code) code = check_age(inv, &db, dir, err);
    return code ? code : sw_scan_db_install(dir, &db, err);
}

const struct sw_command sw_cmd_db_import = {
    .name = "db import",
    .args = "FILE",
    .summary = "Verify an exported advisory database and use it",
    .description = "Where a key is configured (--key, SLIPWAY_DB_KEY or advisories.pub in the "
                   "state's directory), FILE.sig must be a signature of FILE by that key.",
    .examples = "slipway db import --key release.key.pub advisories.db",
    .options = import_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_import,
};
