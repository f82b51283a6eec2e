/* COPY and ADD: from sources and a destination to the exact entries of a layer.
 *
 * Floor 5. A struct sw_copy belongs to one thread; hashing is spread over the pool.
 *
 *     spec --sw_copy_plan--> items: every entry of the layer, sorted by path, parents included
 *          --sw_copy_key--> digest of all that decides the layer's bytes (contents by hash)
 *          --sw_copy_archive | sw_copy_extract--> a blob or a snapshot of exactly those entries
 *
 * Directories that exist already are entries too, with the attributes they have, as an overlay's
 * upper directory would hold them; so a layer says all about itself.
 */
#ifndef SW_BUILD_COPY_H
#define SW_BUILD_COPY_H

#include "base/vec.h"
#include "build/layer_writer.h"
#include "build/source.h"
#include "build/unarchive.h"
#include "dockerfile/values.h"
#include "store/snapshot.h"

/* Of the keys: another version where the same sources come to other entries. */
#define SW_COPY_KEY_VERSION "6"

struct sw_copy_file { /* from memory: a heredoc */
    struct sw_str name;
    struct sw_str content;
    uint32_t mode;
};

struct sw_copy_fetched { /* by ADD: a file of a URL, a checkout of a repository */
    struct sw_str name;  /* of a file below a destination that is a directory */
    struct sw_str url;   /* where it came from, for provenance */
    struct sw_source *source;
    struct sw_str path;  /* in the source */
    struct sw_node node; /* of a file */
    bool is_dir;         /* the directory's content is what is copied */
    bool unpack;
};

struct sw_copy_spec {
    const char *verb;         /* "COPY", for messages */
    struct sw_source *source; /* NULL where there are only files */
    const struct sw_str *paths;
    size_t n_paths;
    const struct sw_copy_file *files;
    size_t n_files;
    const struct sw_copy_fetched *fetched;
    size_t n_fetched;
    bool unpack;            /* archives among paths */
    struct sw_store *store; /* for unpacking; else NULL */
    bool no_links;          /* every name of a file is a file of its own */
    bool outline;           /* dest is taken for a directory, whatever is there */
    struct sw_source *view; /* of the stage so far; NULL: an empty root (scratch, --link) */
    struct sw_str dest;     /* absolute; a slash at the end means a directory */
    bool has_owner;
    uint32_t uid, gid;
    const struct sw_df_chmod *chmod; /* NULL: as the source */
    const struct sw_ignore *exclude; /* NULL: none */
    bool parents;
    int64_t epoch_s; /* no entry is younger */
    struct sw_pool *pool;
};

struct sw_item {
    struct sw_str path; /* in the layer, clean */
    struct sw_node node;
    struct sw_source *source; /* of a file's content; NULL: content */
    struct sw_str source_path;
    struct sw_str content;
    struct sw_digest digest; /* of a file's content */
    struct sw_str link_to;   /* a file: the earlier item that it is a hard link to; "" for none */
    uint32_t order;          /* a later one with the same path replaces an earlier one */
};

struct sw_copy {
    struct sw_arena arena;
    struct sw_item *items; /* owned; sorted by path, unique */
    size_t n;
    uint64_t bytes;                          /* of all files */
    unsigned skipped;                        /* sockets, which no archive can hold */
    unsigned onto_target;                    /* files whose path is the destination itself */
    SW_VEC(struct sw_unarchived *) archives; /* that items come from; owned */
};

void sw_copy_init(struct sw_copy *copy);
void sw_copy_done(struct sw_copy *copy);
#define SW_COPY SW_CLEANUP(sw_copy_done)

SW_NODISCARD enum sw_code sw_copy_plan(struct sw_copy *copy, const struct sw_copy_spec *spec,
                                       struct sw_error *err);
/* What an archive unpacks to in an empty root. fd is borrowed. */
SW_NODISCARD enum sw_code sw_copy_plan_archive(struct sw_copy *copy, struct sw_store *store, int fd,
                                               struct sw_str name, struct sw_error *err);
/* WORKDIR: the directories of a path that do not exist yet (no item where all do). */
SW_NODISCARD enum sw_code sw_copy_plan_dirs(struct sw_copy *copy, struct sw_source *view,
                                            struct sw_str path, uint32_t uid, uint32_t gid,
                                            int64_t epoch_s, struct sw_error *err);
/* Hashes the contents, then everything: *ret is of the layer's exact bytes; *ret_identity leaves
 * the times out, for the keys of the steps that follow. */
SW_NODISCARD enum sw_code sw_copy_key(struct sw_copy *copy, struct sw_pool *pool,
                                      struct sw_digest *ret, struct sw_digest *ret_identity,
                                      struct sw_error *err);
SW_NODISCARD enum sw_code sw_copy_archive(const struct sw_copy *copy, struct sw_layer_writer *w,
                                          struct sw_error *err);
/* remember_owner: where chown is refused, SW_UNPACK_OWNER_XATTR. */
SW_NODISCARD enum sw_code sw_copy_extract(const struct sw_copy *copy,
                                          const struct sw_snapshot_draft *draft,
                                          bool remember_owner, struct sw_error *err);

/* Puts an entry into a hash, in a form that two different entries never share. */
void sw_item_hash(struct sw_hasher *h, const struct sw_item *item, bool with_time);
/* The entry as the archive has it. */
void sw_item_entry(const struct sw_item *item, struct sw_tar_entry *ret);

#endif
