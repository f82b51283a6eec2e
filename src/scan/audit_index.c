/* Which images hold which packages, and what was known about each package when they were judged:
 *
 *     swindex 1
 *     I <digest>
 *     P <ecosystem>\t<name>\t<content>     of the image above
 *     END <checksum of all before>
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "scan/audit.h"

struct entry {
    struct sw_str ecosystem, name;
    uint64_t content;
};

struct image {
    struct sw_str digest;
    SW_VEC(struct entry) entries;
};

struct sw_audit_index {
    struct sw_arena arena;
    struct sw_map images; /* digest -> struct image */
};

#define HEAD "swindex 1\n"
#define INDEX_MAX ((size_t)1 << 30)

static struct image *image_of(struct sw_audit_index *x, struct sw_str digest) {
    struct image *image = sw_map_get(&x->images, digest);
    if (image) return image;
    image = SW_NEW(&x->arena, struct image);
    image->digest = sw_arena_str(&x->arena, digest);
    sw_map_put(&x->images, image->digest, image);
    return image;
}

static bool read_hex(struct sw_str s, uint64_t *ret) {
    uint64_t v = 0;
    if (s.len != 16) return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret = v;
    return true;
}

static enum sw_code read_index(struct sw_audit_index *x, struct sw_str text, struct sw_error *err) {
    struct image *image = NULL;
    struct sw_str line, whole = text, name, rest;
    uint64_t sum;
    size_t end = text.len < 21 ? 0 : text.len - 21; /* "END " 16 digits newline */
    if (!sw_str_starts(text, SW_STR(HEAD)) ||
        !sw_str_starts(sw_str_from(text, end), SW_STR("END ")) ||
        !read_hex(sw_str_sub(text, end + 4, 16), &sum) || sum != sw_hash_bytes(text.ptr, end, 0))
        return sw_fail(err, SW_CORRUPT, "the index of images is damaged; remove it");
    text = sw_str_sub(whole, strlen(HEAD), end - strlen(HEAD));
    while (text.len && sw_str_next(&text, '\n', &line)) {
        if (sw_str_starts(line, SW_STR("I "))) {
            image = image_of(x, sw_str_from(line, 2));
        } else if (sw_str_starts(line, SW_STR("P ")) && image) {
            struct entry e = {0};
            sw_str_cut(sw_str_from(line, 2), '\t', &name, &rest);
            e.ecosystem = sw_arena_str(&x->arena, name);
            sw_str_cut(rest, '\t', &name, &rest);
            e.name = sw_arena_str(&x->arena, name);
            if (!read_hex(rest, &e.content))
                return sw_fail(err, SW_CORRUPT, "the index of images is damaged; remove it");
            sw_vec_add(&image->entries, e);
        }
    }
    return sw_arena_check(&x->arena, "the index of images", err);
}

enum sw_code sw_audit_index_open(const char *path, struct sw_audit_index **ret,
                                 struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, INDEX_MAX);
    struct sw_audit_index *x = sw_calloc(1, sizeof *x);
    sw_arena_init(&x->arena, INDEX_MAX);
    enum sw_code code = sw_read_file_at(AT_FDCWD, path, INDEX_MAX, &text, err);
    if (!code)
        code = read_index(x, sw_buf_str(&text), err);
    else if (code == SW_NOT_FOUND)
        code = SW_OK;
    if (code) {
        sw_audit_index_free(x);
        return sw_context(err, "%s", path);
    }
    *ret = x;
    return SW_OK;
}

void sw_audit_index_free(struct sw_audit_index *x) {
    if (!x) return;
    for (struct sw_map_entry *e = NULL; (e = sw_map_next(&x->images, e));)
        sw_vec_done(&((struct image *)e->value)->entries);
    sw_map_done(&x->images);
    sw_arena_done(&x->arena);
    free(x);
}

/* What is known about a package today: 0 where nothing is. */
static enum sw_code content_of(const struct sw_advdb *db, struct sw_str ecosystem,
                               struct sw_str name, uint64_t *ret, struct sw_error *err) {
    bool found;
    uint32_t number = 0;
    struct sw_advdb_package p = {0};
    enum sw_code code = sw_advdb_ecosystem(db, ecosystem, &found, &number, err);
    if (!code && found) code = sw_advdb_find(db, number, name, &p, err);
    /* An ecosystem that appears at all changes the verdict on everything in it. */
    *ret = p.rows.count ? p.content : found ? 1 : 0;
    return code;
}

enum sw_code sw_audit_index_put(struct sw_audit_index *x, const struct sw_advdb *db,
                                struct sw_str digest, const struct sw_inventory *inventory,
                                struct sw_error *err) {
    struct image *image = image_of(x, digest);
    image->entries.len = 0;
    for (size_t i = 0; i < inventory->n_artifacts; i++) {
        const struct sw_scan_artifact *f = &inventory->artifacts[i];
        struct sw_str systems[4];
        size_t n = sw_match_os_ecosystems(&x->arena, &inventory->os, f->kind, systems);
        bool go =
            f->kind == SW_SCAN_GO_BINARY || f->kind == SW_SCAN_GO_MOD || f->kind == SW_SCAN_GO_SDK;
        if (!go && !n && f->kind != SW_SCAN_SBOM) continue;
        for (size_t j = 0; j < f->n_packages; j++) {
            const struct sw_scan_package *p = &f->packages[j];
            struct entry e = {.ecosystem = go  ? SW_STR("Go")
                                           : n ? systems[0]
                                               : sw_arena_str(&x->arena, p->ecosystem)};
            bool by_source = (f->kind == SW_SCAN_DPKG || f->kind == SW_SCAN_APK) && p->p.source.len;
            e.name = sw_arena_str(&x->arena, by_source ? p->p.source : p->p.name);
            enum sw_code code = content_of(db, e.ecosystem, e.name, &e.content, err);
            if (code) return code;
            sw_vec_add(&image->entries, e);
        }
    }
    return sw_arena_check(&x->arena, "the index of images", err);
}

enum sw_code sw_audit_index_changed(const struct sw_audit_index *x, const struct sw_advdb *db,
                                    struct sw_str digest, bool *ret_known, bool *ret_changed,
                                    struct sw_error *err) {
    const struct image *image = sw_map_get(&x->images, digest);
    *ret_known = image != NULL;
    *ret_changed = false;
    for (size_t i = 0; image && i < image->entries.len && !*ret_changed; i++) {
        uint64_t now = 0;
        enum sw_code code =
            content_of(db, image->entries.ptr[i].ecosystem, image->entries.ptr[i].name, &now, err);
        if (code) return code;
        *ret_changed = now != image->entries.ptr[i].content;
    }
    return SW_OK;
}

enum sw_code sw_audit_index_save(const struct sw_audit_index *x, const char *dir, const char *name,
                                 struct sw_error *err) {
    SW_BUF struct sw_buf out;
    SW_FD int fd = -1;
    sw_buf_init(&out, INDEX_MAX);
    sw_buf_add_text(&out, HEAD);
    for (struct sw_map_entry *e = NULL; (e = sw_map_next(&x->images, e));) {
        const struct image *image = e->value;
        sw_buf_addf(&out, "I %.*s\n", SW_ARG(image->digest));
        for (size_t i = 0; i < image->entries.len; i++)
            sw_buf_addf(&out, "P %.*s\t%.*s\t%016llx\n", SW_ARG(image->entries.ptr[i].ecosystem),
                        SW_ARG(image->entries.ptr[i].name),
                        (unsigned long long)image->entries.ptr[i].content);
    }
    sw_buf_addf(&out, "END %016llx\n", (unsigned long long)sw_hash_bytes(out.ptr, out.len, 0));
    enum sw_code code = sw_buf_check(&out, "the index of images", err);
    if (!code) code = sw_mkdirs_at(AT_FDCWD, dir, 0755, err);
    if (!code) code = sw_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    return code ? code : sw_write_file_at(fd, name, 0644, sw_buf_str(&out), err);
}
