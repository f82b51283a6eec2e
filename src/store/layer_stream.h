/* The archive inside a layer blob (or any other compressed file): read, decompressed and hashed
 * ahead of whoever parses it.
 *
 * Floor 3. Used by one thread; with threaded set, reading, decompressing and
 * hashing happen in another one, a bounded number of chunks ahead.
 */
#ifndef SW_STORE_LAYER_STREAM_H
#define SW_STORE_LAYER_STREAM_H

#include "codec/digest.h"
#include "codec/tar_reader.h"

struct sw_layer_stream_options {
    uint64_t max_bytes;     /* that may come out; 0 stands for 256 GiB */
    enum sw_digest_alg alg; /* of the digest; NONE stands for SHA-256 */
    bool threaded;
    /* Called from the thread that consumes, with compressed bytes read; may be NULL. */
    void (*progress)(void *ctx, uint64_t read_bytes);
    void *ctx;
};

struct sw_layer_stream;

/* Reads fd (borrowed) from its offset to its end. */
struct sw_layer_stream *sw_layer_stream_new(int fd, const struct sw_layer_stream_options *options);
void sw_layer_stream_free(struct sw_layer_stream *s);
void sw_layer_stream_freep(struct sw_layer_stream **s);
#define SW_LAYER_STREAM SW_CLEANUP(sw_layer_stream_freep)
struct sw_tar_source sw_layer_stream_source(struct sw_layer_stream *s);
/* The next chunk, as the source gives it; empty at the end. */
SW_NODISCARD enum sw_code sw_layer_stream_next(struct sw_layer_stream *s, struct sw_str *ret,
                                               struct sw_error *err);
/* Reads what is left and gives the digest and length of all that came out. */
SW_NODISCARD enum sw_code sw_layer_stream_finish(struct sw_layer_stream *s,
                                                 struct sw_digest *ret_digest, uint64_t *ret_bytes,
                                                 struct sw_error *err);
/* Finishes and compares: SW_CORRUPT where the archive is not this one. */
SW_NODISCARD enum sw_code sw_layer_stream_verify(struct sw_layer_stream *s,
                                                 const struct sw_digest *diff_id,
                                                 struct sw_error *err);

#endif
