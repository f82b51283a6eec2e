/* From a stream of archive entries to a compressed layer blob, on all cores, in bounded memory.
 *
 * Floor 5. A writer belongs to the thread that opened it; the work is spread over the pool.
 *
 * The archive is cut into the compressor's blocks. A ring of slots holds them while three things
 * happen: hashing in order (the diff ID), compressing in any order, writing and hashing the output
 * in order. So the bytes depend on the input and the format alone, not on the number of threads.
 */
#ifndef SW_BUILD_LAYER_WRITER_H
#define SW_BUILD_LAYER_WRITER_H

#include "base/pool.h"
#include "codec/compress.h"
#include "codec/tar.h"
#include "oci/descriptor.h"
#include "store/blob.h"

struct sw_layer_writer;

struct sw_layer_blob {
    struct sw_digest diff_id; /* of the archive */
    struct sw_digest digest;  /* of the blob */
    uint64_t size;            /* bytes of the blob */
    uint64_t archive_size;    /* bytes of the archive */
    enum sw_compression compression;
};

SW_NODISCARD enum sw_code sw_layer_open(struct sw_store *store, struct sw_pool *pool,
                                        enum sw_compression compression, int level,
                                        struct sw_layer_writer **ret, struct sw_error *err);
/* Raw bytes of the archive. */
SW_NODISCARD enum sw_code sw_layer_write(struct sw_layer_writer *w, const void *bytes, size_t len,
                                         struct sw_error *err);
/* An entry's header. */
SW_NODISCARD enum sw_code sw_layer_entry(struct sw_layer_writer *w, const struct sw_tar_entry *e,
                                         struct sw_error *err);
/* Exactly size bytes from fd's current offset, and their padding. SW_CORRUPT when it has fewer. */
SW_NODISCARD enum sw_code sw_layer_content(struct sw_layer_writer *w, int fd, uint64_t size,
                                           struct sw_error *err);
/* The same from memory. */
SW_NODISCARD enum sw_code sw_layer_content_bytes(struct sw_layer_writer *w, struct sw_str bytes,
                                                 struct sw_error *err);
/* Ends the archive and names the blob. The writer is still to be freed. */
SW_NODISCARD enum sw_code sw_layer_finish(struct sw_layer_writer *w, struct sw_layer_blob *ret,
                                          struct sw_error *err);
/* The same where the archive's end was among the raw bytes. */
SW_NODISCARD enum sw_code sw_layer_finish_raw(struct sw_layer_writer *w, struct sw_layer_blob *ret,
                                              struct sw_error *err);
/* Takes NULL; what was not finished is removed. */
void sw_layer_free(struct sw_layer_writer *w);
void sw_layer_freep(struct sw_layer_writer **w);

#endif
