#include "dockerfile/mount.h"

#include "dockerfile/values.h"
#include "dockerfile/words_internal.h"

static const char *const types[] = {"bind", "cache", "secret", "ssh", "tmpfs"};
static const char *const sharings[] = {"shared", "private", "locked"};

enum key {
    KEY_TYPE,
    KEY_FROM,
    KEY_SOURCE,
    KEY_TARGET,
    KEY_READ_ONLY,
    KEY_READ_WRITE,
    KEY_REQUIRED,
    KEY_SIZE,
    KEY_ID,
    KEY_SHARING,
    KEY_MODE,
    KEY_UID,
    KEY_GID,
    KEY_ENV,
};
static const struct {
    const char *name;
    enum key key;
} keys[] = {
    {"type", KEY_TYPE},
    {"from", KEY_FROM},
    {"source", KEY_SOURCE},
    {"src", KEY_SOURCE},
    {"target", KEY_TARGET},
    {"dst", KEY_TARGET},
    {"destination", KEY_TARGET},
    {"readonly", KEY_READ_ONLY},
    {"ro", KEY_READ_ONLY},
    {"readwrite", KEY_READ_WRITE},
    {"rw", KEY_READ_WRITE},
    {"required", KEY_REQUIRED},
    {"size", KEY_SIZE},
    {"id", KEY_ID},
    {"sharing", KEY_SHARING},
    {"mode", KEY_MODE},
    {"uid", KEY_UID},
    {"gid", KEY_GID},
    {"env", KEY_ENV},
};
#define N_KEYS (sizeof keys / sizeof *keys)

/* What was written, before defaults. */
struct draft {
    struct sw_df_mount mount;
    bool has_read_only, has_sharing, has_env;
    struct sw_error *err;
};

static bool takes_owner(enum sw_df_mount_type type) {
    return type == SW_DF_MOUNT_SECRET || type == SW_DF_MOUNT_SSH || type == SW_DF_MOUNT_CACHE;
}

static enum sw_code unknown_key(struct sw_str key, struct sw_str field, struct sw_error *err) {
    const char *names[N_KEYS];
    for (size_t i = 0; i < N_KEYS; i++) names[i] = keys[i].name;
    const char *nearest = sw_str_nearest(key, names, N_KEYS);
    sw_fail(err, SW_SYNTAX, "unexpected key '%.*s' in '%.*s'", SW_ARG(key), SW_ARG(field));
    return nearest ? sw_advise(err, " (did you mean %s?)", nearest) : err->code;
}

static enum sw_code bad_value(const struct draft *d, enum key key, struct sw_str value) {
    size_t i = 0;
    while (keys[i].key != key) i++;
    return sw_fail(d->err, SW_SYNTAX, "invalid value for %s: %.*s", keys[i].name, SW_ARG(value));
}

/* One of n words in any case; *ret_index. */
static enum sw_code choose(const struct draft *d, const char *what, struct sw_str value,
                           const char *const *words, size_t n, unsigned *ret_index) {
    for (unsigned i = 0; i < n; i++) {
        if (!sw_str_ieq(value, sw_str(words[i]))) continue;
        *ret_index = i;
        return SW_OK;
    }
    const char *nearest = sw_str_nearest(value, words, n);
    sw_fail(d->err, SW_SYNTAX, "unsupported %s \"%.*s\"", what, SW_ARG(value));
    return nearest ? sw_advise(d->err, " (did you mean %s?)", nearest) : d->err->code;
}

static enum sw_code only_for(const struct draft *d, const char *key) {
    return sw_fail(d->err, SW_SYNTAX, "unexpected key '%s' for mount type '%s'", key,
                   types[d->mount.type]);
}

static bool small_number(struct sw_str value, bool octal, uint32_t *ret) {
    uint64_t n;
    if (!(octal ? sw_str_octal(value, &n) : sw_str_u64(value, &n)) || n > UINT32_MAX) return false;
    *ret = (uint32_t)n;
    return true;
}

/* A key without a value. */
static enum sw_code set_bare(struct draft *d, enum key key, struct sw_str field) {
    struct sw_df_mount *m = &d->mount;
    switch (key) {
    case KEY_READ_ONLY:
    case KEY_READ_WRITE:
        m->read_only = key == KEY_READ_ONLY;
        d->has_read_only = true;
        return SW_OK;
    case KEY_REQUIRED:
        if (m->type != SW_DF_MOUNT_SECRET && m->type != SW_DF_MOUNT_SSH)
            return only_for(d, "required");
        m->required = true;
        return SW_OK;
    default:
        return sw_fail(d->err, SW_SYNTAX, "invalid field '%.*s' must be a key=value pair",
                       SW_ARG(field));
    }
}

static enum sw_code set(struct draft *d, enum key key, struct sw_str value) {
    struct sw_df_mount *m = &d->mount;
    unsigned choice = 0;
    bool flag, good = true;
    enum sw_code code = SW_OK;
    switch (key) {
    case KEY_TYPE:
        code = choose(d, "mount type", value, types, 5, &choice);
        if (!code) m->type = (enum sw_df_mount_type)choice;
        return code;
    case KEY_SHARING:
        code = choose(d, "sharing value", value, sharings, 3, &choice);
        if (!code) m->sharing = (enum sw_df_sharing)choice;
        d->has_sharing = true;
        return code;
    case KEY_FROM:
        m->from = value;
        break;
    case KEY_SOURCE:
        m->source = value;
        break;
    case KEY_TARGET:
        m->target = value;
        break;
    case KEY_ID:
        m->id = value;
        break;
    case KEY_ENV:
        m->env = value;
        d->has_env = true;
        break;
    case KEY_READ_ONLY:
    case KEY_READ_WRITE:
        good = sw_df_bool_parse(value, &flag);
        if (good) m->read_only = flag == (key == KEY_READ_ONLY);
        d->has_read_only = true;
        break;
    case KEY_REQUIRED:
        if (m->type != SW_DF_MOUNT_SECRET && m->type != SW_DF_MOUNT_SSH)
            return only_for(d, "required");
        good = sw_df_bool_parse(value, &m->required);
        break;
    case KEY_SIZE:
        if (m->type != SW_DF_MOUNT_TMPFS) return only_for(d, "size");
        good = sw_str_size(value, &m->size_bytes);
        break;
    case KEY_MODE:
        good = m->has_mode = small_number(value, true, &m->mode);
        break;
    case KEY_UID:
        good = m->has_uid = small_number(value, false, &m->uid);
        break;
    case KEY_GID:
        good = m->has_gid = small_number(value, false, &m->gid);
        break;
    }
    return good ? SW_OK : bad_value(d, key, value);
}

static enum sw_code set_field(struct sw_arena *arena, struct draft *d, struct sw_str field,
                              const struct sw_df_lex *lex) {
    struct sw_str key, value;
    bool has_value = sw_str_cut(field, '=', &key, &value);
    size_t i = 0;
    while (i < N_KEYS && !sw_str_ieq(key, sw_str(keys[i].name))) i++;
    if (i == N_KEYS && has_value) return unknown_key(key, field, d->err);
    if (!has_value) return set_bare(d, i < N_KEYS ? keys[i].key : KEY_TYPE, field);
    enum sw_code code = sw_df_expand_word(arena, lex, value, &value, d->err);
    return code ? code : set(d, keys[i].key, value);
}

static enum sw_code check(const struct draft *d) {
    const struct sw_df_mount *m = &d->mount;
    const char *type = types[m->type];
    struct sw_error *err = d->err;
    if (!takes_owner(m->type) && (m->has_mode || m->has_uid || m->has_gid))
        return sw_fail(err, SW_SYNTAX, "%s not allowed for \"%s\" type mounts",
                       m->has_mode  ? "mode"
                       : m->has_uid ? "uid"
                                    : "gid",
                       type);
    if (m->type == SW_DF_MOUNT_SECRET) {
        if (m->from.len > 0) return sw_fail(err, SW_SYNTAX, "secret mount should not have a from");
        if (d->has_sharing)
            return sw_fail(err, SW_SYNTAX, "secret mount should not define sharing");
        if (m->source.len == 0 && m->target.len == 0 && m->id.len == 0)
            return sw_fail(err, SW_SYNTAX,
                           "invalid secret mount: one of id, source and target is required");
        if (m->source.len > 0 && m->id.len > 0)
            return sw_fail(err, SW_SYNTAX, "both source and id can't be set");
    }
    if (d->has_sharing && m->type != SW_DF_MOUNT_CACHE)
        return sw_fail(err, SW_SYNTAX, "invalid cache sharing set for %s mount", type);
    if (m->type == SW_DF_MOUNT_SSH && m->source.len > 0)
        return sw_fail(err, SW_SYNTAX, "ssh mount does not support source");
    return SW_OK;
}

static struct sw_str base_name(struct sw_str path) {
    while (path.len > 1 && path.ptr[path.len - 1] == '/') path.len--;
    size_t slash = sw_str_rfind_char(path, '/');
    return slash == SIZE_MAX || path.len == 1 ? path : sw_str_from(path, slash + 1);
}

static void complete(struct sw_arena *arena, struct draft *d) {
    static const struct sw_str none = {0};
    struct sw_df_mount *m = &d->mount;
    if (!d->has_read_only)
        m->read_only = m->type != SW_DF_MOUNT_CACHE && m->type != SW_DF_MOUNT_TMPFS;
    if (m->from.len == 0) m->from = none;
    switch (m->type) {
    case SW_DF_MOUNT_BIND:
    case SW_DF_MOUNT_TMPFS:
        break;
    case SW_DF_MOUNT_CACHE:
        if (m->id.len == 0) m->id = sw_df_path_clean(arena, m->target);
        if (!m->has_mode) m->mode = 0755;
        break;
    case SW_DF_MOUNT_SECRET:
        if (m->source.len > 0) m->id = m->source;
        if (m->id.len == 0) m->id = base_name(m->target);
        if (d->has_env && m->env.len == 0) m->env = m->id;
        if (m->target.len == 0 && d->has_env)
            m->target = none;
        else if (m->target.len == 0)
            m->target = sw_arena_printf(arena, "/run/secrets/%.*s", SW_ARG(base_name(m->id)));
        if (!m->has_mode) m->mode = 0400;
        break;
    case SW_DF_MOUNT_SSH:
        if (m->id.len == 0) m->id = SW_STR("default");
        if (m->target.len == 0) m->target = none;
        if (!m->has_mode) m->mode = 0600;
        break;
    }
    if (!d->has_env) m->env = none;
}

enum sw_code sw_df_mount_parse(struct sw_arena *arena, struct sw_str text,
                               const struct sw_df_lex *lex, struct sw_df_mount *ret,
                               struct sw_error *err) {
    struct sw_df_words fields;
    struct draft d = {.mount = {.source = SW_STR(""), .target = SW_STR("")}, .err = err};
    enum sw_code code = sw_df_csv(arena, text, &fields, err);
    for (size_t i = 0; !code && i < fields.n; i++)
        code = set_field(arena, &d, fields.items[i], lex);
    if (!code) code = check(&d);
    if (code) return sw_context(err, "--mount=%.*s", SW_ARG(text));
    complete(arena, &d);
    *ret = d.mount;
    return SW_OK;
}

enum sw_code sw_df_mount_precheck(struct sw_arena *arena, struct sw_str text,
                                  struct sw_str *ret_from, struct sw_error *err) {
    struct sw_df_words fields;
    struct sw_str from = {0};
    enum sw_code code = sw_df_csv(arena, text, &fields, err);
    for (size_t i = 0; !code && i < fields.n; i++) {
        struct sw_str key, value;
        if (!sw_str_cut(fields.items[i], '=', &key, &value)) continue;
        if (!sw_str_ieq(key, SW_STR("from"))) continue;
        size_t dollar = sw_str_find_char(value, '$');
        from = value;
        if (dollar != SIZE_MAX && dollar + 1 != value.len)
            code = sw_fail(err, SW_SYNTAX,
                           "'from' doesn't support variable expansion, define alias stage instead");
    }
    if (code) return sw_context(err, "--mount=%.*s", SW_ARG(text));
    *ret_from = from.len > 0 ? from : (struct sw_str){0};
    return SW_OK;
}
