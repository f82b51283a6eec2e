/* Executable files: ELF, PE and Mach-O, as far as a scanner needs them.
 *
 * Floor 1. Pure: bytes come through a callback. What is read is where the parts of the program
 * stand in the file and in memory; relocations, symbols and debug data are not. Every count and
 * size of the file is checked against the limits below, and every read against the file's size.
 */
#ifndef SW_CODEC_OBJECT_H
#define SW_CODEC_OBJECT_H

#include "base/arena.h"
#include "base/error.h"

/* Random access to bytes. */
struct sw_source {
    /* Exactly len bytes from offset; the caller stays within size. */
    enum sw_code (*read)(void *context, uint64_t offset, void *to, size_t len,
                         struct sw_error *err);
    void *context;
    uint64_t size; /* bytes */
};

/* Bytes that are in memory (borrowed). */
struct sw_source sw_source_memory(const struct sw_str *bytes);
/* Exactly len bytes; SW_CORRUPT "ends before byte N" beyond the end. */
SW_NODISCARD enum sw_code sw_source_read(const struct sw_source *s, uint64_t offset, void *to,
                                         size_t len, struct sw_error *err);

enum sw_object_limits {
    SW_OBJECT_SECTIONS_MAX =
        65536,                     /* an ELF of a debug build with -ffunction-sections has 40,000 */
    SW_OBJECT_SEGMENTS_MAX = 1024, /* linkers write about 10 */
    SW_OBJECT_NAME_MAX = 256,      /* bytes of a section's name that are kept */
};

enum sw_object_format { SW_OBJECT_ELF = 1, SW_OBJECT_PE, SW_OBJECT_MACHO };

enum sw_object_flags {
    SW_OBJECT_WRITE = 1 << 0,
    SW_OBJECT_EXEC = 1 << 1,
};

/* A section or a loaded segment. */
struct sw_object_part {
    struct sw_str name; /* arena; "" for ELF segments */
    uint64_t addr;      /* virtual address where it starts */
    uint64_t offset;    /* in the source */
    uint64_t file_size; /* bytes that the file holds */
    unsigned flags;     /* enum sw_object_flags */
};

struct sw_object {
    enum sw_object_format format;
    bool big_endian;
    unsigned bits;                   /* 32 or 64 */
    uint32_t machine;                /* as the format numbers it */
    bool has_symbols;                /* a symbol table is there: the file was not stripped */
    bool packed;                     /* by UPX: nothing inside can be trusted to be found */
    bool cut;                        /* the file ends before its parts do */
    struct sw_object_part *sections; /* arena */
    size_t n_sections;
    struct sw_object_part *segments; /* arena; in the order of the file */
    size_t n_segments;
};

/* The format by the first bytes (16 are enough); 0 for none. */
enum sw_object_format sw_object_sniff(const void *bytes, size_t len);

/* SW_NOT_FOUND where the bytes are of no known format, SW_CORRUPT where they begin as one and do
 * not hold together, SW_LIMIT. Of a universal Mach-O file the first architecture is read. */
SW_NODISCARD enum sw_code sw_object_read(struct sw_arena *a, const struct sw_source *s,
                                         struct sw_object *ret, struct sw_error *err);
/* The first section of that name, or NULL. */
const struct sw_object_part *sw_object_section(const struct sw_object *o, const char *name);
/* The segment (or, where a format has none, section) whose bytes in the file hold addr, or NULL. */
const struct sw_object_part *sw_object_at(const struct sw_object *o, uint64_t addr);
/* len bytes at a virtual address. SW_CORRUPT where the file does not hold them. */
SW_NODISCARD enum sw_code sw_object_read_at(const struct sw_object *o, const struct sw_source *s,
                                            uint64_t addr, void *to, size_t len,
                                            struct sw_error *err);

#endif
