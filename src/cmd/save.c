#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "store/archive.h"
#include "store/tags.h"

static enum sw_code collect(struct sw_invocation *inv, struct sw_store *store,
                            struct sw_save_image *images, struct sw_error *err) {
    for (int i = 0; i < inv->n_args; i++) {
        struct sw_image image;
        enum sw_code code = sw_tags_resolve(store, inv->arena, sw_str(inv->args[i]), &image, err);
        if (code) return code;
        images[i] = (struct sw_save_image){.target = image.target};
        if (image.name.len) sw_strs_add(inv->arena, &images[i].names, image.name);
    }
    return SW_OK;
}

static enum sw_code to_file(struct sw_invocation *inv, struct sw_store *store, const char *path,
                            enum sw_save_format format, const struct sw_save_image *images,
                            struct sw_error *err) {
    SW_FD int dir = -1;
    SW_ATOMIC struct sw_atomic_file file = {.fd = -1};
    char *name = sw_arena_cstr(inv->arena, sw_str(path));
    char *parent = sw_arena_cstr(inv->arena, sw_str(path));
    enum sw_code code = sw_open_at(AT_FDCWD, dirname(parent), O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (!code) code = sw_atomic_open(&file, dir, 0644, err);
    if (!code) code = sw_archive_save(store, file.fd, format, images, (size_t)inv->n_args, err);
    return code ? code : sw_atomic_commit(&file, basename(name), err);
}

static enum sw_code to_directory(struct sw_invocation *inv, struct sw_store *store,
                                 const char *path, const struct sw_save_image *images,
                                 struct sw_error *err) {
    SW_FD int dir = -1;
    enum sw_code code = sw_mkdirs_at(AT_FDCWD, path, 0755, err);
    if (!code) code = sw_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    return code ? code : sw_archive_export(store, dir, images, (size_t)inv->n_args, err);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    const char *output = sw_opt(inv, "output");
    const char *format = inv->format ? inv->format : "docker-archive";
    bool docker = !strcmp(format, "docker-archive") || !strcmp(format, "docker");
    bool oci = !strcmp(format, "oci-archive") || !strcmp(format, "oci");
    bool directory = !strcmp(format, "oci-dir");
    if (!docker && !oci && !directory)
        return sw_fail(err, SW_USAGE, "--format %s: want docker-archive, oci-archive or oci-dir",
                       format);
    if (!output && (directory || isatty(STDOUT_FILENO)))
        return sw_fail(err, SW_USAGE, "save: name the output with -o PATH, or redirect it");
    SW_SESSION struct sw_session session = {0};
    struct sw_save_image *images = sw_arena_array(inv->arena, (size_t)inv->n_args, sizeof *images);
    enum sw_code code = sw_session_open(inv, SW_SESSION_READ_ONLY, &session, err);
    if (!code) code = collect(inv, session.store, images, err);
    if (code) return code;
    enum sw_save_format kind = docker ? SW_SAVE_DOCKER : SW_SAVE_OCI;
    if (directory) return to_directory(inv, session.store, output, images, err);
    if (output) return to_file(inv, session.store, output, kind, images, err);
    return sw_archive_save(session.store, STDOUT_FILENO, kind, images, (size_t)inv->n_args, err);
}

static const struct sw_option options[] = {
    {"output", 'o', "PATH", "where to write (default: standard output)", 0, NULL, NULL},
    {"format", 0, "FORMAT", "kind of archive (default: docker-archive)", 0, NULL,
     "docker-archive|oci-archive|oci-dir|docker|oci"},
    {NULL},
};

const struct sw_command sw_cmd_save = {
    .name = "save",
    .args = "[OPTIONS] IMAGE...",
    .summary = "Write images to an archive",
    .description =
        "A docker-archive can be read by docker load and podman load, an oci-archive by every OCI "
        "tool. The same images give the same bytes.",
    .examples = "  slipway save -o app.tar app:1.0\n  slipway save app:1.0 | podman load",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
