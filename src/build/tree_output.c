/* The result's file system as an archive or as files. */
#include "build/tree_output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "build/copy.h"
#include "build/limits.h"
#include "build/room_internal.h"

/* Every entry of the result. *ret_view is to be freed after the last use of the items. */
static enum sw_code plan_all(const struct sw_build_tools *tools,
                             const struct sw_build_result *result, int64_t epoch_s,
                             struct sw_copy *copy, struct sw_source **ret_view,
                             struct sw_error *err) {
    struct sw_view_layer *layers = sw_calloc(result->n_snapshots + 1, sizeof *layers);
    for (size_t i = 0; i < result->n_snapshots; i++) layers[i].snapshot = result->snapshots[i];
    enum sw_code code = sw_view_open(tools->store, result->form, layers, result->n_snapshots,
                                     SW_STR("the result"), ret_view, err);
    sw_freep(&layers);
    if (code) return code;
    struct sw_str root = SW_STR("");
    struct sw_copy_spec spec = {.verb = "output",
                                .source = *ret_view,
                                .paths = &root,
                                .n_paths = 1,
                                .dest = SW_STR("/"),
                                .epoch_s = epoch_s,
                                .pool = tools->pool};
    return sw_copy_plan(copy, &spec, err);
}

static enum sw_code write_item(const struct sw_item *item, int fd, struct sw_buf *head,
                               struct sw_error *err) {
    struct sw_tar_entry e;
    sw_item_entry(item, &e);
    sw_buf_reset(head);
    enum sw_code code = sw_tar_write_header(head, &e, err);
    if (!code) code = sw_write_full(fd, head->ptr, head->len, err);
    if (code || e.type != SW_TAR_FILE) return code;
    SW_FD int from = -1;
    uint64_t copied;
    code = sw_source_open_same(item->source, item->source_path, &item->node, &from, err);
    if (!code) code = sw_copy_fd(from, fd, &copied, err);
    sw_buf_reset(head);
    sw_tar_write_pad(head, e.size);
    return code ? code : sw_write_full(fd, head->ptr, head->len, err);
}

/* ---- statements beside the files ---- */

struct statement {
    struct sw_str name; /* of the file */
    struct sw_buf text; /* owned */
};

#define STATEMENTS 2

static void statements_done(struct statement *s) {
    for (size_t i = 0; i < STATEMENTS; i++) sw_buf_done(&s[i].text);
}

/* What the statements are about: every regular file, by its content. */
static enum sw_code hash_files(const struct sw_build_tools *tools, struct sw_copy *copy,
                               struct sw_pairs *ret, struct sw_error *err) {
    struct sw_digest ignored[2];
    enum sw_code code = sw_copy_key(copy, tools->pool, &ignored[0], &ignored[1], err);
    for (size_t i = 0; i < copy->n && !code; i++) {
        char hex[SW_DIGEST_TEXT_MAX];
        if (copy->items[i].node.type != SW_TAR_FILE) continue;
        sw_pairs_add(&copy->arena, ret, copy->items[i].path,
                     sw_arena_str(&copy->arena, sw_digest_hex(&copy->items[i].digest, hex)));
    }
    return code;
}

static enum sw_code make_statements(const struct sw_build_tools *tools,
                                    const struct sw_build_result *result,
                                    const struct sw_files_options *o, struct sw_copy *copy,
                                    struct statement ret[STATEMENTS], struct sw_error *err) {
    const struct {
        const char *name, *extension, *type;
        struct sw_str predicate;
    } kinds[STATEMENTS] = {
        {"sbom", ".spdx.json", SW_PREDICATE_SPDX, result->attested.sbom},
        {"provenance", ".json", SW_PREDICATE_PROVENANCE, result->attested.provenance},
    };
    struct sw_pairs subjects = {0};
    if (!kinds[0].predicate.ptr && !kinds[1].predicate.ptr) return SW_OK;
    enum sw_code code = hash_files(tools, copy, &subjects, err);
    for (size_t i = 0; i < STATEMENTS && !code; i++) {
        if (!kinds[i].predicate.ptr) continue;
        struct statement *s = &ret[i];
        s->name = sw_arena_printf(&copy->arena, "%.*s%s%.*s%s", SW_ARG(o->prefix), kinds[i].name,
                                  SW_ARG(o->suffix), kinds[i].extension);
        sw_build_statement(&s->text, kinds[i].type, &subjects, kinds[i].predicate, true);
        sw_buf_add_char(&s->text, '\n');
        code = sw_buf_check(&s->text, "an attestation", err);
        for (size_t k = 0; k < copy->n && !code; k++)
            if (sw_str_eq(copy->items[k].path, s->name))
                code = sw_fail(err, SW_USAGE,
                               "the result has a file %.*s of its own; give the attestations other "
                               "names with attestation-prefix=PREFIX",
                               SW_ARG(s->name));
    }
    return code;
}

static enum sw_code write_statement_entry(const struct statement *s, int64_t epoch_s, int fd,
                                          struct sw_buf *head, struct sw_error *err) {
    struct sw_tar_entry e = {.path = s->name,
                             .type = SW_TAR_FILE,
                             .mode = 0644,
                             .mtime_sec = epoch_s,
                             .size = s->text.len};
    if (!s->name.len) return SW_OK;
    sw_buf_reset(head);
    enum sw_code code = sw_tar_write_header(head, &e, err);
    if (!code) code = sw_write_full(fd, head->ptr, head->len, err);
    if (!code) code = sw_write_full(fd, s->text.ptr, s->text.len, err);
    sw_buf_reset(head);
    sw_tar_write_pad(head, e.size);
    return code ? code : sw_write_full(fd, head->ptr, head->len, err);
}

static enum sw_code write_statement_file(const struct statement *s, int64_t epoch_s, int dir_fd,
                                         struct sw_error *err) {
    struct timespec t = {.tv_sec = epoch_s}, both[2] = {t, t};
    if (!s->name.len) return SW_OK;
    SW_FREE char *name = sw_strndup(s->name.ptr, s->name.len);
    enum sw_code code = sw_write_file_at(dir_fd, name, 0644, sw_buf_str(&s->text), err);
    if (!code && utimensat(dir_fd, name, both, 0) < 0)
        code = sw_fail_sys(err, errno, "set the time of %s", name);
    return code;
}

static void statements_init(struct statement s[STATEMENTS]) {
    for (size_t i = 0; i < STATEMENTS; i++) sw_buf_init(&s[i].text, SW_PREDICATE_MAX * 2);
}

/* ---- both forms ---- */

enum sw_code sw_build_write_tar(const struct sw_build_tools *tools,
                                const struct sw_build_result *result,
                                const struct sw_files_options *options, int fd,
                                struct sw_error *err) {
    SW_COPY struct sw_copy copy;
    SW_BUF struct sw_buf head;
    struct sw_source *view = NULL;
    struct statement statements[STATEMENTS] = {0};
    sw_copy_init(&copy);
    statements_init(statements);
    sw_buf_init(&head, SW_TAR_PAX_MAX * 2);
    enum sw_code code = plan_all(tools, result, options->epoch_s, &copy, &view, err);
    if (!code) code = make_statements(tools, result, options, &copy, statements, err);
    for (size_t i = 0; i < copy.n && !code; i++) code = write_item(&copy.items[i], fd, &head, err);
    for (size_t i = 0; i < STATEMENTS && !code; i++)
        code = write_statement_entry(&statements[i], options->epoch_s, fd, &head, err);
    if (!code) {
        sw_buf_reset(&head);
        sw_tar_write_end(&head);
        code = sw_write_full(fd, head.ptr, head.len, err);
    }
    sw_source_free(view);
    statements_done(statements);
    return code;
}

enum sw_code sw_build_write_tree(const struct sw_build_tools *tools,
                                 const struct sw_build_result *result,
                                 const struct sw_files_options *options, int dir_fd,
                                 struct sw_error *err) {
    SW_COPY struct sw_copy copy;
    struct sw_source *view = NULL;
    struct statement statements[STATEMENTS] = {0};
    struct sw_snapshot_draft draft = {.dir_fd = -1, .fs_fd = dir_fd};
    sw_copy_init(&copy);
    statements_init(statements);
    enum sw_code code = plan_all(tools, result, options->epoch_s, &copy, &view, err);
    if (!code) code = make_statements(tools, result, options, &copy, statements, err);
    /* Files that are there from an earlier output are replaced. */
    for (size_t i = 0; i < copy.n && !code; i++) {
        SW_FREE char *name = sw_strndup(copy.items[i].path.ptr, copy.items[i].path.len);
        struct stat st;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
        if (S_ISDIR(st.st_mode) && copy.items[i].node.type == SW_TAR_DIR) continue;
        if (!S_ISDIR(st.st_mode) && unlinkat(dir_fd, name, 0) < 0)
            code = sw_fail_sys(err, errno, "replace %s", name);
    }
    /* The user's own files, not an image's: owners stay the user's. */
    for (size_t i = 0; i < copy.n; i++) copy.items[i].node.uid = copy.items[i].node.gid = 0;
    if (!code) code = sw_copy_extract(&copy, &draft, true, err);
    for (size_t i = 0; i < STATEMENTS && !code; i++)
        code = write_statement_file(&statements[i], options->epoch_s, dir_fd, err);
    sw_source_free(view);
    statements_done(statements);
    return code;
}
