/* What ADD fetches: files of URLs, git repositories. */
#include <stdlib.h>

#include "base/mem.h"
#include "build/fetch.h"
#include "build/git.h"
#include "build/room_internal.h"

struct sw_http *sw_build_http(struct sw_build *b) {
    pthread_mutex_lock(&b->lock);
    if (!b->http) b->http = sw_http_new(NULL);
    struct sw_http *http = b->http;
    pthread_mutex_unlock(&b->lock);
    return http;
}

static struct sw_source *blobs_of(struct sw_build *b) {
    pthread_mutex_lock(&b->lock);
    if (!b->blobs) b->blobs = sw_source_blobs(b->tools->store);
    struct sw_source *blobs = b->blobs;
    pthread_mutex_unlock(&b->lock);
    return blobs;
}

struct sw_str sw_build_ssh_agent(const struct sw_build *b) {
    for (size_t i = 0; i < b->options->n_ssh; i++)
        if (sw_str_is(b->options->ssh[i].id, "default")) return b->options->ssh[i].path;
    return SW_STR("");
}

void sw_build_keep_temp(struct sw_build *b, struct sw_str path) {
    if (!path.len) return;
    pthread_mutex_lock(&b->lock);
    sw_vec_add(&b->temps, sw_strndup(path.ptr, path.len));
    pthread_mutex_unlock(&b->lock);
}

static enum sw_code ask_git(struct sw_stage *s, const struct sw_df_copy *df,
                            const struct sw_git_url *url, struct sw_str checksum, unsigned step,
                            struct sw_add_repository *ret, struct sw_error *err) {
    struct sw_build *b = s->build;
    ret->options = (struct sw_git_options){.url = *url,
                                           .commit = checksum,
                                           .keep_git_dir = df->keep_git_dir == SW_DF_TRUE,
                                           .ssh_agent = sw_build_ssh_agent(b),
                                           .secrets = b->options->secrets,
                                           .n_secrets = b->options->n_secrets};
    if (df->keep_git_dir != SW_DF_UNSET && url->has_keep_git_dir &&
        ret->options.keep_git_dir != url->keep_git_dir)
        return sw_fail(err, SW_SYNTAX, "--keep-git-dir says one thing, %.*s another",
                       SW_ARG(url->shown));
    if (url->has_keep_git_dir) ret->options.keep_git_dir = url->keep_git_dir;
    enum sw_code code = sw_git_resolve(&ret->options, &s->arena, &ret->commit, err);
    if (!code && ret->commit.len)
        sw_progress_note(b->tools->progress, step, "commit %.*s", SW_ARG(ret->commit));
    return code;
}

enum sw_code sw_add_checkout(struct sw_stage *s, struct sw_add_repository *repository,
                             unsigned step, struct sw_copy_fetched *ret, struct sw_error *err) {
    struct sw_build *b = s->build;
    struct sw_git_checkout checkout;
    enum sw_code code =
        sw_git_fetch(b->tools->store, &repository->options, &s->arena, &checkout, err);
    if (code) return code;
    sw_build_keep_temp(b, checkout.temp);
    if (!sw_str_eq(repository->commit, checkout.commit))
        sw_progress_note(b->tools->progress, step, "commit %.*s", SW_ARG(checkout.commit));
    repository->commit = checkout.commit;
    *ret = (struct sw_copy_fetched){.path = SW_STR(""), .is_dir = true};
    code = sw_source_directory(b->tools->store, sw_arena_cstr(&s->arena, checkout.path), NULL, NULL,
                               SW_STR("the repository"), &ret->source, err);
    if (code) return code;
    /* Lives and goes with the build, like every source that is no stage. */
    pthread_mutex_lock(&b->lock);
    struct sw_other_source *o = SW_NEW(b->arena, struct sw_other_source);
    o->source = ret->source;
    sw_map_put(&b->other_sources, sw_arena_str(b->arena, checkout.temp), o);
    pthread_mutex_unlock(&b->lock);
    return SW_OK;
}

bool sw_is_remote(struct sw_str source) {
    return sw_is_http_url(source) || sw_git_is_url(source, false);
}

enum sw_code sw_add_remote(struct sw_stage *s, const struct sw_df_copy *df, struct sw_str source,
                           struct sw_str checksum, unsigned step, struct sw_copy_fetched *ret,
                           struct sw_add_repository *ret_repository, bool *ret_remote,
                           struct sw_error *err) {
    struct sw_build *b = s->build;
    struct sw_git_url git;
    struct sw_fetched file;
    *ret_remote = true;
    bool is_git;
    *ret_repository = (struct sw_add_repository){0};
    enum sw_code code = sw_git_url_parse(&s->arena, source, false, &git, &is_git, err);
    if (code) return code;
    if (is_git) {
        ret_repository->source = source;
        return ask_git(s, df, &git, checksum, step, ret_repository, err);
    }
    *ret_remote = sw_is_http_url(source);
    if (!*ret_remote) return SW_OK;
    struct sw_fetch fetch = {b->tools->store, sw_build_http(b), b->tools->progress, step};
    code = sw_fetch_file(&fetch, source, checksum, s->no_cache, &s->arena, &file, err);
    if (code) return code;
    sw_provenance_http(b, source, &file.digest);
    *ret = (struct sw_copy_fetched){.name = file.name,
                                    .url = source,
                                    .source = blobs_of(b),
                                    .path = file.path,
                                    .node = file.node,
                                    .unpack = df->unpack == SW_DF_TRUE};
    return SW_OK;
}
