#include "gotool/init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golang/constraint.h"
#include "golang/files.h"
#include "gotool/launch.h"
#include "gotool/supervise.h"

enum {
    EXIT_CHOICE = 125, /* nothing was started; container engines use the same */
    CONFIG_MAX = 1 << 20,
    CANDIDATES_MAX = 256,
};

struct candidate {
    struct sw_go_version version;
    const char *path; /* GOROOT */
};

struct init {
    struct sw_arena *a;
    const char *name, *config, *key, *store, *installer;
    bool fallback, offline, quiet, print, supervise;
    char **program;
    char **envp;
    const char *wanted, *origin; /* NULL: nothing names a version */
    struct candidate candidates[CANDIDATES_MAX];
    size_t n;
    bool has_default;
    struct candidate by_default;
};

static const char *env(const struct init *in, const char *name) {
    size_t n = strlen(name);
    for (char **e = in->envp; *e; e++)
        if (!strncmp(*e, name, n) && (*e)[n] == '=') return (*e)[n + 1] ? *e + n + 1 : NULL;
    return NULL;
}

static const char usage_text[] =
    "usage: %s [OPTIONS] [--] PROGRAM [ARG...]\n"
    "Chooses a Go version, installs it where it is missing, and becomes PROGRAM.\n"
    "  --config FILE  whose key names the version (/app/config.yaml, SLIPWAY_INIT_CONFIG)\n"
    "  --key NAME     that key (go)\n"
    "  --store DIR    where toolchains are (SLIPWAY_GO_ROOT, /var/lib/slipway/go)\n"
    "  --fallback     use the default where the version cannot be had\n"
    "  --offline      install nothing\n"
    "  --supervise    stay as the parent also when this is not process 1\n"
    "  --print        print the version and its directory, start nothing\n"
    "  --quiet        no line about the choice\n"
    "Looked at: SLIPWAY_GO_VERSION, GO_VERSION, the file, the preinstalled default.\n";

/* Options up to the program. -1: go on; else the exit status. */
static int parse(struct init *in, int argc, char **argv) {
    static const char *const valued[] = {"--config", "--key", "--store"};
    const char **targets[] = {&in->config, &in->key, &in->store};
    const char *const flags[] = {"--fallback", "--offline", "--quiet", "--print", "--supervise"};
    bool *const switches[] = {&in->fallback, &in->offline, &in->quiet, &in->print, &in->supervise};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        bool known = false;
        if (!strcmp(argv[i], "--")) {
            i++;
            break;
        }
        if (!strcmp(argv[i], "--help")) {
            printf(usage_text, in->name);
            fflush(stdout);
            return 0;
        }
        for (int f = 0; f < 5 && !known; f++)
            if (!strcmp(argv[i], flags[f])) known = *switches[f] = true;
        for (int v = 0; v < 3 && !known; v++) {
            size_t n = strlen(valued[v]);
            if (strncmp(argv[i], valued[v], n) != 0) continue;
            if (argv[i][n] == '=')
                *targets[v] = argv[i] + n + 1;
            else if (!argv[i][n] && i + 1 < argc)
                *targets[v] = argv[++i];
            else
                continue;
            known = true;
        }
        if (!known) {
            dprintf(2, "%s: unknown option %s\n", in->name, argv[i]);
            dprintf(2, usage_text, in->name);
            return EXIT_CHOICE;
        }
    }
    in->program = argv + i;
    if (i == argc && !in->print) {
        dprintf(2, "%s: no program to start\n", in->name);
        dprintf(2, usage_text, in->name);
        return EXIT_CHOICE;
    }
    return -1;
}

/* ---- what is wanted ---- */

static enum sw_code read_text(struct sw_arena *a, const char *path, struct sw_str *ret,
                              struct sw_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return sw_fail_sys(err, errno, "open %s", path);
    char *text = sw_arena_alloc(a, CONFIG_MAX + 1);
    size_t len = 0;
    ssize_t n = 1;
    while (len <= CONFIG_MAX && (n = read(fd, text + len, CONFIG_MAX + 1 - len)) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break;
        len += (size_t)n;
    }
    int saved = errno;
    close(fd);
    if (n < 0) return sw_fail_sys(err, saved, "read %s", path);
    if (len > CONFIG_MAX)
        return sw_fail(err, SW_LIMIT, "%s is larger than %d bytes", path, CONFIG_MAX);
    *ret = sw_str_n(text, len);
    return SW_OK;
}

static enum sw_code find_wish(struct init *in, struct sw_error *err) {
    static const char *const names[] = {"SLIPWAY_GO_VERSION", "GO_VERSION"};
    for (int i = 0; i < 2 && !in->wanted; i++) {
        in->wanted = env(in, names[i]);
        in->origin = names[i];
    }
    if (in->wanted) return SW_OK;
    struct sw_str text;
    enum sw_code code = read_text(in->a, in->config, &text, err);
    if (code == SW_NOT_FOUND) return SW_OK;
    if (code) return code;
    struct sw_str value = sw_go_version_of_yaml(text, in->key);
    if (!value.len) return SW_OK;
    in->wanted = sw_arena_cstr(in->a, value);
    in->origin = sw_arena_printf(in->a, "%s: %s", in->config, in->key).ptr;
    return SW_OK;
}

/* ---- what is there ---- */

static bool is_toolchain(struct init *in, const char *path, struct sw_go_version *ret) {
    struct sw_str text, line, rest;
    struct sw_error ignored;
    struct stat st;
    const char *go = sw_arena_printf(in->a, "%s/bin/go", path).ptr;
    if (stat(go, &st) < 0 || !S_ISREG(st.st_mode) || access(go, X_OK) < 0) return false;
    if (read_text(in->a, sw_arena_printf(in->a, "%s/VERSION", path).ptr, &text, &ignored))
        return false;
    sw_str_cut(text, '\n', &line, &rest);
    return sw_go_toolchain_read(sw_str_trim(line), ret);
}

static void add_candidate(struct init *in, const char *path) {
    struct candidate c = {.path = path};
    if (in->n < CANDIDATES_MAX && is_toolchain(in, path, &c.version)) in->candidates[in->n++] = c;
}

/* A store's versions, and the default that its link names. */
static void look_at_store(struct init *in, const char *root) {
    const char *versions = sw_arena_printf(in->a, "%s/versions", root).ptr;
    DIR *d = opendir(versions);
    for (struct dirent *e; d && (e = readdir(d));)
        if (!strncmp(e->d_name, "go", 2))
            add_candidate(in, sw_arena_printf(in->a, "%s/%s", versions, e->d_name).ptr);
    if (d) closedir(d);
    const char *current = sw_arena_printf(in->a, "%s/current", root).ptr;
    char target[PATH_MAX];
    if (in->has_default || !realpath(current, target)) return;
    in->by_default.path = sw_arena_cstr(in->a, sw_str(target));
    in->has_default = is_toolchain(in, in->by_default.path, &in->by_default.version);
}

static void look_around(struct init *in) {
    static const char system_store[] = "/var/lib/slipway/go", plain[] = "/usr/local/go";
    struct sw_go_version v;
    in->n = 0;
    in->has_default = false;
    look_at_store(in, in->store);
    if (strcmp(in->store, system_store) != 0) look_at_store(in, system_store);
    add_candidate(in, plain);
    if (!in->has_default && is_toolchain(in, plain, &v)) {
        in->has_default = true;
        in->by_default = (struct candidate){v, plain};
    }
    /* Only one version and no default: it is the preinstalled one. */
    for (size_t i = 0; !in->has_default && i < in->n; i++) {
        const struct candidate *c = &in->candidates[i];
        if (!in->by_default.path || sw_go_version_cmp(&c->version, &in->by_default.version) > 0)
            in->by_default = *c;
    }
    in->has_default = in->has_default || in->by_default.path;
}

static bool pick(struct init *in, const struct sw_go_constraint *c, struct candidate *ret) {
    struct sw_go_version *versions = sw_arena_array(in->a, in->n + 1, sizeof *versions);
    for (size_t i = 0; i < in->n; i++) versions[i] = in->candidates[i].version;
    size_t i = sw_go_constraint_pick(c, versions, in->n);
    if (i == SIZE_MAX) return false;
    *ret = in->candidates[i];
    return true;
}

/* ---- getting what is missing ---- */

static const char *find_installer(struct init *in) {
    char self[PATH_MAX];
    const char *named = in->installer ? in->installer : env(in, "SLIPWAY_BIN"), *found;
    struct sw_error ignored;
    if (named) return named;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = 0;
        char *slash = strrchr(self, '/');
        if (slash) *slash = 0;
        const char *beside = sw_arena_printf(in->a, "%s/slipway", self).ptr;
        if (access(beside, X_OK) == 0) return beside;
    }
    return sw_go_find_program(in->a, "slipway", in->envp, &found, &ignored) ? NULL : found;
}

/* Runs `slipway go install` under supervision. *ret_signal: we were told to end meanwhile. */
static enum sw_code install(struct init *in, const struct sw_supervisor *s, int *ret_signal,
                            struct sw_error *err) {
    const char *slipway = find_installer(in);
    if (in->offline) return sw_fail(err, SW_NOT_FOUND, "it is not installed, and --offline is set");
    if (!slipway)
        return sw_fail(err, SW_NOT_FOUND,
                       "it is not installed, and there is no slipway to install it (SLIPWAY_BIN)");
    const char *argv[] = {slipway, "go", "install", "--progress=plain", in->wanted, NULL};
    size_t n = 0, used = 0;
    while (in->envp[n]) n++;
    char **e = sw_arena_array(in->a, n + 2, sizeof *e);
    for (size_t i = 0; i < n; i++)
        if (strncmp(in->envp[i], "SLIPWAY_GO_ROOT=", 16) != 0) e[used++] = in->envp[i];
    e[used] = (char *)sw_arena_printf(in->a, "SLIPWAY_GO_ROOT=%s", in->store).ptr;
    struct sw_supervised r;
    enum sw_code code = sw_supervise(s, slipway, (char *const *)argv, e, false, true, &r, err);
    if (code) return code;
    *ret_signal = r.signal;
    if (r.signal)
        return sw_fail(err, SW_CANCELLED, "ended by signal %d while installing", r.signal);
    if (r.status) return sw_fail(err, SW_CHILD, "installing it failed (status %d)", r.status);
    return SW_OK;
}

static enum sw_code choose(struct init *in, const struct sw_supervisor *s, struct candidate *ret,
                           int *ret_signal, struct sw_error *err) {
    struct sw_go_constraint c;
    look_around(in);
    if (!in->wanted) {
        if (!in->has_default)
            return sw_fail(err, SW_NOT_FOUND,
                           "neither GO_VERSION nor %s names a Go version, and none is preinstalled",
                           in->config);
        in->origin = "preinstalled default";
        *ret = in->by_default;
        return SW_OK;
    }
    enum sw_code code = sw_go_constraint_parse(sw_str(in->wanted), &c, err);
    if (code || pick(in, &c, ret)) return code ? sw_context(err, "%s", in->origin) : SW_OK;
    code = install(in, s, ret_signal, err);
    if (!code) {
        look_around(in);
        if (pick(in, &c, ret)) return SW_OK;
        code = sw_fail(err, SW_NOT_FOUND, "it was installed and is not in %s", in->store);
    }
    return sw_context(err, "Go %s (%s)", in->wanted, in->origin);
}

/* ---- starting ---- */

/* Where HOME is missing or cannot be written, the go command needs to be told other places. */
static char **complete_environment(struct init *in, const struct candidate *c) {
    char text[SW_GO_VERSION_SIZE];
    const char *version = sw_arena_str(in->a, sw_go_version_format(&c->version, text)).ptr;
    const char *home = env(in, "HOME"), *tmp = env(in, "TMPDIR");
    char **e = sw_go_environment(in->a, in->envp, in->store, c->path, version, true);
    size_t n = 0;
    while (e[n]) n++;
    char **all = sw_arena_array(in->a, n + 4, sizeof *all);
    memcpy(all, e, n * sizeof *e);
    if (home && access(home, W_OK) == 0) return all;
    if (!tmp) tmp = "/tmp";
    if (!env(in, "GOCACHE") && !env(in, "XDG_CACHE_HOME"))
        all[n++] =
            (char *)sw_arena_printf(in->a, "GOCACHE=%s/go-build-%u", tmp, (unsigned)getuid()).ptr;
    if (!env(in, "GOPATH"))
        all[n++] = (char *)sw_arena_printf(in->a, "GOPATH=%s/go-%u", tmp, (unsigned)getuid()).ptr;
    return all;
}

static int start(struct init *in, const struct sw_supervisor *s, const struct candidate *c) {
    struct sw_error err;
    const char *path;
    char **e = complete_environment(in, c);
    enum sw_code code = sw_go_find_program(in->a, in->program[0], e, &path, &err);
    if (code) {
        dprintf(2, "%s: %s\n", in->name, err.text);
        return code == SW_NOT_FOUND ? 127 : 126;
    }
    if (getpid() != 1 && !in->supervise) {
        sw_supervise_end(s);
        execve(path, in->program, e);
        int status = errno == ENOENT ? 127 : 126;
        dprintf(2, "%s: execute %s: %s\n", in->name, path, strerror(errno));
        return status;
    }
    struct sw_supervised r;
    code = sw_supervise(s, path, in->program, e, true, false, &r, &err);
    if (!code) return r.status;
    dprintf(2, "%s: %s\n", in->name, err.text);
    return 126;
}

/* Where toolchains are kept: a volume, else the system's place, else what can be written. */
static const char *choose_store(struct init *in) {
    static const char system_store[] = "/var/lib/slipway/go";
    const char *named = in->store ? in->store : env(in, "SLIPWAY_GO_ROOT");
    const char *tmp = env(in, "TMPDIR");
    if (named) return named;
    if (access(system_store, W_OK) == 0 || getuid() == 0) return system_store;
    return sw_arena_printf(in->a, "%s/slipway-go-%u", tmp ? tmp : "/tmp", (unsigned)getuid()).ptr;
}

static int run(struct init *in, int argc, char **argv) {
    struct sw_supervisor s;
    struct sw_error err = {0};
    struct candidate c = {.path = NULL};
    int signal = 0, status = parse(in, argc, argv);
    if (status >= 0) return status;
    const char *config = env(in, "SLIPWAY_INIT_CONFIG");
    if (!in->config) in->config = config ? config : "/app/config.yaml";
    if (!in->key) in->key = "go";
    in->store = choose_store(in);
    sw_supervise_begin(&s);
    enum sw_code code = find_wish(in, &err);
    if (!code) code = choose(in, &s, &c, &signal, &err);
    if (signal) return 128 + signal;
    if (code) {
        dprintf(2, "%s: %s\n", in->name, err.text);
        look_around(in);
        if (!in->fallback || !in->has_default) {
            if (in->fallback) dprintf(2, "%s: there is no default to fall back to\n", in->name);
            return EXIT_CHOICE;
        }
        c = in->by_default;
        in->origin = "fallback to the preinstalled default";
    }
    char text[SW_GO_VERSION_SIZE];
    struct sw_str version = sw_go_version_format(&c.version, text);
    const char *shown = code ? NULL : in->wanted;
    if (in->print) {
        printf("go%.*s\t%s\t%s\n", SW_ARG(version), c.path, in->origin);
        fflush(stdout);
        return 0;
    }
    if (!in->quiet)
        dprintf(2,
                "%s: go%.*s (%s%s%s), for go run, build and test here; a compiled program carries "
                "its own Go runtime and is not changed by this\n",
                in->name, SW_ARG(version), in->origin, shown ? " " : "", shown ? shown : "");
    return start(in, &s, &c);
}

int sw_go_init(int argc, char **argv, char **envp, const char *installer) {
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, 256u << 20);
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    struct init *in = sw_arena_alloc(&a, sizeof *in);
    in->a = &a;
    in->name = slash ? slash + 1 : argc ? argv[0] : "slipway-init";
    in->envp = envp;
    in->installer = installer;
    return run(in, argc, argv);
}
