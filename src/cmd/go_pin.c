#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "cmd/go_common.h"
#include "cmd/table.h"
#include "golang/modfile.h"

static const struct sw_option options[] = {
    {"file", 0, "FILE", ".go-version, go.mod or go.work; go.mod where there is one", 0, NULL,
     ".go-version|go.mod|go.work"},
    {"dir", 'C', "DIR", "in this directory", 0, NULL, NULL},
    GO_NETWORK_OPTIONS,
    {NULL},
};

static enum sw_code pin_module(int dir, const char *file, struct sw_str version,
                               struct sw_error *err) {
    SW_BUF struct sw_buf before, after, name;
    struct stat st;
    sw_buf_init(&before, SW_GO_MODFILE_MAX);
    sw_buf_init(&after, SW_GO_MODFILE_MAX + 1024);
    sw_buf_init(&name, 64);
    sw_buf_addf(&name, "go%.*s", SW_ARG(version));
    enum sw_code code = sw_read_file_at(dir, file, SW_GO_MODFILE_MAX, &before, err);
    if (code) return code;
    code = sw_go_modfile_set_toolchain(sw_buf_str(&before), sw_buf_str(&name), &after, err);
    if (code) return sw_context(err, "%s", file);
    if (fstatat(dir, file, &st, 0) < 0) return sw_fail_sys(err, errno, "stat %s", file);
    return sw_write_file_at(dir, file, st.st_mode & 07777, sw_buf_str(&after), err);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_constraint c;
    struct sw_go_version v;
    char text[SW_GO_VERSION_SIZE];
    const char *where = sw_opt(inv, "dir"), *file = sw_opt(inv, "file");
    enum sw_code code = sw_go_constraint_parse(sw_str(inv->args[0]), &c, err);
    if (code || (code = go_session_open(&s, inv, GO_CREATE | GO_NETWORK, err)) ||
        (code = sw_go_resolve(&s.install, &c, inv->arena, &v, err)))
        return code;
    SW_FD int dir = -1;
    code = sw_open_at(AT_FDCWD, where ? where : ".", O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (code) return code;
    struct sw_str version = sw_go_version_format(&v, text);
    /* toolchain lines exist since 1.21; older modules are pinned beside. */
    if (!file)
        file = v.minor >= 21 && !faccessat(dir, "go.mod", F_OK, 0) ? "go.mod" : ".go-version";
    if (strcmp(file, ".go-version") != 0) {
        code = pin_module(dir, file, version, err);
    } else {
        struct sw_str line = sw_arena_printf(inv->arena, "%.*s\n", SW_ARG(version));
        code = sw_write_file_at(dir, file, 0644, line, err);
    }
    if (!code) printf("%s: go%.*s\n", file, SW_ARG(version));
    return code;
}

const struct sw_command sw_cmd_go_pin = {
    .name = "go pin",
    .args = "[OPTIONS] VERSION|CONSTRAINT",
    .summary = "Write the Go version of this directory down",
    .description = "Sets the toolchain line of go.mod or go.work, everything else in it untouched, "
                   "or writes .go-version. A constraint is resolved to a release first.",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
