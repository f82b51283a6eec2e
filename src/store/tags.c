#include "store/tags.h"
#include <string.h>

#include "base/fs.h"
#include "codec/rfc3339.h"
#include "store/image.h"
#include "store/index_file.h"
#include "store/store_internal.h"

/* Candidates that an ambiguous prefix lists. */
#define CANDIDATES_SHOWN 10

/* ---- entries as images ---- */

static void facts_to_annotations(struct sw_arena *a, struct sw_descriptor *d,
                                 const struct sw_image_facts *facts) {
    char digest[SW_DIGEST_TEXT_MAX], time[SW_RFC3339_MAX];
    sw_pairs_set(a, &d->annotations, SW_STR(SW_ANN_IMAGE_ID),
                 sw_arena_str(a, sw_digest_format(&facts->id, digest)));
    sw_pairs_set(a, &d->annotations, SW_STR(SW_ANN_IMAGE_SIZE),
                 sw_arena_printf(a, "%llu", (unsigned long long)facts->size));
    if (facts->created != INT64_MIN)
        sw_pairs_set(a, &d->annotations, SW_STR(SW_ANN_CREATED),
                     sw_arena_str(a, sw_rfc3339_format(facts->created, 0, time)));
    if (!d->platform && facts->platform.os.len) {
        d->platform = SW_NEW(a, struct sw_platform);
        *d->platform = facts->platform;
    }
}

static bool facts_from_annotations(const struct sw_descriptor *d, struct sw_image_facts *ret) {
    struct sw_str text;
    struct sw_error ignored;
    struct sw_image_facts facts = {.created = INT64_MIN};
    if (!sw_pairs_get(&d->annotations, SW_STR(SW_ANN_IMAGE_ID), &text) ||
        sw_digest_parse(text, &facts.id, &ignored))
        return false;
    if (!sw_pairs_get(&d->annotations, SW_STR(SW_ANN_IMAGE_SIZE), &text) ||
        !sw_str_u64(text, &facts.size))
        return false;
    uint32_t nsec;
    if (sw_pairs_get(&d->annotations, SW_STR(SW_ANN_CREATED), &text) &&
        sw_rfc3339_parse(text, &facts.created, &nsec, &ignored))
        facts.created = INT64_MIN;
    facts.is_index = sw_media_type_of(d->media_type).kind == SW_MEDIA_INDEX;
    if (d->platform) facts.platform = *d->platform;
    *ret = facts;
    return true;
}

/* An image that another tool wrote and that cannot be read is still listed, by what its entry says:
 * a list is what one needs to remove it. */
static enum sw_code to_image(struct sw_store *s, struct sw_arena *a, const struct sw_index_entry *e,
                             struct sw_image *ret, struct sw_error *err) {
    struct sw_descriptor d;
    enum sw_code code = sw_index_entry_parse(a, e, &d, err);
    if (code) return code;
    struct sw_image_facts facts;
    struct sw_error ignored;
    if (!facts_from_annotations(&d, &facts) && sw_image_describe(s, a, &d, &facts, &ignored))
        facts = (struct sw_image_facts){.id = d.digest, .created = INT64_MIN};
    *ret = (struct sw_image){
        .name = e->name,
        .familiar = sw_index_familiar(a, e->name),
        .target = d,
        .id = facts.id,
        .size = facts.size,
        .created = facts.created,
        .platform = facts.platform,
        .is_index = facts.is_index,
    };
    return SW_OK;
}

/* ---- setting ---- */

static bool has_digest(const struct sw_index_file *f, const struct sw_digest *digest,
                       size_t except) {
    for (size_t i = 0; i < f->list.len; i++)
        if (i != except && sw_digest_eq(&f->list.ptr[i].digest, digest)) return true;
    return false;
}

static void drop_entry(struct sw_index_file *f, size_t i) {
    f->list.ptr[i] = f->list.ptr[--f->list.len];
}

/* Takes the name from the entry i; the image stays unless another entry holds it. */
static enum sw_code unname(struct sw_index_file *f, size_t i, struct sw_error *err) {
    struct sw_index_entry e = f->list.ptr[i];
    bool elsewhere = has_digest(f, &e.digest, i);
    drop_entry(f, i);
    if (elsewhere) return SW_OK;
    struct sw_descriptor d;
    enum sw_code code = sw_index_entry_parse(f->a, &e, &d, err);
    return code ? code : sw_index_file_add(f, SW_STR(""), &d, err);
}

/* Whether an entry's descriptor has the annotations that it is to have. */
static bool has_annotations(struct sw_arena *a, const struct sw_index_entry *e,
                            const struct sw_pairs *wanted) {
    struct sw_descriptor d;
    struct sw_error ignored;
    if (!wanted->len) return true;
    if (sw_index_entry_parse(a, e, &d, &ignored)) return false;
    for (size_t i = 0; i < wanted->len; i++) {
        struct sw_str value;
        if (!sw_pairs_get(&d.annotations, wanted->ptr[i].name, &value) ||
            !sw_str_eq(value, wanted->ptr[i].value))
            return false;
    }
    return true;
}

/* One name onto the image. *changed is set where that made a difference. */
static enum sw_code set_one(struct sw_index_file *f, struct sw_str name,
                            const struct sw_descriptor *d, bool *changed, struct sw_error *err) {
    for (size_t i = 0; name.len && i < f->list.len; i++) {
        if (!sw_str_eq(f->list.ptr[i].name, name)) continue;
        if (sw_digest_eq(&f->list.ptr[i].digest, &d->digest)) {
            if (has_annotations(f->a, &f->list.ptr[i], &d->annotations)) return SW_OK;
            drop_entry(f, i);
            break;
        }
        enum sw_code code = unname(f, i, err);
        if (code) return code;
        break;
    }
    if (!name.len && has_digest(f, &d->digest, SIZE_MAX)) return SW_OK;
    for (size_t i = f->list.len; i-- > 0;)
        if (!f->list.ptr[i].name.len && sw_digest_eq(&f->list.ptr[i].digest, &d->digest))
            drop_entry(f, i);
    *changed = true;
    return sw_index_file_add(f, name, d, err);
}

static enum sw_code set_in_section(struct sw_store *s, struct sw_arena *a,
                                   const struct sw_strs *names, const struct sw_descriptor *target,
                                   struct sw_error *err) {
    SW_FD int lock = -1;
    SW_INDEX_FILE struct sw_index_file f = {0};
    struct sw_descriptor d = *target;
    struct sw_image_facts facts;
    enum sw_code code = sw_image_check_whole(s, target, err);
    if (code || (code = sw_image_describe(s, a, target, &facts, err))) return code;
    d.annotations = sw_pairs_copy(a, &target->annotations);
    facts_to_annotations(a, &d, &facts);
    if ((code = sw_index_file_lock(s, &lock, err)) || (code = sw_index_file_load(s, a, &f, err)))
        return code;
    bool changed = false;
    for (size_t i = 0; !code && i < names->len; i++) {
        struct sw_str full = {0};
        if (names->ptr[i].len) code = sw_index_full_name(a, names->ptr[i], &full, err);
        if (!code) code = set_one(&f, full, &d, &changed, err);
    }
    if (!code && changed) code = sw_index_file_save(s, &f, err);
    return code;
}

/* Looking costs less than proving that the image is whole, and a cached build ends here. */
#define NAMES_LOOKED_AT 8

static bool all_set_already(struct sw_store *s, struct sw_arena *a, const struct sw_strs *names,
                            const struct sw_descriptor *target) {
    const struct sw_digest *digest = &target->digest;
    struct sw_error ignored;
    if (names->len > NAMES_LOOKED_AT) return false;
    for (size_t i = 0; i < names->len; i++) {
        struct sw_index_entry e;
        struct sw_str full;
        bool ours;
        if (!names->ptr[i].len || sw_index_full_name(a, names->ptr[i], &full, &ignored) ||
            sw_index_file_find(s, a, full, &e, &ours, &ignored) ||
            !sw_digest_eq(&e.digest, digest) || !has_annotations(a, &e, &target->annotations))
            return false;
    }
    return names->len > 0;
}

enum sw_code sw_tags_set_all(struct sw_store *s, const struct sw_strs *names,
                             const struct sw_descriptor *target, struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, SW_INDEX_FILE_MAX * 2);
    enum sw_code code = sw_store_writable(s, err);
    if (code || (code = sw_pin_begin(s, err))) return code;
    if (!all_set_already(s, &a, names, target)) code = set_in_section(s, &a, names, target, err);
    sw_pin_end(s);
    return code ? sw_context(err, "naming the image") : SW_OK;
}

enum sw_code sw_tags_set(struct sw_store *s, struct sw_str name, const struct sw_descriptor *target,
                         struct sw_error *err) {
    struct sw_strs names = {.ptr = &name, .len = 1, .cap = 1};
    return sw_tags_set_all(s, &names, target, err);
}

/* ---- removing ---- */

enum sw_code sw_tags_remove(struct sw_store *s, struct sw_str name, bool drop_image,
                            struct sw_digest *ret_digest, bool *ret_last, struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    SW_FD int lock = -1;
    SW_INDEX_FILE struct sw_index_file f = {0};
    struct sw_str full;
    sw_arena_init(&a, SW_INDEX_FILE_MAX * 2);
    enum sw_code code = sw_index_file_lock(s, &lock, err);
    if (code || (code = sw_index_file_load(s, &a, &f, err)) ||
        (code = sw_index_full_name(&a, name, &full, err)))
        return code;
    size_t i = 0;
    while (i < f.list.len && !sw_str_eq(f.list.ptr[i].name, full) &&
           !(f.list.ptr[i].name.len && sw_str_eq(f.list.ptr[i].name, name)))
        i++;
    if (i == f.list.len) return sw_fail(err, SW_NOT_FOUND, "no image is named %.*s", SW_ARG(name));
    struct sw_digest digest = f.list.ptr[i].digest;
    bool last = !has_digest(&f, &digest, i);
    if (drop_image)
        drop_entry(&f, i);
    else
        code = unname(&f, i, err);
    if (code || (code = sw_index_file_save(s, &f, err))) return code;
    if (ret_digest) *ret_digest = digest;
    if (ret_last) *ret_last = last;
    return SW_OK;
}

enum sw_code sw_tags_drop(struct sw_store *s, const struct sw_digest *target,
                          struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    SW_FD int lock = -1;
    SW_INDEX_FILE struct sw_index_file f = {0};
    sw_arena_init(&a, SW_INDEX_FILE_MAX * 2);
    enum sw_code code = sw_index_file_lock(s, &lock, err);
    if (code || (code = sw_index_file_load(s, &a, &f, err))) return code;
    size_t before = f.list.len;
    for (size_t i = f.list.len; i-- > 0;)
        if (sw_digest_eq(&f.list.ptr[i].digest, target)) drop_entry(&f, i);
    if (f.list.len == before) {
        char text[SW_DIGEST_TEXT_MAX];
        sw_digest_format(target, text);
        return sw_fail(err, SW_NOT_FOUND, "no image has the digest %s", text);
    }
    return sw_index_file_save(s, &f, err);
}

/* ---- listing and finding ---- */

enum sw_code sw_tags_list(struct sw_store *s, struct sw_arena *a, struct sw_images *ret,
                          struct sw_error *err) {
    SW_INDEX_FILE struct sw_index_file f = {0};
    enum sw_code code = sw_index_file_load(s, a, &f, err);
    if (code) return code;
    struct sw_images images = {.ptr = sw_arena_array(a, f.list.len + 1, sizeof *images.ptr)};
    for (; images.len < f.list.len; images.len++) {
        code = to_image(s, a, &f.list.ptr[images.len], &images.ptr[images.len], err);
        if (code) return code;
    }
    *ret = images;
    return SW_OK;
}

static const struct sw_index_entry *entry_named(const struct sw_index_file *f, struct sw_str name) {
    for (size_t i = 0; i < f->list.len; i++)
        if (f->list.ptr[i].name.len && sw_str_eq(f->list.ptr[i].name, name)) return &f->list.ptr[i];
    return NULL;
}

static enum sw_code fail_unknown(struct sw_arena *a, const struct sw_index_file *f,
                                 struct sw_str what, struct sw_error *err) {
    const char **names = sw_arena_array(a, f->list.len + 1, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < f->list.len; i++)
        if (f->list.ptr[i].name.len)
            names[n++] = sw_arena_cstr(a, sw_index_familiar(a, f->list.ptr[i].name));
    const char *nearest = sw_str_nearest(what, names, n);
    enum sw_code code = sw_fail(err, SW_NOT_FOUND, "the store has no image \"%.*s\"", SW_ARG(what));
    return nearest ? sw_advise(err, "; did you mean %s?", nearest) : code;
}

static bool is_hex(struct sw_str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdef", s.ptr[i])) return false;
    return s.len > 0;
}

static bool digest_starts(const struct sw_digest *d, struct sw_str digits) {
    char text[SW_DIGEST_TEXT_MAX];
    return sw_str_starts(sw_digest_hex(d, text), digits);
}

/* The images whose ID or digest starts so: distinct ones are counted, the first is returned. */
static enum sw_code find_prefix(struct sw_store *s, struct sw_arena *a,
                                const struct sw_index_file *f, struct sw_str digits,
                                struct sw_image *ret, unsigned *ret_count, struct sw_buf *shown,
                                struct sw_error *err) {
    unsigned count = 0;
    for (size_t i = 0; i < f->list.len; i++) {
        const struct sw_index_entry *e = &f->list.ptr[i];
        struct sw_image image;
        /* Lines of ours carry the ID; the text search spares most of them the parsing. */
        if (sw_str_find(e->line, digits) == SIZE_MAX &&
            sw_str_find(e->line, SW_STR(SW_ANN_IMAGE_ID)) != SIZE_MAX)
            continue;
        enum sw_code code = to_image(s, a, e, &image, err);
        if (code) return code;
        if (!digest_starts(&image.id, digits) && !digest_starts(&image.target.digest, digits))
            continue;
        if (count && sw_digest_eq(&image.target.digest, &ret->target.digest)) continue;
        char text[SW_DIGEST_TEXT_MAX];
        sw_digest_hex(&image.id, text);
        if (count < CANDIDATES_SHOWN)
            sw_buf_addf(shown, "%s%.12s%s%.*s", count ? ", " : "", text, image.name.len ? " " : "",
                        SW_ARG(image.familiar));
        if (!count++) *ret = image;
    }
    *ret_count = count;
    return SW_OK;
}

static enum sw_code resolve_digits(struct sw_store *s, struct sw_arena *a,
                                   const struct sw_index_file *f, struct sw_str what,
                                   struct sw_str digits, struct sw_image *ret,
                                   struct sw_error *err) {
    SW_BUF struct sw_buf shown;
    unsigned count = 0;
    sw_buf_init(&shown, 4096);
    struct sw_image found = {0};
    enum sw_code code = find_prefix(s, a, f, digits, &found, &count, &shown, err);
    if (code) return code;
    if (!count) return fail_unknown(a, f, what, err);
    if (count > 1)
        return sw_fail(err, SW_USAGE, "\"%.*s\" could be any of %u images: %s%s", SW_ARG(what),
                       count, shown.ptr, count > CANDIDATES_SHOWN ? ", ..." : "");
    *ret = found;
    return SW_OK;
}

static enum sw_code resolve_in(struct sw_store *s, struct sw_arena *a,
                               const struct sw_index_file *f, struct sw_str what,
                               struct sw_image *ret, struct sw_error *err) {
    struct sw_digest digest;
    struct sw_reference ref;
    struct sw_error ignored;
    const struct sw_index_entry *e = entry_named(f, what);
    if (e) return to_image(s, a, e, ret, err);
    if (!sw_digest_parse(what, &digest, &ignored)) {
        char text[SW_DIGEST_TEXT_MAX];
        return resolve_digits(s, a, f, what, sw_digest_hex(&digest, text), ret, err);
    }
    if (sw_str_starts(what, SW_STR("sha256:")) && is_hex(sw_str_from(what, 7)) && what.len > 7)
        return resolve_digits(s, a, f, what, sw_str_from(what, 7), ret, err);
    enum sw_code code = sw_reference_parse(a, what, &ref, err);
    bool digits = is_hex(what) && what.len >= SW_IMAGE_ID_PREFIX_MIN && what.len <= 128;
    /* 64 digits are no name, but a whole image ID. */
    if (code) return digits ? resolve_digits(s, a, f, what, what, ret, err) : code;
    if (sw_digest_is_set(&ref.digest)) {
        for (size_t i = 0; i < f->list.len; i++)
            if (sw_digest_eq(&f->list.ptr[i].digest, &ref.digest))
                return to_image(s, a, &f->list.ptr[i], ret, err);
        return fail_unknown(a, f, what, err);
    }
    sw_reference_default_tag(&ref);
    if ((e = entry_named(f, sw_reference_format(a, &ref)))) return to_image(s, a, e, ret, err);
    return digits ? resolve_digits(s, a, f, what, what, ret, err) : fail_unknown(a, f, what, err);
}

/* By name, in a pin section: SW_NOT_FOUND only after everything was looked at. */
static enum sw_code find_named(struct sw_store *s, struct sw_arena *a, struct sw_str name,
                               struct sw_index_entry *ret, struct sw_error *err) {
    struct sw_str full;
    bool ours = false;
    enum sw_code code = sw_index_full_name(a, name, &full, err);
    if (code) return code;
    code = sw_index_file_find(s, a, full, ret, &ours, err);
    if (code != SW_NOT_FOUND) return code;
    SW_INDEX_FILE struct sw_index_file f = {0};
    if ((code = sw_index_file_load(s, a, &f, err))) return code;
    const struct sw_index_entry *e = ours ? NULL : entry_named(&f, full);
    if (!e) return fail_unknown(a, &f, name, err);
    *ret = *e;
    return SW_OK;
}

static enum sw_code resolve_any(struct sw_store *s, struct sw_arena *a, struct sw_str what,
                                struct sw_image *ret, struct sw_error *err) {
    SW_INDEX_FILE struct sw_index_file f = {0};
    struct sw_index_entry e;
    struct sw_error ignored;
    bool ours;
    struct sw_str full;
    if (!sw_index_full_name(a, what, &full, &ignored) &&
        !sw_index_file_find(s, a, full, &e, &ours, &ignored))
        return to_image(s, a, &e, ret, err);
    enum sw_code code = sw_index_file_load(s, a, &f, err);
    return code ? code : resolve_in(s, a, &f, what, ret, err);
}

enum sw_code sw_tags_resolve(struct sw_store *s, struct sw_arena *a, struct sw_str what,
                             struct sw_image *ret, struct sw_error *err) {
    struct sw_image image;
    enum sw_code code = sw_pin_begin(s, err);
    if (code) return code;
    code = resolve_any(s, a, what, &image, err);
    if (!code) code = sw_pin_digest(s, SW_PIN_IMAGE, &image.target.digest, err);
    sw_pin_end(s);
    if (!code) *ret = image;
    return code;
}

enum sw_code sw_tags_get(struct sw_store *s, struct sw_arena *a, struct sw_str name,
                         struct sw_descriptor *ret, struct sw_error *err) {
    SW_ARENA struct sw_arena scratch;
    struct sw_index_entry e;
    struct sw_descriptor d;
    sw_arena_init(&scratch, SW_INDEX_FILE_MAX * 2);
    enum sw_code code = sw_pin_begin(s, err);
    if (code) return code;
    code = find_named(s, &scratch, name, &e, err);
    if (!code) code = sw_index_entry_parse(a, &e, &d, err);
    if (!code) code = sw_pin_digest(s, SW_PIN_IMAGE, &d.digest, err);
    sw_pin_end(s);
    if (!code) *ret = d;
    return code;
}
