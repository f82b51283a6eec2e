/* The bytes of a tar archive, whatever it is compressed with: gzip, bzip2, xz, zstd or nothing.
 *
 * Floor 5. One thread at a time. The only file that knows libarchive, which is loaded when the
 * first compressed archive is met (it brings a dozen libraries along).
 */
#ifndef SW_BUILD_ARCHIVE_STREAM_H
#define SW_BUILD_ARCHIVE_STREAM_H

#include "codec/tar_reader.h"

struct sw_archive_stream;

/* Reads fd (borrowed) from its start. A file that is not compressed is passed on as it is. */
SW_NODISCARD enum sw_code sw_archive_stream_open(int fd, struct sw_archive_stream **ret,
                                                 struct sw_error *err);
/* Takes NULL. */
void sw_archive_stream_free(struct sw_archive_stream *s);
void sw_archive_stream_freep(struct sw_archive_stream **s);
#define SW_ARCHIVE_STREAM SW_CLEANUP(sw_archive_stream_freep)
struct sw_tar_source sw_archive_stream_source(struct sw_archive_stream *s);

/* Whether a file is what ADD unpacks: after decompression it begins with a tar header. */
bool sw_archive_stream_probe(int fd);

#endif
