#include "build/users.h"

#include "build/view.h"
#include "dockerfile/values.h"

/* A line of passwd or group, split at colons. */
#define FIELDS 7
static bool next_line(struct sw_str *text, struct sw_str fields[FIELDS]) {
    struct sw_str line;
    while (sw_str_next(text, '\n', &line)) {
        line = sw_str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#') continue;
        for (int i = 0; i < FIELDS; i++)
            if (!sw_str_next(&line, ':', &fields[i])) fields[i] = SW_STR("");
        return true;
    }
    return false;
}

static bool number(struct sw_str s, uint32_t *ret) {
    uint64_t v;
    if (!sw_str_u64(s, &v) || v > 0xfffffffe) return false;
    *ret = (uint32_t)v;
    return true;
}

static enum sw_code read_db(struct sw_source *view, struct sw_arena *arena, const char *path,
                            struct sw_str *ret, struct sw_error *err) {
    *ret = SW_STR("");
    if (!view) return SW_OK;
    enum sw_code code = sw_view_read(view, arena, sw_str(path), SW_PASSWD_MAX, ret, err);
    if (code == SW_NOT_FOUND || code == SW_DENIED) return SW_OK;
    return code;
}

/* The user's own line, by name or by number. */
static bool find_user(struct sw_str passwd, struct sw_str who, struct sw_user *ret) {
    struct sw_str f[FIELDS];
    uint32_t wanted = 0;
    bool numeric = number(who, &wanted);
    for (int by_name = 1; by_name >= 0; by_name--) {
        struct sw_str rest = passwd;
        if (!by_name && !numeric) break;
        while (next_line(&rest, f)) {
            uint32_t uid, gid;
            if (!number(f[2], &uid) || !number(f[3], &gid)) continue;
            if (by_name ? !sw_str_eq(f[0], who) : uid != wanted) continue;
            ret->uid = uid;
            ret->gid = gid;
            ret->name = f[0];
            ret->home = f[5].len ? f[5] : SW_STR("/");
            return true;
        }
    }
    return false;
}

static bool find_group(struct sw_str group, struct sw_str who, uint32_t *ret) {
    struct sw_str f[FIELDS], rest = group;
    while (next_line(&rest, f))
        if (sw_str_eq(f[0], who) && number(f[2], ret)) return true;
    return number(who, ret);
}

static void add_groups(struct sw_str group, struct sw_user *user) {
    struct sw_str f[FIELDS], rest = group, member;
    while (next_line(&rest, f)) {
        uint32_t gid;
        if (!number(f[2], &gid) || gid == user->gid)
            continue; /* the primary one is there already */
        struct sw_str members = f[3];
        while (sw_str_next(&members, ',', &member)) {
            if (!sw_str_eq(sw_str_trim(member), user->name)) continue;
            if (user->n_groups < SW_GROUPS_MAX) user->groups[user->n_groups++] = gid;
            break;
        }
    }
}

enum sw_code sw_user_find(struct sw_source *view, struct sw_arena *arena, struct sw_str text,
                          struct sw_user *ret, struct sw_error *err) {
    struct sw_str passwd, group;
    struct sw_df_owner who = {.user = SW_STR("0")};
    *ret = (struct sw_user){.name = SW_STR(""), .home = SW_STR("/")};
    if (text.len) {
        enum sw_code code = sw_df_owner_parse(text, &who, err);
        if (code) return code;
        if (!who.user.ptr) who.user = SW_STR("0");
    }
    /* ":group" is root's, in that group. */
    if (!who.user.ptr) who.user = SW_STR("0");
    enum sw_code code = read_db(view, arena, "etc/passwd", &passwd, err);
    if (!code) code = read_db(view, arena, "etc/group", &group, err);
    if (code) return code;
    if (!find_user(passwd, who.user, ret) && !number(who.user, &ret->uid))
        return sw_fail(err, SW_NOT_FOUND, "there is no user \"%.*s\" in the image's /etc/passwd",
                       SW_ARG(who.user));
    if (who.group.ptr) {
        if (!find_group(group, who.group, &ret->gid))
            return sw_fail(err, SW_NOT_FOUND,
                           "there is no group \"%.*s\" in the image's /etc/group",
                           SW_ARG(who.group));
    }
    /* The primary group is a supplementary one, too: a process that gives it up would else get at
     * what the group is denied (CVE-2022-36109). */
    ret->groups[ret->n_groups++] = ret->gid;
    if (!who.group.ptr && ret->name.len) add_groups(group, ret);
    return SW_OK;
}

/* The name's own line; a number and "root" stand for themselves, whatever the image says. */
static bool owner_of(struct sw_str db, struct sw_str who, bool is_group, uint32_t *ret_id,
                     uint32_t *ret_gid) {
    struct sw_str f[FIELDS];
    if (sw_str_is(who, "root")) who = SW_STR("0");
    if (number(who, ret_id)) {
        *ret_gid = *ret_id;
        return true;
    }
    while (next_line(&db, f)) {
        uint32_t id, gid;
        if (!sw_str_eq(f[0], who) || !number(f[2], &id)) continue;
        if (!is_group && !number(f[3], &gid)) continue;
        *ret_id = id;
        *ret_gid = is_group ? id : gid;
        return true;
    }
    return false;
}

enum sw_code sw_owner_find(struct sw_source *view, struct sw_arena *arena, struct sw_str text,
                           uint32_t *ret_uid, uint32_t *ret_gid, struct sw_str *ret_unknown,
                           struct sw_error *err) {
    struct sw_str passwd, group, unknown = {0};
    struct sw_df_owner who;
    uint32_t uid = 0, gid = 0, other;
    enum sw_code code = sw_df_owner_parse(text, &who, err);
    if (!code) code = read_db(view, arena, "etc/passwd", &passwd, err);
    if (!code) code = read_db(view, arena, "etc/group", &group, err);
    if (code) return code;
    if (who.user.ptr && !owner_of(passwd, who.user, false, &uid, &gid)) unknown = who.user;
    if (who.group.ptr && !owner_of(group, who.group, true, &gid, &other)) unknown = who.group;
    if (unknown.ptr && !view)
        return sw_fail(err, SW_NOT_FOUND, "nothing is below this step that could know \"%.*s\"",
                       SW_ARG(unknown));
    *ret_uid = uid;
    *ret_gid = gid;
    *ret_unknown = unknown;
    return SW_OK;
}
