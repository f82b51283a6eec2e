/* The archive inside a layer blob of the store, as a source for codec/tar_reader.h.
 *
 * Floor 5. One thread at a time.
 */
#ifndef SW_BUILD_LAYER_READ_H
#define SW_BUILD_LAYER_READ_H

#include "codec/digest.h"
#include "codec/tar_reader.h"
#include "store/store.h"

struct sw_layer_reader;

/* Owned: _free. */
SW_NODISCARD enum sw_code sw_layer_reader_open(struct sw_store *store, const struct sw_digest *blob,
                                               struct sw_layer_reader **ret, struct sw_error *err);
void sw_layer_reader_free(struct sw_layer_reader *r); /* takes NULL */
void sw_layer_reader_freep(struct sw_layer_reader **r);
#define SW_LAYER_READER SW_CLEANUP(sw_layer_reader_freep)
/* The next bytes of the archive, lent until the next call; empty at its end. */
SW_NODISCARD enum sw_code sw_layer_reader_next(struct sw_layer_reader *r, struct sw_str *ret,
                                               struct sw_error *err);
struct sw_tar_source sw_layer_reader_source(struct sw_layer_reader *r);

#endif
