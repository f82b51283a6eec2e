/* Sizes and helpers that the reader and the writer of the database share. Private to advisory. */
#ifndef SW_ADVISORY_DB_INTERNAL_H
#define SW_ADVISORY_DB_INTERNAL_H

#include "advisory/db.h"

/* The header, in the first page:
 *
 *     0  magic 8    8 version u32    12 page size u32    16 file size u64    24 built u64
 *    32  sections: 12 x { offset u64, count u64 }
 *   224  SHA-256 of all that follows the first page
 *   256  checksum of the table of sums u64
 *   264  checksum of the bytes 0 .. 263 u64
 *
 * Integers are little-endian. Sections start at multiples of 8, in the order of their numbers. */
#define SW_ADVDB_MAGIC "swadvdb\n"
enum {
    SW_ADVDB_HEADER_SIZE = 272,
    SW_ADVDB_HEADER_SECTIONS = 32,
    SW_ADVDB_HEADER_DIGEST = 224,
    SW_ADVDB_HEADER_SUMS = 256,
    SW_ADVDB_HEADER_CHECK = 264,
};

/* Bytes of a record of each section. A string is {offset u32, length u32}, a run {first, count}. */
static const uint8_t sw_advdb_record_size[SW_ADVDB_N_SECTIONS] = {
    [SW_ADVDB_STRINGS] = 1,   [SW_ADVDB_ECOSYSTEMS] = 8, [SW_ADVDB_SLOTS] = 4,
    [SW_ADVDB_PACKAGES] = 32, [SW_ADVDB_ROWS] = 32,      [SW_ADVDB_EVENTS] = 12,
    [SW_ADVDB_IMPORTS] = 32,  [SW_ADVDB_VULNS] = 88,     [SW_ADVDB_SEVERITIES] = 24,
    [SW_ADVDB_REFS] = 8,      [SW_ADVDB_MANIFEST] = 1,   [SW_ADVDB_SUMS] = 8,
};

/* A checksum against damage, 64 bits, at the speed of memory. Not against forgery. */
uint64_t sw_advdb_checksum(const void *bytes, size_t len);
/* Where a package's search in the slots begins. */
uint64_t sw_advdb_package_hash(uint32_t ecosystem, struct sw_str name);

static inline uint32_t sw_advdb_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t sw_advdb_u64(const uint8_t *p) {
    return sw_advdb_u32(p) | (uint64_t)sw_advdb_u32(p + 4) << 32;
}

#endif
