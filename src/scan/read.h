/* From layers, directories and single files to inventories.
 *
 * Floor 5. Thread-safe: a call keeps nothing.
 */
#ifndef SW_SCAN_READ_H
#define SW_SCAN_READ_H

#include "codec/object.h"
#include "scan/inventory.h"

/* What is read of one layer in all; a bomb ends here. */
#define SW_SCAN_LAYER_BYTES_MAX ((uint64_t)256 << 30)

/* As a size: fd is a pipe or socket that is read to its end. */
#define SW_SCAN_TO_END UINT64_MAX

/* Reads a layer's archive, plain or compressed, from size bytes at offset of fd, in one pass.
 * diff_id: what its content must be (SW_CORRUPT otherwise); unset: it is computed. temp_dir: where
 * large programs are spooled. Everything returned is in the arena. */
SW_NODISCARD enum sw_code sw_scan_read_layer(struct sw_arena *a, int fd, uint64_t offset,
                                             uint64_t size, const struct sw_digest *diff_id,
                                             const char *temp_dir, struct sw_scan_layer *ret,
                                             struct sw_error *err);
/* A directory as the root of a file system. Links are not followed and file systems not left;
 * what cannot be opened becomes a problem of its own. exclude: directories by their clean path. */
SW_NODISCARD enum sw_code sw_scan_read_tree(struct sw_arena *a, int dir_fd,
                                            const struct sw_strs *exclude,
                                            struct sw_scan_layer *ret, struct sw_error *err);
/* One program. A file that is none is SW_UNSUPPORTED: nothing was looked at. */
SW_NODISCARD enum sw_code sw_scan_read_program(struct sw_arena *a, int fd, struct sw_str name,
                                               struct sw_scan_layer *ret, struct sw_error *err);

/* Random access to a file. */
struct sw_scan_file {
    int fd;
    uint64_t offset;
};
struct sw_source sw_scan_file_source(struct sw_scan_file *file, uint64_t size);

#endif
