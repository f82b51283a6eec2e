/* Image configurations: what a container of an image runs, and how the image came to be.
 *
 * Floor 2. Pure. OCI image specification, config.md, with what Docker images carry beside it.
 */
#ifndef SW_OCI_CONFIG_H
#define SW_OCI_CONFIG_H

#include "oci/platform.h"

struct sw_time {
    bool set;
    int64_t sec; /* since 1970, UTC */
    uint32_t nsec;
};

struct sw_healthcheck {
    struct sw_strs test; /* "NONE", or "CMD" args..., or "CMD-SHELL" line */
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns; /* 0 inherits */
    int64_t retries;
};

struct sw_container_config {
    struct sw_str user;
    struct sw_strs exposed_ports; /* "8080/tcp"; sorted when written */
    struct sw_strs env;           /* "NAME=value", in order */
    struct sw_strs entrypoint, cmd;
    bool args_escaped;
    struct sw_strs volumes; /* sorted when written */
    struct sw_str working_dir;
    struct sw_pairs labels; /* sorted when written */
    struct sw_str stop_signal;
    int64_t stop_timeout_s;             /* Docker; 0 where absent */
    struct sw_healthcheck *healthcheck; /* Docker; arena; NULL where absent */
    struct sw_strs shell, on_build;     /* Docker */
};

struct sw_history {
    struct sw_time created;
    struct sw_str created_by, author, comment;
    bool empty_layer;
};

struct sw_image_config {
    struct sw_time created;
    struct sw_str author;
    struct sw_platform platform;
    struct sw_container_config config;
    struct sw_digest *diff_ids; /* arena; lowest layer first */
    size_t n_diff_ids, cap_diff_ids;
    struct sw_history *history; /* arena; oldest first */
    size_t n_history, cap_history;
};

/* Unknown members are ignored; wrong types are SW_SYNTAX with their path. Everything is in the
 * arena; bytes may go away. */
SW_NODISCARD enum sw_code sw_image_config_parse(struct sw_arena *a, struct sw_str bytes,
                                                struct sw_image_config *ret, struct sw_error *err);
/* Canonical bytes: fields in the order of the OCI specification's Go structs (Docker's after them),
 * empty ones left out, maps sorted. */
void sw_image_config_write(struct sw_buf *out, const struct sw_image_config *c);
/* As `inspect` shows the inner part, for people and for --format. */
void sw_container_config_to_json(struct sw_json_writer *w, const struct sw_container_config *c);
/* Nothing shared with the source but its strings, so that adding to the copy leaves it alone. */
struct sw_image_config sw_image_config_copy(struct sw_arena *a, const struct sw_image_config *c);

/* "NAME=value" replaces the first entry of that name in its place, or is appended. Copied. */
void sw_config_set_env(struct sw_arena *a, struct sw_strs *env, struct sw_str name,
                       struct sw_str value);
void sw_config_unset_env(struct sw_strs *env, struct sw_str name);
/* The value; false where the name is not set. An entry without "=" has an empty value. */
bool sw_config_get_env(const struct sw_strs *env, struct sw_str name, struct sw_str *ret);
/* Adds s to a set (ports, volumes) unless it is there. Copied. */
void sw_config_add_unique(struct sw_arena *a, struct sw_strs *set, struct sw_str s);
/* A step that made a layer, or (diff_id NULL) one that changed only the configuration. The
 * struct's strings are copied; empty_layer is set to match. */
void sw_image_config_add_step(struct sw_arena *a, struct sw_image_config *c,
                              const struct sw_history *step, const struct sw_digest *diff_id);
/* Whether the history's layers and rootfs agree in number. An empty history agrees with all. */
bool sw_image_config_history_fits(const struct sw_image_config *c);

#endif
