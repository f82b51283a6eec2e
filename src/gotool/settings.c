#include "gotool/settings.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "base/fs.h"
#include "base/proc.h"

enum { GOENV_MAX = 1 << 20 }; /* a go.env file has less than 1 KiB */

/* Files that set what the environment does not. */
struct files {
    struct sw_str user, toolchain;
    const char *toolchain_name;
};

static struct sw_str read_all(struct sw_arena *a, const char *path) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    sw_buf_init(&text, GOENV_MAX);
    if (sw_read_file_at(AT_FDCWD, path, GOENV_MAX, &text, &ignored)) return (struct sw_str){0};
    return sw_arena_str(a, sw_buf_str(&text));
}

static struct sw_str user_file(struct sw_arena *a) {
    const char *named = getenv("GOENV"), *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    if (named && strcmp(named, "off") == 0) return (struct sw_str){0};
    if (named && *named) return read_all(a, named);
    if (config && *config) return read_all(a, sw_arena_printf(a, "%s/go/env", config).ptr);
    if (home && *home) return read_all(a, sw_arena_printf(a, "%s/.config/go/env", home).ptr);
    return (struct sw_str){0};
}

static struct sw_go_setting setting(struct sw_arena *a, const struct files *f, const char *key,
                                    const char *fallback) {
    const char *env = getenv(key);
    if (env && *env) return (struct sw_go_setting){sw_arena_str(a, sw_str(env)), "environment"};
    struct sw_str value = sw_goenv_get(f->user, key);
    if (value.len) return (struct sw_go_setting){value, "go env file"};
    value = sw_goenv_get(f->toolchain, key);
    if (value.len) return (struct sw_go_setting){value, f->toolchain_name};
    return (struct sw_go_setting){sw_str(fallback), "default"};
}

static struct sw_str env_or(struct sw_arena *a, const char *key, const char *fallback) {
    const char *env = getenv(key);
    struct sw_str value = sw_arena_str(a, sw_str(env && *env ? env : fallback));
    while (value.len > 1 && sw_str_ends(value, SW_STR("/"))) value.len--;
    return sw_arena_str(a, value);
}

/* The go.env of the Go that the host has in PATH, for what an installed toolchain does not say. */
static struct sw_str host_goenv(struct sw_arena *a) {
    SW_BUF struct sw_buf path;
    char real[PATH_MAX];
    sw_buf_init(&path, PATH_MAX);
    if (!sw_proc_find("go", &path) || !realpath(path.ptr, real)) return (struct sw_str){0};
    char *bin = strstr(real, "/bin/go");
    if (!bin) return (struct sw_str){0};
    *bin = 0;
    return read_all(a, sw_arena_printf(a, "%s/go.env", real).ptr);
}

enum sw_code sw_go_settings_read(struct sw_arena *a, const char *goroot, struct sw_go_settings *ret,
                                 struct sw_error *err) {
    struct sw_go_settings s = {.offline = false};
    struct files f = {.user = user_file(a)};
    struct utsname host;
    if (goroot) {
        f.toolchain = read_all(a, sw_arena_printf(a, "%s/go.env", goroot).ptr);
        const char *slash = strrchr(goroot, '/');
        f.toolchain_name = sw_arena_printf(a, "go.env of %s", slash ? slash + 1 : goroot).ptr;
    }
    if (!f.toolchain.len) {
        f.toolchain = host_goenv(a);
        f.toolchain_name = "go.env of the go in PATH";
    }
    /* Which proxy is the public one is a toolchain's to say; without any there is the site. */
    s.goproxy = setting(a, &f, "GOPROXY", "direct");
    s.gosumdb = setting(a, &f, "GOSUMDB", "sum.golang.org");
    s.gotoolchain = setting(a, &f, "GOTOOLCHAIN", "auto");
    struct sw_str private = setting(a, &f, "GOPRIVATE", "").value;
    s.gonosumdb = setting(a, &f, "GONOSUMDB", "").value;
    s.gonoproxy = setting(a, &f, "GONOPROXY", "").value;
    if (!s.gonosumdb.len) s.gonosumdb = private;
    if (!s.gonoproxy.len) s.gonoproxy = private;
    s.goflags = setting(a, &f, "GOFLAGS", "").value;
    s.site = env_or(a, "SLIPWAY_GO_SITE", SW_GO_SITE_DEFAULT);
    s.mirror = env_or(a, "SLIPWAY_GO_MIRROR", "");
    s.sources = env_or(a, "SLIPWAY_GO_SOURCES", s.mirror.len ? "mirror,proxy,site" : "proxy,site");
    const char *offline = getenv("SLIPWAY_OFFLINE");
    s.offline = offline && *offline && strcmp(offline, "0") != 0;
    uname(&host);
    s.platform = sw_go_platform_of(host.machine);
    if (!s.platform.arch)
        return sw_fail(err, SW_UNSUPPORTED, "Go has no toolchain for this machine (%s)",
                       host.machine);
    *ret = s;
    return SW_OK;
}

const char *sw_go_settings_nosumdb(const struct sw_go_settings *s) {
    const char *check = getenv("GONOSUMCHECK");
    if (sw_str_is(s->gosumdb.value, "off")) return "GOSUMDB=off";
    if (sw_goprivate_match(s->gonosumdb, SW_STR(SW_GO_TOOLCHAIN_MODULE)))
        return "GONOSUMDB or GOPRIVATE matches " SW_GO_TOOLCHAIN_MODULE;
    if (check && strcmp(check, "1") == 0) return "GONOSUMCHECK=1";
    if (sw_go_settings_insecure(s)) return "GOFLAGS=-insecure";
    return NULL;
}

bool sw_go_settings_insecure(const struct sw_go_settings *s) {
    return sw_goflags_has(s->goflags, "-insecure");
}
