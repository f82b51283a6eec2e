#include "remote/place_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "oci/image_layout.h"
#include "oci/manifest.h"
#include "store/blob.h"
#include "store/tags.h"

/* ---- names ---- */

static const struct {
    const char *text;
    enum sw_place_kind kind;
    bool docker;
} prefixes[] = {
    {"docker://", SW_PLACE_REGISTRY, false},        {"store:", SW_PLACE_STORE, false},
    {"containers-storage:", SW_PLACE_STORE, false}, {"oci:", SW_PLACE_LAYOUT, false},
    {"oci-layout://", SW_PLACE_LAYOUT, false},      {"oci-archive:", SW_PLACE_ARCHIVE, false},
    {"docker-archive:", SW_PLACE_ARCHIVE, true},
};
static const char *const foreign[] = {"docker-daemon:", "dir:", "ostree:", "sif:", "atomic:"};

enum sw_code sw_place_parse(struct sw_str text, struct sw_place_name *ret, struct sw_error *err) {
    struct sw_place_name n = {.kind = SW_PLACE_REGISTRY, .bare = true, .name = text};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (sw_str_starts(text, sw_str(foreign[i])))
            return sw_fail(err, SW_UNSUPPORTED,
                           "\"%.*s\": %s is not read or written here; there are docker://, oci:, "
                           "oci-archive:, docker-archive: and store:",
                           SW_ARG(text), foreign[i]);
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes && n.bare; i++) {
        struct sw_str prefix = sw_str(prefixes[i].text);
        if (!sw_str_starts(text, prefix)) continue;
        n = (struct sw_place_name){.kind = prefixes[i].kind, .docker = prefixes[i].docker};
        n.name = sw_str_from(text, prefix.len);
    }
    if (n.kind == SW_PLACE_LAYOUT || n.kind == SW_PLACE_ARCHIVE) {
        struct sw_str rest = n.name;
        size_t digest = sw_str_find(rest, SW_STR("@sha"));
        sw_str_cut(rest, ':', &n.path, &n.name);
        if (digest != SIZE_MAX && digest < n.path.len) {
            n.name = sw_str_from(rest, digest + 1);
            n.path = sw_str_sub(rest, 0, digest);
        }
    }
    bool file = n.kind == SW_PLACE_LAYOUT || n.kind == SW_PLACE_ARCHIVE;
    if (file ? !n.path.len : !n.name.len)
        return sw_fail(err, SW_USAGE, "\"%.*s\" names no %s", SW_ARG(text),
                       file ? "file" : "image");
    *ret = n;
    return SW_OK;
}

enum sw_code sw_place_open(struct sw_arena *a, const struct sw_place_name *name, bool target,
                           struct sw_remote *remote, struct sw_store *store, struct sw_place *ret,
                           struct sw_error *err) {
    struct sw_place p = {.kind = name->kind,
                         .docker = name->docker,
                         .remote = remote,
                         .store = store,
                         .name = sw_arena_str(a, name->name),
                         .path = sw_arena_str(a, name->path),
                         .dir = -1};
    enum sw_code code = SW_OK;
    if (p.kind == SW_PLACE_REGISTRY) {
        code = sw_reference_parse(a, p.name, &p.ref, err);
        if (!code) sw_reference_default_tag(&p.ref);
    } else if (p.kind == SW_PLACE_LAYOUT) {
        code = layout_open(p.path.ptr, target, &p.dir, err);
    } else if (p.kind == SW_PLACE_ARCHIVE) {
        code = archive_open(&p, a, target, err);
    }
    if (code) {
        sw_place_close(&p);
        return code;
    }
    *ret = p;
    return SW_OK;
}

void sw_place_close(struct sw_place *p) {
    if (p->kind == SW_PLACE_LAYOUT) sw_closep(&p->dir);
    archive_close(p->archive);
    *p = (struct sw_place){0};
}

struct sw_str sw_place_text(const struct sw_place *p, struct sw_arena *a) {
    if (p->kind == SW_PLACE_REGISTRY) return sw_reference_format(a, &p->ref);
    if (p->kind == SW_PLACE_STORE) return p->name;
    const char *prefix = p->kind == SW_PLACE_LAYOUT ? "oci"
                         : p->docker                ? "docker-archive"
                                                    : "oci-archive";
    return sw_arena_printf(a, "%s:%.*s%s%.*s", prefix, SW_ARG(p->path), p->name.len ? ":" : "",
                           SW_ARG(p->name));
}

/* ---- reading ---- */

static enum sw_code read_range(int fd, uint64_t offset, uint64_t size, struct sw_arena *a,
                               struct sw_str *ret, struct sw_error *err) {
    if (size > SW_OCI_DOCUMENT_MAX)
        return sw_fail(err, SW_LIMIT, "a document of %llu bytes, at most %u are read",
                       (unsigned long long)size, (unsigned)SW_OCI_DOCUMENT_MAX);
    char *to = sw_arena_array(a, (size_t)size + 1, 1);
    for (size_t done = 0; done < size;) {
        ssize_t n = sw_sys_pread(fd, to + done, (size_t)size - done, (off_t)(offset + done));
        if (n < 0) return sw_fail_sys(err, errno, "reading a document");
        if (n == 0) return sw_fail(err, SW_CORRUPT, "a document ends early");
        done += (size_t)n;
    }
    *ret = sw_str_n(to, (size_t)size);
    return SW_OK;
}

/* A blob of a place with files. */
static enum sw_code open_file(const struct sw_place *p, const struct sw_digest *d, int *ret_fd,
                              uint64_t *ret_offset, uint64_t *ret_size, struct sw_error *err) {
    struct stat st;
    *ret_offset = 0;
    if (p->kind == SW_PLACE_STORE) return sw_blob_open(p->store, d, ret_fd, ret_size, err);
    if (p->kind == SW_PLACE_ARCHIVE)
        return archive_blob_open(p, d, ret_fd, ret_offset, ret_size, err);
    SW_FD int fd = -1;
    enum sw_code code = layout_blob_open(p->dir, d, &fd, err);
    if (code) return code;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "look at a blob");
    if (!S_ISREG(st.st_mode)) return sw_fail(err, SW_CORRUPT, "a blob is no file");
    *ret_size = (uint64_t)st.st_size;
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}

static enum sw_code file_bytes(const struct sw_place *p, struct sw_arena *a,
                               const struct sw_digest *d, struct sw_str *ret,
                               struct sw_error *err) {
    SW_FD int fd = -1;
    uint64_t offset, size;
    char text[SW_DIGEST_TEXT_MAX];
    enum sw_code code = open_file(p, d, &fd, &offset, &size, err);
    if (!code) code = read_range(fd, offset, size, a, ret, err);
    if (code) return code;
    struct sw_digest got = sw_digest_of((enum sw_digest_alg)d->alg, *ret);
    if (!sw_digest_eq(&got, d))
        code = sw_fail(err, SW_CORRUPT, "%.*s does not have its digest",
                       SW_ARG(sw_digest_format(d, text)));
    return code;
}

/* What the place itself names. */
static enum sw_code own_descriptor(const struct sw_place *p, struct sw_arena *a,
                                   struct sw_descriptor *ret, struct sw_error *err) {
    enum sw_code code;
    if (p->kind == SW_PLACE_STORE && p->target) {
        *ret = *p->target;
        return SW_OK;
    }
    if (p->kind == SW_PLACE_STORE) {
        struct sw_image image;
        code = sw_tags_resolve(p->store, a, p->name, &image, err);
        if (!code) *ret = image.target;
        return code;
    }
    if (p->kind == SW_PLACE_ARCHIVE) return archive_find(p, a, ret, err);
    struct sw_index index;
    const struct sw_descriptor *found = NULL;
    code = layout_index(p->dir, a, &index, err);
    if (!code) code = sw_layout_find(a, &index, p->name, &found, err);
    if (!code) *ret = *found;
    return code;
}

/* A registry's own reference: the digest where there is one. */
static struct sw_str own_reference(const struct sw_place *p, struct sw_arena *a) {
    char text[SW_DIGEST_TEXT_MAX];
    if (sw_digest_is_set(&p->ref.digest))
        return sw_arena_str(a, sw_digest_format(&p->ref.digest, text));
    return p->ref.tag.len ? p->ref.tag : SW_STR("latest");
}

enum sw_code sw_place_manifest(const struct sw_place *p, struct sw_arena *a,
                               struct sw_str reference, struct sw_descriptor *ret,
                               struct sw_str *ret_bytes, struct sw_error *err) {
    struct sw_descriptor d = {0};
    struct sw_str bytes;
    enum sw_code code = SW_OK;
    if (p->kind == SW_PLACE_REGISTRY) {
        if (!reference.len) reference = own_reference(p, a);
        code = sw_remote_manifest_get(p->remote, a, sw_repository_of(&p->ref), reference, &d,
                                      &bytes, err);
    } else {
        code = reference.len ? sw_digest_parse(reference, &d.digest, err)
                             : own_descriptor(p, a, &d, err);
        if (!code) code = file_bytes(p, a, &d.digest, &bytes, err);
    }
    if (code) return code;
    d.size = (int64_t)bytes.len;
    enum sw_media_kind kind = sw_media_type_of(d.media_type).kind;
    if (kind != SW_MEDIA_INDEX && kind != SW_MEDIA_MANIFEST) {
        code = sw_manifest_media_type(a, bytes, &d.media_type, err);
        if (code) return code;
    }
    *ret = d;
    *ret_bytes = bytes;
    return sw_arena_check(a, "an image's documents", err);
}

enum sw_code sw_place_choose(const struct sw_place *p, struct sw_arena *a,
                             const struct sw_platform *platform, struct sw_descriptor *ret,
                             struct sw_str *ret_bytes, struct sw_error *err) {
    struct sw_str reference = SW_STR("");
    char text[SW_DIGEST_TEXT_MAX];
    for (unsigned depth = 0; depth < PLACE_NESTING_MAX; depth++) {
        struct sw_index index;
        enum sw_code code = sw_place_manifest(p, a, reference, ret, ret_bytes, err);
        if (code || sw_media_type_of(ret->media_type).kind != SW_MEDIA_INDEX) return code;
        code = sw_index_parse(a, *ret_bytes, ret->media_type, &index, err);
        if (code) return code;
        const struct sw_descriptor *d = sw_index_choose(&index, platform);
        if (!d)
            return sw_fail(err, SW_NOT_FOUND, "no image for %.*s; there is %.*s",
                           SW_ARG(sw_platform_format(a, platform)),
                           SW_ARG(sw_index_platforms(a, &index)));
        reference = sw_arena_str(a, sw_digest_format(&d->digest, text));
    }
    return sw_fail(err, SW_LIMIT, "indexes are nested too deeply");
}

enum sw_code sw_place_blob(const struct sw_place *p, const struct sw_descriptor *d,
                           sw_remote_progress *progress, void *progress_context, int *ret_fd,
                           uint64_t *ret_offset, struct sw_error *err) {
    uint64_t size;
    enum sw_code code;
    SW_FD int fd = -1;
    if (p->kind != SW_PLACE_REGISTRY) {
        code = open_file(p, &d->digest, &fd, ret_offset, &size, err);
        if (!code && size != (uint64_t)d->size)
            code = sw_fail(err, SW_CORRUPT, "a blob has %llu bytes, not %lld",
                           (unsigned long long)size, (long long)d->size);
        if (!code) *ret_fd = sw_take_fd(&fd);
        return code;
    }
    code = sw_temporary_file(&fd, err);
    if (!code) code = place_download(p, d, fd, progress, progress_context, err);
    if (code) return code;
    *ret_offset = 0;
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}

enum sw_code sw_place_document(const struct sw_place *p, struct sw_arena *a,
                               const struct sw_descriptor *d, struct sw_str *ret,
                               struct sw_error *err) {
    SW_FD int fd = -1;
    uint64_t offset;
    if (p->kind != SW_PLACE_REGISTRY) return file_bytes(p, a, &d->digest, ret, err);
    if (d->size > (int64_t)SW_OCI_DOCUMENT_MAX)
        return sw_fail(err, SW_LIMIT, "a document of %lld bytes", (long long)d->size);
    enum sw_code code = sw_place_blob(p, d, NULL, NULL, &fd, &offset, err);
    return code ? code : read_range(fd, offset, (uint64_t)d->size, a, ret, err);
}

enum sw_code place_has_blob(const struct sw_place *p, const struct sw_digest *d, bool *ret,
                            struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    *ret = false;
    if (p->kind == SW_PLACE_REGISTRY)
        return sw_remote_blob_exists(p->remote, sw_repository_of(&p->ref), d, ret, err);
    if (p->kind == SW_PLACE_STORE)
        *ret = sw_blob_exists(p->store, d, NULL);
    else if (p->kind == SW_PLACE_LAYOUT)
        *ret = faccessat(p->dir, sw_layout_blob_path(d, path).ptr, F_OK, 0) == 0;
    return SW_OK; /* an archive is always new */
}

/* ---- referrers ---- */

/* The subject of a document, where it has one. */
static const struct sw_descriptor *subject_of(struct sw_arena *a, const struct sw_descriptor *d,
                                              struct sw_str bytes) {
    struct sw_error ignored;
    struct sw_index index;
    struct sw_manifest m;
    if (sw_media_type_of(d->media_type).kind == SW_MEDIA_INDEX)
        return sw_index_parse(a, bytes, d->media_type, &index, &ignored) ? NULL : index.subject;
    return sw_manifest_parse(a, bytes, d->media_type, &m, &ignored) ? NULL : m.subject;
}

enum sw_code place_referrers(const struct sw_place *p, struct sw_arena *a,
                             const struct sw_digest *subject, struct sw_descriptor **ret,
                             size_t *ret_n, struct sw_error *err) {
    struct sw_index index = {0}, found = {0};
    char text[SW_DIGEST_TEXT_MAX];
    if (p->kind == SW_PLACE_REGISTRY)
        return sw_remote_referrers(p->remote, a, sw_repository_of(&p->ref), subject, SW_STR(""),
                                   ret, ret_n, err);
    enum sw_code code = SW_OK;
    if (p->kind == SW_PLACE_LAYOUT)
        code = layout_index(p->dir, a, &index, err);
    else if (p->kind == SW_PLACE_ARCHIVE)
        index = *archive_index(p);
    for (size_t i = 0; !code && i < index.n_manifests; i++) {
        struct sw_descriptor d;
        struct sw_str bytes;
        sw_digest_format(&index.manifests[i].digest, text);
        code = sw_place_manifest(p, a, sw_str(text), &d, &bytes, err);
        const struct sw_descriptor *of = code ? NULL : subject_of(a, &d, bytes);
        if (!of || !sw_digest_eq(&of->digest, subject)) continue;
        d.artifact_type = index.manifests[i].artifact_type;
        sw_index_add(a, &found, &d);
    }
    *ret = found.manifests;
    *ret_n = found.n_manifests;
    return code;
}
