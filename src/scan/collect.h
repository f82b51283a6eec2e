/* Files in, a layer's inventory out: which files matter, and what they say.
 *
 * Floor 5. One thread at a time. The caller walks an archive or a directory and hands over what
 * sw_collect_wants() asks for; files that cannot be understood become artifacts with a problem.
 */
#ifndef SW_SCAN_COLLECT_H
#define SW_SCAN_COLLECT_H

#include "codec/object.h"
#include "scan/inventory.h"

struct sw_collector;
struct sw_collector *sw_collector_new(struct sw_arena *a);
void sw_collector_free(struct sw_collector *c);
void sw_collector_freep(struct sw_collector **c);

enum sw_collect_want {
    SW_COLLECT_NOTHING,
    SW_COLLECT_CONTENT, /* the whole file: sw_collect_content() */
    SW_COLLECT_PROGRAM, /* if its first bytes say so: sw_collect_program() */
};
/* By name and size. path: clean. */
enum sw_collect_want sw_collect_wants(struct sw_str path, uint64_t size);

/* Notes a path; dir: a directory. SW_LIMIT past SW_SCAN_PATHS_MAX. */
SW_NODISCARD enum sw_code sw_collect_path(struct sw_collector *c, struct sw_str path, bool dir,
                                          struct sw_error *err);
void sw_collect_whiteout(struct sw_collector *c, struct sw_str path);
void sw_collect_opaque(struct sw_collector *c, struct sw_str dir);
/* A file of SW_COLLECT_CONTENT. */
SW_NODISCARD enum sw_code sw_collect_content(struct sw_collector *c, struct sw_str path,
                                             struct sw_str content, struct sw_error *err);
/* A file that begins as an executable. Those that are no Go programs leave no trace. */
SW_NODISCARD enum sw_code sw_collect_program(struct sw_collector *c, struct sw_str path,
                                             const struct sw_source *source, struct sw_error *err);
/* A file of interest that could not be read. */
SW_NODISCARD enum sw_code sw_collect_problem(struct sw_collector *c, struct sw_str path,
                                             const char *problem, struct sw_error *err);
/* Another name for a file of this layer (a hard link). */
SW_NODISCARD enum sw_code sw_collect_link(struct sw_collector *c, struct sw_str path,
                                          struct sw_str target, struct sw_error *err);
/* Parses what came in several files, sorts; everything is in the arena. seed: random. */
SW_NODISCARD enum sw_code sw_collect_finish(struct sw_collector *c, struct sw_scan_layer *ret,
                                            struct sw_error *err);

#endif
