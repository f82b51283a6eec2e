#include "oci/config.h"

#include "codec/rfc3339.h"
#include "oci/document_internal.h"

static enum sw_code read_time(const struct sw_json *obj, const char *key, struct sw_time *ret,
                              struct sw_error *err) {
    struct sw_str text = {0};
    struct sw_time t = {.set = true};
    enum sw_code code = sw_json_opt_str(obj, key, &text, err);
    if (code || text.len == 0) return code;
    code = sw_rfc3339_parse(text, &t.sec, &t.nsec, err);
    if (code) return sw_json_fail(sw_json_get(obj, key), err, "%s", err->text);
    *ret = t;
    return SW_OK;
}

/* A Go map to empty structs: {"80/tcp": {}}. Only the names matter. */
static enum sw_code read_set(struct sw_arena *a, const struct sw_json *obj, const char *key,
                             struct sw_strs *ret, struct sw_error *err) {
    const struct sw_json *node = NULL;
    enum sw_code code = sw_json_opt_node(obj, key, SW_JSON_OBJECT, &node, err);
    for (size_t i = 0; !code && node && i < node->len; i++) {
        const struct sw_json *item = &node->items[i];
        if (item->type != SW_JSON_NULL) code = sw_json_expect(item, SW_JSON_OBJECT, err);
        sw_strs_add(a, ret, item->key);
    }
    return code;
}

static enum sw_code read_healthcheck(struct sw_arena *a, const struct sw_json *obj,
                                     struct sw_healthcheck **ret, struct sw_error *err) {
    const struct sw_json *node = NULL;
    enum sw_code code = sw_json_opt_node(obj, "Healthcheck", SW_JSON_OBJECT, &node, err);
    if (code || !node) return code;
    struct sw_healthcheck *h = SW_NEW(a, struct sw_healthcheck);
    code = sw_json_opt_strs(a, node, "Test", &h->test, err);
    if (!code) code = sw_json_opt_int(node, "Interval", &h->interval_ns, err);
    if (!code) code = sw_json_opt_int(node, "Timeout", &h->timeout_ns, err);
    if (!code) code = sw_json_opt_int(node, "StartPeriod", &h->start_period_ns, err);
    if (!code) code = sw_json_opt_int(node, "StartInterval", &h->start_interval_ns, err);
    if (!code) code = sw_json_opt_int(node, "Retries", &h->retries, err);
    if (!code) *ret = h;
    return code;
}

static enum sw_code read_container(struct sw_arena *a, const struct sw_json *node,
                                   struct sw_container_config *c, struct sw_error *err) {
    enum sw_code code = sw_json_opt_str(node, "User", &c->user, err);
    if (!code) code = read_set(a, node, "ExposedPorts", &c->exposed_ports, err);
    if (!code) code = sw_json_opt_strs(a, node, "Env", &c->env, err);
    if (!code) code = sw_json_opt_strs(a, node, "Entrypoint", &c->entrypoint, err);
    if (!code) code = sw_json_opt_strs(a, node, "Cmd", &c->cmd, err);
    if (!code) code = read_set(a, node, "Volumes", &c->volumes, err);
    if (!code) code = sw_json_opt_str(node, "WorkingDir", &c->working_dir, err);
    if (!code) code = sw_json_opt_pairs(a, node, "Labels", &c->labels, err);
    if (!code) code = sw_json_opt_str(node, "StopSignal", &c->stop_signal, err);
    if (!code) code = sw_json_opt_bool(node, "ArgsEscaped", &c->args_escaped, err);
    if (!code) code = sw_json_opt_int(node, "StopTimeout", &c->stop_timeout_s, err);
    if (!code) code = read_healthcheck(a, node, &c->healthcheck, err);
    if (!code) code = sw_json_opt_strs(a, node, "Shell", &c->shell, err);
    if (!code) code = sw_json_opt_strs(a, node, "OnBuild", &c->on_build, err);
    return code;
}

static enum sw_code read_diff_ids(struct sw_arena *a, const struct sw_json *root,
                                  struct sw_image_config *c, struct sw_error *err) {
    const struct sw_json *rootfs, *list = NULL;
    struct sw_str type = SW_STR("layers");
    enum sw_code code = sw_json_need_node(root, "rootfs", SW_JSON_OBJECT, &rootfs, err);
    if (!code) code = sw_json_opt_str(rootfs, "type", &type, err);
    if (!code && !sw_str_is(type, "layers"))
        code = sw_json_fail(rootfs, err, "type \"%.*s\" is not known", SW_ARG(type));
    if (!code) code = sw_json_opt_node(rootfs, "diff_ids", SW_JSON_ARRAY, &list, err);
    if (code || !list) return code;
    if (list->len > SW_OCI_ITEMS_MAX)
        return sw_fail(err, SW_LIMIT, "rootfs.diff_ids: %zu layers, at most %d are read", list->len,
                       SW_OCI_ITEMS_MAX);
    c->diff_ids = sw_arena_array(a, list->len, sizeof *c->diff_ids);
    c->n_diff_ids = c->cap_diff_ids = list->len;
    for (size_t i = 0; !code && i < list->len; i++)
        code = sw_json_digest_of(&list->items[i], &c->diff_ids[i], err);
    return code;
}

static enum sw_code read_history(struct sw_arena *a, const struct sw_json *root,
                                 struct sw_image_config *c, struct sw_error *err) {
    const struct sw_json *list = NULL;
    enum sw_code code = sw_json_opt_node(root, "history", SW_JSON_ARRAY, &list, err);
    if (code || !list) return code;
    c->history = sw_arena_array(a, list->len, sizeof *c->history);
    c->n_history = c->cap_history = list->len;
    for (size_t i = 0; !code && i < list->len; i++) {
        const struct sw_json *item = &list->items[i];
        struct sw_history *h = &c->history[i];
        code = sw_json_expect(item, SW_JSON_OBJECT, err);
        if (!code) code = read_time(item, "created", &h->created, err);
        if (!code) code = sw_json_opt_str(item, "created_by", &h->created_by, err);
        if (!code) code = sw_json_opt_str(item, "author", &h->author, err);
        if (!code) code = sw_json_opt_str(item, "comment", &h->comment, err);
        if (!code) code = sw_json_opt_bool(item, "empty_layer", &h->empty_layer, err);
    }
    return code;
}

static enum sw_code read_config(struct sw_arena *a, struct sw_str bytes, struct sw_image_config *c,
                                struct sw_error *err) {
    const struct sw_json *root, *inner = NULL;
    enum sw_code code = sw_json_parse(a, bytes, &oci_limits, &root, err);
    if (!code) code = sw_json_expect(root, SW_JSON_OBJECT, err);
    if (!code) code = read_time(root, "created", &c->created, err);
    if (!code) code = sw_json_opt_str(root, "author", &c->author, err);
    if (!code) code = sw_platform_from_json(a, root, &c->platform, err);
    if (!code) code = sw_json_opt_node(root, "config", SW_JSON_OBJECT, &inner, err);
    if (!code && inner) code = read_container(a, inner, &c->config, err);
    if (!code) code = read_diff_ids(a, root, c, err);
    if (!code) code = read_history(a, root, c, err);
    if (!code) code = sw_arena_check(a, "the image configuration", err);
    return code;
}

enum sw_code sw_image_config_parse(struct sw_arena *a, struct sw_str bytes,
                                   struct sw_image_config *ret, struct sw_error *err) {
    struct sw_image_config c = {0};
    enum sw_code code = read_config(a, bytes, &c, err);
    if (code) return sw_context(err, "image configuration");
    *ret = c;
    return SW_OK;
}

static void write_time(struct sw_json_writer *w, const char *key, const struct sw_time *t) {
    char text[SW_RFC3339_MAX];
    if (t->set) sw_json_put_str(w, key, sw_rfc3339_format(t->sec, t->nsec, text));
}

static void write_set(struct sw_json_writer *w, const char *key, const struct sw_strs *set) {
    if (set->len == 0) return;
    SW_ARENA struct sw_arena scratch;
    sw_arena_init(&scratch, 0);
    struct sw_strs sorted = sw_strs_copy(&scratch, set);
    sw_strs_sort(&sorted);
    sw_json_key(w, key);
    sw_json_begin_object(w);
    for (size_t i = 0; i < sorted.len; i++) {
        if (i && sw_str_eq(sorted.ptr[i], sorted.ptr[i - 1])) continue;
        sw_json_key_str(w, sorted.ptr[i]);
        sw_json_begin_object(w);
        sw_json_end_object(w);
    }
    sw_json_end_object(w);
}

static void put_int_opt(struct sw_json_writer *w, const char *key, int64_t value) {
    if (value) sw_json_put_int(w, key, value);
}

static void write_healthcheck(struct sw_json_writer *w, const struct sw_healthcheck *h) {
    sw_json_key(w, "Healthcheck");
    sw_json_begin_object(w);
    sw_json_put_strs_opt(w, "Test", &h->test);
    put_int_opt(w, "Interval", h->interval_ns);
    put_int_opt(w, "Timeout", h->timeout_ns);
    put_int_opt(w, "StartPeriod", h->start_period_ns);
    put_int_opt(w, "StartInterval", h->start_interval_ns);
    put_int_opt(w, "Retries", h->retries);
    sw_json_end_object(w);
}

void sw_container_config_to_json(struct sw_json_writer *w, const struct sw_container_config *c) {
    sw_json_begin_object(w);
    sw_json_put_str_opt(w, "User", c->user);
    write_set(w, "ExposedPorts", &c->exposed_ports);
    sw_json_put_strs_opt(w, "Env", &c->env);
    sw_json_put_strs_opt(w, "Entrypoint", &c->entrypoint);
    sw_json_put_strs_opt(w, "Cmd", &c->cmd);
    write_set(w, "Volumes", &c->volumes);
    sw_json_put_str_opt(w, "WorkingDir", c->working_dir);
    sw_json_put_pairs_opt(w, "Labels", &c->labels);
    sw_json_put_str_opt(w, "StopSignal", c->stop_signal);
    if (c->args_escaped) sw_json_put_bool(w, "ArgsEscaped", true);
    put_int_opt(w, "StopTimeout", c->stop_timeout_s);
    if (c->healthcheck) write_healthcheck(w, c->healthcheck);
    sw_json_put_strs_opt(w, "OnBuild", &c->on_build);
    sw_json_put_strs_opt(w, "Shell", &c->shell);
    sw_json_end_object(w);
}

static void write_history(struct sw_json_writer *w, const struct sw_image_config *c) {
    if (c->n_history == 0) return;
    sw_json_key(w, "history");
    sw_json_begin_array(w);
    for (size_t i = 0; i < c->n_history; i++) {
        const struct sw_history *h = &c->history[i];
        sw_json_begin_object(w);
        write_time(w, "created", &h->created);
        sw_json_put_str_opt(w, "created_by", h->created_by);
        sw_json_put_str_opt(w, "author", h->author);
        sw_json_put_str_opt(w, "comment", h->comment);
        if (h->empty_layer) sw_json_put_bool(w, "empty_layer", true);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
}

void sw_image_config_write(struct sw_buf *out, const struct sw_image_config *c) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, SW_JSON_HTML);
    sw_json_begin_object(&w);
    write_time(&w, "created", &c->created);
    sw_json_put_str_opt(&w, "author", c->author);
    sw_platform_members_to_json(&w, &c->platform);
    sw_json_key(&w, "config");
    sw_container_config_to_json(&w, &c->config);
    sw_json_key(&w, "rootfs");
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "type", "layers");
    sw_json_key(&w, "diff_ids");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < c->n_diff_ids; i++) sw_json_digest(&w, &c->diff_ids[i]);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    write_history(&w, c);
    sw_json_end_object(&w);
}

struct sw_image_config sw_image_config_copy(struct sw_arena *a, const struct sw_image_config *c) {
    struct sw_image_config copy = *c;
    copy.platform.os_features = sw_strs_copy(a, &c->platform.os_features);
    copy.config.exposed_ports = sw_strs_copy(a, &c->config.exposed_ports);
    copy.config.env = sw_strs_copy(a, &c->config.env);
    copy.config.entrypoint = sw_strs_copy(a, &c->config.entrypoint);
    copy.config.cmd = sw_strs_copy(a, &c->config.cmd);
    copy.config.volumes = sw_strs_copy(a, &c->config.volumes);
    copy.config.labels = sw_pairs_copy(a, &c->config.labels);
    copy.config.shell = sw_strs_copy(a, &c->config.shell);
    copy.config.on_build = sw_strs_copy(a, &c->config.on_build);
    if (c->config.healthcheck) {
        copy.config.healthcheck = SW_NEW(a, struct sw_healthcheck);
        *copy.config.healthcheck = *c->config.healthcheck;
        copy.config.healthcheck->test = sw_strs_copy(a, &c->config.healthcheck->test);
    }
    copy.diff_ids = sw_arena_array(a, c->n_diff_ids, sizeof *copy.diff_ids);
    copy.cap_diff_ids = c->n_diff_ids;
    if (c->n_diff_ids) memcpy(copy.diff_ids, c->diff_ids, c->n_diff_ids * sizeof *copy.diff_ids);
    copy.history = sw_arena_array(a, c->n_history, sizeof *copy.history);
    copy.cap_history = c->n_history;
    if (c->n_history) memcpy(copy.history, c->history, c->n_history * sizeof *copy.history);
    return copy;
}

/* The entry that sets name, or NULL. */
static struct sw_str *find_env(const struct sw_strs *env, struct sw_str name) {
    for (size_t i = 0; i < env->len; i++) {
        struct sw_str key, value;
        sw_str_cut(env->ptr[i], '=', &key, &value);
        if (sw_str_eq(key, name)) return &env->ptr[i];
    }
    return NULL;
}

void sw_config_set_env(struct sw_arena *a, struct sw_strs *env, struct sw_str name,
                       struct sw_str value) {
    struct sw_str entry = sw_arena_printf(a, "%.*s=%.*s", SW_ARG(name), SW_ARG(value));
    struct sw_str *old = find_env(env, name);
    if (old)
        *old = entry;
    else
        sw_strs_add(a, env, entry);
}

void sw_config_unset_env(struct sw_strs *env, struct sw_str name) {
    size_t kept = 0;
    for (size_t i = 0; i < env->len; i++) {
        struct sw_str have, value;
        sw_str_cut(env->ptr[i], '=', &have, &value);
        if (!sw_str_eq(have, name)) env->ptr[kept++] = env->ptr[i];
    }
    env->len = kept;
}

bool sw_config_get_env(const struct sw_strs *env, struct sw_str name, struct sw_str *ret) {
    struct sw_str key;
    const struct sw_str *entry = find_env(env, name);
    if (entry) sw_str_cut(*entry, '=', &key, ret);
    return entry != NULL;
}

void sw_config_add_unique(struct sw_arena *a, struct sw_strs *set, struct sw_str s) {
    if (!sw_strs_has(set, s)) sw_strs_add(a, set, sw_arena_str(a, s));
}

static void add_diff_id(struct sw_arena *a, struct sw_image_config *c,
                        const struct sw_digest *diff_id) {
    if (c->n_diff_ids == c->cap_diff_ids) {
        size_t cap = c->cap_diff_ids ? c->cap_diff_ids * 2 : 8;
        struct sw_digest *grown = sw_arena_array(a, cap, sizeof *grown);
        if (c->n_diff_ids) memcpy(grown, c->diff_ids, c->n_diff_ids * sizeof *grown);
        c->diff_ids = grown;
        c->cap_diff_ids = cap;
    }
    c->diff_ids[c->n_diff_ids++] = *diff_id;
}

void sw_image_config_add_step(struct sw_arena *a, struct sw_image_config *c,
                              const struct sw_history *step, const struct sw_digest *diff_id) {
    if (c->n_history == c->cap_history) {
        size_t cap = c->cap_history ? c->cap_history * 2 : 8;
        struct sw_history *grown = sw_arena_array(a, cap, sizeof *grown);
        if (c->n_history) memcpy(grown, c->history, c->n_history * sizeof *grown);
        c->history = grown;
        c->cap_history = cap;
    }
    struct sw_history *h = &c->history[c->n_history++];
    *h = *step;
    h->created_by = sw_arena_str(a, step->created_by);
    h->author = sw_arena_str(a, step->author);
    h->comment = sw_arena_str(a, step->comment);
    h->empty_layer = diff_id == NULL;
    if (diff_id) add_diff_id(a, c, diff_id);
}

bool sw_image_config_history_fits(const struct sw_image_config *c) {
    size_t layers = 0;
    for (size_t i = 0; i < c->n_history; i++) layers += !c->history[i].empty_layer;
    return c->n_history == 0 || layers == c->n_diff_ids;
}
