#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/registry_common.h"
#include "cmd/table.h"
#include "registry/access.h"
#include "registry/admin.h"

#define DAY_S ((int64_t)86400)

static const struct sw_option account_options[] = {
    REGISTRY_PASSWORD_OPTIONS,
    {"role", 0, "ROLE=PATTERN", "give a role on repositories, also several times", SW_OPT_LIST,
     NULL, NULL},
    {"expires", 0, "DAYS", "the account ends after so many days", 0, NULL, NULL},
    REGISTRY_DATA_OPTIONS,
    {NULL},
};

static enum sw_code list_accounts(struct sw_invocation *inv, struct sw_registry *r,
                                  struct sw_error *err) {
    static const char *const columns[] = {"name", "robot", "disabled", "roles", NULL};
    struct sw_buf out SW_BUF = {0};
    sw_buf_init(&out, 0);
    enum sw_code code = sw_admin_accounts(sw_registry_meta(r), &out, err);
    return code ? code : registry_print(inv, sw_buf_str(&out), columns, err);
}

static enum sw_code give_roles(struct sw_invocation *inv, struct sw_registry *r,
                               struct sw_str account, struct sw_error *err) {
    size_t n = 0;
    const char *const *list = sw_opt_list(inv, "role", &n);
    enum sw_code code = SW_OK;
    for (size_t i = 0; !code && i < n; i++) {
        struct sw_str name, pattern;
        sw_str_cut(sw_str(list[i]), '=', &name, &pattern);
        enum sw_role role = sw_role_of(name);
        if (role == SW_ROLE_NONE)
            return sw_fail(err, SW_USAGE,
                           "no role \"%.*s\": viewer, developer, releaser, admin (ROLE=PATTERN)",
                           SW_ARG(name));
        if (!pattern.len) pattern = SW_STR("**");
        code = sw_role_put(sw_registry_meta(r), inv->arena, account, role, pattern, false, err);
    }
    return code;
}

/* A password nobody chose: for robots, and where none was given. Shown once, on standard output. */
static struct sw_str make_password(struct sw_invocation *inv) {
    char *text = sw_arena_alloc(inv->arena, 41);
    sw_random_name(text, 41);
    return sw_str(text);
}

static enum sw_code add_account(struct sw_invocation *inv, struct sw_registry *r,
                                struct sw_account_change *c, struct sw_error *err) {
    uint64_t days = 0;
    struct sw_str given;
    enum sw_code code = registry_password(inv, &given, err);
    if (!code) code = sw_opt_u64(inv, "expires", &days, err);
    if (code) return code;
    if (days > 36500) return sw_fail(err, SW_USAGE, "--expires is in days");
    if (days) c->expires = sw_now_unix_s() + (int64_t)days * DAY_S;
    c->password = given.ptr ? given : make_password(inv);
    code = sw_account_put(sw_registry_meta(r), inv->arena, c, true, sw_now_unix_s(), err);
    if (!code) code = give_roles(inv, r, c->name, err);
    if (!code && !given.ptr) printf("%.*s\n", SW_ARG(c->password));
    return code;
}

static enum sw_code new_password(struct sw_invocation *inv, struct sw_registry *r,
                                 struct sw_account_change *c, struct sw_error *err) {
    struct sw_str given;
    enum sw_code code = registry_password(inv, &given, err);
    if (code) return code;
    c->password = given.ptr ? given : make_password(inv);
    code = sw_account_put(sw_registry_meta(r), inv->arena, c, false, sw_now_unix_s(), err);
    if (!code && !given.ptr) printf("%.*s\n", SW_ARG(c->password));
    return code;
}

static enum sw_code run_account(struct sw_invocation *inv, bool robot, struct sw_error *err) {
    struct sw_registry *r REGISTRY = NULL;
    const char *verb = inv->args[0];
    enum sw_code code = registry_open(inv, &r, err);
    if (code) return code;
    if (strcmp(verb, "list") == 0) return list_accounts(inv, r, err);
    if (inv->n_args < 2) return sw_fail(err, SW_USAGE, "%s whom?", verb);
    struct sw_str name = sw_str(inv->args[1]);
    if (robot && !sw_str_starts(name, SW_STR("robot$")))
        name = sw_arena_printf(inv->arena, "robot$%s", inv->args[1]);
    struct sw_account_change c = {.name = name, .robot = robot};
    if (strcmp(verb, "add") == 0) {
        code = add_account(inv, r, &c, err);
    } else if (strcmp(verb, "passwd") == 0) {
        code = new_password(inv, r, &c, err);
    } else if (strcmp(verb, "disable") == 0 || strcmp(verb, "enable") == 0) {
        c.set_disabled = true;
        c.disabled = verb[0] == 'd';
        code = sw_account_put(sw_registry_meta(r), inv->arena, &c, false, sw_now_unix_s(), err);
    } else if (strcmp(verb, "remove") == 0) {
        code = sw_account_remove(sw_registry_meta(r), inv->arena, name, err);
    } else {
        return sw_fail(err, SW_USAGE, "%s? (add, passwd, disable, enable, remove, list)", verb);
    }
    if (!code)
        code =
            registry_audit(r, inv, sw_arena_printf(inv->arena, "account.%s", verb).ptr, name, err);
    return code;
}

static enum sw_code run_user(struct sw_invocation *inv, struct sw_error *err) {
    return run_account(inv, false, err);
}
static enum sw_code run_robot(struct sw_invocation *inv, struct sw_error *err) {
    return run_account(inv, true, err);
}

const struct sw_command sw_cmd_registry_user = {
    .name = "registry user",
    .args = "[OPTIONS] add|passwd|disable|enable|remove|list [NAME]",
    .summary = "Manage people's accounts of a registry",
    .description = "A change counts at the next request, also while servers run on the data. "
                   "Without a password option a random password is made and printed.",
    .examples = "slipway registry user add ann --password-stdin --role developer='team/**'",
    .options = account_options,
    .min_args = 1,
    .max_args = 2,
    .run = run_user,
};

const struct sw_command sw_cmd_registry_robot = {
    .name = "registry robot",
    .args = "[OPTIONS] add|passwd|disable|enable|remove|list [NAME]",
    .summary = "Manage accounts of CI systems and clusters",
    .description = "Names begin with robot$, which may be left out here. Production repositories "
                   "are written by robots that are releasers.",
    .examples = "slipway registry robot add ci --role releaser='prod/**' --expires 90",
    .options = account_options,
    .min_args = 1,
    .max_args = 2,
    .run = run_robot,
};

static const struct sw_option role_options[] = {REGISTRY_DATA_OPTIONS, {NULL}};

static enum sw_code run_role(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_registry *r REGISTRY = NULL;
    bool remove = strcmp(inv->args[0], "remove") == 0;
    enum sw_code code = registry_open(inv, &r, err);
    if (code) return code;
    if (!remove && strcmp(inv->args[0], "add") != 0)
        return sw_fail(err, SW_USAGE, "%s? (add, remove)", inv->args[0]);
    enum sw_role role = sw_role_of(sw_str(inv->args[2]));
    if (role == SW_ROLE_NONE)
        return sw_fail(err, SW_USAGE, "no role \"%s\": viewer, developer, releaser, admin",
                       inv->args[2]);
    const char *pattern = inv->n_args > 3 ? inv->args[3] : "**";
    code = sw_role_put(sw_registry_meta(r), inv->arena, sw_str(inv->args[1]), role, sw_str(pattern),
                       remove, err);
    if (!code)
        code = registry_audit(
            r, inv, remove ? "role.remove" : "role.add",
            sw_arena_printf(inv->arena, "%s %s %s", inv->args[1], inv->args[2], pattern), err);
    return code;
}

const struct sw_command sw_cmd_registry_role = {
    .name = "registry role",
    .args = "[OPTIONS] add|remove ACCOUNT ROLE [PATTERN]",
    .summary = "Give and take roles on repositories",
    .description = "viewer pulls; developer pulls and pushes; releaser also deletes and, as a "
                   "robot, writes production repositories; admin does everything. In a PATTERN * "
                   "is any part of one component of a name, ** any components.",
    .examples = "slipway registry role add ann viewer 'prod/**'",
    .options = role_options,
    .min_args = 3,
    .max_args = 4,
    .run = run_role,
};
