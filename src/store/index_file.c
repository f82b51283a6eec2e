#include "store/index_file.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/fs.h"
#include "oci/image_layout.h"
#include "oci/reference.h"
#include "store/store_internal.h"

/* What we write starts and ends so; nothing else does. */
#define HEAD "{\"schemaVersion\":2,\"mediaType\":\"" SW_MT_OCI_INDEX "\",\"manifests\":[\n"
#define TAIL "\n]}\n"
#define TAIL_EMPTY "]}\n"

/* A quote inside a JSON string is escaped, so these patterns match members only. */
#define NAME_MEMBER "\"" SW_ANN_CONTAINERD_NAME "\":\""
#define DIGEST_MEMBER "\"digest\":\""

enum sw_code sw_index_file_lock(struct sw_store *s, int *ret_fd, struct sw_error *err) {
    enum sw_code code = sw_store_writable(s, err);
    if (code) return code;
    code = sw_lock_file_at(s->state_fd, "index.lock", true, true, ret_fd, err);
    return code ? sw_context(err, "changing images in %s", s->root) : SW_OK;
}

/* ---- names ---- */

enum sw_code sw_index_full_name(struct sw_arena *a, struct sw_str name, struct sw_str *ret,
                                struct sw_error *err) {
    struct sw_reference ref;
    enum sw_code code = sw_reference_parse(a, name, &ref, err);
    if (code) return code;
    sw_reference_default_tag(&ref);
    *ret = sw_reference_format(a, &ref);
    return SW_OK;
}

struct sw_str sw_index_familiar(struct sw_arena *a, struct sw_str full) {
    struct sw_reference ref;
    struct sw_error ignored;
    if (!full.len || sw_reference_parse(a, full, &ref, &ignored)) return full;
    return sw_reference_familiar(a, &ref);
}

/* The name of an entry that another tool wrote. A ref.name that is no reference stands for itself:
 * it can be listed and resolved as it is written. */
static struct sw_str name_of(struct sw_arena *a, const struct sw_descriptor *d) {
    struct sw_str name = {0}, full;
    struct sw_error ignored;
    if (!sw_pairs_get(&d->annotations, SW_STR(SW_ANN_CONTAINERD_NAME), &name))
        sw_pairs_get(&d->annotations, SW_STR(SW_ANN_REF_NAME), &name);
    if (!name.len) return SW_STR("");
    return sw_index_full_name(a, name, &full, &ignored) ? name : full;
}

/* ---- reading ---- */

static struct sw_str member(struct sw_str line, struct sw_str pattern) {
    size_t at = sw_str_find(line, pattern);
    if (at == SIZE_MAX) return SW_STR("");
    struct sw_str value = sw_str_from(line, at + pattern.len);
    return sw_str_sub(value, 0, sw_str_find_char(value, '"'));
}

static enum sw_code load_lines(struct sw_index_file *f, struct sw_str body, struct sw_error *err) {
    struct sw_str line;
    if (!body.len) return SW_OK;
    while (sw_str_next(&body, '\n', &line)) {
        if (sw_str_ends(line, SW_STR(","))) line.len--;
        struct sw_index_entry e = {.name = member(line, SW_STR(NAME_MEMBER)), .line = line};
        enum sw_code code = sw_digest_parse(member(line, SW_STR(DIGEST_MEMBER)), &e.digest, err);
        if (code) return sw_context(err, "index.json");
        sw_vec_add(&f->list, e);
    }
    return SW_OK;
}

static int by_name(const void *x, const void *y) {
    const struct sw_index_entry *a = x, *b = y;
    if (!a->name.len != !b->name.len) return a->name.len ? -1 : 1;
    int order = sw_str_cmp(a->name, b->name);
    return order ? order : sw_digest_cmp(&a->digest, &b->digest);
}

static void sort(struct sw_index_file *f) {
    if (f->list.len) qsort(f->list.ptr, f->list.len, sizeof *f->list.ptr, by_name);
}

static enum sw_code load_foreign(struct sw_index_file *f, struct sw_str text,
                                 struct sw_error *err) {
    struct sw_index index;
    enum sw_code code = sw_index_parse(f->a, text, SW_STR(SW_MT_OCI_INDEX), &index, err);
    for (size_t i = 0; !code && i < index.n_manifests; i++)
        code = sw_index_file_add(f, name_of(f->a, &index.manifests[i]), &index.manifests[i], err);
    sort(f);
    return code ? sw_context(err, "index.json") : SW_OK;
}

/* The lines between head and tail, where the file is one of ours; an empty list has none. */
static bool our_lines(struct sw_str text, struct sw_str *ret) {
    struct sw_str head = SW_STR(HEAD);
    if (!sw_str_starts(text, head)) return false;
    *ret = SW_STR("");
    if (sw_str_is(sw_str_from(text, head.len), TAIL_EMPTY)) return true;
    if (!sw_str_ends(text, SW_STR(TAIL))) return false;
    *ret = sw_str_sub(text, head.len, text.len - head.len - (sizeof TAIL - 1));
    return true;
}

static enum sw_code read_file(struct sw_store *s, struct sw_buf *file, struct sw_error *err) {
    sw_buf_init(file, SW_INDEX_FILE_MAX);
    enum sw_code code =
        sw_read_file_at(s->root_fd, SW_LAYOUT_INDEX, SW_INDEX_FILE_MAX - 1, file, err);
    return code ? sw_context(err, "%s", s->root) : SW_OK;
}

enum sw_code sw_index_file_load(struct sw_store *s, struct sw_arena *a, struct sw_index_file *f,
                                struct sw_error *err) {
    SW_BUF struct sw_buf file;
    struct sw_str lines;
    *f = (struct sw_index_file){.a = a};
    enum sw_code code = read_file(s, &file, err);
    if (code) return code;
    if (our_lines(sw_buf_str(&file), &lines))
        code = load_lines(f, sw_arena_str(a, lines), err);
    else
        code = load_foreign(f, sw_buf_str(&file), err);
    if (code) sw_index_file_done(f);
    return code;
}

enum sw_code sw_index_file_find(struct sw_store *s, struct sw_arena *a, struct sw_str full,
                                struct sw_index_entry *ret, bool *ret_ours, struct sw_error *err) {
    SW_BUF struct sw_buf file;
    SW_BUF struct sw_buf pattern;
    struct sw_str lines;
    sw_buf_init(&pattern, 0);
    enum sw_code code = read_file(s, &file, err);
    if (code) return code;
    *ret_ours = our_lines(sw_buf_str(&file), &lines);
    if (!*ret_ours) return sw_fail(err, SW_NOT_FOUND, "index.json is another tool's");
    sw_buf_addf(&pattern, "%s%.*s\"", NAME_MEMBER, SW_ARG(full));
    size_t at = sw_str_find(lines, sw_buf_str(&pattern));
    if (at == SIZE_MAX) return sw_fail(err, SW_NOT_FOUND, "no such name");
    size_t start = sw_str_rfind_char(sw_str_sub(lines, 0, at), '\n');
    struct sw_str line = sw_str_from(lines, start == SIZE_MAX ? 0 : start + 1);
    line = sw_str_sub(line, 0, sw_str_find_char(line, '\n'));
    if (sw_str_ends(line, SW_STR(","))) line.len--;
    *ret = (struct sw_index_entry){.name = sw_arena_str(a, full), .line = sw_arena_str(a, line)};
    code = sw_digest_parse(member(line, SW_STR(DIGEST_MEMBER)), &ret->digest, err);
    return code ? sw_context(err, "index.json") : SW_OK;
}

void sw_index_file_done(struct sw_index_file *f) { sw_vec_done(&f->list); }

enum sw_code sw_index_entry_parse(struct sw_arena *a, const struct sw_index_entry *e,
                                  struct sw_descriptor *ret, struct sw_error *err) {
    const struct sw_json *node;
    enum sw_code code = sw_json_parse(a, e->line, NULL, &node, err);
    if (!code) code = sw_descriptor_from_json(a, node, NULL, ret, err);
    return code ? sw_context(err, "index.json") : SW_OK;
}

/* ---- writing ---- */

enum sw_code sw_index_file_add(struct sw_index_file *f, struct sw_str name,
                               const struct sw_descriptor *d, struct sw_error *err) {
    struct sw_descriptor named = *d;
    named.annotations = sw_pairs_copy(f->a, &d->annotations);
    if (name.len) {
        name = sw_arena_str(f->a, name);
        sw_pairs_set(f->a, &named.annotations, SW_STR(SW_ANN_CONTAINERD_NAME), name);
        sw_pairs_set(f->a, &named.annotations, SW_STR(SW_ANN_REF_NAME),
                     sw_index_familiar(f->a, name));
    } else {
        sw_pairs_remove(&named.annotations, SW_STR(SW_ANN_CONTAINERD_NAME));
        sw_pairs_remove(&named.annotations, SW_STR(SW_ANN_REF_NAME));
    }
    SW_BUF struct sw_buf line;
    struct sw_json_writer w;
    sw_buf_init(&line, SW_OCI_DOCUMENT_MAX);
    sw_json_writer_init(&w, &line, 0);
    sw_descriptor_to_json(&w, &named);
    enum sw_code code = sw_buf_check(&line, "an entry of index.json", err);
    if (code) return code;
    sw_vec_add(&f->list, ((struct sw_index_entry){.name = name,
                                                  .line = sw_arena_str(f->a, sw_buf_str(&line)),
                                                  .digest = d->digest}));
    return SW_OK;
}

enum sw_code sw_index_file_save(struct sw_store *s, struct sw_index_file *f, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, SW_INDEX_FILE_MAX);
    sw_buf_add(&text, SW_STR(HEAD));
    sort(f);
    for (size_t i = 0; i < f->list.len; i++) {
        if (i) sw_buf_add(&text, SW_STR(",\n"));
        sw_buf_add(&text, f->list.ptr[i].line);
    }
    sw_buf_add_text(&text, f->list.len ? TAIL : TAIL_EMPTY);
    enum sw_code code = sw_buf_check(&text, "index.json", err);
    if (!code) code = sw_store_replace_file(s, s->root_fd, SW_LAYOUT_INDEX, sw_buf_str(&text), err);
    return code ? sw_context(err, "%s", s->root) : SW_OK;
}
