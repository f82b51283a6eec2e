#include "gotool/launch.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gotool/shell.h"

static bool is_variable(const char *entry, const char *name) {
    size_t n = strlen(name);
    return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

char **sw_go_environment(struct sw_arena *a, char *const *environ_now, const char *root,
                         const char *goroot, const char *version, bool set_goroot) {
    size_t n = 0, used = 0;
    const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    while (environ_now[n]) n++;
    char **env = sw_arena_array(a, n + 5, sizeof *env);
    for (size_t i = 0; i < n; i++) {
        if (is_variable(environ_now[i], "PATH")) {
            path = environ_now[i] + 5;
            continue;
        }
        if (is_variable(environ_now[i], "GOROOT") || is_variable(environ_now[i], "GOTOOLCHAIN") ||
            is_variable(environ_now[i], "SLIPWAY_GO_VERSION"))
            continue;
        env[used++] = environ_now[i];
    }
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 1 << 20);
    struct sw_str bin = sw_arena_printf(a, "%s/bin", goroot);
    sw_go_path_with(sw_str(path), sw_str(root), bin, &text);
    env[used++] = (char *)sw_arena_printf(a, "PATH=%s", text.ptr).ptr;
    env[used++] = (char *)"GOTOOLCHAIN=local";
    env[used++] = (char *)sw_arena_printf(a, "SLIPWAY_GO_VERSION=%s", version).ptr;
    if (set_goroot) env[used++] = (char *)sw_arena_printf(a, "GOROOT=%s", goroot).ptr;
    return env;
}

enum sw_code sw_go_find_program(struct sw_arena *a, const char *name, char *const *envp,
                                const char **ret, struct sw_error *err) {
    struct stat st;
    bool denied = false;
    struct sw_str path = {0}, entry;
    if (strchr(name, '/')) {
        if (stat(name, &st) < 0) return sw_fail_sys(err, errno, "%s", name);
        if (!S_ISREG(st.st_mode) || access(name, X_OK) < 0)
            return sw_fail(err, SW_DENIED, "%s is not executable", name);
        *ret = name;
        return SW_OK;
    }
    for (size_t i = 0; envp[i]; i++)
        if (is_variable(envp[i], "PATH")) path = sw_str(envp[i] + 5);
    while (*name && sw_str_next(&path, ':', &entry)) {
        struct sw_str file =
            sw_arena_printf(a, "%.*s%s%s", SW_ARG(entry), entry.len ? "/" : "", name);
        if (stat(file.ptr, &st) < 0 || !S_ISREG(st.st_mode)) continue;
        if (access(file.ptr, X_OK) == 0) {
            *ret = file.ptr;
            return SW_OK;
        }
        denied = true;
    }
    if (denied) return sw_fail(err, SW_DENIED, "%s is not executable", name);
    return sw_fail(err, SW_NOT_FOUND, "there is no program %s in PATH", name);
}
