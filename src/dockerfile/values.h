/* Small grammars inside instructions: durations, ports, modes, signals, platforms.
 *
 * Floor 2, pure, no allocation except where an arena is taken.
 */
#ifndef SW_DOCKERFILE_VALUES_H
#define SW_DOCKERFILE_VALUES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

/* A duration as Go's time.ParseDuration reads it: "1h15m30.918s", "-1.5us", "0"; nanoseconds. */
SW_NODISCARD enum sw_code sw_df_duration_parse(struct sw_str text, int64_t *ret_ns,
                                               struct sw_error *err);
/* The same for HEALTHCHECK: empty and 0 give 0 (inherit); below 1 ms is refused. */
SW_NODISCARD enum sw_code sw_df_health_duration_parse(struct sw_str text, int64_t *ret_ns,
                                                      struct sw_error *err);

/* One expanded word of EXPOSE: "[ip:][host:]8000-8010[/tcp|udp|sctp]". */
struct sw_df_ports {
    uint16_t first, last;
    const char *proto;    /* "tcp", "udp", "sctp" */
    bool proto_not_lower; /* the check ExposeProtoCasing */
    bool has_mapping;     /* an IP or host port was given: the check ExposeInvalidFormat */
};
SW_NODISCARD enum sw_code sw_df_ports_parse(struct sw_str word, struct sw_df_ports *ret,
                                            struct sw_error *err);

/* --chmod: an octal number up to 07777, or symbolic clauses as of chmod(1) with umask 0:
 * "u=rwX,go=rX". */
#define SW_DF_CHMOD_STEPS 64
struct sw_df_chmod {
    bool octal;
    uint16_t mode; /* octal */
    struct {
        char op;       /* + - set or clear bits; X set them where something may be executed or it
                          is a directory; u g o write those permissions to the places in bits */
        char how;      /* of u g o: + - = */
        uint16_t bits; /* of 07777 */
    } steps[SW_DF_CHMOD_STEPS];
    size_t n_steps;
};
SW_NODISCARD enum sw_code sw_df_chmod_parse(struct sw_str text, struct sw_df_chmod *ret,
                                            struct sw_error *err);
/* The new permission bits (07777) for a file that has mode. */
uint32_t sw_df_chmod_apply(const struct sw_df_chmod *chmod, uint32_t mode, bool is_directory);

/* STOPSIGNAL: "SIGTERM", "term", "15", "RTMIN+3". */
SW_NODISCARD enum sw_code sw_df_signal_parse(struct sw_str text, int *ret_signal,
                                             struct sw_error *err);

/* "user", "user:group", "1000:1000", ":group" of --chown and USER. A part that is missing or empty
 * has .ptr NULL. SW_SYNTAX for more than one colon. */
struct sw_df_owner {
    struct sw_str user, group;
};
SW_NODISCARD enum sw_code sw_df_owner_parse(struct sw_str text, struct sw_df_owner *ret,
                                            struct sw_error *err);

/* Booleans as Go's strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False. */
bool sw_df_bool_parse(struct sw_str text, bool *ret);

/* WORKDIR: an absolute path stays as written, as BuildKit keeps it; a relative one is joined to the
 * current directory and cleaned; "" gives the current one ("" counts as "/"). In the arena. */
struct sw_str sw_df_workdir_join(struct sw_arena *arena, struct sw_str current, struct sw_str path);
/* Go's path.Clean: "a//b/../c/." gives "a/c", "" gives ".". */
struct sw_str sw_df_path_clean(struct sw_arena *arena, struct sw_str path);

#endif
