/* The result's file system as an archive or as files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "build/copy.h"
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

enum sw_code sw_build_write_tar(const struct sw_build_tools *tools,
                                const struct sw_build_result *result, int64_t epoch_s, int fd,
                                struct sw_error *err) {
    SW_COPY struct sw_copy copy;
    SW_BUF struct sw_buf head;
    struct sw_source *view = NULL;
    sw_copy_init(&copy);
    sw_buf_init(&head, SW_TAR_PAX_MAX * 2);
    enum sw_code code = plan_all(tools, result, epoch_s, &copy, &view, err);
    for (size_t i = 0; i < copy.n && !code; i++) code = write_item(&copy.items[i], fd, &head, err);
    if (!code) {
        sw_buf_reset(&head);
        sw_tar_write_end(&head);
        code = sw_write_full(fd, head.ptr, head.len, err);
    }
    sw_source_free(view);
    return code;
}

enum sw_code sw_build_write_tree(const struct sw_build_tools *tools,
                                 const struct sw_build_result *result, int64_t epoch_s, int dir_fd,
                                 struct sw_error *err) {
    SW_COPY struct sw_copy copy;
    struct sw_source *view = NULL;
    struct sw_snapshot_draft draft = {.dir_fd = -1, .fs_fd = dir_fd};
    sw_copy_init(&copy);
    enum sw_code code = plan_all(tools, result, epoch_s, &copy, &view, err);
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
    sw_source_free(view);
    return code;
}
