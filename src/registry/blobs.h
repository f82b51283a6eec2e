/* Where blobs' bytes are: a directory, or a store that speaks S3.
 *
 * Floor 5. A struct sw_blobs is thread-safe; an upload belongs to one thread at a time.
 *
 * A blob is written under a location that nobody else ever uses (random), and becomes part of the
 * registry when the metadata names that location. So committing copies and renames nothing, two
 * uploads of one digest never meet, and deleting a location cannot hit a blob that was pushed
 * again meanwhile.
 *
 *     create --append*--> pause --resume--> append* --> seal (durable, readable)
 *                     \--> discard
 */
#ifndef SW_REGISTRY_BLOBS_H
#define SW_REGISTRY_BLOBS_H

#include "base/arena.h"
#include "base/error.h"
#include "net/http_server.h"

#define SW_LOCATION_LEN 32 /* characters of a location: [0-9a-z] */

struct sw_blobs;
struct sw_blob_upload;

struct sw_blobs_ops {
    const char *name;
    /* Bytes of an upload cannot be read before it is sealed; what the metadata acknowledged is
     * all there is. */
    bool opaque_uploads;
    void (*close)(struct sw_blobs *b);
    enum sw_code (*create)(struct sw_blobs *b, const char *location, struct sw_blob_upload **ret,
                           struct sw_error *err);
    /* Goes on with what was paused, or with what a process left that ended. state is what _pause
     * gave. *ret_size: bytes that are there, at least what was acknowledged. SW_NOT_FOUND. */
    enum sw_code (*resume)(struct sw_blobs *b, const char *location, struct sw_str state,
                           struct sw_blob_upload **ret, uint64_t *ret_size, struct sw_error *err);
    enum sw_code (*append)(struct sw_blob_upload *u, const void *bytes, size_t len,
                           struct sw_error *err);
    /* Reads back what an upload has, for a hash that has to be caught up; *ret_len 0 at the end.
     * SW_UNSUPPORTED where bytes cannot be read before they are sealed. */
    enum sw_code (*read_back)(struct sw_blob_upload *u, uint64_t offset, void *to, size_t len,
                              size_t *ret_len, struct sw_error *err);
    /* Makes the bytes outlive this process; *ret_state (arena) is for _resume. Frees u always. */
    enum sw_code (*pause)(struct sw_blob_upload *u, struct sw_arena *a, struct sw_str *ret_state,
                          struct sw_error *err);
    /* Makes the blob durable and readable. Frees u always. */
    enum sw_code (*seal)(struct sw_blob_upload *u, struct sw_error *err);
    /* Drops the upload and its bytes. Frees u. */
    void (*discard)(struct sw_blob_upload *u);
    /* Removes a sealed blob; a missing one is success. */
    enum sw_code (*remove)(struct sw_blobs *b, const char *location, struct sw_error *err);
    /* Removes whatever there is under a location: a blob, an upload that nobody works on, what a
     * process that was killed left of one. */
    enum sw_code (*purge)(struct sw_blobs *b, const char *location, struct sw_error *err);
    /* Replies with len bytes from offset of a blob of this size. */
    enum sw_code (*reply)(struct sw_blobs *b, struct sw_exchange *x, int status,
                          const char *location, uint64_t offset, uint64_t len,
                          struct sw_error *err);
    /* Reads part of a sealed blob, all len bytes. */
    enum sw_code (*read)(struct sw_blobs *b, const char *location, uint64_t offset, void *to,
                         size_t len, struct sw_error *err);
    /* Every location with the time of its last change, unfinished ones too (some perhaps twice);
     * for finding what no metadata names. */
    enum sw_code (*list)(struct sw_blobs *b,
                         enum sw_code (*visit)(void *context, const char *location, int64_t changed,
                                               uint64_t size, struct sw_error *err),
                         void *context, struct sw_error *err);
    /* SW_OK where the store answers and takes bytes. */
    enum sw_code (*ready)(struct sw_blobs *b, struct sw_error *err);
};

struct sw_blobs {
    const struct sw_blobs_ops *ops;
};
struct sw_blob_upload {
    struct sw_blobs *blobs;
    char location[SW_LOCATION_LEN + 1];
};

/* dir is created where it is missing. */
SW_NODISCARD enum sw_code sw_blobs_open_dir(const char *dir, struct sw_blobs **ret,
                                            struct sw_error *err);

struct sw_s3_options {
    const char *endpoint; /* "https://s3.example.org" or "http://127.0.0.1:9000" */
    const char *bucket;   /* must exist */
    const char *prefix;   /* of every key; "" or "registry/" */
    const char *region;   /* "us-east-1" */
    const char *access_key, *secret_key;
    const char *spool_dir; /* pieces wait here until they are large enough to send */
};
SW_NODISCARD enum sw_code sw_blobs_open_s3(const struct sw_s3_options *options,
                                           struct sw_blobs **ret, struct sw_error *err);

static inline void sw_blobs_close(struct sw_blobs *b) {
    if (b) b->ops->close(b);
}

#endif
