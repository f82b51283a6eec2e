/* Compiling advisories into the database file.
 *
 * Floor 2. Pure: documents in, bytes out, the same for the same documents in the same order.
 */
#ifndef SW_ADVISORY_DB_BUILD_H
#define SW_ADVISORY_DB_BUILD_H

#include "advisory/db.h"
#include "base/buf.h"

/* The name under which an ecosystem's packages are kept: "Red Hat:enterprise_linux:9::baseos" is
 * "Red Hat:9", "Ubuntu:22.04:LTS" is "Ubuntu:22.04". False for ecosystems that are not matched
 * here, and for streams that a plain release must not be compared with (extended support and the
 * like).
 */
bool sw_ecosystem_normal(struct sw_str name, char *buffer, size_t size, struct sw_str *ret);

struct sw_advdb_builder;
struct sw_advdb_builder *sw_advdb_builder_new(void);
void sw_advdb_builder_free(struct sw_advdb_builder *b);
void sw_advdb_builder_freep(struct sw_advdb_builder **b);

struct sw_advdb_counts {
    uint64_t advisories; /* taken */
    uint64_t withdrawn;  /* left out */
    uint64_t rows;       /* advisory and package */
    uint64_t skipped;    /* packages of ecosystems that are not matched here */
};

/* Adds an advisory from the named source ("go", "debian" ...); adds to counts. Nothing of osv is
 * kept. An entry that another source has published under the same id replaces nothing: both stay.
 * SW_LIMIT where the file would pass its limits. */
SW_NODISCARD enum sw_code sw_advdb_add(struct sw_advdb_builder *b, struct sw_str source,
                                       const struct sw_osv *osv, struct sw_advdb_counts *counts,
                                       struct sw_error *err);
/* CISA's catalogue and EPSS: what is known of an id; used where an advisory has it as id or alias.
 */
void sw_advdb_add_kev(struct sw_advdb_builder *b, struct sw_str cve, uint32_t added_day,
                      uint32_t due_day, bool ransomware);
void sw_advdb_add_epss(struct sw_advdb_builder *b, struct sw_str cve, uint32_t epss,
                       uint32_t percentile);
/* Writes the file. built: seconds since 1970. manifest: JSON. */
SW_NODISCARD enum sw_code sw_advdb_build(struct sw_advdb_builder *b, int64_t built,
                                         struct sw_str manifest, struct sw_buf *out,
                                         struct sw_error *err);

#endif
