/* What the files that write and check trees share. Floor 5; private to gotool. */
#ifndef SW_GOTOOL_UNPACK_INTERNAL_H
#define SW_GOTOOL_UNPACK_INTERNAL_H

#include <pthread.h>

#include "base/map.h"
#include "base/vec.h"
#include "codec/zip.h"
#include "gotool/unpack.h"

#define GO_FILES_MAGIC "slipway go files 1"

enum go_sharing { GO_SHARE_UNKNOWN, GO_SHARE_REFLINK, GO_SHARE_LINK, GO_SHARE_NONE };

struct sw_go_tree {
    const struct sw_go_store *store; /* borrowed */
    char *name;                      /* owned */
    char temp[96];
    int versions, fd; /* owned */
    _Atomic enum go_sharing sharing;
    struct sw_map shareable; /* digest and permission -> struct shareable; arena */
    struct sw_map dirs;      /* path -> path; arena */
    bool committed;
    pthread_mutex_t lock;
    SW_VEC(struct sw_go_file) files;
    struct sw_go_tree_stat stat;
    struct sw_arena arena;
};

/* Adds a file; its directory exists. Any thread. */
enum sw_code go_tree_add(struct sw_go_tree *t, struct sw_str path, bool executable,
                         struct sw_str bytes, struct sw_error *err);
/* Makes a directory and those above it. One thread. */
enum sw_code go_tree_mkdirs(struct sw_go_tree *t, struct sw_str path, struct sw_error *err);
/* One line of a list of files: "HEX x|- SIZE PATH". */
bool go_files_line(struct sw_str line, struct sw_go_file *ret);

#endif
