#include "remote/config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/proc.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/json_writer.h"

#define CONFIG_MAX ((size_t)4 << 20)
#define DOCKER_HUB_KEY "https://index.docker.io/v1/"

/* Docker's own registry is filed under the name that it had first. */
static struct sw_str key_of(struct sw_str domain) {
    return sw_str_is(domain, "docker.io") ? SW_STR(DOCKER_HUB_KEY) : domain;
}

static const char *docker_dir(struct sw_arena *a) {
    const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    if (dir && *dir) return dir;
    return sw_arena_printf(a, "%s/.docker", home && *home ? home : "/").ptr;
}

/* A JSON object from a file; *ret NULL where there is no file. */
static enum sw_code read_json(struct sw_arena *a, const char *path, const struct sw_json **ret,
                              struct sw_error *err) {
    SW_BUF struct sw_buf text = {0};
    sw_buf_init(&text, 0);
    *ret = NULL;
    enum sw_code code = sw_read_file_at(AT_FDCWD, path, CONFIG_MAX, &text, err);
    if (code == SW_NOT_FOUND || code == SW_DENIED) return SW_OK;
    if (!code && sw_str_trim(sw_buf_str(&text)).len == 0) return SW_OK;
    if (!code) code = sw_json_parse(a, sw_arena_str(a, sw_buf_str(&text)), NULL, ret, err);
    if (!code) code = sw_json_expect(*ret, SW_JSON_OBJECT, err);
    return code ? sw_context(err, "%s", path) : SW_OK;
}

static const struct sw_json *member(const struct sw_json *obj, struct sw_str key) {
    if (!obj || obj->type != SW_JSON_OBJECT) return NULL;
    for (size_t i = 0; i < obj->len; i++)
        if (sw_str_eq(obj->items[i].key, key)) return &obj->items[i];
    return NULL;
}
static struct sw_str text_of(const struct sw_json *obj, const char *key) {
    const struct sw_json *v = member(obj, sw_str(key));
    return v && v->type == SW_JSON_STRING ? v->text : SW_STR("");
}

/* ---- helpers: docker-credential-NAME get|store|erase ---- */

static enum sw_code run_helper(struct sw_arena *a, struct sw_str name, const char *verb,
                               struct sw_str input, struct sw_str *ret, struct sw_error *err) {
    const char *program = sw_arena_printf(a, "docker-credential-%.*s", SW_ARG(name)).ptr;
    const char *argv[] = {program, verb, NULL};
    SW_BUF struct sw_buf out = {0};
    int status = 0;
    if (name.len == 0 || memchr(name.ptr, '/', name.len))
        return sw_fail(err, SW_SYNTAX, "\"%.*s\" is no credential helper", SW_ARG(name));
    SW_FD int in = memfd_create("credential", MFD_CLOEXEC);
    SW_FD int to = memfd_create("credential", MFD_CLOEXEC);
    if (in < 0 || to < 0) return sw_fail(err, SW_IO, "making a file in memory");
    enum sw_code code = sw_write_full(in, input.ptr, input.len, err);
    if (code) return code;
    lseek(in, 0, SEEK_SET);
    struct sw_proc_options o = {.argv = argv, .stdin_fd = in, .stdout_fd = to};
    struct sw_proc p;
    code = sw_proc_start(&p, &o, err);
    if (!code) code = sw_proc_wait(&p, &status, err);
    if (code) return code;
    lseek(to, 0, SEEK_SET);
    sw_buf_init(&out, 0);
    code = sw_read_fd(to, 65536, &out, err);
    if (code) return code;
    *ret = sw_str_trim(sw_arena_str(a, sw_buf_str(&out)));
    if (status == 0) return SW_OK;
    if (sw_str_find(*ret, SW_STR("credentials not found")) != SIZE_MAX)
        return sw_fail(err, SW_NOT_FOUND, "%s has no credential", program);
    return sw_fail(err, SW_CHILD, "%s %s: %.*s", program, verb, SW_ARG(*ret));
}

/* The helper for a registry, "" for none. */
static struct sw_str helper_of(const struct sw_json *root, struct sw_str key) {
    const struct sw_json *own = member(root ? member(root, SW_STR("credHelpers")) : NULL, key);
    if (own && own->type == SW_JSON_STRING) return own->text;
    return text_of(root, "credsStore");
}

static enum sw_code from_helper(struct sw_arena *a, struct sw_str helper, struct sw_str key,
                                struct sw_credential *ret, struct sw_error *err) {
    const struct sw_json *root = NULL;
    struct sw_str out;
    enum sw_code code = run_helper(a, helper, "get", key, &out, err);
    if (code == SW_NOT_FOUND) return SW_OK;
    if (!code) code = sw_json_parse(a, out, NULL, &root, err);
    if (code) return code;
    struct sw_str user = text_of(root, "Username"), secret = text_of(root, "Secret");
    if (sw_str_is(user, "<token>"))
        ret->refresh_token = secret;
    else
        *ret = (struct sw_credential){.user = user, .password = secret};
    return SW_OK;
}

/* ---- files ---- */

static enum sw_code from_entry(struct sw_arena *a, const struct sw_json *entry,
                               struct sw_credential *ret, struct sw_error *err) {
    struct sw_str text = text_of(entry, "auth"), bytes;
    ret->refresh_token = text_of(entry, "identitytoken");
    if (!text.len) return SW_OK;
    enum sw_code code = sw_base64_decode(a, text, 0, &bytes, err);
    if (code) return sw_context(err, "auth");
    while (bytes.len && bytes.ptr[bytes.len - 1] == 0) bytes.len--; /* docker pads with NUL */
    sw_str_cut(bytes, ':', &ret->user, &ret->password);
    return SW_OK;
}

/* Keys were written as URLs once: "https://host/v1/" is "host". */
static struct sw_str bare(struct sw_str key) {
    struct sw_str rest;
    if (sw_str_starts(key, SW_STR("https://")))
        key = sw_str_from(key, 8);
    else if (sw_str_starts(key, SW_STR("http://")))
        key = sw_str_from(key, 7);
    if (sw_str_ends(key, SW_STR("/v1/")) || sw_str_ends(key, SW_STR("/v2/")))
        key = sw_str_sub(key, 0, key.len - 4);
    sw_str_cut(key, '\0', &key, &rest);
    return key;
}

static const struct sw_json *find_entry(const struct sw_json *root, struct sw_str domain,
                                        struct sw_str path) {
    const struct sw_json *auths = member(root, SW_STR("auths"));
    const struct sw_json *best = member(auths, key_of(domain));
    size_t best_len = 0;
    for (size_t i = 0; auths && auths->type == SW_JSON_OBJECT && i < auths->len; i++) {
        struct sw_str key = bare(auths->items[i].key);
        if (!best && sw_str_eq(key, domain)) best = &auths->items[i];
        /* host/team for host/team/app, the longest wins */
        if (key.len <= domain.len + 1 || !sw_str_starts(key, domain) || key.ptr[domain.len] != '/')
            continue;
        struct sw_str part = sw_str_from(key, domain.len + 1);
        bool covers =
            sw_str_starts(path, part) && (path.len == part.len || path.ptr[part.len] == '/');
        if (covers && key.len > best_len) {
            best = &auths->items[i];
            best_len = key.len;
        }
    }
    return best;
}

enum sw_code sw_credential_find(struct sw_arena *a, struct sw_str domain, struct sw_str path,
                                struct sw_credential *ret, struct sw_error *err) {
    const char *files[3] = {sw_arena_printf(a, "%s/config.json", docker_dir(a)).ptr};
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct sw_credential c = {0};
    files[1] = getenv("REGISTRY_AUTH_FILE");
    files[2] = runtime ? sw_arena_printf(a, "%s/containers/auth.json", runtime).ptr : NULL;
    for (size_t i = 0; i < 3 && !sw_credential_is_set(&c); i++) {
        const struct sw_json *root = NULL;
        if (!files[i] || !*files[i]) continue;
        enum sw_code code = read_json(a, files[i], &root, err);
        if (code) return code;
        if (!root) continue;
        struct sw_str helper = helper_of(root, key_of(domain));
        const struct sw_json *entry = find_entry(root, domain, path);
        if (helper.len) code = from_helper(a, helper, key_of(domain), &c, err);
        if (!code && !sw_credential_is_set(&c) && entry) code = from_entry(a, entry, &c, err);
        if (code) return sw_context(err, "credentials for %.*s", SW_ARG(domain));
    }
    *ret = c;
    return SW_OK;
}

/* ---- changing the file ---- */

static void write_entry(struct sw_json_writer *w, const struct sw_credential *c,
                        struct sw_arena *a) {
    SW_BUF struct sw_buf b64 = {0};
    sw_buf_init(&b64, 0);
    sw_json_begin_object(w);
    sw_base64_encode(&b64, sw_arena_printf(a, "%.*s:%.*s", SW_ARG(c->user), SW_ARG(c->password)),
                     0);
    sw_json_put_str(w, "auth", sw_buf_str(&b64));
    sw_json_put_str_opt(w, "identitytoken", c->refresh_token);
    sw_json_end_object(w);
    explicit_bzero(b64.ptr, b64.len);
}

/* Everything else in the file is kept as it is. c NULL removes. */
static void rewrite(struct sw_arena *a, const struct sw_json *root, struct sw_str key,
                    const struct sw_credential *c, struct sw_buf *out) {
    struct sw_json_writer w;
    const struct sw_json *auths = member(root, SW_STR("auths"));
    sw_json_writer_init(&w, out, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_key(&w, "auths");
    sw_json_begin_object(&w);
    for (size_t i = 0; auths && auths->type == SW_JSON_OBJECT && i < auths->len; i++) {
        if (sw_str_eq(auths->items[i].key, key)) continue;
        sw_json_key_str(&w, auths->items[i].key);
        sw_json_tree(&w, &auths->items[i]);
    }
    if (c) {
        sw_json_key_str(&w, key);
        write_entry(&w, c, a);
    }
    sw_json_end_object(&w);
    for (size_t i = 0; root && i < root->len; i++) {
        if (sw_str_is(root->items[i].key, "auths")) continue;
        sw_json_key_str(&w, root->items[i].key);
        sw_json_tree(&w, &root->items[i]);
    }
    sw_json_end_object(&w);
    sw_buf_add_char(out, '\n');
}

static enum sw_code change(struct sw_arena *a, struct sw_str domain, const struct sw_credential *c,
                           struct sw_str *ret_where, struct sw_error *err) {
    const char *dir = docker_dir(a);
    const struct sw_json *root = NULL;
    SW_BUF struct sw_buf out = {0};
    SW_FD int fd = -1;
    SW_FD int lock = -1;
    struct sw_str key = key_of(domain), ignored;
    const char *path = sw_arena_printf(a, "%s/config.json", dir).ptr;
    enum sw_code code = sw_mkdirs_at(AT_FDCWD, dir, 0700, err);
    if (!code) code = sw_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (!code) code = sw_lock_file_at(fd, ".slipway.lock", true, true, &lock, err);
    if (!code) code = read_json(a, path, &root, err);
    if (code) return code;
    struct sw_str helper = helper_of(root, key);
    if (helper.len && c) {
        struct sw_json_writer w;
        sw_buf_init(&out, 0);
        sw_json_writer_init(&w, &out, 0);
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "ServerURL", key);
        sw_json_put_str(&w, "Username", c->refresh_token.len ? SW_STR("<token>") : c->user);
        sw_json_put_str(&w, "Secret", c->refresh_token.len ? c->refresh_token : c->password);
        sw_json_end_object(&w);
        *ret_where = sw_arena_printf(a, "the helper %.*s", SW_ARG(helper));
        code = run_helper(a, helper, "store", sw_buf_str(&out), &ignored, err);
        explicit_bzero(out.ptr, out.len);
        return code;
    }
    if (helper.len && !c && run_helper(a, helper, "erase", key, &ignored, err))
        return sw_context(err, "logging out");
    bool there = member(member(root, SW_STR("auths")), key) != NULL;
    if (!c && !there)
        return helper.len ? SW_OK
                          : sw_fail(err, SW_NOT_FOUND, "not logged in to %.*s", SW_ARG(domain));
    sw_buf_init(&out, 0);
    rewrite(a, root, key, c, &out);
    *ret_where = sw_str(path);
    code = sw_write_file_at(fd, "config.json", 0600, sw_buf_str(&out), err);
    explicit_bzero(out.ptr, out.len);
    return code;
}

enum sw_code sw_credential_store(struct sw_arena *a, struct sw_str domain,
                                 const struct sw_credential *c, struct sw_str *ret_where,
                                 struct sw_error *err) {
    return change(a, domain, c, ret_where, err);
}

enum sw_code sw_credential_erase(struct sw_arena *a, struct sw_str domain, struct sw_error *err) {
    struct sw_str where;
    return change(a, domain, NULL, &where, err);
}

/* ---- settings ---- */

static const char *if_readable(const char *path) { return access(path, R_OK) == 0 ? path : NULL; }

/* docker and the containers tools keep the same files in directories of their own. */
static void find_certs(struct sw_arena *a, struct sw_str domain, struct sw_registry_setting *s) {
    const char *home = getenv("HOME");
    const char *dirs[] = {
        sw_arena_printf(a, "%s/.config/containers/certs.d", home ? home : "").ptr,
        "/etc/containers/certs.d",
        "/etc/docker/certs.d",
    };
    if (memchr(domain.ptr, '/', domain.len)) return;
    for (size_t i = 0; i < 3; i++) {
        const char *base = sw_arena_printf(a, "%s/%.*s", dirs[i], SW_ARG(domain)).ptr;
        if (!if_readable(base)) continue;
        s->ca_file = if_readable(sw_arena_printf(a, "%s/ca.crt", base).ptr);
        s->client_cert = if_readable(sw_arena_printf(a, "%s/client.cert", base).ptr);
        s->client_key = if_readable(sw_arena_printf(a, "%s/client.key", base).ptr);
        return;
    }
}

enum sw_code sw_registry_setting_find(struct sw_arena *a, struct sw_str domain,
                                      struct sw_registry_setting *ret, struct sw_error *err) {
    const char *given = getenv("SLIPWAY_REGISTRIES"), *xdg = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    const struct sw_json *root = NULL, *mirrors = NULL;
    struct sw_registry_setting s = {0};
    const char *own =
        xdg && *xdg
            ? sw_arena_printf(a, "%s/slipway/registries.json", xdg).ptr
            : sw_arena_printf(a, "%s/.config/slipway/registries.json", home ? home : "").ptr;
    enum sw_code code = read_json(a, given && *given ? given : own, &root, err);
    if (!code && !root && !(given && *given))
        code = read_json(a, "/etc/slipway/registries.json", &root, err);
    if (code) return code;
    const struct sw_json *entry = member(member(root, SW_STR("registries")), domain);
    if (entry) {
        code = sw_json_opt_bool(entry, "insecure", &s.insecure, err);
        if (!code) code = sw_json_opt_node(entry, "mirrors", SW_JSON_ARRAY, &mirrors, err);
        if (code) return sw_context(err, "settings of %.*s", SW_ARG(domain));
    }
    if (mirrors) {
        struct sw_str *list = sw_arena_array(a, mirrors->len + 1, sizeof *list);
        for (size_t i = 0; i < mirrors->len; i++) {
            struct sw_str url =
                mirrors->items[i].type == SW_JSON_STRING ? mirrors->items[i].text : SW_STR("");
            while (sw_str_ends(url, SW_STR("/"))) url.len--;
            if (url.len) list[s.n_mirrors++] = sw_arena_str(a, url);
        }
        s.mirrors = list;
    }
    find_certs(a, domain, &s);
    *ret = s;
    return SW_OK;
}
