/* Maxima of JSON, YAML and tar, and why they are what they are.
 *
 * Floor 1. Passing one is SW_LIMIT with the name of what is too large.
 */
#ifndef SW_CODEC_LIMITS_H
#define SW_CODEC_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* A JSON document where the caller names no limit: the largest advisories have some 8 MiB. */
#define SW_JSON_BYTES_DEFAULT ((size_t)16 << 20)
/* Nested arrays and objects: documents known here have at most 10; reading recurses. */
#define SW_JSON_DEPTH_DEFAULT 64
#define SW_JSON_DEPTH_MAX 256
/* Each value takes some 120 bytes of the arena. */
#define SW_JSON_VALUES_DEFAULT ((size_t)1 << 20)
/* Levels that a writer can open: one bit of a word each. */
#define SW_JSON_WRITE_DEPTH_MAX 64

/* People write YAML; a megabyte is a book. */
#define SW_YAML_BYTES_DEFAULT ((size_t)1 << 20)
#define SW_YAML_DEPTH_DEFAULT 32
#define SW_YAML_DEPTH_MAX 128
#define SW_YAML_NODES_DEFAULT ((size_t)100000)

/* The extended header of one entry: what Go's archive/tar reads, so what every puller reads. */
#define SW_TAR_PAX_MAX ((size_t)1 << 20)
/* Pax records for a whole archive: they are read anew with each global header. */
#define SW_TAR_GLOBAL_MAX ((size_t)64 << 10)
/* Extended attributes of one entry: the kernel's list of names has at most 64 KiB. */
#define SW_TAR_XATTRS_MAX 1024
/* A path relative to the root: PATH_MAX without its NUL. */
#define SW_TAR_PATH_MAX 4095
/* Entries of one archive; the largest layers known have some 2 million. */
#define SW_TAR_ENTRIES_DEFAULT UINT64_C(10000000)
/* Data regions of one sparse file: 16 MiB of memory. */
#define SW_TAR_REGIONS_DEFAULT ((size_t)1 << 20)

#endif
