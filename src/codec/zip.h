/* Reading zip archives: the directory first, entries in any order, by any thread.
 *
 * Floor 1. Pure. APPNOTE.TXT 6.3.10, sections 4.3 and 4.4, zip64 included. The directory is checked
 * whole before anything is unpacked: names, kinds, sizes and that no two entries share bytes, so
 * that what follows can trust it (docs/format/module-zip.md).
 */
#ifndef SW_CODEC_ZIP_H
#define SW_CODEC_ZIP_H

#include "base/arena.h"
#include "codec/object.h"

struct sw_zip_limits {
    size_t entries;       /* 0 stands for 100,000: a toolchain has 15,000 */
    uint64_t entry_bytes; /* unpacked, of one entry; 0 stands for 512 MiB */
    uint64_t total_bytes; /* unpacked, of all; 0 stands for 4 GiB */
    size_t directory;     /* bytes of the directory; 0 stands for 64 MiB */
};

struct sw_zip_entry {
    struct sw_str name;  /* relative, "/" between components, none of them "", "." or ".."; arena */
    uint64_t header;     /* offset of the local header */
    uint64_t end;        /* offset where the next entry or the directory starts */
    uint64_t compressed; /* bytes */
    uint64_t size;       /* bytes, unpacked */
    uint32_t crc;
    uint16_t method; /* 0 stored, 8 deflate */
    uint32_t mode;   /* permission bits that the writer recorded; 0 where it recorded none */
};

struct sw_zip {
    struct sw_zip_entry *entries; /* files only, in the order of their bytes; arena */
    size_t n;
    uint64_t total_bytes;
    uint64_t directory; /* offset of the central directory */
};

/* Reads and checks the directory. SW_CORRUPT or SW_SYNTAX on damage; SW_DENIED on names that leave
 * the tree, links, encrypted entries, two entries for one path; SW_LIMIT. limits may be NULL. */
SW_NODISCARD enum sw_code sw_zip_open(struct sw_arena *a, const struct sw_source *source,
                                      const struct sw_zip_limits *limits, struct sw_zip *ret,
                                      struct sw_error *err);

struct sw_zip_inflater; /* one a thread */
struct sw_zip_inflater *sw_zip_inflater_new(void);
void sw_zip_inflater_free(struct sw_zip_inflater *z);
/* Unpacks an entry whole: *ret_bytes is lent until the next call. Checks the local header against
 * the directory, the size and the CRC: SW_CORRUPT. */
SW_NODISCARD enum sw_code sw_zip_read(struct sw_zip_inflater *z, const struct sw_source *source,
                                      const struct sw_zip_entry *entry, struct sw_str *ret_bytes,
                                      struct sw_error *err);

#endif
