#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cmd/go_common.h"
#include "cmd/scan_session.h"
#include "cmd/scan_state.h"
#include "cmd/table.h"
#include "cmd/version.h"
#include "codec/hex.h"
#include "scan/audit.h"
#include "scan/triage.h"

static const struct sw_option options[] = {
    {"input", 0, "FILE", "scan an archive (docker save, OCI) or an OCI layout directory"},
    {"rootfs", 0, "DIR", "scan a directory as the root of a file system"},
    {"binary", 0, "FILE", "scan one program"},
    {"sbom", 0, "FILE", "compare a CycloneDX or SPDX document (JSON)"},
    {"severity", 's', "LIST", "list, and fail on, these severities only: CRITICAL,HIGH"},
    {"ignore-unfixed", 0, NULL, "leave out findings without a fix"},
    {"policy", 0, "FILE", "the rules of the verdict (YAML)"},
    {"ignorefile", 0, "FILE",
     "findings that were accepted (default: .slipwayignore, .trivyignore)"},
    {"vex", 0, "FILE", "OpenVEX statements", SW_OPT_LIST},
    {"show-suppressed", 0, NULL, "list what was ignored or cleared, too"},
    {"severity-order", 0, "LIST", "whose rating decides: own,nvd,ghsa,bitnami ..."},
    {"exit-code", 0, "N", "exit status where the verdict is fail (default 10; as trivy: 0)"},
    {"output", 'o', "FILE", "write the report to a file"},
    {"predicate", 0, "FILE", "write the verdict as an in-toto predicate (JSON)"},
    {"sign-key", 0, "FILE", "sign the verdict with this private key (PEM)"},
    {"attestation", 0, "FILE", "where the signed verdict is written (DSSE)"},
    {"attach", 0, NULL, "attach the signed verdict to the image in its registry"},
    SCAN_DB_OPTIONS,
    {"platform", 0, "OS/ARCH", "which image of several"},
    {"image-src", 0, "LIST", "where images are looked for, in order: local, remote"},
    REMOTE_OPTIONS,
    {"insecure", 0, NULL, "certificates of the image's registry unchecked, http allowed"},
    {"username", 0, "NAME", "at the image's registry", SW_OPT_HIDDEN},
    {"password", 0, "TEXT", "at the image's registry", SW_OPT_HIDDEN},
    {"no-advisories", 0, NULL,
     "compare with nothing: what the policy says of Go releases and labels"},
    {"image", 0, "NAME", "which image of an archive"},
    {"no-cache", 0, NULL, "read every layer again"},
    {"quiet", 'q', NULL, "no progress"},
    {"as", 0, "KIND", "what the argument is: image, rootfs, binary or sbom", SW_OPT_HIDDEN, NULL,
     "image|rootfs|binary|sbom"},
    {"report-format", 'f', "FORMAT", "the same as --format", SW_OPT_HIDDEN},
    {"pkg-types", 0, "LIST", "what is compared: os, library (both)"},
    {"skip-dirs", 0, "DIR", "leave out what is below (stars stand for anything)", SW_OPT_LIST},
    {"skip-files", 0, "FILE", "leave out (stars stand for anything)", SW_OPT_LIST},
    {"offline-scan", 0, NULL, "ask no registry"},
    {"list-all-pkgs", 0, NULL, "--format trivy: list packages without findings, too"},
    {"exit-on-eol", 0, "N", "exit status where the distribution is past its end"},
    /* trivy's words */
    {"template", 't', "FILE", "of --format template: gitlab.tpl, junit.tpl, html.tpl",
     SW_OPT_HIDDEN},
    {"download-db-only", 0, NULL, "slipway db update", SW_OPT_HIDDEN},
    {"scanners", 0, "LIST", "vuln; others are refused", SW_OPT_HIDDEN},
    {"security-checks", 0, "LIST", "vuln; others are refused", SW_OPT_HIDDEN},
    {"vuln-type", 0, "LIST", "see --pkg-types", SW_OPT_HIDDEN},
    {"skip-db-update", 0, NULL, "scanning never fetches", SW_OPT_IGNORED},
    {"skip-java-db-update", 0, NULL, "scanning never fetches", SW_OPT_IGNORED},
    {"skip-update", 0, NULL, "scanning never fetches", SW_OPT_IGNORED},
    {"skip-version-check", 0, NULL, "there is none", SW_OPT_IGNORED},
    {"disable-telemetry", 0, NULL, "there is none", SW_OPT_IGNORED},
    {"db-repository", 0, "NAME", "see slipway db update", SW_OPT_IGNORED},
    {"java-db-repository", 0, "NAME", "see slipway db update", SW_OPT_IGNORED},
    {"cache-dir", 0, "DIR", "see --root", SW_OPT_IGNORED},
    {"cache-backend", 0, "NAME", "see --root", SW_OPT_IGNORED},
    {"detection-priority", 0, "WORD", "both are looked at", SW_OPT_IGNORED},
    {"parallel", 0, "N", "all processors are used", SW_OPT_IGNORED},
    {"no-progress", 0, NULL, "see --quiet", SW_OPT_IGNORED},
    {"dependency-tree", 0, NULL, "not shown", SW_OPT_IGNORED},
    {"debug", 'd', NULL, "see --log-level", SW_OPT_IGNORED},
    {"timeout", 0, "TIME", "scanning ends by itself", SW_OPT_IGNORED},
    {NULL},
};

/* --- options --------------------------------------------------------------------------------- */

static enum sw_code check_scanners(const struct sw_invocation *inv, const char *option,
                                   struct sw_error *err) {
    const char *text = sw_opt(inv, option);
    struct sw_str rest = sw_str(text), word;
    while (text && sw_str_next(&rest, ',', &word))
        if (!sw_str_is(word, "vuln"))
            return sw_fail(err, SW_USAGE, "--%s %.*s: this scanner looks for vulnerabilities only",
                           option, SW_ARG(word));
    return SW_OK;
}

static const char *const *split_list(struct sw_arena *a, const char *text) {
    struct sw_str rest = sw_str(text), word;
    size_t n = 2;
    for (const char *p = text; *p; p++) n += *p == ',';
    const char **list = sw_arena_array(a, n, sizeof *list);
    n = 0;
    while (sw_str_next(&rest, ',', &word)) list[n++] = sw_arena_cstr(a, sw_str_trim(word));
    return list;
}

static enum sw_code read_text(struct sw_arena *a, const char *path, struct sw_str *ret,
                              struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 0);
    enum sw_code code = sw_read_file_at(AT_FDCWD, path, 64 << 20, &text, err);
    if (!code) *ret = sw_arena_str(a, sw_buf_str(&text));
    return code;
}

/* The templates that Trivy ships are formats here. */
static const char *template_format(const char *path) {
    static const char *const known[] = {"gitlab", "junit", "html"};
    const char *slash = path ? strrchr(path, '/') : NULL;
    struct sw_str name = sw_str(slash ? slash + 1 : path ? path : "");
    if (sw_str_starts(name, SW_STR("@"))) name = sw_str_from(name, 1);
    for (int i = 0; i < 3; i++)
        if (sw_str_starts(name, sw_str(known[i])) && sw_str_ends(name, SW_STR(".tpl")))
            return known[i];
    return "template"; /* which is refused */
}

static struct sw_str sha256_of(struct sw_arena *a, struct sw_str bytes) {
    char hex[SW_DIGEST_TEXT_MAX];
    struct sw_digest d = sw_digest_of(SW_SHA256, bytes);
    return sw_arena_str(a, sw_digest_hex(&d, hex));
}

static enum sw_code read_options(struct scan_session *s, struct sw_error *err) {
    const struct sw_invocation *inv = s->inv;
    const char *format = sw_opt(inv, "report-format"), *severity = sw_opt(inv, "severity");
    const char *policy = sw_opt(inv, "policy"), *order = sw_opt(inv, "severity-order");
    if (!format) format = inv->format ? inv->format : "table";
    if (!strcmp(format, "template")) format = template_format(sw_opt(inv, "template"));
    /* Scripts that call trivy read trivy's documents. */
    if (s->trivy && !strcmp(format, "json")) format = "trivy";
    enum sw_code code = check_scanners(inv, "scanners", err);
    if (!code) code = check_scanners(inv, "security-checks", err);
    if (!code && !sw_report_format_parse(sw_str(format), &s->format))
        code = sw_fail(err, SW_USAGE, "--format %s: choose from " SW_REPORT_FORMATS, format);
    if (code) return code;
    sw_policy_default(&s->policy);
    if (policy) {
        struct sw_str text;
        code = read_text(inv->arena, policy, &text, err);
        if (!code) s->report.policy_sha256 = sha256_of(inv->arena, text);
        if (!code) code = sw_policy_parse(inv->arena, text, &s->policy, err);
        if (code) return sw_context(err, "%s", policy);
    }
    for (int i = 0; i < SW_SEVERITY_COUNT; i++) s->report.severities[i] = true;
    if (severity) {
        code = sw_policy_severities(sw_str(severity), s->report.severities, err);
        memcpy(s->policy.severities, s->report.severities, sizeof s->policy.severities);
    } else if (s->trivy) {
        memcpy(s->policy.severities, s->report.severities, sizeof s->policy.severities);
    }
    if (sw_opt_flag(inv, "ignore-unfixed")) s->report.fixed_only = s->policy.fixed_only = true;
    if (order) s->severity_order = split_list(inv->arena, order);
    s->report.suppressed = sw_opt_flag(inv, "show-suppressed");
    s->report.all_packages = sw_opt_flag(inv, "list-all-pkgs");
    return code;
}

/* --- triage ---------------------------------------------------------------------------------- */

static enum sw_code apply_ignore_file(struct scan_session *s, struct sw_error *err) {
    static const char *const usual[] = {".slipwayignore", ".slipwayignore.yaml", ".trivyignore",
                                        ".trivyignore.yaml"};
    const char *path = sw_opt(s->inv, "ignorefile");
    struct sw_arena *a = s->inv->arena;
    struct sw_str text;
    struct sw_strs notes = {0};
    for (int i = 0; i < 4 && !path; i++)
        if (access(usual[i], F_OK) == 0) path = usual[i];
    if (!path) return SW_OK;
    bool yaml =
        sw_str_ends(sw_str(path), SW_STR(".yaml")) || sw_str_ends(sw_str(path), SW_STR(".yml"));
    enum sw_code code = read_text(a, path, &text, err);
    if (!code)
        code = (yaml ? sw_triage_ignore_yaml : sw_triage_ignore)(a, text, &s->inventory.os,
                                                                 &s->matches, s->now, &notes, err);
    for (size_t i = 0; i < notes.len && !code; i++)
        fprintf(stderr, "slipway: %s: %.*s\n", path, SW_ARG(notes.ptr[i]));
    return code ? sw_context(err, "%s", path) : SW_OK;
}

static enum sw_code apply_vex(struct scan_session *s, struct sw_error *err) {
    size_t n;
    const char *const *files = sw_opt_list(s->inv, "vex", &n);
    for (size_t i = 0; i < n; i++) {
        struct sw_str text;
        enum sw_code code = read_text(s->inv->arena, files[i], &text, err);
        if (!code) code = sw_triage_vex(s->inv->arena, text, s->inventory.target, &s->matches, err);
        if (code) return sw_context(err, "%s", files[i]);
    }
    return SW_OK;
}

/* --- output ---------------------------------------------------------------------------------- */

static enum sw_code write_out(struct scan_session *s, const char *path, const struct sw_buf *text,
                              struct sw_error *err) {
    enum sw_code code = sw_buf_check(text, "the report", err);
    if (code) return code;
    if (!path) {
        fwrite(text->ptr, 1, text->len, stdout);
        return SW_OK;
    }
    (void)s;
    SW_FD int fd = -1;
    code = sw_open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, err);
    return code ? code : sw_write_full(fd, text->ptr, text->len, err);
}

static enum sw_code print_report(struct scan_session *s, struct sw_error *err) {
    const char *output = sw_opt(s->inv, "output");
    struct winsize size = {0};
    struct sw_report *r = &s->report;
    bool terminal = !output && isatty(STDOUT_FILENO);
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) r->width = size.ws_col;
    r->inventory = &s->inventory;
    r->matches = &s->matches;
    r->decision = &s->decision;
    r->policy = &s->policy;
    r->data_time = s->status.oldest_fetch;
    r->now = s->now;
    char hex[64];
    sw_hex_encode(s->db.advdb.digest, sizeof s->db.advdb.digest, hex);
    r->data_sha256 = sw_arena_str(s->inv->arena, sw_str_n(hex, sizeof hex));
    r->program_version = sw_version_text();
    r->color = !output && s->inv->color;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 0);
    sw_report_write(s->format, r, s->inv->arena, &out);
    enum sw_code code = write_out(s, output, &out, err);
    /* A machine's report says it inside; a person who reads something else hears it as well. */
    if (!code && (s->format != SW_REPORT_TABLE || output) && s->decision.verdict != SW_VERDICT_PASS)
        for (size_t i = 0; i < s->decision.reasons.len; i++)
            fprintf(stderr, "slipway: %s: %.*s\n", sw_verdict_name(s->decision.verdict),
                    SW_ARG(s->decision.reasons.ptr[i]));
    return code;
}

static enum sw_code choose_exit(struct scan_session *s, struct sw_error *err) {
    uint64_t on_fail = s->trivy ? 0 : SW_EXIT_FAIL;
    bool asked = sw_opt(s->inv, "exit-code") != NULL;
    uint64_t on_eol = 0;
    enum sw_code code = sw_opt_u64(s->inv, "exit-code", &on_fail, err);
    if (!code) code = sw_opt_u64(s->inv, "exit-on-eol", &on_eol, err);
    if (!code && on_eol > 255) code = sw_fail(err, SW_USAGE, "--exit-on-eol: 0 to 255");
    if (!code && on_fail > 255) code = sw_fail(err, SW_USAGE, "--exit-code: 0 to 255");
    if (code) return code;
    /* As trivy, nobody is stopped who did not ask for it; who asks must not take a scan that saw
     * too little for a clean one. */
    if (s->decision.verdict == SW_VERDICT_FAIL)
        s->inv->exit_status = (int)on_fail;
    else if (s->decision.verdict == SW_VERDICT_CANNOT_TELL && (!s->trivy || (asked && on_fail)))
        s->inv->exit_status = SW_EXIT_CANNOT_TELL;
    if (on_eol && s->matches.os_eol && s->now >= s->matches.os_eol)
        s->inv->exit_status = (int)on_eol;
    return SW_OK;
}

static enum sw_code open_data(struct scan_session *s, struct sw_error *err) {
    if (sw_opt_flag(s->inv, "no-advisories")) return sw_scan_db_none(&s->db, err);
    enum sw_code code = sw_scan_database_open(s->inv, s->dir, &s->db, err);
    return code ? code : sw_scan_db_status(s->inv->arena, &s->db, &s->status, err);
}

static enum sw_code match(struct scan_session *s, struct sw_error *err) {
    struct sw_match_options o = {.now = s->now, .severity_order = s->severity_order};
    bool programs = false;
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < s->inventory.n_artifacts; i++)
        programs = programs || s->inventory.artifacts[i].kind == SW_SCAN_GO_BINARY;
    if (programs) {
        code = sw_go_releases_read(s->inv->arena, &s->db.advdb, go_newest_line(s->inv),
                                   &s->releases, err);
        o.releases = &s->releases;
    }
    if (!code) code = sw_match(s->inv->arena, &s->db.advdb, &s->inventory, &o, &s->matches, err);
    if (!code && sw_opt_flag(s->inv, "no-advisories")) {
        /* One doubt says it, not one for each kind of package. */
        size_t kept = 0;
        for (size_t i = 0; i < s->matches.n_doubts; i++)
            if (s->matches.doubts[i].kind != SW_DOUBT_OS)
                s->matches.doubts[kept++] = s->matches.doubts[i];
        s->matches.n_doubts = kept;
        s->policy.stale_days = 0;
        sw_matches_doubt(s->inv->arena, &s->matches, SW_DOUBT_NO_DATA, SW_STR(""),
                         SW_STR("nothing was compared with advisories"));
    }
    return code;
}

/* What clears the Go findings, where they stopped something: found and proved as the audit does. */
static enum sw_code advise(struct scan_session *s, struct sw_error *err) {
    struct sw_audit_row row;
    bool programs = false;
    for (size_t i = 0; i < s->matches.n_findings; i++)
        programs = programs || s->matches.findings[i].artifact->kind == SW_SCAN_GO_BINARY;
    if (!programs || s->decision.verdict == SW_VERDICT_PASS) return SW_OK;
    enum sw_code code = sw_audit_image(s->inv->arena, &s->db.advdb, &s->releases, &s->inventory,
                                       &s->policy, s->status.oldest_fetch, s->now, &row, err);
    if (!code) s->report.action = row.action;
    return code;
}

static enum sw_code scan(struct scan_session *s, struct sw_error *err) {
    enum sw_code code = sw_scan_state_dir(s->inv, &s->root, &s->dir, err);
    if (!code) code = read_options(s, err);
    if (!code) code = open_data(s, err);
    if (!code) code = scan_read_target(s, err);
    if (code) return code;
    code = match(s, err);
    if (!code) code = apply_ignore_file(s, err);
    if (!code) code = apply_vex(s, err);
    if (code) return code;
    sw_policy_decide(s->inv->arena, &s->policy, &s->inventory, &s->matches, s->status.oldest_fetch,
                     s->now, &s->decision);
    code = advise(s, err);
    if (!code) code = print_report(s, err);
    if (!code) code = scan_attest(s, err);
    return code ? code : choose_exit(s, err);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    struct scan_session s = {.inv = inv, .now = sw_now_unix_s()};
    remote_lazy_init(&s.remote, inv);
    s.trivy = !strcmp(inv->program, "trivy");
    inv->arena->cap = (size_t)4 << 30; /* inventories of large images live in it */
    enum sw_code code =
        sw_opt_flag(inv, "download-db-only") ? sw_db_update_usual(inv, err) : scan(&s, err);
    sw_scan_db_close(&s.db);
    sw_store_free(s.store);
    remote_lazy_done(&s.remote);
    return code;
}

const struct sw_command sw_cmd_scan = {
    .name = "scan",
    .args = "IMAGE|--input ARCHIVE|--rootfs DIR|--binary FILE|--sbom FILE",
    .summary = "Find known vulnerabilities in an image, and decide",
    .description =
        "Reads the package databases of Debian, Alpine and Red Hat's kin and the Go programs of "
        "an image from its layers, compares them with the advisory database (slipway db update) "
        "and says what is wrong, what fixes it, in which layer it came, and for Go programs "
        "whether the vulnerable code is linked at all.\n\n"
        "The verdict is pass (exit status 0), fail (10) or cannot tell (11): a file that could not "
        "be read, stale data, a distribution past its end and findings that nobody rated are not "
        "taken for clean. Without --policy, HIGH, CRITICAL and known-exploited findings fail. "
        "Formats: " SW_REPORT_FORMATS ".\n\n"
        "Called through a link named trivy, it takes that program's words and, like it, stops "
        "nobody without --exit-code.",
    .examples = "slipway scan myapp:1.4\n"
                "slipway scan --severity HIGH,CRITICAL --ignore-unfixed --input app.tar\n"
                "slipway scan --format sarif -o report.sarif myapp:1.4\n"
                "slipway scan --binary ./server",
    .options = options,
    .max_args = 1,
    .run = run,
};
