/* The advisory database and matching: written, damaged, looked up, compared. */
#include "advisory/db_build.h"
#include "base/map.h"
#include "scan/eol.h"
#include "scan/policy.h"
#include "scan/triage.h"
#include "unit.h"
#include <unistd.h>

static const char *const documents[] = {
    /* two ranges, packages and functions; no severity of its own */
    "{\"id\":\"GO-2099-0001\",\"modified\":\"2099-01-02T00:00:00Z\",\"aliases\":[\"CVE-2099-1\"],"
    "\"summary\":\"a parser does not end\",\"affected\":[{\"package\":{\"ecosystem\":\"Go\","
    "\"name\":\"example.org/lib\"},\"ranges\":[{\"type\":\"SEMVER\",\"events\":[{\"introduced\":"
    "\"0\"},{\"fixed\":\"1.2.3\"},{\"introduced\":\"1.3.0\"},{\"fixed\":\"1.3.5\"}]}],"
    "\"ecosystem_specific\":{\"imports\":[{\"path\":\"example.org/lib/parse\",\"symbols\":"
    "[\"Tree.Walk\"]}]}}]}",
    /* the same by another name, with a severity */
    "{\"id\":\"GHSA-aaaa-bbbb-cccc\",\"aliases\":[\"CVE-2099-1\"],\"severity\":[{\"type\":"
    "\"CVSS_V3\",\"score\":\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H\"}],\"affected\":"
    "[{\"package\":{\"ecosystem\":\"Go\",\"name\":\"example.org/lib\"},\"ranges\":[{\"type\":"
    "\"SEMVER\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"1.3.5\"}]}]}]}",
    "{\"id\":\"DEBIAN-CVE-2099-2\",\"upstream\":[\"CVE-2099-2\"],\"affected\":[{\"package\":"
    "{\"ecosystem\":\"Debian:12\",\"name\":\"zlib\"},\"ranges\":[{\"type\":\"ECOSYSTEM\","
    "\"events\":[{\"introduced\":\"0\"}]}],\"ecosystem_specific\":{\"urgency\":\"low\"}}]}",
    "{\"id\":\"DEBIAN-CVE-2099-3\",\"upstream\":[\"CVE-2099-3\"],\"affected\":[{\"package\":"
    "{\"ecosystem\":\"Debian:12\",\"name\":\"zlib\"},\"ranges\":[{\"type\":\"ECOSYSTEM\","
    "\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"1:1.2.14-1\"}]}]}]}",
    "{\"id\":\"GO-2099-0009\",\"withdrawn\":\"2099-01-01T00:00:00Z\",\"affected\":[{\"package\":"
    "{\"ecosystem\":\"Go\",\"name\":\"example.org/lib\"},\"ranges\":[{\"type\":\"SEMVER\","
    "\"events\":[{\"introduced\":\"0\"}]}]}]}",
    "{\"id\":\"PYSEC-1\",\"affected\":[{\"package\":{\"ecosystem\":\"PyPI\",\"name\":\"x\"}}]}",
};

static struct sw_buf file;

static int build_file(void **state) {
    (void)state;
    struct sw_error err;
    struct sw_advdb_counts counts = {0};
    struct sw_advdb_builder *b = sw_advdb_builder_new();
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_osv osv;
        sw_arena_init(&a, 0);
        assert_ok(sw_osv_parse(&a, sw_str(documents[i]), &osv, &err), err);
        assert_ok(
            sw_advdb_add(b, sw_str_starts(osv.id, SW_STR("GHSA")) ? SW_STR("ghsa") : SW_STR("go"),
                         &osv, &counts, &err),
            err);
    }
    sw_advdb_add_kev(b, SW_STR("CVE-2099-3"), 40000, 40010, true);
    sw_advdb_add_epss(b, SW_STR("CVE-2099-1"), 970000, 999000);
    assert_int_equal(counts.advisories, 5);
    assert_int_equal(counts.withdrawn, 1);
    assert_int_equal(counts.skipped, 1);
    sw_buf_init(&file, 0);
    assert_ok(sw_advdb_build(b, 1000, SW_STR("{\"sources\":[]}"), &file, &err), err);
    sw_advdb_builder_free(b);
    return 0;
}

static int drop_file(void **state) {
    (void)state;
    sw_buf_done(&file);
    return 0;
}

static void open_db(struct sw_advdb *db) {
    struct sw_error err;
    assert_ok(sw_advdb_open(db, sw_buf_str(&file), &err), err);
}

static void the_same_documents_give_the_same_bytes(void **state) {
    struct sw_buf first = file;
    build_file(state);
    assert_int_equal(first.len, file.len);
    assert_memory_equal(first.ptr, file.ptr, file.len);
    sw_buf_done(&first);
}

static void packages_are_found_by_ecosystem_and_name(void **state) {
    (void)state;
    SW_ADVDB struct sw_advdb db = {0};
    struct sw_error err;
    struct sw_advdb_package p;
    bool found;
    uint32_t go = 0, none;
    open_db(&db);
    assert_ok(sw_advdb_verify(&db, &err), err);
    assert_ok(sw_advdb_ecosystem(&db, SW_STR("Go"), &found, &go, &err), err);
    assert_true(found);
    assert_ok(sw_advdb_find(&db, go, SW_STR("example.org/lib"), &p, &err), err);
    assert_int_equal(p.rows.count, 2);
    assert_ok(sw_advdb_find(&db, go, SW_STR("zlib"), &p, &err), err);
    assert_int_equal(p.rows.count, 0);
    assert_ok(sw_advdb_ecosystem(&db, SW_STR("PyPI"), &found, &none, &err), err);
    assert_false(found);
}

/* Every byte that is not padding of the header's page is covered by some checksum. */
static void no_damaged_byte_goes_unnoticed(void **state) {
    (void)state;
    char *copy = test_malloc(file.len);
    memcpy(copy, file.ptr, file.len);
    for (size_t i = 0; i < file.len; i++) {
        if (i == 272) i = SW_ADVDB_PAGE;
        struct sw_advdb db = {0};
        struct sw_error err;
        copy[i] ^= 0x20;
        enum sw_code code = sw_advdb_open(&db, sw_str_n(copy, file.len), &err);
        if (!code) code = sw_advdb_verify(&db, &err);
        if (!code) fail_msg("a change of byte %zu was not noticed", i);
        sw_advdb_done(&db);
        copy[i] ^= 0x20;
    }
    for (size_t len = 0; len < file.len; len += 97) {
        struct sw_advdb db = {0};
        struct sw_error err;
        assert_true(sw_advdb_open(&db, sw_str_n(copy, len), &err) != SW_OK);
    }
    test_free(copy);
}

static bool is_affected(const struct sw_advdb *db, const char *ecosystem, const char *name,
                        unsigned index, enum sw_version_scheme scheme, const char *version,
                        struct sw_str *ret_fixed) {
    struct sw_error err;
    struct sw_advdb_package p;
    struct sw_advdb_row row;
    struct sw_range_result r;
    bool found;
    uint32_t number = 0;
    assert_ok(sw_advdb_ecosystem(db, sw_str(ecosystem), &found, &number, &err), err);
    assert_ok(sw_advdb_find(db, number, sw_str(name), &p, &err), err);
    assert_true(index < p.rows.count);
    assert_ok(sw_advdb_row_at(db, p.rows.first + index, &row, &err), err);
    assert_ok(sw_match_row(db, &row, scheme, sw_str(version), &r, &err), err);
    *ret_fixed = r.fixed;
    return r.affected;
}

static void ranges_are_half_open_and_name_the_next_fix(void **state) {
    (void)state;
    SW_ADVDB struct sw_advdb db = {0};
    struct sw_str fixed;
    open_db(&db);
    static const struct {
        const char *version, *fixed;
    } cases[] = {{"0.0.0-20200101000000-abcdefabcdef", "1.2.3"},
                 {"1.2.2", "1.2.3"},
                 {"1.2.3", NULL},
                 {"1.2.3-rc.1", "1.2.3"},
                 {"1.3.0-rc.1", NULL},
                 {"1.3.0", "1.3.5"},
                 {"1.3.5", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool affected = is_affected(&db, "Go", "example.org/lib", 0, SW_VERSION_SEMVER,
                                    cases[i].version, &fixed);
        if (affected != (cases[i].fixed != NULL))
            fail_msg("%s: affected %d", cases[i].version, affected);
        if (affected) assert_str(fixed, cases[i].fixed);
    }
    assert_true(is_affected(&db, "Debian:12", "zlib", 0, SW_VERSION_DPKG, "1:99-1", &fixed));
    assert_str(fixed, "");
}

/* --- whole matches --------------------------------------------------------------------------- */

struct fixture {
    struct sw_scan_package packages[2];
    struct sw_scan_artifact artifact;
    struct sw_inventory inventory;
};

static void go_program(struct fixture *f, const char *version) {
    *f = (struct fixture){0};
    f->packages[0].p.name = SW_STR("example.org/lib");
    f->packages[0].p.version = sw_str(version);
    f->artifact = (struct sw_scan_artifact){
        .kind = SW_SCAN_GO_BINARY, .path = SW_STR("app"), .packages = f->packages, .n_packages = 1};
    f->inventory = (struct sw_inventory){.target = SW_STR("app:1"),
                                         .target_kind = "image",
                                         .artifacts = &f->artifact,
                                         .n_artifacts = 1};
}

static void match(struct sw_arena *a, const struct sw_advdb *db, const struct fixture *f,
                  struct sw_matches *m) {
    struct sw_error err;
    struct sw_match_options o = {.now = 2000};
    assert_ok(sw_match(a, db, &f->inventory, &o, m, &err), err);
}

static void one_vulnerability_of_two_databases_is_one_finding(void **state) {
    (void)state;
    SW_ADVDB struct sw_advdb db = {0};
    SW_ARENA struct sw_arena a;
    struct fixture f;
    struct sw_matches m;
    open_db(&db);
    sw_arena_init(&a, 0);
    go_program(&f, "v1.2.0");
    match(&a, &db, &f, &m);
    assert_int_equal(m.n_findings, 1);
    assert_str(m.findings[0].vuln.id, "GO-2099-0001");
    assert_str(m.findings[0].fixed, "1.2.3");
    /* The severity is the other database's. */
    assert_int_equal(m.findings[0].severity, SW_SEVERITY_HIGH);
    assert_str(m.findings[0].severities[0].source, "ghsa");
    assert_int_equal(m.findings[0].vuln.epss, 970000);
    assert_int_equal(m.findings[0].reach, SW_REACH_UNKNOWN);
}

static void functions_decide_how_near_a_program_is(void **state) {
    (void)state;
    SW_ADVDB struct sw_advdb db = {0};
    SW_ARENA struct sw_arena a;
    struct fixture f;
    struct sw_matches m;
    struct sw_str packages[] = {SW_STR("example.org/lib/parse"), SW_STR("main")};
    uint64_t walk = sw_scan_function_hash(packages[0], SW_STR("Tree.Walk"));
    uint64_t other = sw_scan_function_hash(packages[0], SW_STR("Tree.Len"));
    open_db(&db);
    sw_arena_init(&a, 0);
    go_program(&f, "v1.2.0");
    struct sw_scan_functions *fn = &f.artifact.functions;
    *fn = (struct sw_scan_functions){.known = true, .complete = true, .hashes = &walk, .n = 1};
    fn->packages = (struct sw_strs){packages, 2, 2};
    match(&a, &db, &f, &m);
    assert_int_equal(m.findings[0].reach, SW_REACH_FUNCTION);
    assert_str(m.findings[0].symbols.ptr[0], "example.org/lib/parse.Tree.Walk");
    fn->hashes = &other;
    match(&a, &db, &f, &m);
    assert_int_equal(m.findings[0].reach, SW_REACH_PACKAGE);
    fn->complete = false;
    match(&a, &db, &f, &m);
    assert_int_equal(m.findings[0].reach, SW_REACH_UNKNOWN);
    fn->complete = true;
    fn->packages = (struct sw_strs){packages + 1, 1, 1};
    match(&a, &db, &f, &m);
    assert_int_equal(m.findings[0].reach, SW_REACH_NOT_LINKED);
}

static bool doubts(const struct sw_matches *m, enum sw_doubt_kind kind) {
    for (size_t i = 0; i < m->n_doubts; i++)
        if (m->doubts[i].kind == kind) return true;
    return false;
}

static void what_is_not_known_is_never_clean(void **state) {
    (void)state;
    SW_ADVDB struct sw_advdb db = {0};
    SW_ARENA struct sw_arena a;
    struct fixture f;
    struct sw_matches m;
    struct sw_policy policy;
    struct sw_decision d;
    open_db(&db);
    sw_arena_init(&a, 0);
    sw_policy_default(&policy);
    go_program(&f, "(devel)");
    match(&a, &db, &f, &m);
    assert_true(doubts(&m, SW_DOUBT_VERSION));
    sw_policy_decide(&a, &policy, &f.inventory, &m, 2000, 2000, &d);
    assert_int_equal(d.verdict, SW_VERDICT_CANNOT_TELL);
    go_program(&f, "v1.3.5");
    match(&a, &db, &f, &m);
    sw_policy_decide(&a, &policy, &f.inventory, &m, 2000, 2000, &d);
    assert_int_equal(d.verdict, SW_VERDICT_PASS);
    sw_policy_decide(&a, &policy, &f.inventory, &m, 2000, 2000 + 8 * 86400, &d);
    assert_int_equal(d.verdict, SW_VERDICT_CANNOT_TELL);
    f.artifact.problem = SW_STR("cut");
    match(&a, &db, &f, &m);
    assert_true(doubts(&m, SW_DOUBT_UNREADABLE));
    f.inventory.n_artifacts = 0;
    match(&a, &db, &f, &m);
    assert_true(doubts(&m, SW_DOUBT_EMPTY));
    /* Packages of a distribution that nobody publishes advisories for. */
    go_program(&f, "1");
    f.artifact.kind = SW_SCAN_DPKG;
    f.inventory.os.id = SW_STR("debian");
    f.inventory.os.version_id = SW_STR("11");
    match(&a, &db, &f, &m);
    assert_true(doubts(&m, SW_DOUBT_OS));
}

static void exploited_findings_fail_whatever_their_severity(void **state) {
    (void)state;
    SW_ADVDB struct sw_advdb db = {0};
    SW_ARENA struct sw_arena a;
    struct fixture f;
    struct sw_matches m;
    struct sw_policy policy;
    struct sw_decision d;
    open_db(&db);
    sw_arena_init(&a, 0);
    sw_policy_default(&policy);
    go_program(&f, "1:1.2.13-1");
    f.packages[0].p.name = SW_STR("zlib1g");
    f.packages[0].p.source = SW_STR("zlib");
    f.artifact.kind = SW_SCAN_DPKG;
    f.inventory.os.id = SW_STR("debian");
    f.inventory.os.version_id = SW_STR("12");
    match(&a, &db, &f, &m);
    assert_int_equal(m.n_findings, 2);
    sw_policy_decide(&a, &policy, &f.inventory, &m, 2000, 2000, &d);
    assert_int_equal(d.verdict, SW_VERDICT_FAIL);
    assert_int_equal(d.failing, 1);
    policy.kev = false;
    match(&a, &db, &f, &m);
    sw_policy_decide(&a, &policy, &f.inventory, &m, 2000, 2000, &d);
    assert_int_equal(d.verdict, SW_VERDICT_CANNOT_TELL); /* the other has no severity */
    assert_true(doubts(&m, SW_DOUBT_SEVERITY));
}

static void accepted_findings_stay_until_their_day(void **state) {
    (void)state;
    SW_ADVDB struct sw_advdb db = {0};
    SW_ARENA struct sw_arena a;
    struct fixture f;
    struct sw_matches m;
    struct sw_strs notes = {0};
    struct sw_error err;
    struct sw_os_release os = {0};
    struct sw_str text = SW_STR("# accepted\nCVE-2099-1 exp:2030-01-01 # until the rewrite\n");
    open_db(&db);
    sw_arena_init(&a, 0);
    go_program(&f, "v1.2.0");
    match(&a, &db, &f, &m);
    assert_ok(sw_triage_ignore(&a, text, &os, &m, 2000, &notes, &err), err);
    assert_int_equal(m.findings[0].state, SW_FINDING_IGNORED);
    assert_str(m.findings[0].reason, "until the rewrite");
    match(&a, &db, &f, &m);
    assert_ok(sw_triage_ignore(&a, text, &os, &m, (int64_t)1 << 33, &notes, &err), err);
    assert_int_equal(m.findings[0].state, SW_FINDING_OPEN);
    assert_int_equal(notes.len, 1);
    assert_refused(sw_triage_ignore(&a, SW_STR("CVE-1 exp:soon\n"), &os, &m, 0, &notes, &err),
                   SW_SYNTAX, err);
}

/* "version,codename,series,created,release,eol,..." of the distro-info package: what it knows, and
 * we have, must be the same. */
static unsigned compare_ends(const char *path, const char *id, unsigned column) {
    FILE *f = fopen(path, "r");
    char line[512];
    unsigned compared = 0;
    while (f && fgets(line, sizeof line, f)) {
        struct sw_str rest = sw_str_trim(sw_str(line)), field[9] = {{0}}, version, suffix;
        for (unsigned i = 0; i < 9 && sw_str_next(&rest, ',', &field[i]); i++) continue;
        sw_str_cut(field[0], ' ', &version, &suffix);
        struct sw_os_release os = {.id = sw_str(id), .version_id = version};
        int64_t want, have = sw_eol_of(&os);
        if (!have || !sw_triage_date(field[column], &want)) continue;
        if (have != want)
            fail_msg("%s %.*s: we have %lld, distro-info %lld", id, SW_ARG(version),
                     (long long)have, (long long)want);
        compared++;
    }
    if (f) fclose(f);
    return compared;
}

static void ends_of_life_agree_with_distro_info(void **state) {
    (void)state;
    if (access("/usr/share/distro-info/debian.csv", R_OK) != 0) skip();
    assert_true(compare_ends("/usr/share/distro-info/debian.csv", "debian", 6) >= 3);
    assert_true(compare_ends("/usr/share/distro-info/ubuntu.csv", "ubuntu", 5) >= 3);
}

static void an_end_that_is_not_known_is_asked_about(void **state) {
    (void)state;
    static const struct {
        const char *id, *version;
        bool missing;
    } cases[] = {{"debian", "12", false},      {"debian", "6", true},     {"debian", "99", false},
                 {"alpine", "3.5.2", true},    {"alpine", "3.99", false}, {"photon", "5.0", true},
                 {"wolfi", "20230201", false}, {"debian", "", false},     {"", "", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sw_os_release os = {.id = sw_str(cases[i].id),
                                   .version_id = sw_str(cases[i].version)};
        if (sw_eol_is_missing(&os) != cases[i].missing)
            fail_msg("%s %s", cases[i].id, cases[i].version);
    }
}

static void accepted_findings_in_yaml(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool ignored;
    } cases[] = {
        {"vulnerabilities:\n  - id: CVE-2099-1\n    statement: later\n", true},
        {"vulnerabilities:\n  - id: CVE-2099-1\n    expired_at: 1969-12-31\n", false},
        {"vulnerabilities:\n  - id: CVE-2099-1\n    paths: [\"usr/*\", \"nowhere\"]\n", false},
        {"vulnerabilities:\n  - id: CVE-2099-1\n    paths: [\"*\"]\n", true},
        {"vulnerabilities:\n  - id: CVE-2099-1\n    purls: [\"pkg:golang/other\"]\n", false},
        {"vulnerabilities:\n  - id: CVE-2099-7\n", false},
        {"secrets:\n  - id: x\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SW_ADVDB struct sw_advdb db = {0};
        SW_ARENA struct sw_arena a;
        struct fixture f;
        struct sw_matches m;
        struct sw_strs notes = {0};
        struct sw_os_release os = {0};
        struct sw_error err;
        open_db(&db);
        sw_arena_init(&a, 0);
        go_program(&f, "v1.2.0");
        match(&a, &db, &f, &m);
        assert_ok(sw_triage_ignore_yaml(&a, sw_str(cases[i].text), &os, &m, 2000, &notes, &err),
                  err);
        if ((m.findings[0].state == SW_FINDING_IGNORED) != cases[i].ignored)
            fail_msg("%s", cases[i].text);
    }
    SW_ARENA struct sw_arena a;
    struct sw_matches m = {0};
    struct sw_strs notes = {0};
    struct sw_os_release os = {0};
    struct sw_error err;
    sw_arena_init(&a, 0);
    static const char *const bad[] = {"vulnerabilities:\n  - statement: x\n",
                                      "vulnerabilities:\n  - id: x\n    until: 3\n",
                                      "vulnerabilities:\n  - id: x\n    expired_at: soon\n"};
    for (size_t i = 0; i < 3; i++)
        assert_refused(sw_triage_ignore_yaml(&a, sw_str(bad[i]), &os, &m, 0, &notes, &err),
                       SW_SYNTAX, err);
}

static void vex_statements_clear_what_they_name(void **state) {
    (void)state;
    SW_ADVDB struct sw_advdb db = {0};
    SW_ARENA struct sw_arena a;
    struct fixture f;
    struct sw_matches m;
    struct sw_error err;
    open_db(&db);
    sw_arena_init(&a, 0);
    go_program(&f, "v1.2.0");
    match(&a, &db, &f, &m);
    assert_ok(sw_triage_vex(&a,
                            SW_STR("{\"statements\":[{\"vulnerability\":{\"name\":\"CVE-2099-1\"},"
                                   "\"products\":[{\"@id\":\"pkg:oci/other\"}],\"status\":"
                                   "\"not_affected\"}]}"),
                            f.inventory.target, &m, &err),
              err);
    assert_int_equal(m.findings[0].state, SW_FINDING_OPEN);
    assert_ok(sw_triage_vex(&a,
                            SW_STR("{\"statements\":[{\"vulnerability\":{\"name\":\"CVE-2099-1\"},"
                                   "\"products\":[{\"@id\":\"pkg:oci/app?tag=1\",\"subcomponents\":"
                                   "[{\"@id\":\"pkg:golang/example.org/lib\"}]}],\"status\":"
                                   "\"not_affected\",\"justification\":\"inline\"}]}"),
                            f.inventory.target, &m, &err),
              err);
    assert_int_equal(m.findings[0].state, SW_FINDING_NOT_AFFECTED);
}

static void policies_are_read_strictly(void **state) {
    (void)state;
    SW_ARENA struct sw_arena a;
    struct sw_policy p;
    struct sw_error err;
    sw_arena_init(&a, 0);
    sw_policy_default(&p);
    assert_ok(sw_policy_parse(&a,
                              SW_STR("version: 1\nfail:\n  severity: [CRITICAL]\n  kev: false\n"
                                     "doubts:\n  end-of-life: fail\nstale-days: 3\ngo:\n"
                                     "  - repository: \"team/*\"\n    lowest: 1.25.0\n"),
                              &p, &err),
              err);
    assert_false(p.severities[SW_SEVERITY_HIGH]);
    assert_int_equal(p.doubts[SW_DOUBT_EOL], SW_VERDICT_FAIL);
    assert_int_equal(p.stale_days, 3);
    assert_refused(sw_policy_parse(&a, SW_STR("fial: {}\n"), &p, &err), SW_SYNTAX, err);
    assert_refused(sw_policy_parse(&a, SW_STR("doubts:\n  stale-data: maybe\n"), &p, &err),
                   SW_SYNTAX, err);
    assert_refused(sw_policy_parse(&a, SW_STR("fail:\n  severity: [BAD]\n"), &p, &err), SW_SYNTAX,
                   err);
}

/* --- layers ---------------------------------------------------------------------------------- */

static void a_kept_layer_reads_back_and_damage_is_refused(void **state) {
    (void)state;
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf out;
    struct sw_error err;
    struct sw_scan_layer back;
    struct fixture f;
    uint64_t hashes[] = {1, 2, 3};
    sw_arena_init(&a, 0);
    sw_buf_init(&out, 0);
    go_program(&f, "v1.2.0");
    struct sw_scan_layer layer = {.diff_id = sw_digest_of(SW_SHA256, SW_STR("x")),
                                  .artifacts = &f.artifact,
                                  .n_artifacts = 1,
                                  .files = hashes,
                                  .n_files = 3,
                                  .bytes = 7};
    sw_scan_layer_write(&layer, &out);
    assert_ok(sw_scan_layer_read(&a, sw_buf_str(&out), &back, &err), err);
    assert_true(sw_digest_eq(&back.diff_id, &layer.diff_id));
    assert_int_equal(back.n_files, 3);
    assert_str(back.artifacts[0].packages[0].p.name, "example.org/lib");
    for (size_t i = 0; i < out.len; i++) {
        if (i >= 12 && i < 16) continue; /* reserved */
        out.ptr[i] ^= 1;
        if (!sw_scan_layer_read(&a, sw_buf_str(&out), &back, &err))
            fail_msg("a change of byte %zu was not noticed", i);
        out.ptr[i] ^= 1;
    }
}

static uint64_t hash_of(const char *path) { return sw_hash_bytes(path, strlen(path), 0); }

static void upper_layers_hide_what_overlay_would_hide(void **state) {
    (void)state;
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, 0);
    struct sw_scan_artifact app = {.kind = SW_SCAN_GO_BINARY, .path = SW_STR("usr/bin/app")};
    struct sw_str whole[] = {SW_STR("usr/bin/app")}, parent[] = {SW_STR("usr")},
                  other[] = {SW_STR("usr/bin/ap")};
    uint64_t same = hash_of("usr/bin/app"), above = hash_of("usr/bin"), beside = hash_of("usr/lib");
    struct sw_scan_layer cases[] = {
        {.whiteouts = {whole, 1, 1}},  {.whiteouts = {parent, 1, 1}},
        {.opaques = {parent, 1, 1}},   {.files = &same, .n_files = 1},
        {.dirs = &same, .n_dirs = 1},  {.files = &above, .n_files = 1},
        {.dirs = &above, .n_dirs = 1}, {.files = &beside, .n_files = 1},
        {.whiteouts = {other, 1, 1}},  {.opaques = {whole, 1, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sw_scan_layer layers[] = {{.artifacts = &app, .n_artifacts = 1}, cases[i]};
        struct sw_inventory inventory = {0};
        sw_inventory_merge(&a, layers, 2, &inventory);
        size_t expected = i >= 6;
        if (inventory.n_artifacts != expected)
            fail_msg("case %zu: expected %zu, got %zu", i, expected, inventory.n_artifacts);
    }
}

static void packages_belong_to_the_layer_that_brought_them(void **state) {
    (void)state;
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, 0);
    struct sw_scan_package lower[] = {{.p = {.name = SW_STR("a"), .version = SW_STR("1")}},
                                      {.p = {.name = SW_STR("b"), .version = SW_STR("1")}}};
    struct sw_scan_package upper[] = {{.p = {.name = SW_STR("a"), .version = SW_STR("1")}},
                                      {.p = {.name = SW_STR("b"), .version = SW_STR("2")}},
                                      {.p = {.name = SW_STR("c"), .version = SW_STR("1")}}};
    struct sw_scan_artifact
        x = {.kind = SW_SCAN_DPKG, .path = SW_STR("s"), .packages = lower, .n_packages = 2},
        y = {.kind = SW_SCAN_DPKG, .path = SW_STR("s"), .packages = upper, .n_packages = 3};
    uint64_t path = hash_of("s");
    struct sw_scan_layer layers[3];
    memset(layers, 0, sizeof layers);
    layers[0].artifacts = &x;
    layers[2].artifacts = &y;
    layers[0].n_artifacts = layers[2].n_artifacts = layers[2].n_files = 1;
    layers[2].files = &path;
    struct sw_inventory inventory = {0};
    sw_inventory_merge(&a, layers, 3, &inventory);
    assert_int_equal(inventory.n_artifacts, 1);
    assert_int_equal(inventory.artifacts[0].packages[0].layer, 0);
    assert_int_equal(inventory.artifacts[0].packages[1].layer, 2);
    assert_int_equal(inventory.artifacts[0].packages[2].layer, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_documents_give_the_same_bytes),
        cmocka_unit_test(packages_are_found_by_ecosystem_and_name),
        cmocka_unit_test(no_damaged_byte_goes_unnoticed),
        cmocka_unit_test(ranges_are_half_open_and_name_the_next_fix),
        cmocka_unit_test(one_vulnerability_of_two_databases_is_one_finding),
        cmocka_unit_test(functions_decide_how_near_a_program_is),
        cmocka_unit_test(what_is_not_known_is_never_clean),
        cmocka_unit_test(exploited_findings_fail_whatever_their_severity),
        cmocka_unit_test(accepted_findings_stay_until_their_day),
        cmocka_unit_test(accepted_findings_in_yaml),
        cmocka_unit_test(ends_of_life_agree_with_distro_info),
        cmocka_unit_test(an_end_that_is_not_known_is_asked_about),
        cmocka_unit_test(vex_statements_clear_what_they_name),
        cmocka_unit_test(policies_are_read_strictly),
        cmocka_unit_test(a_kept_layer_reads_back_and_damage_is_refused),
        cmocka_unit_test(upper_layers_hide_what_overlay_would_hide),
        cmocka_unit_test(packages_belong_to_the_layer_that_brought_them),
    };
    return cmocka_run_group_tests(tests, build_file, drop_file);
}
