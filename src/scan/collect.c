#include "scan/collect.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "distro/version.h"
#include "golang/buildinfo.h"
#include "scan/gomod.h"
#include "scan/scan.h"

struct sw_collector {
    struct sw_arena *a; /* borrowed */
    uint64_t seed;
    SW_VEC(uint64_t) files;
    SW_VEC(uint64_t) dirs;
    SW_VEC(struct sw_scan_artifact) artifacts;
    SW_VEC(struct sw_pair) documents; /* rpm databases and their logs: path and content */
    struct sw_strs whiteouts, opaques;
};

struct sw_collector *sw_collector_new(struct sw_arena *a) {
    struct sw_collector *c = sw_calloc(1, sizeof *c);
    c->a = a;
    sw_random_bytes(&c->seed, sizeof c->seed);
    return c;
}

void sw_collector_free(struct sw_collector *c) {
    if (!c) return;
    sw_vec_done(&c->files);
    sw_vec_done(&c->dirs);
    sw_vec_done(&c->artifacts);
    sw_vec_done(&c->documents);
    free(c);
}

void sw_collector_freep(struct sw_collector **c) { sw_collector_free(*c); }

/* --- which files ----------------------------------------------------------------------------- */

enum document {
    DOCUMENT_NONE,
    DOCUMENT_OS,
    DOCUMENT_DPKG,
    DOCUMENT_APK,
    DOCUMENT_RPM,
    DOCUMENT_RPM_LOG,
    DOCUMENT_GO_MOD,
    DOCUMENT_GO_VERSION,
    DOCUMENT_BITNAMI,
};

static struct sw_str base_name(struct sw_str path) {
    size_t slash = sw_str_rfind_char(path, '/');
    return slash == SIZE_MAX ? path : sw_str_from(path, slash + 1);
}

/* Sources that are not the image's own: module caches, vendored and test trees, Go itself. */
static bool foreign_source(struct sw_str path) {
    static const char *const parts[] = {"pkg/mod/", "/vendor/", "/testdata/",
                                        "go/src/",  "go/misc/", "go/test/"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (sw_str_find(path, sw_str(parts[i])) != SIZE_MAX) return true;
    return false;
}

static enum document document_of(struct sw_str path) {
    static const struct {
        const char *path;
        enum document kind;
    } fixed[] = {
        {"etc/os-release", DOCUMENT_OS},
        {"usr/lib/os-release", DOCUMENT_OS},
        {"var/lib/dpkg/status", DOCUMENT_DPKG},
        {"lib/apk/db/installed", DOCUMENT_APK},
        {"usr/lib/apk/db/installed", DOCUMENT_APK},
        {"var/lib/rpm/Packages", DOCUMENT_RPM},
        {"var/lib/rpm/Packages.db", DOCUMENT_RPM},
        {"var/lib/rpm/rpmdb.sqlite", DOCUMENT_RPM},
        {"var/lib/rpm/rpmdb.sqlite-wal", DOCUMENT_RPM_LOG},
        {"usr/lib/sysimage/rpm/Packages", DOCUMENT_RPM},
        {"usr/lib/sysimage/rpm/Packages.db", DOCUMENT_RPM},
        {"usr/lib/sysimage/rpm/rpmdb.sqlite", DOCUMENT_RPM},
        {"usr/lib/sysimage/rpm/rpmdb.sqlite-wal", DOCUMENT_RPM_LOG},
        {"usr/share/rpm/Packages", DOCUMENT_RPM}, /* of systems that ostree manages */
        {"usr/share/rpm/Packages.db", DOCUMENT_RPM},
        {"usr/share/rpm/rpmdb.sqlite", DOCUMENT_RPM},
        {"usr/share/rpm/rpmdb.sqlite-wal", DOCUMENT_RPM_LOG},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (sw_str_is(path, fixed[i].path)) return fixed[i].kind;
    if (sw_str_starts(path, SW_STR("var/lib/dpkg/status.d/")) &&
        !sw_str_ends(path, SW_STR(".md5sums")))
        return DOCUMENT_DPKG;
    struct sw_str base = base_name(path);
    if (sw_str_is(base, "go.mod") && !foreign_source(path)) return DOCUMENT_GO_MOD;
    if (sw_str_is(base, "VERSION") &&
        (sw_str_ends(path, SW_STR("/go/VERSION")) || sw_str_is(path, "go/VERSION")))
        return DOCUMENT_GO_VERSION;
    if (sw_str_starts(path, SW_STR("opt/bitnami/")) && sw_str_starts(base, SW_STR(".spdx-")) &&
        sw_str_ends(base, SW_STR(".spdx")))
        return DOCUMENT_BITNAMI;
    return DOCUMENT_NONE;
}

enum sw_collect_want sw_collect_wants(struct sw_str path, uint64_t size) {
    if (document_of(path) != DOCUMENT_NONE) return SW_COLLECT_CONTENT;
    /* The smallest program that the Go linker writes has some hundred KiB. */
    return size >= 16384 ? SW_COLLECT_PROGRAM : SW_COLLECT_NOTHING;
}

/* --- taking in ------------------------------------------------------------------------------- */

enum sw_code sw_collect_path(struct sw_collector *c, struct sw_str path, bool dir,
                             struct sw_error *err) {
    uint64_t hash = sw_hash_bytes(path.ptr, path.len, c->seed);
    if (c->files.len + c->dirs.len >= SW_SCAN_PATHS_MAX)
        return sw_fail(err, SW_LIMIT, "a layer of more than %d files", SW_SCAN_PATHS_MAX);
    if (dir)
        sw_vec_add(&c->dirs, hash);
    else
        sw_vec_add(&c->files, hash);
    return SW_OK;
}

void sw_collect_whiteout(struct sw_collector *c, struct sw_str path) {
    sw_strs_add(c->a, &c->whiteouts, sw_arena_str(c->a, path));
}

void sw_collect_opaque(struct sw_collector *c, struct sw_str dir) {
    sw_strs_add(c->a, &c->opaques, sw_arena_str(c->a, dir));
}

/* A file that comes twice in an archive counts as it came last. */
static enum sw_code add_artifact(struct sw_collector *c, enum sw_scan_kind kind, struct sw_str path,
                                 struct sw_scan_artifact **ret, struct sw_error *err) {
    for (size_t i = 0; i < c->artifacts.len; i++)
        if (sw_str_eq(c->artifacts.ptr[i].path, path)) {
            *ret = &c->artifacts.ptr[i];
            **ret = (struct sw_scan_artifact){.kind = kind, .path = (*ret)->path};
            return SW_OK;
        }
    if (c->artifacts.len >= SW_SCAN_ARTIFACTS_MAX)
        return sw_fail(err, SW_LIMIT, "a layer of more than %d files with packages",
                       SW_SCAN_ARTIFACTS_MAX);
    *ret = sw_vec_push(&c->artifacts);
    (*ret)->kind = kind;
    (*ret)->path = sw_arena_str(c->a, path);
    return sw_arena_check(c->a, "the layer's inventory", err);
}

/* A parser's refusal becomes the artifact's problem; limits and the like stay errors. */
static enum sw_code settle(struct sw_collector *c, struct sw_scan_artifact *artifact,
                           enum sw_code code, struct sw_error *err) {
    if (!code) return SW_OK;
    if (code != SW_SYNTAX && code != SW_CORRUPT && code != SW_UNSUPPORTED && code != SW_NOT_FOUND &&
        code != SW_LIMIT)
        return code;
    artifact->problem = sw_arena_str(c->a, sw_str(err->text));
    artifact->packages = NULL;
    artifact->n_packages = 0;
    return sw_arena_check(c->a, "the layer's inventory", err);
}

static void take_packages(struct sw_collector *c, struct sw_scan_artifact *artifact,
                          const struct sw_packages *list) {
    artifact->packages = sw_arena_array(c->a, list->len, sizeof *artifact->packages);
    artifact->n_packages = list->len;
    for (size_t i = 0; i < list->len; i++) artifact->packages[i].p = list->ptr[i];
}

/* VERSION: "go1.22.3\ntime ...". A development tree has "devel ...". */
static void take_sdk(struct sw_collector *c, struct sw_scan_artifact *artifact,
                     struct sw_str content) {
    struct sw_str line;
    sw_str_cut(content, '\n', &line, &content);
    artifact->go_version_raw = sw_arena_str(c->a, sw_str_trim(line));
    artifact->go_version = sw_go_version_clean(artifact->go_version_raw);
    artifact->n_packages = 2;
    artifact->packages = sw_arena_array(c->a, 2, sizeof *artifact->packages);
    for (int i = 0; i < 2; i++) {
        artifact->packages[i].p.name = i ? SW_STR("toolchain") : SW_STR("stdlib");
        artifact->packages[i].p.version = artifact->go_version;
        artifact->packages[i].stdlib = true;
    }
}

enum sw_code sw_collect_content(struct sw_collector *c, struct sw_str path, struct sw_str content,
                                struct sw_error *err) {
    static const enum sw_scan_kind kinds[] = {
        [DOCUMENT_OS] = SW_SCAN_OS,
        [DOCUMENT_DPKG] = SW_SCAN_DPKG,
        [DOCUMENT_APK] = SW_SCAN_APK,
        [DOCUMENT_RPM] = SW_SCAN_RPM,
        [DOCUMENT_RPM_LOG] = SW_SCAN_RPM,
        [DOCUMENT_GO_MOD] = SW_SCAN_GO_MOD,
        [DOCUMENT_GO_VERSION] = SW_SCAN_GO_SDK,
        [DOCUMENT_BITNAMI] = SW_SCAN_SBOM,
    };
    enum document kind = document_of(path);
    if (kind == DOCUMENT_RPM || kind == DOCUMENT_RPM_LOG) {
        struct sw_pair pair = {sw_arena_str(c->a, path), sw_arena_str(c->a, content)};
        sw_vec_add(&c->documents, pair);
        return sw_arena_check(c->a, "the layer's inventory", err);
    }
    struct sw_scan_artifact *artifact;
    struct sw_packages list = {0};
    enum sw_code code = add_artifact(c, kinds[kind], path, &artifact, err);
    if (code) return code;
    switch (kind) {
    case DOCUMENT_OS:
        sw_os_release_parse(c->a, content, &artifact->os);
        break;
    case DOCUMENT_DPKG:
        code = sw_dpkg_parse(c->a, content, &list, err);
        break;
    case DOCUMENT_APK:
        code = sw_apk_parse(c->a, content, &list, err);
        break;
    case DOCUMENT_GO_MOD:
        code = sw_scan_gomod(c->a, content, &list, err);
        break;
    case DOCUMENT_GO_VERSION:
        take_sdk(c, artifact, content);
        return SW_OK;
    case DOCUMENT_BITNAMI: {
        /* Parsed JSON points into its text. */
        struct sw_str text = sw_arena_str(c->a, content);
        code = sw_scan_bitnami(c->a, text, &artifact->packages, &artifact->n_packages, err);
        return settle(c, artifact, code, err);
    }
    default:
        break;
    }
    if (!code) take_packages(c, artifact, &list);
    return settle(c, artifact, code, err);
}

enum sw_code sw_collect_problem(struct sw_collector *c, struct sw_str path, const char *problem,
                                struct sw_error *err) {
    struct sw_scan_artifact *artifact;
    enum document kind = document_of(path);
    enum sw_scan_kind as = kind == DOCUMENT_DPKG                              ? SW_SCAN_DPKG
                           : kind == DOCUMENT_APK                             ? SW_SCAN_APK
                           : kind == DOCUMENT_RPM || kind == DOCUMENT_RPM_LOG ? SW_SCAN_RPM
                           : kind == DOCUMENT_OS                              ? SW_SCAN_OS
                           : kind == DOCUMENT_GO_MOD                          ? SW_SCAN_GO_MOD
                           : kind == DOCUMENT_BITNAMI                         ? SW_SCAN_SBOM
                                                                              : SW_SCAN_GO_BINARY;
    enum sw_code code = add_artifact(c, as, path, &artifact, err);
    if (!code) artifact->problem = sw_arena_str(c->a, sw_str(problem));
    return code;
}

/* --- Go programs ----------------------------------------------------------------------------- */

static void add_module(struct sw_collector *c, struct sw_scan_artifact *artifact,
                       const struct sw_go_module *m, bool main) {
    struct sw_scan_package *p = &artifact->packages[artifact->n_packages++];
    p->p.name = sw_arena_str(c->a, m->replaced ? m->replace_path : m->path);
    p->p.version = sw_arena_str(c->a, m->replaced ? m->replace_version : m->version);
    /* What it stands for, where something else was built. */
    if (m->replaced) {
        p->p.source = sw_arena_str(c->a, m->path);
        p->p.source_version = sw_arena_str(c->a, m->version);
    }
    p->main = main;
}

static void take_buildinfo(struct sw_collector *c, struct sw_scan_artifact *artifact,
                           const struct sw_go_buildinfo *info) {
    artifact->go_version = sw_arena_str(c->a, info->go_version);
    artifact->go_version_raw = sw_arena_str(c->a, info->go_version_raw);
    artifact->main_path = sw_arena_str(c->a, info->path);
    artifact->modules_unknown = !info->has_modules;
    artifact->problem = sw_arena_str(c->a, info->doubt);
    for (size_t i = 0; i < info->settings.len; i++) {
        struct sw_pair s = info->settings.ptr[i];
        struct sw_str value = sw_arena_str(c->a, s.value);
        sw_pairs_set(c->a, &artifact->settings, sw_arena_str(c->a, s.name), value);
        if (sw_str_is(s.name, "GOOS")) artifact->goos = value;
        if (sw_str_is(s.name, "GOARCH")) artifact->goarch = value;
    }
    artifact->packages = sw_arena_array(c->a, info->n_deps + 2, sizeof *artifact->packages);
    struct sw_scan_package *std = &artifact->packages[artifact->n_packages++];
    std->p.name = SW_STR("stdlib");
    std->p.version = artifact->go_version;
    std->stdlib = true;
    if (info->main.path.len) add_module(c, artifact, &info->main, true);
    for (size_t i = 0; i < info->n_deps; i++) add_module(c, artifact, &info->deps[i], false);
}

struct functions {
    SW_VEC(uint64_t) hashes;
    struct sw_map packages;
    struct sw_arena names;
    bool too_many;
};

static void take_function(void *context, struct sw_str package, struct sw_str symbol) {
    struct functions *f = context;
    if (f->hashes.len >= SW_SCAN_FUNCTIONS_MAX) {
        f->too_many = true;
        return;
    }
    sw_vec_add(&f->hashes, sw_scan_function_hash(package, symbol));
    if (!sw_map_has(&f->packages, package))
        sw_map_put(&f->packages, sw_arena_str(&f->names, package), f);
}

static int by_number(const void *x, const void *y) {
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}
static int by_text(const void *x, const void *y) {
    return sw_str_cmp(*(const struct sw_str *)x, *(const struct sw_str *)y);
}

/* Sorted, each once, in the arena. */
static uint64_t *sorted(struct sw_arena *a, uint64_t *from, size_t n, size_t *ret_n) {
    if (n) qsort(from, n, sizeof *from, by_number);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || from[kept - 1] != from[i]) from[kept++] = from[i];
    uint64_t *to = sw_arena_array(a, kept, sizeof *to);
    if (kept) memcpy(to, from, kept * sizeof *to);
    *ret_n = kept;
    return to;
}

/* Where the functions cannot be read, all of them count as linked: known stays false. */
static void take_functions(struct sw_collector *c, struct sw_scan_artifact *artifact,
                           const struct sw_object *object, const struct sw_source *source) {
    struct functions f = {0};
    struct sw_error ignored;
    bool complete = false;
    sw_arena_init(&f.names, 0);
    if (!sw_go_functions_read(object, source, take_function, &f, &complete, &ignored) &&
        !f.too_many && f.hashes.len) {
        struct sw_scan_functions *to = &artifact->functions;
        to->known = true;
        to->complete = complete;
        to->hashes = sorted(c->a, f.hashes.ptr, f.hashes.len, &to->n);
        for (struct sw_map_entry *e = NULL; (e = sw_map_next(&f.packages, e));)
            sw_strs_add(c->a, &to->packages, sw_arena_str(c->a, e->key));
        qsort(to->packages.ptr, to->packages.len, sizeof *to->packages.ptr, by_text);
    }
    sw_vec_done(&f.hashes);
    sw_map_done(&f.packages);
    sw_arena_done(&f.names);
}

/* Where no module is named and no package but the standard library's is linked, none is missing. */
static bool only_standard(const struct sw_scan_functions *f) {
    if (!f->known || !f->complete) return false;
    for (size_t i = 0; i < f->packages.len; i++) {
        struct sw_str first, rest;
        sw_str_cut(f->packages.ptr[i], '/', &first, &rest);
        if (sw_str_find(first, SW_STR(".")) != SIZE_MAX || sw_str_is(first, "_")) return false;
    }
    return true;
}

enum sw_code sw_collect_program(struct sw_collector *c, struct sw_str path,
                                const struct sw_source *source, struct sw_error *err) {
    static const char *const formats[] = {"", "elf", "pe", "macho"};
    struct sw_arena work;
    sw_arena_init(&work, (size_t)256 << 20);
    struct sw_object object = {0};
    struct sw_go_buildinfo info = {0};
    enum sw_code code = sw_object_read(&work, source, &object, err);
    if (!code) code = sw_go_buildinfo_read(&work, &object, source, &info, err);
    if (code == SW_NOT_FOUND) { /* not a Go program: none of our business */
        sw_arena_done(&work);
        return SW_OK;
    }
    struct sw_scan_artifact *artifact;
    struct sw_error more;
    enum sw_code added = add_artifact(c, SW_SCAN_GO_BINARY, path, &artifact, &more);
    if (added) {
        *err = more;
        sw_arena_done(&work);
        return added;
    }
    artifact->format = sw_str(formats[object.format]);
    if (!code) {
        take_buildinfo(c, artifact, &info);
        take_functions(c, artifact, &object, source);
        if (only_standard(&artifact->functions)) artifact->modules_unknown = false;
    }
    sw_arena_done(&work);
    return settle(c, artifact, code, err);
}

enum sw_code sw_collect_link(struct sw_collector *c, struct sw_str path, struct sw_str target,
                             struct sw_error *err) {
    for (size_t i = 0; i < c->artifacts.len; i++) {
        if (!sw_str_eq(c->artifacts.ptr[i].path, target)) continue;
        struct sw_scan_artifact copy = c->artifacts.ptr[i], *to;
        enum sw_code code = add_artifact(c, copy.kind, path, &to, err);
        if (code) return code;
        copy.path = to->path;
        *to = copy;
        return SW_OK;
    }
    return SW_OK;
}

/* --- the end --------------------------------------------------------------------------------- */

/* An rpm database with the log that belongs to it. A log alone cannot be read. */
static enum sw_code finish_rpm(struct sw_collector *c, struct sw_error *err) {
    for (size_t i = 0; i < c->documents.len; i++) {
        struct sw_str path = c->documents.ptr[i].name, log = SW_STR("");
        bool is_log = sw_str_ends(path, SW_STR("-wal")), has_database = false;
        for (size_t j = 0; j < c->documents.len; j++) {
            struct sw_str other = c->documents.ptr[j].name;
            if (other.len == path.len + 4 && sw_str_starts(other, path))
                log = c->documents.ptr[j].value;
            if (path.len == other.len + 4 && sw_str_starts(path, other)) has_database = true;
        }
        if (is_log && (has_database || c->documents.ptr[i].value.len == 0)) continue;
        struct sw_scan_artifact *artifact;
        struct sw_packages list = {0};
        enum sw_code code = add_artifact(c, SW_SCAN_RPM, path, &artifact, err);
        if (code) return code;
        code = is_log ? sw_fail(err, SW_CORRUPT, "a log whose database is in another layer")
                      : sw_rpm_parse(c->a, c->documents.ptr[i].value, log, &list, err);
        if (!code) take_packages(c, artifact, &list);
        code = settle(c, artifact, code, err);
        if (code) return code;
    }
    return SW_OK;
}

enum sw_code sw_collect_finish(struct sw_collector *c, struct sw_scan_layer *ret,
                               struct sw_error *err) {
    enum sw_code code = finish_rpm(c, err);
    if (code) return code;
    struct sw_scan_layer l = {.seed = c->seed, .whiteouts = c->whiteouts, .opaques = c->opaques};
    l.files = sorted(c->a, c->files.ptr, c->files.len, &l.n_files);
    l.dirs = sorted(c->a, c->dirs.ptr, c->dirs.len, &l.n_dirs);
    l.n_artifacts = c->artifacts.len;
    l.artifacts = sw_arena_array(c->a, l.n_artifacts, sizeof *l.artifacts);
    if (l.n_artifacts) memcpy(l.artifacts, c->artifacts.ptr, l.n_artifacts * sizeof *l.artifacts);
    *ret = l;
    return sw_arena_check(c->a, "the layer's inventory", err);
}
