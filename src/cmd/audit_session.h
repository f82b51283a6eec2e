/* One run of `slipway audit`: what its files share. Floor 7. */
#ifndef SW_CMD_AUDIT_SESSION_H
#define SW_CMD_AUDIT_SESSION_H

#include "base/vec.h"
#include "cmd/remote_common.h"
#include "scan/audit.h"
#include "scan/scan.h"
#include "scan/update.h"

#define INDEX_NAME "images.index"

struct audit_session {
    struct sw_invocation *inv;
    const char *root, *dir;
    int64_t now;
    struct sw_scan_db db;
    struct sw_scan_db_status status;
    struct sw_policy policy;
    struct sw_go_releases releases;
    struct sw_store *store;
    struct remote_lazy remote;
    struct sw_pool *pool;
    struct sw_audit_index *index;
    SW_VEC(struct sw_audit_row) rows;
    size_t seen, skipped;
};

/* An image: of the store, or of a repository of a registry. */
struct audit_target {
    struct sw_str name;       /* for people; "": its digest */
    struct sw_str repository; /* "host/path"; "": the store */
    struct sw_descriptor target;
};

/* Judges one image and adds its row. An image that cannot be read becomes a row that says so: it
 * must not hide the others, nor pass for clean. */
SW_NODISCARD enum sw_code audit_judge(struct audit_session *s, const struct audit_target *image,
                                      struct sw_error *err);
/* Makes a row of an error; SW_CANCELLED stays one. */
SW_NODISCARD enum sw_code audit_cannot(struct audit_session *s, struct sw_audit_row *row,
                                       struct sw_str name, enum sw_code code,
                                       const struct sw_error *err);

/* audit_registry.c. Whether an argument means a registry: a host alone, or docker://HOST/... */
bool audit_is_registry(const char *text);
/* Every image that the argument stands for. */
SW_NODISCARD enum sw_code audit_registry(struct audit_session *s, const char *text,
                                         struct sw_error *err);

#endif
