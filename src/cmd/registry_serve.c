#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "cmd/registry_common.h"
#include "cmd/table.h"

#include <fcntl.h>

#define GRACE_MS 10000

static const struct sw_option options[] = {
    {"address", 'a', "HOST:PORT", "where to listen (127.0.0.1:5000)", 0, NULL, NULL},
    {"tls-cert", 0, "FILE", "certificate chain in PEM; read again when it changes", 0, NULL, NULL},
    {"tls-key", 0, "FILE", "its private key", 0, NULL, NULL},
    {"external-url", 0, "URL", "how clients reach the server, where a proxy is before it", 0, NULL,
     NULL},
    {"trust-proxy", 0, NULL, "believe X-Forwarded-For, -Proto and -Host", 0, NULL, NULL},
    {"open", 0, NULL, "no accounts: everybody may do everything (loopback addresses only)", 0, NULL,
     NULL},
    {"audit-pulls", 0, NULL, "record pulls of manifests in the audit trail, too", 0, NULL, NULL},
    {"access-log", 0, "FILE", "JSON lines; - for standard output", 0, NULL, NULL},
    {"threads", 0, "N", "threads that serve (16)", 0, NULL, NULL},
    {"connections-max", 0, "N", "connections at once (4096)", 0, NULL, NULL},
    {"connections-per-address", 0, "N", "connections of one address (no limit)", 0, NULL, NULL},
    {"rate", 0, "N", "requests a second of one address (no limit)", 0, NULL, NULL},
    {"rate-account", 0, "N", "requests a second of one account (no limit)", 0, NULL, NULL},
    {"speed-min", 0, "N", "let go of clients that move fewer bytes a second (512)", 0, NULL, NULL},
    {"speed-window", 0, "SECONDS", "after so long (60)", 0, NULL, NULL},
    {"blob-max", 0, "SIZE", "largest blob (64g)", 0, NULL, NULL},
    {"gc-interval", 0, "SECONDS", "collect this often; 0: only on request (3600)", 0, NULL, NULL},
    {"gc-grace", 0, "SECONDS", "never collect what was used since (3600)", 0, NULL, NULL},
    {"upload-expiry", 0, "SECONDS", "unfinished uploads are kept so long (86400)", 0, NULL, NULL},
    {"port-file", 0, "FILE", "write the port there when ready (for HOST:0)", 0, NULL, NULL},
    REGISTRY_DATA_OPTIONS,
    {NULL},
};

static enum sw_code number(struct sw_invocation *inv, const char *name, unsigned *ret,
                           struct sw_error *err) {
    uint64_t n = *ret;
    enum sw_code code = sw_opt_u64(inv, name, &n, err);
    if (!code && n > 1u << 30) code = sw_fail(err, SW_USAGE, "--%s is too large", name);
    if (!code) *ret = (unsigned)n;
    return code;
}

static bool is_loopback(const char *address) {
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0 ||
           strncmp(address, "localhost:", 10) == 0;
}

static enum sw_code read_options(struct sw_invocation *inv, struct sw_registry_options *o,
                                 struct sw_error *err) {
    o->gc_interval_s = 3600;
    enum sw_code code = number(inv, "threads", &o->threads, err);
    if (!code) code = number(inv, "connections-max", &o->connections_max, err);
    if (!code) code = number(inv, "connections-per-address", &o->connections_per_ip, err);
    if (!code) code = number(inv, "rate", &o->address_rate, err);
    if (!code) code = number(inv, "rate-account", &o->account_rate, err);
    if (!code) code = number(inv, "speed-min", &o->speed_min, err);
    if (!code) code = number(inv, "speed-window", &o->speed_window_s, err);
    if (!code) code = number(inv, "gc-interval", &o->gc_interval_s, err);
    if (!code) code = number(inv, "gc-grace", &o->gc_grace_s, err);
    if (!code) code = number(inv, "upload-expiry", &o->upload_expiry_s, err);
    if (!code) code = sw_opt_size(inv, "blob-max", &o->blob_max, err);
    if (code) return code;
    o->address = sw_opt(inv, "address") ? sw_opt(inv, "address") : "127.0.0.1:5000";
    o->tls_cert = sw_opt(inv, "tls-cert");
    o->tls_key = sw_opt(inv, "tls-key");
    o->external_url = sw_opt(inv, "external-url");
    o->open = sw_opt_flag(inv, "open");
    o->audit_pulls = sw_opt_flag(inv, "audit-pulls");
    o->trust_proxy = sw_opt_flag(inv, "trust-proxy");
    if (!o->tls_cert != !o->tls_key)
        return sw_fail(err, SW_USAGE, "--tls-cert and --tls-key come together");
    if (o->open && !is_loopback(o->address))
        return sw_fail(err, SW_USAGE, "--open is for loopback addresses, not %s", o->address);
    return SW_OK;
}

static enum sw_code open_log(struct sw_invocation *inv, int *ret_fd, struct sw_error *err) {
    const char *path = sw_opt(inv, "access-log");
    if (!path) return SW_OK;
    if (strcmp(path, "-") == 0) {
        *ret_fd = dup(1);
        return *ret_fd < 0 ? sw_fail(err, SW_IO, "duplicating standard output") : SW_OK;
    }
    return sw_open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0640, ret_fd, err);
}

static enum sw_code announce(struct sw_invocation *inv, struct sw_registry *r,
                             const struct sw_registry_options *o, struct sw_error *err) {
    const char *file = sw_opt(inv, "port-file");
    unsigned port = sw_registry_port(r);
    const char *colon = strrchr(o->address, ':');
    fprintf(stderr, "slipway: registry on %s://%.*s:%u, data in %s%s\n",
            o->tls_cert ? "https" : "http", (int)(colon - o->address), o->address, port,
            o->data_dir, o->open ? ", open to everybody" : "");
    if (!file) return SW_OK;
    const char *slash = strrchr(file, '/');
    const char *dir =
        slash ? sw_arena_printf(inv->arena, "%.*s/", (int)(slash - file), file).ptr : ".";
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (code) return code;
    return sw_write_file_at(fd, slash ? slash + 1 : file, 0644,
                            sw_arena_printf(inv->arena, "%u\n", port), err);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_registry *r REGISTRY = NULL;
    struct sw_registry_options o;
    const char *password_file = NULL;
    SW_FD int log_fd = -1;
    enum sw_code code = registry_options(inv, &o, err);
    if (!code) code = read_options(inv, &o, err);
    if (!code) code = open_log(inv, &log_fd, err);
    if (code) return code;
    o.access_log_fd = log_fd > 0 ? log_fd : 0;
    sw_cancel_install();
    code = sw_registry_open(&o, &r, err);
    if (!code && !o.open) code = sw_registry_bootstrap(r, inv->arena, &password_file, err);
    if (!code && password_file)
        fprintf(stderr, "slipway: made the account admin; its password is in %s\n", password_file);
    if (!code) code = sw_registry_start(r, err);
    if (!code) code = announce(inv, r, &o, err);
    if (code) return code;
    struct pollfd p = {.fd = sw_cancel_fd(), .events = POLLIN};
    while (!sw_cancelled()) (void)!poll(&p, 1, -1);
    sw_registry_stop(r, GRACE_MS);
    return SW_OK;
}

const struct sw_command sw_cmd_registry_serve = {
    .name = "registry serve",
    .args = "[OPTIONS]",
    .summary = "Serve container images to docker, podman, containerd and others",
    .description =
        "An OCI distribution server in one process: a directory with the blobs, SQLite beside it. "
        "The first start makes the account admin and writes its password to "
        "DIR/initial-admin-password; change it with `slipway registry user passwd admin`.\n\n"
        "With --metadata postgres://... and --s3-endpoint several servers share one registry.\n\n"
        "SIGTERM lets requests end for ten seconds. Unfinished uploads are gone on with by the "
        "next start.",
    .examples = "slipway registry serve  # on 127.0.0.1:5000\n"
                "slipway registry serve -a :443 --tls-cert chain.pem --tls-key key.pem",
    .options = options,
    .min_args = 0,
    .max_args = 0,
    .run = run,
};
