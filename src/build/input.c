#include "build/input.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "build/archive_stream.h"
#include "build/copy.h"
#include "build/fetch.h"
#include "build/git.h"
#include "dockerfile/limits.h"
#include "store/blob.h"

bool sw_input_is_remote(struct sw_str text) {
    return sw_is_http_url(text) || sw_git_is_url(text, true);
}

/* The files of an archive in a directory. Owners do not matter in a context, and devices have no
 * place there. */
static enum sw_code extract(const struct sw_input_options *o, int fd, struct sw_str name,
                            struct sw_arena *arena, struct sw_input *ret, struct sw_error *err) {
    SW_COPY struct sw_copy copy;
    SW_BUF struct sw_buf temp;
    struct sw_snapshot_draft draft = {.dir_fd = -1, .fs_fd = -1};
    sw_copy_init(&copy);
    sw_buf_init(&temp, 4096);
    enum sw_code code = sw_copy_plan_archive(&copy, o->store, fd, name, err);
    if (!code) code = sw_store_reserve(o->store, copy.bytes, err);
    if (!code) code = sw_store_temp_dir(o->store, &temp, &draft.fs_fd, err);
    if (code) return code;
    ret->temp = sw_arena_str(arena, sw_buf_str(&temp));
    ret->dir = sw_arena_printf(arena, "%s/%s", sw_store_root(o->store), temp.ptr).ptr;
    size_t kept = 0;
    for (size_t i = 0; i < copy.n; i++) {
        if (copy.items[i].node.type == SW_TAR_CHAR || copy.items[i].node.type == SW_TAR_BLOCKDEV)
            continue;
        copy.items[kept] = copy.items[i];
        copy.items[kept].node.uid = copy.items[kept].node.gid = 0;
        kept++;
    }
    copy.n = kept;
    code = sw_copy_extract(&copy, &draft, false, err);
    sw_closep(&draft.fs_fd);
    if (code) sw_store_temp_remove(o->store, temp.ptr);
    return code;
}

static enum sw_code open_file(const struct sw_input_options *o, int fd, struct sw_str name,
                              struct sw_arena *arena, struct sw_input *ret, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, SW_DF_FILE_MAX);
    *ret = (struct sw_input){.temp = SW_STR("")};
    if (sw_archive_stream_probe(fd)) return extract(o, fd, name, arena, ret, err);
    if (lseek(fd, 0, SEEK_SET) < 0) return sw_fail_sys(err, errno, "rewind %.*s", SW_ARG(name));
    enum sw_code code = sw_read_fd(fd, SW_DF_FILE_MAX, &text, err);
    if (!code) ret->dockerfile = sw_arena_str(arena, sw_buf_str(&text));
    return code ? sw_context(err, "reading a Dockerfile from %.*s", SW_ARG(name)) : SW_OK;
}

enum sw_code sw_input_read(const struct sw_input_options *o, int fd, struct sw_str name,
                           struct sw_arena *arena, struct sw_input *ret, struct sw_error *err) {
    SW_FD int spool = -1;
    if (lseek(fd, 0, SEEK_CUR) >= 0) return open_file(o, fd, name, arena, ret, err);
    /* A pipe: what it is can only be told by going back. */
    SW_BUF struct sw_buf temp;
    SW_FD int dir = -1;
    sw_buf_init(&temp, 4096);
    enum sw_code code = sw_store_temp_dir(o->store, &temp, &dir, err);
    if (code) return code;
    code = sw_open_at(dir, "stdin", O_RDWR | O_CREAT | O_EXCL, 0600, &spool, err);
    if (!code) code = sw_copy_fd(fd, spool, NULL, err);
    if (!code) code = open_file(o, spool, name, arena, ret, err);
    sw_store_temp_remove(o->store, temp.ptr);
    return code;
}

static enum sw_code open_git(const struct sw_input_options *o, const struct sw_git_url *url,
                             struct sw_arena *arena, struct sw_input *ret, struct sw_error *err) {
    struct sw_git_options options = {.url = *url,
                                     .keep_git_dir = o->keep_git_dir,
                                     .ssh_agent = o->ssh_agent,
                                     .secrets = o->secrets,
                                     .n_secrets = o->n_secrets};
    struct sw_git_checkout checkout;
    enum sw_code code = sw_git_fetch(o->store, &options, arena, &checkout, err);
    if (code) return code;
    *ret = (struct sw_input){.dir = sw_arena_cstr(arena, checkout.path), .temp = checkout.temp};
    ret->time_s = checkout.time_s;
    ret->material = (struct sw_material){.algorithm = checkout.commit.len == 64 ? SW_STR("sha256")
                                                                                : SW_STR("sha1"),
                                         .hex = checkout.commit};
    sw_progress_note(o->progress, o->step, "commit %.*s", SW_ARG(checkout.commit));
    return SW_OK;
}

enum sw_code sw_input_open(const struct sw_input_options *o, struct sw_str url,
                           struct sw_arena *arena, struct sw_input *ret, struct sw_error *err) {
    struct sw_git_url git;
    struct sw_fetched file;
    SW_FD int fd = -1;
    bool is_git;
    enum sw_code parsed = sw_git_url_parse(arena, url, true, &git, &is_git, err);
    if (parsed) return parsed;
    if (is_git) {
        enum sw_code code = open_git(o, &git, arena, ret, err);
        if (!code) ret->material.uri = sw_arena_str(arena, url);
        return code;
    }
    struct sw_http *http = o->http ? o->http : sw_http_new(NULL);
    struct sw_fetch fetch = {o->store, http, o->progress, o->step};
    enum sw_code code = sw_fetch_file(&fetch, url, SW_STR(""), false, arena, &file, err);
    if (!code) code = sw_blob_open(o->store, &file.digest, &fd, NULL, err);
    if (!code) code = open_file(o, fd, url, arena, ret, err);
    if (!code) {
        char hex[SW_DIGEST_TEXT_MAX];
        ret->material = (struct sw_material){
            .uri = sw_arena_str(arena, url),
            .algorithm = SW_STR("sha256"),
            .hex = sw_arena_str(arena, sw_digest_hex(&file.digest, hex)),
        };
    }
    if (!o->http) sw_http_free(http);
    return code;
}
