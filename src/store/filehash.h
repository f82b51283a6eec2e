/* The memory of file hashes of a build context, so that an unchanged file costs one stat.
 *
 * Floor 3. Thread-safe. One file for each context root, keyed by the root directory's device and
 * inode: slipway/filehash/<device>-<inode>; docs/format/filehash.md. Losing it costs time only; it
 * carries a checksum, so that damage is the same as loss.
 */
#ifndef SW_STORE_FILEHASH_H
#define SW_STORE_FILEHASH_H

#include <sys/stat.h>

#include "codec/digest.h"
#include "store/store.h"

struct sw_filehash;

/* Loads the memory for the directory; an empty one where there is none (or where it cannot be
 * read). Owned: _free. */
SW_NODISCARD enum sw_code sw_filehash_open(struct sw_store *store, const struct stat *root,
                                           struct sw_filehash **ret, struct sw_error *err);
/* Does not save. */
void sw_filehash_free(struct sw_filehash *fh);
void sw_filehash_freep(struct sw_filehash **fh);

/* The sha256 of the regular file that has this stat, if it is remembered. */
bool sw_filehash_get(struct sw_filehash *fh, const struct stat *st, struct sw_digest *ret);
/* Remembers. st was taken (fstat) before the first byte was read and is unchanged after the last;
 * started_ns: sw_now_unix_ns() from before that first stat. Files changed so shortly before
 * that a later change could carry the same times are not recorded. */
void sw_filehash_put(struct sw_filehash *fh, const struct stat *st, int64_t started_ns,
                     const struct sw_digest *digest);
/* Adds to what put() remembers that the file has no extended attributes. listed_ns:
 * sw_now_unix_ns() from before they were listed. */
void sw_filehash_put_plain(struct sw_filehash *fh, const struct stat *st, int64_t listed_ns);
/* Whether the file that has this stat is remembered to have none: they do not change without its
 * ctime. */
bool sw_filehash_is_plain(struct sw_filehash *fh, const struct stat *st);
/* Writes it, atomically, where something changed. Entries not asked for in the last 16 saves are
 * dropped. */
SW_NODISCARD enum sw_code sw_filehash_save(struct sw_filehash *fh, struct sw_error *err);
/* For tests and figures. */
size_t sw_filehash_count(const struct sw_filehash *fh);

#endif
