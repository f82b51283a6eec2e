#include "cmd/build_output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "build/tree_output.h"
#include "cmd/build_words.h"
#include "oci/reference.h"
#include "store/archive.h"

/* ---- keys ---- */

enum sw_code sw_build_compression(const char *where, struct sw_str word, struct sw_build_options *o,
                                  struct sw_error *err) {
    if (sw_str_is(word, "uncompressed")) {
        o->compression = SW_COMPRESS_NONE;
    } else if (sw_str_is(word, "estargz")) {
        return sw_fail(err, SW_UNSUPPORTED,
                       "%s: estargz is not written; gzip and zstd are read by every engine", where);
    } else if (!sw_str_is(word, "gzip") && !sw_str_is(word, "zstd")) {
        return sw_fail(err, SW_USAGE, "%s: want gzip, zstd or uncompressed", where);
    } else if (!sw_compression_parse(word, &o->compression)) {
        return sw_fail(err, SW_USAGE, "%s: want gzip, zstd or uncompressed", where);
    }
    return SW_OK;
}

static enum sw_code want_bool(struct sw_str key, struct sw_str value, bool *ret,
                              struct sw_error *err) {
    if (build_word_bool(value, ret)) return SW_OK;
    return sw_fail(err, SW_USAGE, "%.*s=%.*s: want true or false", SW_ARG(key), SW_ARG(value));
}

static enum sw_code add_names(struct sw_invocation *inv, struct sw_build_options *o,
                              struct sw_str names, struct sw_error *err) {
    struct sw_str name;
    while (sw_str_next(&names, ',', &name)) {
        struct sw_reference ref;
        enum sw_code code = sw_reference_parse(inv->arena, name, &ref, err);
        if (code) return sw_context(err, "name=%.*s", SW_ARG(name));
        if (!sw_strs_has(&o->tags, name)) sw_strs_add(inv->arena, &o->tags, name);
    }
    return SW_OK;
}

/* Keys that mean nothing here: there is one store, and whatever is built is in it. */
static bool is_harmless(struct sw_str key) {
    static const char *const keys[] = {"buildinfo",
                                       "buildinfo-attrs",
                                       "buildinfo-use-protobuf",
                                       "unpack",
                                       "store",
                                       "dangling-name-prefix",
                                       "name-canonical",
                                       "prefer-nondist-layers",
                                       "danging-name-empty-only",
                                       "mode",
                                       "attestation-inline"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (sw_str_is(key, keys[i])) return true;
    return false;
}

static enum sw_code parse_image_key(struct sw_invocation *inv, struct sw_build_options *o,
                                    struct sw_str key, struct sw_str value, bool *ret_push,
                                    struct sw_error *err) {
    bool on;
    uint64_t level;
    enum sw_code code;
    if (sw_str_is(key, "name")) return add_names(inv, o, value, err);
    if (sw_str_is(key, "push")) return want_bool(key, value, ret_push, err);
    if (sw_str_is(key, "compression")) return sw_build_compression("compression", value, o, err);
    if (sw_str_is(key, "compression-level")) {
        if (!sw_str_u64(value, &level))
            return sw_fail(err, SW_USAGE, "compression-level=%.*s: want a number", SW_ARG(value));
        o->compression_level = level > 100 ? 100 : (int)level;
        return SW_OK;
    }
    if (sw_str_is(key, "force-compression"))
        return want_bool(key, value, &o->force_compression, err);
    if (sw_str_is(key, "rewrite-timestamp")) return want_bool(key, value, &o->rewrite_times, err);
    if (sw_str_is(key, "oci-artifact")) return want_bool(key, value, &o->attest.oci_artifact, err);
    if (sw_str_is(key, "oci-mediatypes")) {
        code = want_bool(key, value, &on, err);
        if (!code) o->docker_format = !on;
        return code;
    }
    if (is_harmless(key)) return SW_OK;
    if (sw_str_is(key, "push-by-digest"))
        return sw_fail(err, SW_UNSUPPORTED, "push-by-digest: give the image a name and push it");
    if (sw_str_is(key, "registry.insecure"))
        return sw_fail(err, SW_UNSUPPORTED, "registry.insecure: use --insecure-registry HOST");
    if (sw_str_is(key, "source-date-epoch"))
        return sw_fail(err, SW_UNSUPPORTED, "source-date-epoch: use --source-date-epoch SECONDS");
    bool known;
    code = sw_annotations_add_key(inv->arena, &o->annotations, key, value, &known, err);
    if (code || known) return code;
    return sw_fail(err, SW_USAGE,
                   "unknown key \"%.*s\"; want type, dest, tar, name, push, "
                   "compression, compression-level, force-compression, rewrite-timestamp, "
                   "oci-mediatypes, oci-artifact, attestation-prefix, platform-split or "
                   "annotation.NAME",
                   SW_ARG(key));
}

/* ---- one output ---- */

static enum sw_code set_kind(struct sw_build_output *ret, struct sw_str type, bool directory,
                             bool *ret_push, struct sw_error *err) {
    static const struct {
        const char *name;
        enum sw_output_kind kind;
    } kinds[] = {{"oci", SW_OUTPUT_OCI},       {"docker", SW_OUTPUT_DOCKER},
                 {"local", SW_OUTPUT_LOCAL},   {"tar", SW_OUTPUT_TAR},
                 {"image", SW_OUTPUT_NONE},    {"registry", SW_OUTPUT_NONE},
                 {"cacheonly", SW_OUTPUT_NONE}};
    size_t i = 0;
    while (i < sizeof kinds / sizeof kinds[0] && !sw_str_is(type, kinds[i].name)) i++;
    if (i == sizeof kinds / sizeof kinds[0])
        return sw_fail(err, SW_USAGE,
                       "unknown type; want oci, docker, local, tar, image or registry");
    ret->kind = kinds[i].kind;
    if (sw_str_is(type, "registry")) *ret_push = true;
    if (directory && ret->kind == SW_OUTPUT_OCI) ret->kind = SW_OUTPUT_OCI_DIR;
    if (!ret->dest && ret->kind != SW_OUTPUT_NONE) {
        if (ret->kind == SW_OUTPUT_LOCAL || ret->kind == SW_OUTPUT_OCI_DIR)
            return sw_fail(err, SW_USAGE, "dest=DIRECTORY is missing");
        ret->dest = "-";
    }
    if (ret->dest && !strcmp(ret->dest, "-") && isatty(STDOUT_FILENO))
        return sw_fail(err, SW_USAGE, "an archive is not written to a terminal; give dest=FILE");
    return SW_OK;
}

static enum sw_code parse_one(struct sw_invocation *inv, struct sw_build_options *o,
                              const char *text, struct sw_build_output *ret, bool *ret_push,
                              struct sw_error *err) {
    struct sw_str rest = sw_str(text), field, key, value, type = {0};
    bool tar = true, split = true, more;
    *ret = (struct sw_build_output){.attestation_prefix = SW_STR("")};
    if (!strchr(text, '=')) {
        ret->kind = strcmp(text, "-") ? SW_OUTPUT_LOCAL : SW_OUTPUT_TAR;
        ret->dest = text;
        return SW_OK;
    }
    enum sw_code code;
    while (!(code = build_csv_next(inv->arena, &rest, &field, &more, err)) && more) {
        if (!sw_str_cut(field, '=', &key, &value))
            return sw_fail(err, SW_USAGE, "\"%.*s\": want KEY=VALUE", SW_ARG(field));
        if (sw_str_is(key, "type")) {
            type = value;
        } else if (sw_str_is(key, "dest")) {
            ret->dest = sw_arena_cstr(inv->arena, value);
        } else if (sw_str_is(key, "tar")) {
            code = want_bool(key, value, &tar, err);
        } else if (sw_str_is(key, "platform-split")) {
            code = want_bool(key, value, &split, err);
        } else if (sw_str_is(key, "attestation-prefix")) {
            ret->attestation_prefix = sw_arena_str(inv->arena, value);
            if (sw_str_find_char(value, '/') != SIZE_MAX)
                code = sw_fail(err, SW_USAGE, "attestation-prefix: it is no path");
        } else {
            code = parse_image_key(inv, o, key, value, ret_push, err);
        }
        if (code) return code;
    }
    ret->one_directory = !split;
    return code ? code : set_kind(ret, type, !tar, ret_push, err);
}

enum sw_code sw_build_outputs_parse(struct sw_invocation *inv, struct sw_build_options *o,
                                    struct sw_build_outputs *ret, struct sw_strs *notes,
                                    struct sw_error *err) {
    size_t n, streams = 0, files = 0;
    const char *const *values = sw_opt_list(inv, "output", &n);
    *ret = (struct sw_build_outputs){0};
    if (n > BUILD_OUTPUTS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d outputs", BUILD_OUTPUTS_MAX);
    for (; ret->n < n; ret->n++) {
        struct sw_build_output *one = &ret->list[ret->n];
        enum sw_code code = parse_one(inv, o, values[ret->n], one, &ret->push, err);
        if (code) return sw_context(err, "--output %s", values[ret->n]);
        streams += one->dest && !strcmp(one->dest, "-");
        files += one->kind == SW_OUTPUT_LOCAL || one->kind == SW_OUTPUT_TAR;
    }
    if (streams > 1)
        return sw_fail(err, SW_USAGE, "--output: only one of them may go to standard output");
    ret->push |= sw_opt_flag(inv, "push");
    o->want_files = files > 0;
    /* Files alone: nothing is kept as an image, unless it is asked for. */
    o->skip_layers = files > 0 && files == n && !ret->push && !sw_opt_flag(inv, "load");
    if (o->docker_format && o->annotations.len)
        sw_strs_add(inv->arena, notes,
                    SW_STR("--format docker: Docker's documents have no place for annotations"));
    return SW_OK;
}

/* ---- writing ---- */

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

static struct sw_files_options files_options(const struct sw_build_output *output,
                                             const struct sw_build_options *o,
                                             struct sw_arena *arena) {
    struct sw_files_options files = {
        .epoch_s = o->epoch_s, .prefix = output->attestation_prefix, .suffix = SW_STR("")};
    if (!output->platform) return files;
    char *suffix =
        sw_arena_cstr(arena, sw_arena_printf(arena, ".%.*s",
                                             SW_ARG(sw_platform_format(arena, output->platform))));
    for (char *p = suffix; *p; p++)
        if (*p == '/') *p = '_';
    files.suffix = sw_str(suffix);
    return files;
}

static enum sw_code write_archive(const struct sw_build_tools *tools,
                                  const struct sw_build_result *result,
                                  const struct sw_build_output *output,
                                  const struct sw_build_options *o, struct sw_arena *arena, int fd,
                                  struct sw_error *err) {
    struct sw_save_image image = {.target = result->target};
    enum sw_code code = full_names(o, arena, &image.names, err);
    if (code) return code;
    struct sw_files_options files = files_options(output, o, arena);
    if (output->kind == SW_OUTPUT_TAR) return sw_build_write_tar(tools, result, &files, fd, err);
    return sw_archive_save(tools->store, fd,
                           output->kind == SW_OUTPUT_DOCKER ? SW_SAVE_DOCKER : SW_SAVE_OCI, &image,
                           1, err);
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
    if (!code) code = write_archive(tools, result, output, o, arena, file.fd, err);
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
    struct sw_files_options files = files_options(output, o, arena);
    if (output->kind == SW_OUTPUT_LOCAL)
        return sw_build_write_tree(tools, result, &files, dir, err);
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
        code = write_archive(tools, result, output, options, &arena, STDOUT_FILENO, err);
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
