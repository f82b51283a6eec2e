/* RUN --mount=...: one mount, with its variables known.
 *
 * Floor 2, pure. Reference: "RUN --mount" in Docker's Dockerfile reference.
 */
#ifndef SW_DOCKERFILE_MOUNT_H
#define SW_DOCKERFILE_MOUNT_H

#include "base/arena.h"
#include "dockerfile/expand.h"

enum sw_df_mount_type {
    SW_DF_MOUNT_BIND,
    SW_DF_MOUNT_CACHE,
    SW_DF_MOUNT_SECRET,
    SW_DF_MOUNT_SSH,
    SW_DF_MOUNT_TMPFS,
};
enum sw_df_sharing { SW_DF_SHARED, SW_DF_PRIVATE, SW_DF_LOCKED };

/* Defaults are filled in, so that every field can be used as it is. */
struct sw_df_mount {
    enum sw_df_mount_type type;
    struct sw_str from;   /* NULL: bind: the build context; cache: an empty directory */
    struct sw_str source; /* path inside from; "" for its root */
    struct sw_str target; /* as written; relative ones are relative to WORKDIR. Secret: NULL where
                             env is given and target is not; else /run/secrets/<base name of id>.
                             ssh: NULL where none (an agent socket of the builder's choice) */
    struct sw_str id;     /* cache: cleaned target by default; secret: source, else id, else the
                             target's base name; ssh: "default" */
    struct sw_str env;    /* secret: the variable, NULL where none */
    bool read_only;       /* bind: true unless rw; what is written to a bind mount is dropped */
    bool required;        /* secret, ssh */
    enum sw_df_sharing sharing; /* cache */
    uint64_t size_bytes;        /* tmpfs: 0 for no limit of its own */
    bool has_mode, has_uid, has_gid;
    uint32_t mode; /* cache 0755, secret 0400, ssh 0600 by default */
    uint32_t uid, gid;
};

/* Reads and expands the text of one --mount flag. Results in the arena (and in text, and in what
 * lex's environment returned). SW_SYNTAX with the nearest key, type or mode for unknown words. */
SW_NODISCARD enum sw_code sw_df_mount_parse(struct sw_arena *arena, struct sw_str text,
                                            const struct sw_df_lex *lex, struct sw_df_mount *ret,
                                            struct sw_error *err);

/* What can be checked before variables are known: the CSV syntax, and that from= has no variable.
 * *ret_from has .ptr NULL where there is no from=. */
SW_NODISCARD enum sw_code sw_df_mount_precheck(struct sw_arena *arena, struct sw_str text,
                                               struct sw_str *ret_from, struct sw_error *err);

#endif
