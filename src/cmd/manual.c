#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cmd/table.h"

static void write_page(FILE *f, const struct sw_command *c, bool markdown) {
    if (markdown && c) {
        sw_markdown_page(f, c);
    } else if (!markdown) {
        sw_man_page(f, c);
    }
}

/* slipway-go-install.1 or go-install.md */
static enum sw_code page(int dir, const struct sw_command *c, bool markdown, struct sw_error *err) {
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f) return sw_fail_sys(err, errno, "open a stream in memory");
    write_page(f, c, markdown);
    fclose(f);
    SW_FREE char *owned = text;
    SW_FREE char *name = markdown ? sw_asprintf("%s.md", c ? c->name : "README")
                                  : sw_asprintf("slipway%s%s.1", c ? "-" : "", c ? c->name : "");
    for (char *p = name; *p; p++)
        if (*p == ' ') *p = '-';
    return sw_write_file_at(dir, name, 0644, sw_str_n(owned, len), err);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    bool markdown = sw_opt_flag(inv, "markdown");
    enum sw_code code = sw_mkdirs_at(AT_FDCWD, inv->args[0], 0755, err);
    SW_FD int dir = -1;
    if (code || (code = sw_open_at(AT_FDCWD, inv->args[0], O_RDONLY | O_DIRECTORY, 0, &dir, err)))
        return code;
    if (!markdown) code = page(dir, NULL, false, err);
    for (const struct sw_command *const *c = sw_commands; *c && !code; c++)
        if (!((*c)->flags & SW_CMD_HIDDEN)) code = page(dir, *c, markdown, err);
    return code;
}

static const struct sw_option options[] = {
    {"markdown", 0, NULL, "pages for docs/cmd instead of man pages", 0, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_manual = {
    .name = "manual",
    .args = "[--markdown] DIR",
    .summary = "Write a page for every command into a directory",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .flags = SW_CMD_HIDDEN,
    .run = run,
};
