/* RUN for a processor that is not this machine's: possible where binfmt_misc has an emulator. */
#include <fcntl.h>

#include "base/fs.h"
#include "build/room_internal.h"
#include "sandbox/probe.h"

static bool runs_here(const struct sw_platform *host, const struct sw_platform *p) {
    if (sw_platform_score(host, p)) return true;
    /* Linux on these processors runs their 32-bit programs. */
    return (sw_str_is(host->architecture, "amd64") && sw_str_is(p->architecture, "386")) ||
           (sw_str_is(host->architecture, "arm64") && sw_str_is(p->architecture, "arm"));
}

/* QEMU's name for Go's. */
static const char *qemu_name(struct sw_str arch) {
    static const char *const names[][2] = {{"amd64", "x86_64"},       {"arm64", "aarch64"},
                                           {"386", "i386"},           {"ppc64le", "ppc64le"},
                                           {"mips64le", "mips64el"},  {"mipsle", "mipsel"},
                                           {"loong64", "loongarch64"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (sw_str_is(arch, names[i][0])) return names[i][1];
    return NULL;
}

bool sw_platform_is_native(const struct sw_build *b, const struct sw_platform *p) {
    struct sw_platform host = b->options->host, have = *p;
    if (!have.os.len) have.os = host.os;
    return !have.architecture.len || runs_here(&host, &have);
}

enum sw_code sw_check_emulator(struct sw_stage *s, const struct sw_platform *p,
                               struct sw_error *err) {
    struct sw_arena *a = &s->arena;
    SW_BUF struct sw_buf text;
    struct sw_error ignored = {0};
    struct sw_str what = sw_platform_format(a, p);
    const char *qemu = qemu_name(p->architecture);
    if (!qemu) qemu = sw_arena_cstr(a, p->architecture);
    const char *path = sw_arena_printf(a, "/proc/sys/fs/binfmt_misc/qemu-%s", qemu).ptr;
    sw_buf_init(&text, 65536);
    bool known = sw_read_file_at(AT_FDCWD, path, 65536, &text, &ignored) == SW_OK &&
                 sw_str_starts(sw_buf_str(&text), SW_STR("enabled"));
    if (!known)
        return sw_fail(err, SW_UNSUPPORTED,
                       "this machine cannot run programs for %.*s: install an emulator (%.*s), "
                       "which registers itself with binfmt_misc, or let the stage start FROM "
                       "--platform=$BUILDPLATFORM and cross-compile",
                       SW_ARG(what), SW_ARG(sw_install_advice("qemu-user-static", a)));
    size_t flags = sw_str_find(sw_buf_str(&text), SW_STR("flags: "));
    struct sw_str line = SW_STR(""), rest;
    if (flags != SIZE_MAX) sw_str_cut(sw_str_from(sw_buf_str(&text), flags), '\n', &line, &rest);
    if (sw_str_find_char(sw_str_from(line, 7), 'F') == SIZE_MAX)
        return sw_fail(err, SW_UNSUPPORTED,
                       "the emulator for %.*s (qemu-%s in binfmt_misc) is registered without the "
                       "flag F, so that it cannot be found inside an image: register the static "
                       "one (%.*s)",
                       SW_ARG(what), qemu, SW_ARG(sw_install_advice("qemu-user-static", a)));
    return SW_OK;
}
