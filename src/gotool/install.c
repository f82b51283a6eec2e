/* Installing one version:
 *
 *     locked --> there already ------------------------------------------------> done
 *       |
 *       v                      (404, or an error behind '|': next address)
 *     source --> fetching and unpacking --> verified --> recorded --> renamed --> done
 *                      |                        |
 *                      | network: the part      | mismatch: the part and the tree go, and the
 *                      v stays for next time    v install fails; no other source is asked
 *                    failed                   failed
 *
 * Invariants: nothing outside of downloads/ and versions/.NAME-* changes before the hashes agree;
 * a mismatch is never papered over by another source, except that a download that was resumed is
 * fetched once more from its beginning, because its first half may have been of another file.
 */
#include "gotool/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/hex.h"
#include "gotool/install_internal.h"

static void waiting(void *context) {
    struct install *in = context;
    sw_progress_note(in->o->progress, in->step, "another slipway installs %s, waiting for it",
                     in->name);
}

/* ---- the checksum database, asked while the archive arrives ---- */

static void *ask(void *context) {
    struct lookup *l = context;
    struct install *in = l->in;
    l->code = sw_go_checksum_lookup(in->o->http, in->o->store, in->o->settings,
                                    sw_buf_str(&in->module_version), &l->sum, &l->err);
    return NULL;
}

static void lookup_start(struct lookup *l, struct install *in) {
    *l = (struct lookup){.in = in, .off = sw_go_settings_nosumdb(in->o->settings)};
    if (l->off) return;
    l->running = pthread_create(&l->thread, NULL, ask, l) == 0;
    if (!l->running) ask(l);
}

static void lookup_wait(struct lookup *l) {
    if (l->running) pthread_join(l->thread, NULL);
    l->running = false;
}

/* ---- one archive ---- */

static enum sw_code unpack_and_verify(struct install *in, const struct go_archive *archive,
                                      struct sw_go_fetch *fetch, struct sw_error *err) {
    SW_CLEANUP(sw_go_tree_freep) struct sw_go_tree *tree = NULL;
    struct lookup lookup;
    enum sw_code code = sw_go_tree_new(in->o->store, in->name, &tree, err);
    if (code) return code;
    lookup_start(&lookup, in);
    code = archive->form == GO_FORM_ZIP
               ? sw_go_tree_unzip(tree, fetch, sw_buf_str(&in->module_version), err)
               : sw_go_tree_untar(tree, fetch, err);
    /* What the archive itself is guilty of is no reason to look for a better one elsewhere. */
    if (code && code != SW_CANCELLED && !sw_go_fetch_failed(fetch)) in->refused = code != SW_IO;
    /* The archive's last bytes count too: a file that breaks off behind its content is no file. */
    if (!code) code = sw_go_fetch_wait(fetch, err);
    lookup_wait(&lookup);
    if (!code) code = sw_go_tree_check(tree, &in->version, err);
    if (!code) code = go_verify(in, archive, tree, fetch, &lookup, err);
    if (code) return code;
    SW_BUF struct sw_buf record;
    sw_buf_init(&record, 1 << 16);
    go_record_write(in, archive, tree, &record);
    if (in->replace) {
        code = sw_go_store_remove(in->o->store, in->name, err);
        if (code) return code;
    }
    code = sw_go_tree_commit(tree, sw_buf_str(&record), err);
    if (code) return code;
    struct sw_go_tree_stat stat;
    sw_go_tree_stat(tree, &stat);
    in->result->files = stat.files;
    in->result->shared_files = stat.shared_files;
    in->result->bytes = stat.bytes;
    in->result->shared_bytes = stat.shared_bytes;
    return SW_OK;
}

/* What fetching and unpacking said: is the part worth keeping for the next run? */
static bool part_is_good(enum sw_code code) {
    return code == SW_NETWORK || code == SW_BUSY || code == SW_CANCELLED || code == SW_IO;
}

static enum sw_code from_address(struct install *in, const struct go_archive *archive,
                                 struct sw_error *err) {
    SW_FREE char *part =
        sw_asprintf("%s.%s.part", in->name, archive->form == GO_FORM_ZIP ? "zip" : "tar.gz");
    SW_FD int downloads = -1;
    enum sw_code code =
        sw_open_at(in->o->store->fd, "downloads", O_RDONLY | O_DIRECTORY, 0, &downloads, err);
    for (int round = 0; !code && round < 2; round++) {
        struct sw_go_fetch fetch;
        struct sw_go_fetch_options options = {
            .http = in->o->http,
            .url = archive->url,
            .dirfd = downloads,
            .name = part,
            .max_bytes = SW_GO_ARCHIVE_MAX,
            .want_sha256 = archive->form == GO_FORM_TAR,
            .fresh = round > 0,
            .progress = in->o->progress,
            .step = in->step,
        };
        code = sw_go_fetch_start(&fetch, &options, err);
        if (!code) code = unpack_and_verify(in, archive, &fetch, err);
        bool resumed = fetch.resumed > 0;
        sw_go_fetch_done(&fetch);
        if (!code || !part_is_good(code)) unlinkat(downloads, part, 0);
        if (!code || part_is_good(code) || !resumed || code == SW_NOT_FOUND) break;
        sw_progress_note(in->o->progress, in->step, "%s; fetched again from the beginning",
                         err->text);
        in->n_proofs = 0;
        in->refused = false;
        code = SW_OK;
    }
    return code;
}

static enum sw_code from_file(struct install *in, const struct go_archive *archive,
                              struct sw_error *err) {
    struct sw_go_fetch fetch = {.fd = -1};
    int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, archive->path, O_RDONLY, 0, &fd, err);
    if (code) return code;
    code = sw_go_fetch_local(&fetch, fd, archive->form == GO_FORM_TAR || in->o->sha256, err);
    if (!code) code = unpack_and_verify(in, archive, &fetch, err);
    sw_go_fetch_done(&fetch);
    return code;
}

static enum sw_code from_archive(struct install *in, const struct go_archive *archive,
                                 struct sw_error *err) {
    in->n_proofs = 0;
    enum sw_code code =
        archive->path ? from_file(in, archive, err) : from_address(in, archive, err);
    if (!code) in->result->source = archive->shown;
    return code ? sw_context(err, "%s", archive->shown) : SW_OK;
}

/* ---- sources ---- */

static enum sw_code module_zip(struct install *in, struct sw_str base, const char *kind,
                               struct sw_error *err) {
    struct go_archive archive = {.form = GO_FORM_ZIP};
    archive.url = sw_arena_printf(in->a, "%.*s/%s/@v/%.*s.zip", SW_ARG(base),
                                  SW_GO_TOOLCHAIN_MODULE, SW_ARG(sw_buf_str(&in->module_version)))
                      .ptr;
    archive.shown = sw_arena_printf(in->a, "%s %.*s", kind, SW_ARG(base)).ptr;
    return from_archive(in, &archive, err);
}

static enum sw_code from_direct(struct install *in, struct sw_error *err) {
    struct sw_str base = sw_arena_printf(in->a, "%.*s/mod", SW_ARG(in->o->settings->site));
    return module_zip(in, base, "module", err);
}

/* GOPROXY's rules: ',' goes on after 404 and 410 only, '|' after every failure. */
static enum sw_code from_proxy(struct install *in, struct sw_error *err) {
    const struct sw_go_settings *s = in->o->settings;
    struct sw_goproxy list[SW_GOPROXY_MAX];
    size_t n = 0;
    if (sw_goprivate_match(s->gonoproxy, SW_STR(SW_GO_TOOLCHAIN_MODULE)))
        return from_direct(in, err);
    enum sw_code code = sw_goproxy_parse(s->goproxy.value, list, &n, err);
    if (code) return code;
    for (size_t i = 0; i < n; i++) {
        if (list[i].kind == SW_GOPROXY_OFF)
            return sw_fail(err, i ? SW_NOT_FOUND : SW_DENIED,
                           "GOPROXY=%.*s (%s) forbids the download", SW_ARG(s->goproxy.value),
                           s->goproxy.origin);
        code = list[i].kind == SW_GOPROXY_DIRECT ? from_direct(in, err)
                                                 : module_zip(in, list[i].url, "proxy", err);
        if (!code || code == SW_CANCELLED || code == SW_CORRUPT || in->refused) return code;
        if (code != SW_NOT_FOUND && !list[i].fall_back_on_error) return code;
    }
    return code;
}

static enum sw_code site_archive(struct install *in, struct sw_error *err) {
    struct sw_go_archive *archives;
    size_t n = 0;
    enum sw_code code =
        sw_go_remote_index(in->o->http, in->o->store, in->o->settings, in->a, &archives, &n, err);
    if (code) return code;
    for (size_t i = 0; i < n; i++) {
        if (!sw_go_version_eq(&archives[i].version, &in->version)) continue;
        struct go_archive archive = {.form = GO_FORM_TAR, .index = &archives[i]};
        struct sw_str site = in->o->settings->site;
        archive.url =
            sw_arena_printf(in->a, "%.*s/%.*s", SW_ARG(site), SW_ARG(archives[i].filename)).ptr;
        archive.shown = sw_arena_printf(in->a, "site %.*s", SW_ARG(site)).ptr;
        return from_archive(in, &archive, err);
    }
    return sw_fail(err, SW_NOT_FOUND, "the index of %.*s has no %s for %s/%s",
                   SW_ARG(in->o->settings->site), in->name, in->o->settings->platform.os,
                   in->o->settings->platform.arch);
}

/* A mirror has the site's archives or the module's zips, under their own names. */
static enum sw_code from_mirror(struct install *in, struct sw_error *err) {
    const struct sw_go_settings *s = in->o->settings;
    bool local = sw_str_starts(s->mirror, SW_STR("/"));
    const char *arch = strcmp(s->platform.arch, "arm") ? s->platform.arch : "armv6l";
    if (!s->mirror.len) return sw_fail(err, SW_NOT_FOUND, "SLIPWAY_GO_MIRROR is not set");
    struct go_archive forms[2] = {{.form = GO_FORM_ZIP}, {.form = GO_FORM_TAR}};
    enum sw_code code = SW_OK;
    for (int i = 0; i < 2; i++) {
        struct go_archive *archive = &forms[i];
        archive->url = i == 0 ? sw_arena_printf(in->a, "%.*s/%s.zip", SW_ARG(s->mirror),
                                                in->module_version.ptr)
                                    .ptr
                              : sw_arena_printf(in->a, "%.*s/%s.%s-%s.tar.gz", SW_ARG(s->mirror),
                                                in->name, s->platform.os, arch)
                                    .ptr;
        archive->shown = sw_arena_printf(in->a, "mirror %.*s", SW_ARG(s->mirror)).ptr;
        if (local) archive->path = archive->url;
        code = from_archive(in, archive, err);
        if (code != SW_NOT_FOUND) return code;
    }
    return code;
}

static enum sw_code from_source(struct install *in, struct sw_str source, struct sw_error *err) {
    const struct sw_go_settings *s = in->o->settings;
    bool local = sw_str_is(source, "mirror") && sw_str_starts(s->mirror, SW_STR("/"));
    local =
        local || (sw_str_is(source, "proxy") && sw_str_starts(s->goproxy.value, SW_STR("file://")));
    if (s->offline && !local)
        return sw_fail(err, SW_NOT_FOUND, "offline: source %.*s is not asked", SW_ARG(source));
    if (sw_str_is(source, "proxy")) return from_proxy(in, err);
    if (sw_str_is(source, "site")) return site_archive(in, err);
    if (sw_str_is(source, "mirror")) return from_mirror(in, err);
    return sw_fail(err, SW_USAGE, "\"%.*s\" is not a source (mirror, proxy, site)", SW_ARG(source));
}

/* Asks the sources in turn. The first failure that is not "not found" is the one to report. */
static enum sw_code from_sources(struct install *in, struct sw_error *err) {
    struct sw_str rest = in->o->source ? sw_str(in->o->source) : in->o->settings->sources, source;
    struct sw_error first = {0}, one;
    while (sw_str_next(&rest, ',', &source)) {
        sw_error_clear(&one);
        enum sw_code code = from_source(in, sw_str_trim(source), &one);
        if (!code) return SW_OK;
        /* GOPROXY=off means: no downloads. Only a source that was named is asked then. */
        bool forbidden = code == SW_DENIED && sw_str_is(in->o->settings->goproxy.value, "off");
        bool final = in->refused || code == SW_CORRUPT || code == SW_CANCELLED ||
                     code == SW_USAGE || forbidden;
        if (final || !first.code || (first.code == SW_NOT_FOUND && code != SW_NOT_FOUND))
            first = one;
        if (final) break;
        sw_progress_note(in->o->progress, in->step, "%s", one.text);
    }
    *err = first;
    return err->code;
}

static enum sw_code install_locked(struct install *in, struct sw_error *err) {
    struct sw_go_installed there;
    const struct sw_go_install_options *o = in->o;
    bool found = sw_go_store_find(o->store, in->a, &in->version, &there);
    if (found && !o->again) {
        in->result->path = there.path;
        return SW_OK;
    }
    in->replace = found && !there.system;
    sw_go_store_sweep(o->store, in->name);
    enum sw_code code;
    if (o->file) {
        struct go_archive archive = {.path = o->file, .form = in->form};
        archive.shown = sw_arena_printf(in->a, "file %s", o->file).ptr;
        code = from_archive(in, &archive, err);
    } else {
        code = from_sources(in, err);
    }
    if (code) return code;
    /* Parts of other sources that broke off earlier are of no use any more. */
    static const char *const parts[] = {"zip", "tar.gz"};
    for (int i = 0; i < 2; i++)
        unlinkat(o->store->fd,
                 sw_arena_printf(in->a, "downloads/%s.%s.part", in->name, parts[i]).ptr, 0);
    in->result->installed = true;
    in->result->verified_by = go_proofs_text(in);
    in->result->path = sw_arena_printf(in->a, "%s/versions/%s", o->store->root, in->name).ptr;
    return sw_go_store_link(o->store, err);
}

enum sw_code go_install_form(const struct sw_go_install_options *o, const struct sw_go_version *v,
                             enum go_form form, struct sw_arena *a,
                             struct sw_go_install_result *ret, struct sw_error *err) {
    struct sw_go_installed there;
    struct sw_go_install_result result = {.source = "", .verified_by = ""};
    if (!sw_go_version_is_release(v))
        return sw_fail(err, SW_USAGE, "%s is a language version, not a release; try %s.x",
                       sw_go_store_name(a, v), sw_go_store_name(a, v) + 2);
    if (!o->again && sw_go_store_find(o->store, a, v, &there)) {
        result.path = there.path;
        *ret = result;
        return SW_OK;
    }
    struct install in = {.o = o, .version = *v, .a = a, .result = &result, .form = form};
    in.name = sw_go_store_name(a, v);
    sw_buf_init(&in.module_version, 128);
    sw_go_module_version(v, &o->settings->platform, &in.module_version);
    in.step = sw_progress_step(o->progress, sw_arena_printf(a, "install %s", in.name));
    sw_progress_start(o->progress, in.step);
    SW_FD int lock = -1;
    enum sw_code code = sw_go_store_lock(o->store, in.name, waiting, &in, &lock, err);
    if (!code) code = install_locked(&in, err);
    if (code) {
        sw_context(err, "installing %s", in.name);
        sw_progress_fail(o->progress, in.step, err);
    } else {
        sw_progress_done(o->progress, in.step);
        *ret = result;
    }
    sw_buf_done(&in.module_version);
    return code;
}

enum sw_code sw_go_install(const struct sw_go_install_options *o, const struct sw_go_version *v,
                           struct sw_arena *a, struct sw_go_install_result *ret,
                           struct sw_error *err) {
    return go_install_form(o, v, GO_FORM_ZIP, a, ret, err);
}

enum sw_code sw_go_resolve(const struct sw_go_install_options *o, const struct sw_go_constraint *c,
                           struct sw_arena *a, struct sw_go_version *ret, struct sw_error *err) {
    if (c->want == SW_GO_WANT_EXACT) {
        *ret = c->bounds[0].version;
        return SW_OK;
    }
    struct sw_go_remote remote = {0};
    struct sw_error first = {0};
    enum sw_code code =
        sw_go_remote_list(o->http, o->store, o->settings, false, a, &remote, &first);
    size_t i = code ? SIZE_MAX : sw_go_constraint_pick(c, remote.versions, remote.n);
    if (i != SIZE_MAX) {
        *ret = remote.versions[i];
        return SW_OK;
    }
    if (code == SW_CANCELLED || code == SW_USAGE) {
        *err = first;
        return code;
    }
    struct sw_go_installed *list;
    size_t n = 0;
    code = sw_go_store_list(o->store, a, &list, &n, err);
    if (code) return code;
    struct sw_go_version *versions = sw_arena_array(a, n + 1, sizeof *versions);
    for (size_t j = 0; j < n; j++) versions[j] = list[j].version;
    i = sw_go_constraint_pick(c, versions, n);
    if (i != SIZE_MAX) {
        *ret = versions[i];
        return SW_OK;
    }
    if (first.code) {
        *err = first;
        return first.code;
    }
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 256);
    sw_go_constraint_format(c, &text);
    return sw_fail(err, SW_NOT_FOUND, "no version matches %s (%s)", text.ptr, remote.origin);
}

/* The version of a local archive: from its name, which says platform and form too. */
static bool archive_name(struct sw_str name, const struct sw_go_platform *p,
                         struct sw_go_version *ret, enum go_form *ret_form) {
    size_t slash = sw_str_rfind_char(name, '/');
    if (slash != SIZE_MAX) name = sw_str_from(name, slash + 1);
    if (sw_str_ends(name, SW_STR(".zip"))) {
        name.len -= 4;
        *ret_form = GO_FORM_ZIP;
        return sw_go_module_version_read(name, p, ret);
    }
    SW_BUF struct sw_buf suffix;
    sw_buf_init(&suffix, 64);
    sw_buf_addf(&suffix, ".%s-%s.tar.gz", p->os, strcmp(p->arch, "arm") ? p->arch : "armv6l");
    if (!sw_str_starts(name, SW_STR("go")) || !sw_str_ends(name, sw_buf_str(&suffix))) return false;
    name.len -= suffix.len;
    *ret_form = GO_FORM_TAR;
    return sw_go_version_read(name, ret);
}

enum sw_code sw_go_import(const struct sw_go_install_options *o, struct sw_arena *a,
                          struct sw_go_version *ret_version, struct sw_go_install_result *ret,
                          struct sw_error *err) {
    enum go_form form;
    const struct sw_go_platform *p = &o->settings->platform;
    if (!archive_name(sw_str(o->file), p, ret_version, &form))
        return sw_fail(err, SW_USAGE,
                       "%s is not named like a toolchain for this machine (go1.22.4.%s-%s.tar.gz, "
                       "v0.0.1-go1.22.4.%s-%s.zip)",
                       o->file, p->os, p->arch, p->os, p->arch);
    return go_install_form(o, ret_version, form, a, ret, err);
}
