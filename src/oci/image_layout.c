#include "oci/image_layout.h"

#include "oci/document_internal.h"

void sw_layout_write(struct sw_buf *out) {
    sw_buf_add(out, SW_STR("{\"imageLayoutVersion\":\"" SW_LAYOUT_VERSION "\"}"));
}

enum sw_code sw_layout_check(struct sw_str bytes, struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    const struct sw_json *root;
    struct sw_str version;
    sw_arena_init(&a, 1 << 20);
    enum sw_code code =
        sw_json_parse(&a, bytes, &(struct sw_json_limits){.bytes = 64 << 10}, &root, err);
    if (!code) code = sw_json_expect(root, SW_JSON_OBJECT, err);
    if (!code) code = sw_json_need_str(root, "imageLayoutVersion", &version, err);
    if (code) return sw_context(err, SW_LAYOUT_FILE);
    if (!sw_str_starts(version, SW_STR("1.")))
        return sw_fail(err, SW_UNSUPPORTED,
                       SW_LAYOUT_FILE
                       ": layouts of version %.*s are not known; known is " SW_LAYOUT_VERSION,
                       SW_ARG(version));
    return SW_OK;
}

struct sw_str sw_layout_blob_path(const struct sw_digest *d, char ret_path[SW_LAYOUT_PATH_MAX]) {
    static const char blobs[] = "blobs/";
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_str s = sw_digest_format(d, text);
    size_t len = sizeof blobs - 1;
    memcpy(ret_path, blobs, len);
    memcpy(ret_path + len, s.ptr, s.len);
    ret_path[len + strlen(sw_digest_alg_name((enum sw_digest_alg)d->alg))] = '/';
    ret_path[len + s.len] = 0;
    return sw_str_n(ret_path, len + s.len);
}

static bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* alnum *( separator alnum ), separator one of - . _ : @ + or "--". */
static bool is_ref_component(struct sw_str s) {
    bool letter = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (is_alnum(c)) {
            letter = true;
            continue;
        }
        bool second_dash =
            c == '-' && !letter && i >= 2 && s.ptr[i - 1] == '-' && is_alnum(s.ptr[i - 2]);
        if (!strchr("-._:@+", c) || (!letter && !second_dash)) return false;
        letter = false;
    }
    return letter;
}

bool sw_layout_is_ref_name(struct sw_str name) {
    struct sw_str rest = name, part;
    if (name.len && memchr(name.ptr, 0, name.len)) return false;
    while (rest.ptr && sw_str_next(&rest, '/', &part))
        if (!is_ref_component(part)) return false;
    return name.len > 0;
}

static struct sw_str name_of(const struct sw_descriptor *d, const char *annotation) {
    struct sw_str name = SW_STR("");
    sw_pairs_get(&d->annotations, sw_str(annotation), &name);
    return name;
}

static void list_names(const struct sw_index *index, struct sw_buf *out) {
    for (size_t i = 0; i < index->n_manifests; i++) {
        struct sw_str name = name_of(&index->manifests[i], SW_ANN_REF_NAME);
        if (!name.len) name = name_of(&index->manifests[i], SW_ANN_CONTAINERD_NAME);
        if (name.len) sw_buf_addf(out, "%s%.*s", out->len ? ", " : "", SW_ARG(name));
    }
}

struct search {
    struct sw_str name, tag;
    struct sw_reference ref; /* the name as a reference; empty domain where it is none */
    struct sw_digest digest;
};

enum match { MATCH_NONE, MATCH_TAG, MATCH_REFERENCE, MATCH_NAME };

static bool same_reference(struct sw_arena *a, const struct search *s, struct sw_str name) {
    struct sw_reference ref;
    struct sw_error ignored;
    if (!name.len || !s->ref.domain.len || sw_reference_parse(a, name, &ref, &ignored))
        return false;
    sw_reference_default_tag(&ref);
    return sw_reference_eq(&ref, &s->ref);
}

static enum match match_entry(struct sw_arena *a, const struct search *s,
                              const struct sw_descriptor *d) {
    struct sw_str name = name_of(d, SW_ANN_REF_NAME);
    struct sw_str full = name_of(d, SW_ANN_CONTAINERD_NAME);
    if (sw_digest_is_set(&s->digest)) {
        return sw_digest_eq(&s->digest, &d->digest) ? MATCH_NAME : MATCH_NONE;
    }
    if (sw_str_eq(name, s->name) || sw_str_eq(full, s->name)) return MATCH_NAME;
    /* Beside a full name, the reference name is only its tag and says nothing alone. */
    if (same_reference(a, s, full)) return MATCH_REFERENCE;
    if (full.len) return MATCH_NONE;
    if (sw_reference_is_tag(name) && sw_str_eq(name, s->tag)) return MATCH_TAG;
    return same_reference(a, s, name) ? MATCH_REFERENCE : MATCH_NONE;
}

static enum sw_code find_only(const struct sw_index *index, const struct sw_descriptor **ret,
                              struct sw_error *err) {
    SW_BUF struct sw_buf names;
    sw_buf_init(&names, 512);
    size_t n = 0;
    for (size_t i = 0; i < index->n_manifests; i++) {
        if (sw_descriptor_is_attestation(&index->manifests[i])) continue;
        *ret = &index->manifests[i];
        n++;
    }
    if (n == 1) return SW_OK;
    list_names(index, &names);
    if (n == 0) return sw_fail(err, SW_NOT_FOUND, "the image layout is empty");
    return sw_fail(err, SW_USAGE, "the image layout has %zu images; name one of: %s", n,
                   names.len ? names.ptr : "(they have digests only)");
}

static void prepare(struct sw_arena *a, struct sw_str name, struct search *s) {
    struct sw_error ignored;
    *s = (struct search){.name = name};
    if (!sw_digest_parse(name, &s->digest, &ignored)) return;
    s->digest = (struct sw_digest){0};
    if (sw_reference_parse(a, name, &s->ref, &ignored)) {
        s->ref = (struct sw_reference){0};
        return;
    }
    s->digest = s->ref.digest;
    sw_reference_default_tag(&s->ref);
    s->tag = s->ref.tag;
}

enum sw_code sw_layout_find(struct sw_arena *a, const struct sw_index *index, struct sw_str name,
                            const struct sw_descriptor **ret, struct sw_error *err) {
    struct search s;
    const struct sw_descriptor *best = NULL;
    enum match best_match = MATCH_NONE;
    bool several = false;
    if (name.len == 0) return find_only(index, ret, err);
    prepare(a, name, &s);
    for (size_t i = 0; i < index->n_manifests; i++) {
        const struct sw_descriptor *d = &index->manifests[i];
        enum match match = match_entry(a, &s, d);
        if (match > best_match) {
            best = d;
            best_match = match;
            several = false;
        } else if (match && match == best_match && !sw_digest_eq(&d->digest, &best->digest)) {
            several = true;
        }
    }
    if (several)
        return sw_fail(err, SW_USAGE, "the image layout has several images named \"%.*s\"",
                       SW_ARG(name));
    if (best) {
        *ret = best;
        return SW_OK;
    }
    SW_BUF struct sw_buf names;
    sw_buf_init(&names, 512);
    list_names(index, &names);
    return sw_fail(err, SW_NOT_FOUND, "the image layout has no \"%.*s\"; it has: %s", SW_ARG(name),
                   names.len ? names.ptr : "no names");
}

static void remove_at(struct sw_index *index, size_t i) {
    index->n_manifests--;
    memmove(&index->manifests[i], &index->manifests[i + 1],
            (index->n_manifests - i) * sizeof *index->manifests);
}

bool sw_layout_untag(struct sw_index *index, struct sw_str name) {
    bool found = false;
    for (size_t i = 0; i < index->n_manifests;) {
        if (name.len && sw_str_eq(name_of(&index->manifests[i], SW_ANN_REF_NAME), name)) {
            remove_at(index, i);
            found = true;
        } else {
            i++;
        }
    }
    return found;
}

void sw_layout_tag(struct sw_arena *a, struct sw_index *index, struct sw_str name,
                   const struct sw_descriptor *d) {
    struct sw_descriptor named = *d;
    for (size_t i = 0; i < index->n_manifests;) {
        const struct sw_descriptor *old = &index->manifests[i];
        struct sw_str old_name = name_of(old, SW_ANN_REF_NAME);
        bool nameless = !old_name.len && !name_of(old, SW_ANN_CONTAINERD_NAME).len &&
                        sw_digest_eq(&old->digest, &d->digest);
        if (nameless || sw_str_eq(old_name, name))
            remove_at(index, i);
        else
            i++;
    }
    named.media_type = sw_arena_str(a, d->media_type);
    named.artifact_type = sw_arena_str(a, d->artifact_type);
    named.annotations = sw_pairs_copy(a, &d->annotations);
    sw_pairs_set(a, &named.annotations, SW_STR(SW_ANN_REF_NAME), sw_arena_str(a, name));
    sw_index_add(a, index, &named);
}
