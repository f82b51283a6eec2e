/* Between match.c and match_go.c. Private to scan. */
#ifndef SW_SCAN_MATCH_INTERNAL_H
#define SW_SCAN_MATCH_INTERNAL_H

#include "scan/match.h"

/* How close the program is to what the row is about. *ret_applies is false where it concerns only
 * other operating systems or architectures. symbols collects what is linked. */
enum sw_code sw_match_reach(struct sw_arena *a, const struct sw_advdb *db,
                            const struct sw_advdb_row *row, const struct sw_scan_artifact *artifact,
                            enum sw_reach *ret, bool *ret_applies, struct sw_strs *symbols,
                            struct sw_error *err);
/* The version of a Go package as a semantic version; false where it has none that compares. */
bool sw_match_go_version(struct sw_arena *a, const struct sw_scan_package *p, struct sw_str *ret);

#endif
