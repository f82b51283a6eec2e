#include "cmd/build_attest.h"

#include <stdlib.h>
#include <string.h>

#include "base/proc.h"
#include "cmd/build_words.h"
#include "cmd/scan_state.h"
#include "cmd/version.h"
#include "scan/report.h"
#include "scan/scan.h"

/* ---- options ---- */

static enum sw_code parse_provenance(struct sw_build_options *o, const char *text,
                                     struct sw_str key, struct sw_str value, struct sw_error *err) {
    struct sw_attest_options *a = &o->attest;
    bool on;
    if (sw_str_is(key, "mode")) {
        if (sw_str_is(value, "min")) {
            a->provenance = SW_PROVENANCE_MIN;
        } else if (sw_str_is(value, "max") || sw_str_is(value, "full")) {
            a->provenance = SW_PROVENANCE_MAX;
        } else {
            return sw_fail(err, SW_USAGE, "%s: want mode=min or mode=max", text);
        }
    } else if (sw_str_is(key, "builder-id")) {
        a->builder_id = value;
    } else if (sw_str_is(key, "reproducible") && build_word_bool(value, &on)) {
        a->reproducible = on;
    } else if (sw_str_is(key, "version")) {
        if (!sw_str_is(value, "v1"))
            return sw_fail(err, SW_UNSUPPORTED, "%s: only version=v1 is written", text);
    } else if (!sw_str_is(key, "inline-only")) {
        return sw_fail(err, SW_USAGE,
                       "%s: \"%.*s\" is not understood; want mode, builder-id, reproducible or "
                       "version",
                       text, SW_ARG(key));
    }
    return SW_OK;
}

static enum sw_code parse_sbom(struct sw_str key, struct sw_str value, const char *text,
                               struct sw_arena *arena, struct sw_strs *notes,
                               struct sw_error *err) {
    if (!sw_str_is(key, "generator"))
        return sw_fail(err, SW_USAGE, "%s: \"%.*s\" is not understood; want generator", text,
                       SW_ARG(key));
    sw_strs_add(arena, notes,
                sw_arena_printf(arena,
                                "--sbom: the generator %.*s is not run; slipway reads the image "
                                "itself",
                                SW_ARG(value)));
    return SW_OK;
}

/* "type=provenance,mode=max,disabled=false". What was said before of the type is forgotten. */
static enum sw_code parse_one(struct sw_invocation *inv, struct sw_build_options *o,
                              struct build_sbom *sbom, const char *text, struct sw_str type,
                              struct sw_strs *notes, struct sw_error *err) {
    struct sw_str rest = sw_str(text), field, key, value;
    bool more, disabled = false;
    enum sw_code code;
    if (!type.len) {
        while (!(code = build_csv_next(inv->arena, &rest, &field, &more, err)) && more)
            if (sw_str_cut(field, '=', &key, &value) && sw_str_is(key, "type")) type = value;
        if (code) return sw_context(err, "--attest %s", text);
    }
    bool provenance = sw_str_is(type, "provenance");
    if (!provenance && !sw_str_is(type, "sbom"))
        return sw_fail(err, SW_USAGE, "--attest %s: want type=sbom or type=provenance", text);
    if (provenance) {
        o->attest.provenance = SW_PROVENANCE_MIN;
        o->attest.builder_id = SW_STR("");
        o->attest.reproducible = false;
    } else {
        o->attest.sbom = &sbom->inventory;
    }
    rest = sw_str(text);
    while (!(code = build_csv_next(inv->arena, &rest, &field, &more, err)) && more) {
        sw_str_cut(field, '=', &key, &value);
        if (sw_str_is(key, "type")) continue;
        if (sw_str_is(key, "disabled")) {
            if (!build_word_bool(value, &disabled))
                return sw_fail(err, SW_USAGE, "%s: want disabled=true or =false", text);
            continue;
        }
        code = provenance ? parse_provenance(o, text, key, value, err)
                          : parse_sbom(key, value, text, inv->arena, notes, err);
        if (code) return code;
    }
    if (disabled && provenance) o->attest.provenance = SW_PROVENANCE_OFF;
    if (disabled && !provenance) o->attest.sbom = NULL;
    return code ? sw_context(err, "%s", text) : SW_OK;
}

/* --sbom and --provenance: on, off, or the keys of --attest. */
static enum sw_code parse_short(struct sw_invocation *inv, struct sw_build_options *o,
                                struct build_sbom *sbom, const char *option, struct sw_strs *notes,
                                struct sw_error *err) {
    const char *text = sw_opt(inv, option);
    bool on;
    if (!text) return SW_OK;
    if (build_word_bool(sw_str(text), &on))
        text = on ? "disabled=false" : "disabled=true";
    else if (!strchr(text, '='))
        return sw_fail(err, SW_USAGE, "--%s %s: want true, false or KEY=VALUE%s", option, text,
                       strcmp(option, "sbom") ? ""
                                              : "; no scanner of that name is run, slipway reads "
                                                "the image itself");
    enum sw_code code = parse_one(inv, o, sbom, text, sw_str(option), notes, err);
    return code ? sw_context(err, "--%s", option) : SW_OK;
}

/* ---- the bill of materials ---- */

/* Files that could not be read are said in the document, and here. */
static void warn_problems(const struct build_sbom *s, const struct sw_inventory *inventory) {
    for (size_t i = 0; i < inventory->n_artifacts; i++) {
        const struct sw_scan_artifact *x = &inventory->artifacts[i];
        if (x->problem.len)
            sw_progress_warn(s->session->progress,
                             "the bill of materials is not complete: /%.*s: %.*s", SW_ARG(x->path),
                             SW_ARG(x->problem));
    }
}

static enum sw_code describe(void *ctx, const struct sw_descriptor *manifest, struct sw_str name,
                             struct sw_arena *arena, struct sw_str *ret, struct sw_error *err) {
    struct build_sbom *s = ctx;
    const char *root, *dir;
    SW_ARENA struct sw_arena work;
    sw_arena_init(&work, (size_t)4 << 30); /* inventories of large images live in it */
    struct sw_inventory inventory;
    static const struct sw_matches nothing = {0};
    struct sw_scan_options options = {.kind = SW_SCAN_IMAGE,
                                      .descriptor = manifest,
                                      .target = sw_arena_cstr(&work, name),
                                      .store = s->session->store,
                                      .temp_dir = sw_scan_temp_dir(),
                                      .pool = s->session->pool,
                                      .progress = s->session->progress};
    enum sw_code code = sw_scan_state_dir(s->inv, &root, &dir, err);
    if (code) return code;
    options.cache_dir = sw_arena_printf(&work, "%s/layers", dir).ptr;
    code = sw_scan_inventory(&work, &options, &inventory, NULL, err);
    if (code) return code;
    warn_problems(s, &inventory);
    struct sw_report report = {.inventory = &inventory,
                               .matches = &nothing,
                               .now = s->epoch_s,
                               .compact = true,
                               .program_version = sw_version_text()};
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, SW_SCAN_DOCUMENT_MAX);
    sw_report_write(SW_REPORT_SPDX, &report, &work, &out);
    code = sw_buf_check(&out, "the document", err);
    if (!code) *ret = sw_arena_str(arena, sw_str_trim(sw_buf_str(&out)));
    return code;
}

enum sw_code build_attest_parse(struct sw_invocation *inv, struct sw_build_options *o,
                                struct build_sbom *sbom, struct sw_strs *notes,
                                struct sw_error *err) {
    size_t n;
    const char *const *values = sw_opt_list(inv, "attest", &n);
    enum sw_code code = SW_OK;
    *sbom = (struct build_sbom){.inventory = {describe, sbom}, .inv = inv};
    for (size_t i = 0; i < n && !code; i++)
        code = parse_one(inv, o, sbom, values[i], SW_STR(""), notes, err);
    if (!code) code = parse_short(inv, o, sbom, "sbom", notes, err);
    if (!code) code = parse_short(inv, o, sbom, "provenance", notes, err);
    o->attest.program_version = sw_str(sw_version_text());
    /* An attestation belongs into an index, which Docker's types have no place for. */
    if (!code && o->docker_format && sw_attest_wanted(&o->attest)) {
        o->docker_format = false;
        sw_strs_add(inv->arena, notes,
                    SW_STR("--format docker: an image with attestations is written as OCI"));
    }
    return code;
}

/* ---- the repository ---- */

static bool ask_git(struct sw_invocation *inv, const char *dir, const char *const *words,
                    struct sw_str *ret) {
    SW_BUF struct sw_buf out;
    struct sw_error ignored = {0};
    const char *argv[16] = {"git", "-C", dir, "-c", "safe.directory=*"};
    size_t n = 5;
    while (*words) argv[n++] = *words++;
    sw_buf_init(&out, 1 << 20);
    struct sw_proc_options run = {.argv = argv};
    if (sw_proc_run(&run, &out, &ignored)) return false;
    *ret = sw_arena_str(inv->arena, sw_str_trim(sw_buf_str(&out)));
    return true;
}

void build_attest_vcs(struct sw_invocation *inv, struct sw_build_options *o) {
    struct sw_str revision, changes, source;
    const char *wanted = getenv("BUILDX_GIT_INFO"), *dir = o->context;
    if (o->attest.provenance == SW_PROVENANCE_OFF || o->attest.context) return;
    if ((wanted && !strcmp(wanted, "false")) || !sw_proc_find("git", NULL)) return;
    if (!ask_git(inv, dir, (const char *[]){"rev-parse", "HEAD", NULL}, &revision)) return;
    if (ask_git(inv, dir, (const char *[]){"status", "--porcelain", NULL}, &changes) && changes.len)
        revision = sw_arena_printf(inv->arena, "%.*s-dirty", SW_ARG(revision));
    if (ask_git(inv, dir, (const char *[]){"remote", "get-url", "origin", NULL}, &source))
        sw_pairs_set(inv->arena, &o->attest.vcs, SW_STR("source"),
                     sw_url_without_password(inv->arena, source));
    sw_pairs_set(inv->arena, &o->attest.vcs, SW_STR("revision"), revision);
}
