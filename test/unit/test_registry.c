#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/dsse.h"
#include "registry/access.h"
#include "registry/audit.h"
#include "registry/content.h"
#include "registry/gc.h"
#include "registry/jwt.h"
#include "registry/manifest.h"
#include "registry/route.h"
#include "registry/server_internal.h"

static struct sw_arena arena;
static int arena_up(void **state) {
    sw_arena_init(&arena, (size_t)256 << 20);
    return 0;
}
static int arena_down(void **state) {
    sw_arena_done(&arena);
    return 0;
}
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* ---- routes ---- */

static void routes_are_read_from_the_right(void **state) {
    struct sw_route r = sw_route_parse(&arena, SW_STR("/v2/a/manifests/b/blobs/uploads/"));
    assert_int_equal(r.kind, SW_ROUTE_UPLOADS);
    assert_str(r.name, "a/manifests/b");
    r = sw_route_parse(&arena, SW_STR("/v2/blobs/uploads/manifests/v1"));
    assert_int_equal(r.kind, SW_ROUTE_MANIFEST);
    assert_str(r.name, "blobs/uploads");
    assert_str(r.reference, "v1");
    r = sw_route_parse(&arena, SW_STR("/v2/a/blobs/sha256%3A" HEX));
    assert_int_equal(r.kind, SW_ROUTE_BLOB);
    assert_true(sw_digest_is_set(&r.digest));
}
static void routes_refuse_what_names_nothing(void **state) {
    static const struct {
        const char *path;
        enum sw_route_kind kind;
    } cases[] = {
        {"/v2/../a/tags/list", SW_ROUTE_BAD},
        {"/v2/a%2fb/tags/list", SW_ROUTE_NONE},
        {"/v2/a%00/tags/list", SW_ROUTE_NONE},
        {"/v2/A/tags/list", SW_ROUTE_BAD},
        {"/v2/a//b/tags/list", SW_ROUTE_BAD},
        {"/v2/a/manifests/.bad", SW_ROUTE_BAD},
        {"/v2/a/blobs/sha256:12", SW_ROUTE_BAD},
        {"/v2/a/blobs/uploads/../x", SW_ROUTE_NONE},
        {"/v2/a/blobs/uploads/UPPER", SW_ROUTE_BAD},
        {"/v2/a/blobs/md5:" HEX, SW_ROUTE_BAD},
        {"/v2/tags/list", SW_ROUTE_NONE},
        {"/%zz", SW_ROUTE_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sw_route r = sw_route_parse(&arena, sw_str(cases[i].path));
        if (r.kind != cases[i].kind) fail_msg("%s: kind %d", cases[i].path, r.kind);
    }
}
static void ranges_follow_rfc_9110(void **state) {
    uint64_t o = 0, n = 0;
    assert_int_equal(sw_range_parse(SW_STR("bytes=2-3"), 10, &o, &n), SW_RANGE_OK);
    assert_true(o == 2 && n == 2);
    assert_int_equal(sw_range_parse(SW_STR("bytes=8-99"), 10, &o, &n), SW_RANGE_OK);
    assert_true(o == 8 && n == 2);
    assert_int_equal(sw_range_parse(SW_STR("bytes=-4"), 10, &o, &n), SW_RANGE_OK);
    assert_true(o == 6 && n == 4);
    assert_int_equal(sw_range_parse(SW_STR("bytes=10-"), 10, &o, &n), SW_RANGE_BAD);
    assert_int_equal(sw_range_parse(SW_STR("bytes=5-2"), 10, &o, &n), SW_RANGE_BAD);
    assert_int_equal(sw_range_parse(SW_STR("bytes=0-"), 0, &o, &n), SW_RANGE_BAD);
    assert_int_equal(sw_range_parse(SW_STR("bytes=0-1,3-4"), 10, &o, &n), SW_RANGE_NONE);
    assert_int_equal(sw_range_parse(SW_STR("lines=0-1"), 10, &o, &n), SW_RANGE_NONE);
    assert_false(sw_content_range_parse(SW_STR("5-2"), &o, &n));
    assert_false(sw_content_range_parse(SW_STR("0-18446744073709551615"), &o, &n));
}
static void scopes_are_parsed_from_the_right(void **state) {
    struct sw_scope s;
    assert_true(sw_scope_parse(SW_STR("repository:team/app:pull,push"), &s));
    assert_str(s.name, "team/app");
    assert_int_equal(s.actions, SW_ACT_PULL | SW_ACT_PUSH);
    assert_false(sw_scope_parse(SW_STR("repository:team/app"), &s));
    assert_false(sw_scope_parse(SW_STR("repository:../x:pull"), &s));
    assert_true(sw_scope_parse(SW_STR("registry:catalog:*"), &s));
}
static void patterns_stop_at_components(void **state) {
    assert_true(sw_repo_pattern_match(SW_STR("prod/**"), SW_STR("prod/a/b")));
    assert_true(sw_repo_pattern_match(SW_STR("prod/**"), SW_STR("prod")));
    assert_false(sw_repo_pattern_match(SW_STR("prod/**"), SW_STR("production/a")));
    assert_true(sw_repo_pattern_match(SW_STR("team/*"), SW_STR("team/app")));
    assert_false(sw_repo_pattern_match(SW_STR("team/*"), SW_STR("team/app/x")));
    assert_true(sw_repo_pattern_match(SW_STR("a/**/b"), SW_STR("a/b")));
    assert_true(sw_repo_pattern_match(SW_STR("a/**/b"), SW_STR("a/x/y/b")));
    assert_false(sw_repo_pattern_match(SW_STR("a"), SW_STR("ab")));
    assert_false(sw_repo_pattern_ok(SW_STR("a**b**c**d**e**f")));
    assert_true(sw_tag_pattern_match(SW_STR("v*.0"), SW_STR("v1.2.0")));
    assert_false(sw_tag_pattern_match(SW_STR("v*"), SW_STR("x1")));
}

/* ---- tokens ---- */

static struct sw_key *key_of(char fill) {
    char seed[SW_ED25519_SEED];
    struct sw_key *k = NULL;
    struct sw_error err;
    memset(seed, fill, sizeof seed);
    assert_ok(sw_key_from_seed(sw_str_n(seed, sizeof seed), &k, &err), err);
    return k;
}
static void tokens_are_judged_by_the_key_not_by_their_header(void **state) {
    struct sw_key *k SW_CLEANUP(sw_key_freep) = key_of(1);
    struct sw_key *other SW_CLEANUP(sw_key_freep) = key_of(2);
    struct sw_error err;
    struct sw_jwt j;
    struct sw_str token;
    assert_ok(sw_jwt_sign(&arena, SW_STR("{\"iss\":\"i\",\"aud\":[\"x\",\"a\"],\"exp\":1000}"), k,
                          &token, &err),
              err);
    assert_ok(sw_jwt_parse(&arena, token, &j, &err), err);
    assert_ok(sw_jwt_verify(&j, k, &err), err);
    assert_ok(sw_jwt_check(&j, SW_STR("i"), SW_STR("a"), 1059, &err), err);
    assert_refused(sw_jwt_check(&j, SW_STR("i"), SW_STR("a"), 1060, &err), SW_DENIED, err);
    assert_refused(sw_jwt_check(&j, SW_STR("i"), SW_STR("b"), 900, &err), SW_DENIED, err);
    assert_refused(sw_jwt_check(&j, SW_STR("j"), SW_STR("a"), 900, &err), SW_DENIED, err);
    assert_refused(sw_jwt_verify(&j, other, &err), SW_DENIED, err);
    j.alg = SW_STR("HS256");
    assert_refused(sw_jwt_verify(&j, k, &err), SW_DENIED, err);
    j.alg = SW_STR("none");
    assert_refused(sw_jwt_verify(&j, k, &err), SW_DENIED, err);
    assert_refused(sw_jwt_parse(&arena, SW_STR("a.b"), &j, &err), SW_SYNTAX, err);
}
static void passwords_are_hashed_with_bcrypt(void **state) {
    struct sw_buf hash SW_BUF = {0};
    struct sw_error err;
    sw_buf_init(&hash, 0);
    assert_ok(sw_password_hash(SW_STR("correct horse"), 4, &hash, &err), err);
    assert_true(sw_str_starts(sw_buf_str(&hash), SW_STR("$2b$04$")));
    assert_true(sw_password_verify(SW_STR("correct horse"), hash.ptr));
    assert_false(sw_password_verify(SW_STR("correct horsf"), hash.ptr));
    assert_false(sw_password_verify(SW_STR(""), hash.ptr));
    assert_refused(sw_password_hash(SW_STR("short"), 4, &hash, &err), SW_USAGE, err);
    char longer[80];
    memset(longer, 'a', sizeof longer);
    assert_refused(sw_password_hash(sw_str_n(longer, 73), 4, &hash, &err), SW_USAGE, err);
}

/* ---- attestations ---- */

static void attestations_count_only_from_trusted_keys(void **state) {
    struct sw_key *k SW_CLEANUP(sw_key_freep) = key_of(3);
    struct sw_key *other SW_CLEANUP(sw_key_freep) = key_of(4);
    struct sw_statement s;
    struct sw_error err;
    struct sw_str e;
    struct sw_digest d;
    assert_ok(sw_dsse_seal(&arena, SW_STR("application/vnd.in-toto+json"),
                           SW_STR("{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{"
                                  "\"digest\":{\"sha256\":\"" HEX "\"}}],\"predicateType\":\"t\"}"),
                           k, &e, &err),
              err);
    assert_ok(sw_dsse_open(&arena, e, &k, 1, &s, &err), err);
    assert_str(s.predicate_type, "t");
    assert_ok(sw_digest_parse(SW_STR("sha256:" HEX), &d, &err), err);
    assert_true(sw_statement_is_about(&s, &d));
    d.bytes[0]++;
    assert_false(sw_statement_is_about(&s, &d));
    assert_refused(sw_dsse_open(&arena, e, &other, 1, &s, &err), SW_DENIED, err);
}

/* ---- manifests ---- */

static void manifests_with_two_meanings_are_refused(void **state) {
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"schemaVersion\":1,\"fsLayers\":[]}",
        "{\"schemaVersion\":2,\"layers\":[],\"manifests\":[]}",
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\"}",
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:1\",\"size\":1}}",
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:" HEX "\",\"size\":-1}}",
    };
    struct sw_pushed p;
    struct sw_error err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (sw_pushed_parse(&arena, sw_str(bad[i]), SW_STR(""), SW_SHA256, &p, &err) == SW_OK)
            fail_msg("taken: %s", bad[i]);
    char deep[400];
    memset(deep, '[', sizeof deep);
    assert_refused(
        sw_pushed_parse(&arena, sw_str_n(deep, sizeof deep), SW_STR(""), SW_SHA256, &p, &err),
        SW_LIMIT, err);
    assert_refused(sw_pushed_parse(&arena,
                                   SW_STR("{\"schemaVersion\":2,\"mediaType\":\"a/b\",\"config\":{"
                                          "\"digest\":\"sha256:" HEX "\",\"size\":1}}"),
                                   SW_STR("a/c"), SW_SHA256, &p, &err),
                   SW_SYNTAX, err);
}

/* ---- metadata ---- */

static struct sw_meta *meta;
static char dir[] = "/tmp/slipway-test-registry.XXXXXX";
static int meta_up(void **state) {
    struct sw_error err;
    char path[64];
    arena_up(state);
    if (!dir[0] || !mkdtemp(strcpy(dir, "/tmp/slipway-test-registry.XXXXXX"))) return -1;
    snprintf(path, sizeof path, "%s/meta.db", dir);
    return sw_meta_open(path, &meta, &err) ? -1 : 0;
}
static int meta_down(void **state) {
    char command[96];
    sw_meta_close(meta);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    arena_down(state);
    return system(command);
}

static void production_is_written_by_releasing_robots(void **state) {
    struct sw_error err;
    struct sw_policy *p = NULL;
    const struct sw_principal *who = NULL;
    struct sw_policy_cache *cache = sw_policy_cache_new(meta);
    struct sw_account_change ann = {.name = SW_STR("ann"), .password = SW_STR("password1")};
    struct sw_account_change ci = {
        .name = SW_STR("robot$ci"), .robot = true, .password = SW_STR("password2"), .expires = 100};
    struct sw_rule rule = {.kind = SW_RULE_PRODUCTION, .pattern = SW_STR("prod/**")};
    assert_ok(sw_account_put(meta, &arena, &ann, true, 1, &err), err);
    assert_refused(sw_account_put(meta, &arena, &ann, true, 1, &err), SW_EXISTS, err);
    assert_ok(sw_account_put(meta, &arena, &ci, true, 1, &err), err);
    assert_ok(sw_role_put(meta, &arena, ann.name, SW_ROLE_ADMIN, SW_STR("**"), false, &err), err);
    assert_ok(sw_role_put(meta, &arena, ci.name, SW_ROLE_RELEASER, SW_STR("prod/**"), false, &err),
              err);
    assert_ok(sw_rule_put(meta, &arena, &rule, &err), err);
    assert_ok(sw_policy_ref(cache, &arena, &p, &err), err);
    assert_ok(sw_policy_principal(p, ann.name, &who, &err), err);
    assert_int_equal(sw_policy_actions(p, who, SW_STR("prod/a"), 50) & SW_ACT_PUSH, 0);
    assert_true(sw_policy_actions(p, who, SW_STR("other/a"), 50) & SW_ACT_PUSH);
    assert_ok(sw_policy_principal(p, ci.name, &who, &err), err);
    assert_true(sw_policy_actions(p, who, SW_STR("prod/a"), 50) & SW_ACT_PUSH);
    assert_int_equal(sw_policy_actions(p, who, SW_STR("prod/a"), 100), 0); /* expired */
    assert_int_equal(sw_policy_actions(p, who, SW_STR("other/a"), 50), 0);
    sw_policy_unref(p);
    sw_policy_cache_free(cache);
}

static enum sw_code count(void *context, int64_t seq, struct sw_str entry, struct sw_str hash,
                          struct sw_error *err) {
    ++*(int *)context;
    return SW_OK;
}
static void audit_finds_what_was_changed(void **state) {
    struct sw_error err;
    struct sw_tx tx SW_TX = {0};
    struct sw_audit_filter f = {.action = SW_STR("push")};
    char head[65];
    int64_t n = 0;
    int seen = 0;
    assert_ok(sw_tx_begin(meta, &arena, SW_TX_DURABLE, &tx, &err), err);
    for (int i = 0; i < 3; i++) {
        struct sw_audit_entry e = {.time_s = i,
                                   .account = SW_STR("a"),
                                   .allowed = true,
                                   .action = i == 1 ? SW_STR("delete") : SW_STR("push")};
        assert_ok(sw_audit_add(&tx, &e, &err), err);
    }
    assert_ok(sw_tx_commit(&tx, &err), err);
    assert_ok(sw_audit_list(meta, &f, count, &seen, &err), err);
    assert_int_equal(seen, 2);
    assert_ok(sw_audit_verify(meta, &n, head, &err), err);
    assert_int_equal(n, 3);
    assert_ok(sw_tx_begin(meta, &arena, SW_TX_DURABLE, &tx, &err), err);
    assert_ok(sw_tx_ask(&tx, NULL, &err, "DELETE FROM audit WHERE seq = 2"), err);
    assert_ok(sw_tx_commit(&tx, &err), err);
    assert_refused(sw_audit_verify(meta, &n, head, &err), SW_CORRUPT, err);
}

/* What a push touched is never collected, however old it is. */
static void collecting_spares_what_is_touched_or_needed(void **state) {
    struct sw_error err;
    struct sw_tx tx SW_TX = {0};
    struct sw_blobs *blobs = NULL;
    struct sw_gc_report report;
    struct sw_gc_options o = {.now_s = 1000, .grace_s = 100, .skip_orphans = true};
    struct sw_digest old, fresh;
    struct sw_blob_row row;
    bool used = false;
    int64_t id = 0;
    assert_ok(sw_blobs_open_dir(dir, &blobs, &err), err);
    assert_ok(sw_digest_parse(SW_STR("sha256:" HEX), &old, &err), err);
    fresh = old;
    fresh.bytes[0]++;
    assert_ok(sw_tx_begin(meta, &arena, SW_TX_DURABLE, &tx, &err), err);
    assert_ok(sw_repo_id(&tx, SW_STR("r"), true, 1, &id, &err), err);
    assert_ok(
        sw_blob_add(&tx, id, &old, 3, SW_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 10, &used, &err),
        err);
    assert_true(used);
    assert_ok(
        sw_blob_add(&tx, id, &old, 3, SW_STR("cccccccccccccccccccccccccccccccc"), 10, &used, &err),
        err);
    assert_false(used);
    assert_ok(sw_blob_add(&tx, id, &fresh, 3, SW_STR("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"), 10, &used,
                          &err),
              err);
    assert_ok(sw_blob_touch(&tx, SW_STR("r"), &fresh, 950, &err), err);
    assert_ok(sw_tx_commit(&tx, &err), err);
    o.dry_run = true;
    assert_ok(sw_registry_gc(meta, blobs, &o, &report, &err), err);
    assert_int_equal(report.links, 1);
    o.dry_run = false;
    assert_ok(sw_registry_gc(meta, blobs, &o, &report, &err), err);
    assert_int_equal(report.links, 1);
    assert_int_equal(report.blobs, 1);
    assert_ok(sw_tx_begin(meta, &arena, SW_TX_READ, &tx, &err), err);
    assert_refused(sw_blob_find(&tx, SW_STR("r"), &old, &row, &err), SW_NOT_FOUND, err);
    assert_ok(sw_blob_find(&tx, SW_STR("r"), &fresh, &row, &err), err);
    sw_tx_end(&tx);
    sw_blobs_close(blobs);
}

/* Forty thousand images in one repository. Joined the wrong way round, the sweep compares each blob
 * with each manifest, while nobody else can write: the time limit of the test ends that. */
static void collecting_a_large_repository_ends(void **state) {
    static const char numbers[] = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n "
                                  "WHERE x < 40000) ";
    struct sw_error err;
    struct sw_tx tx SW_TX = {0};
    struct sw_blobs *blobs = NULL;
    struct sw_gc_report report;
    struct sw_gc_options o = {.now_s = 1000, .grace_s = 100, .skip_orphans = true, .dry_run = true};
    const char *const tables[] = {
        "repo_manifests(repo, digest, pushed, account) SELECT 1, 'm' || x, 1, 'a' FROM n",
        "manifests(digest, media_type, body, touched) SELECT 'm' || x, 't', x'00', 1 FROM n",
        "manifest_refs(manifest, child, kind, size) SELECT 'm' || x, 'b' || x, 1, 1 FROM n",
        "repo_blobs(repo, digest, touched) SELECT 1, 'b' || (x + 1), 1 FROM n",
    };
    assert_ok(sw_blobs_open_dir(dir, &blobs, &err), err);
    assert_ok(sw_tx_begin(meta, &arena, SW_TX_DURABLE, &tx, &err), err);
    for (size_t i = 0; i < 4; i++) {
        struct sw_str text = sw_arena_printf(&arena, "INSERT INTO %.*s", SW_ARG(sw_str(tables[i])));
        size_t at = sw_str_find(text, SW_STR("SELECT"));
        text = sw_arena_printf(&arena, "%.*s%s%.*s", (int)at, text.ptr, numbers,
                               SW_ARG(sw_str_from(text, at)));
        assert_ok(sw_tx_run(&tx, text.ptr, NULL, 0, NULL, &err), err);
    }
    assert_ok(sw_tx_commit(&tx, &err), err);
    assert_ok(sw_registry_gc(meta, blobs, &o, &report, &err), err);
    assert_int_equal(report.links, 1); /* b40001 */
    sw_blobs_close(blobs);
}

static void rates_are_limited_for_each_by_itself(void **state) {
    struct rate_table *t = rate_table_new(5);
    int64_t now = 1000000000;
    static const char *const others[] = {"10.0.0.2", "::1", "ann", "bob", "robot$ci", "eve"};
    struct sw_str a = SW_STR("10.0.0.1");
    int free_others = 0;
    for (int i = 0; i < 10; i++) assert_true(rate_take(t, a, now)); /* two seconds at once */
    assert_false(rate_take(t, a, now));
    /* One of them may share the slot. */
    for (size_t i = 0; i < 6; i++) free_others += rate_take(t, sw_str(others[i]), now);
    assert_in_range(free_others, 5, 6);
    assert_false(rate_take(t, a, now + 199000000));
    assert_true(rate_take(t, a, now + 201000000));
    assert_false(rate_take(t, a, now)); /* a time before gives nothing back */
    assert_false(rate_take(t, a, now + 202000000));
    for (int i = 0; i < 10; i++) assert_true(rate_take(t, a, now + 3600000000000));
    assert_false(rate_take(t, a, now + 3600000000000));
    rate_table_free(t);
    assert_true(rate_take(NULL, a, now));
}

int main(void) {
#define PURE(f) cmocka_unit_test_setup_teardown(f, arena_up, arena_down)
#define META(f) cmocka_unit_test_setup_teardown(f, meta_up, meta_down)
    const struct CMUnitTest tests[] = {
        PURE(routes_are_read_from_the_right),
        PURE(routes_refuse_what_names_nothing),
        PURE(ranges_follow_rfc_9110),
        PURE(scopes_are_parsed_from_the_right),
        PURE(patterns_stop_at_components),
        PURE(tokens_are_judged_by_the_key_not_by_their_header),
        PURE(passwords_are_hashed_with_bcrypt),
        PURE(attestations_count_only_from_trusted_keys),
        PURE(manifests_with_two_meanings_are_refused),
        PURE(rates_are_limited_for_each_by_itself),
        META(production_is_written_by_releasing_robots),
        META(audit_finds_what_was_changed),
        META(collecting_spares_what_is_touched_or_needed),
        META(collecting_a_large_repository_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
