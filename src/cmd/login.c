#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/fs.h"
#include "cmd/remote_common.h"
#include "cmd/table.h"

#define PASSWORD_MAX 65536 /* tokens of some clouds have thousands of bytes */

static const struct sw_option options[] = {
    {"username", 'u', "NAME", "user name", 0, NULL, NULL},
    {"password-stdin", 0, NULL, "read the password from standard input", 0, NULL, NULL},
    REMOTE_OPTIONS,
    {NULL},
};

static struct sw_str first_line(struct sw_arena *a, struct sw_str text) {
    struct sw_str line, rest;
    sw_str_cut(text, '\n', &line, &rest);
    if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
    return sw_arena_str(a, line);
}

/* From the terminal, without showing it. */
static enum sw_code ask(struct sw_invocation *inv, const char *what, bool hidden,
                        struct sw_str *ret, struct sw_error *err) {
    struct termios old, quiet;
    char line[4096];
    if (!isatty(0))
        return sw_fail(err, SW_USAGE, "give %s, the password with --password-stdin", what);
    fprintf(stderr, "%s: ", what);
    bool silenced = hidden && tcgetattr(0, &old) == 0;
    if (silenced) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(0, TCSAFLUSH, &quiet);
    }
    char *got = fgets(line, sizeof line, stdin);
    if (silenced) {
        tcsetattr(0, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (!got) return sw_fail(err, SW_CANCELLED, "no %s", what);
    *ret = first_line(inv->arena, sw_str(line));
    explicit_bzero(line, sizeof line);
    return SW_OK;
}

static enum sw_code read_credential(struct sw_invocation *inv, struct sw_credential *ret,
                                    struct sw_error *err) {
    enum sw_code code = SW_OK;
    ret->user = sw_str(sw_opt(inv, "username"));
    if (!ret->user.len) code = ask(inv, "user name", false, &ret->user, err);
    if (code) return code;
    if (!sw_opt_flag(inv, "password-stdin")) return ask(inv, "password", true, &ret->password, err);
    SW_BUF struct sw_buf text = {0};
    sw_buf_init(&text, 0);
    code = sw_read_fd(0, PASSWORD_MAX, &text, err);
    if (code) return code;
    ret->password = first_line(inv->arena, sw_buf_str(&text));
    explicit_bzero(text.ptr, text.len);
    if (!ret->password.len) return sw_fail(err, SW_USAGE, "the password is empty");
    return SW_OK;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_remote *r REMOTE = NULL;
    struct sw_credential c = {0};
    struct sw_str domain, where = SW_STR("");
    enum sw_code code = remote_domain(inv, inv->n_args ? inv->args[0] : NULL, &domain, err);
    if (!code) code = read_credential(inv, &c, err);
    if (!code) code = remote_open(inv, &r, err);
    if (!code) code = sw_remote_login(r, inv->arena, domain, &c, err);
    if (!code) code = sw_credential_store(inv->arena, domain, &c, &where, err);
    if (!code)
        printf("logged in to %.*s; the credential is in %.*s\n", SW_ARG(domain), SW_ARG(where));
    return code;
}

const struct sw_command sw_cmd_login = {
    .name = "login",
    .args = "[OPTIONS] [REGISTRY]",
    .summary = "Keep a credential for a registry",
    .description = "The credential is checked first. It goes where docker keeps it: the credential "
                   "helper of config.json, or the file itself. REGISTRY is docker.io where it is "
                   "left out.",
    .examples = "pass show registry | slipway login -u ci --password-stdin registry.example.org",
    .options = options,
    .min_args = 0,
    .max_args = 1,
    .run = run,
};

static enum sw_code run_logout(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_str domain;
    enum sw_code code = remote_domain(inv, inv->n_args ? inv->args[0] : NULL, &domain, err);
    if (!code) code = sw_credential_erase(inv->arena, domain, err);
    if (!code) printf("logged out of %.*s\n", SW_ARG(domain));
    return code;
}

const struct sw_command sw_cmd_logout = {
    .name = "logout",
    .args = "[REGISTRY]",
    .summary = "Forget the credential for a registry",
    .min_args = 0,
    .max_args = 1,
    .run = run_logout,
};
