#include "cmd/build_output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "oci/reference.h"
#include "store/archive.h"

enum sw_code sw_build_output_parse(struct sw_invocation *inv, struct sw_build_output *ret,
                                   struct sw_error *err) {
    const char *text = sw_opt(inv, "output");
    if (!text) return SW_OK;
    struct sw_str rest = sw_str(text), field, key, value, type = {0};
    bool directory = false;
    if (!strchr(text, '=')) {
        *ret = (struct sw_build_output){strcmp(text, "-") ? SW_OUTPUT_LOCAL : SW_OUTPUT_TAR, text};
        return SW_OK;
    }
    while (sw_str_next(&rest, ',', &field)) {
        sw_str_cut(field, '=', &key, &value);
        if (sw_str_is(key, "type")) {
            type = value;
        } else if (sw_str_is(key, "dest")) {
            ret->dest = sw_arena_cstr(inv->arena, value);
        } else if (sw_str_is(key, "tar")) {
            directory = sw_str_is(value, "false");
        } else {
            return sw_fail(err, SW_USAGE,
                           "--output %s: unknown key \"%.*s\"; want type, dest or tar", text,
                           SW_ARG(key));
        }
    }
    static const struct {
        const char *name;
        enum sw_output_kind kind;
    } kinds[] = {{"oci", SW_OUTPUT_OCI},
                 {"docker", SW_OUTPUT_DOCKER},
                 {"local", SW_OUTPUT_LOCAL},
                 {"tar", SW_OUTPUT_TAR},
                 {"image", SW_OUTPUT_NONE}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!sw_str_is(type, kinds[i].name)) continue;
        ret->kind = kinds[i].kind;
        if (directory && ret->kind == SW_OUTPUT_OCI) ret->kind = SW_OUTPUT_OCI_DIR;
        if (!ret->dest && ret->kind != SW_OUTPUT_NONE) {
            if (ret->kind == SW_OUTPUT_LOCAL || ret->kind == SW_OUTPUT_OCI_DIR)
                return sw_fail(err, SW_USAGE, "--output %s: dest=DIRECTORY is missing", text);
            ret->dest = "-";
        }
        if (ret->dest && !strcmp(ret->dest, "-") && isatty(STDOUT_FILENO))
            return sw_fail(err, SW_USAGE,
                           "--output %s: an archive is not written to a terminal; give dest=FILE",
                           text);
        return SW_OK;
    }
    return sw_fail(err, SW_USAGE,
                   "--output %s: unknown type; want oci, docker, local, tar or image", text);
}

/* The names of the result, in full; an image without one has none. */
static enum sw_code full_names(const struct sw_build_options *o, struct sw_arena *arena,
                               struct sw_strs *ret, struct sw_error *err) {
    for (size_t i = 0; i < o->tags.len; i++) {
        struct sw_reference ref;
        enum sw_code code = sw_reference_parse(arena, o->tags.ptr[i], &ref, err);
        if (code) return code;
        sw_reference_default_tag(&ref);
        sw_strs_add(arena, ret, sw_reference_format(arena, &ref));
    }
    return SW_OK;
}

static enum sw_code write_archive(const struct sw_build_tools *tools,
                                  const struct sw_build_result *result, enum sw_output_kind kind,
                                  const struct sw_build_options *o, struct sw_arena *arena, int fd,
                                  struct sw_error *err) {
    struct sw_save_image image = {.target = result->target};
    enum sw_code code = full_names(o, arena, &image.names, err);
    if (code) return code;
    if (kind == SW_OUTPUT_TAR) return sw_build_write_tar(tools, result, o->epoch_s, fd, err);
    return sw_archive_save(tools->store, fd,
                           kind == SW_OUTPUT_DOCKER ? SW_SAVE_DOCKER : SW_SAVE_OCI, &image, 1, err);
}

/* A file that appears whole or not at all. */
static enum sw_code write_file(const struct sw_build_tools *tools,
                               const struct sw_build_result *result,
                               const struct sw_build_output *output,
                               const struct sw_build_options *o, struct sw_arena *arena,
                               struct sw_error *err) {
    char *dir_copy = sw_arena_cstr(arena, sw_str(output->dest));
    char *name_copy = sw_arena_cstr(arena, sw_str(output->dest));
    SW_FD int dir = -1;
    SW_ATOMIC struct sw_atomic_file file = {.fd = -1};
    enum sw_code code =
        sw_open_at(AT_FDCWD, dirname(dir_copy), O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (!code) code = sw_atomic_open(&file, dir, 0644, err);
    if (!code) code = write_archive(tools, result, output->kind, o, arena, file.fd, err);
    if (!code) code = sw_atomic_commit(&file, basename(name_copy), err);
    return code;
}

static enum sw_code write_directory(const struct sw_build_tools *tools,
                                    const struct sw_build_result *result,
                                    const struct sw_build_output *output,
                                    const struct sw_build_options *o, struct sw_arena *arena,
                                    struct sw_error *err) {
    SW_FD int dir = -1;
    enum sw_code code = sw_mkdirs_at(AT_FDCWD, output->dest, 0755, err);
    if (!code) code = sw_open_at(AT_FDCWD, output->dest, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (code) return code;
    if (output->kind == SW_OUTPUT_LOCAL)
        return sw_build_write_tree(tools, result, o->epoch_s, dir, err);
    struct sw_save_image image = {.target = result->target};
    code = full_names(o, arena, &image.names, err);
    return code ? code : sw_archive_export(tools->store, dir, &image, 1, err);
}

enum sw_code sw_build_output_write(const struct sw_build_tools *tools,
                                   const struct sw_build_options *options,
                                   const struct sw_build_result *result,
                                   const struct sw_build_output *output, struct sw_error *err) {
    SW_ARENA struct sw_arena arena;
    sw_arena_init(&arena, 0);
    if (output->kind == SW_OUTPUT_NONE) return SW_OK;
    unsigned step = sw_progress_step(tools->progress, SW_STR("writing the output"));
    sw_progress_start(tools->progress, step);
    enum sw_code code;
    if (output->kind == SW_OUTPUT_LOCAL || output->kind == SW_OUTPUT_OCI_DIR) {
        code = write_directory(tools, result, output, options, &arena, err);
    } else if (!strcmp(output->dest, "-")) {
        code = write_archive(tools, result, output->kind, options, &arena, STDOUT_FILENO, err);
    } else {
        code = write_file(tools, result, output, options, &arena, err);
    }
    if (code) {
        sw_context(err, "output %s", output->dest);
        sw_progress_fail(tools->progress, step, err);
    } else {
        sw_progress_done(tools->progress, step);
    }
    return code;
}
