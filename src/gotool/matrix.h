/* One command under several toolchains, in parallel.
 *
 * Floor 5. Uses threads of its own; returns when every run has ended.
 */
#ifndef SW_GOTOOL_MATRIX_H
#define SW_GOTOOL_MATRIX_H

#include "base/buf.h"
#include "gotool/store.h"

enum { SW_GO_MATRIX_MAX = 64, SW_GO_MATRIX_OUTPUT_MAX = 64 << 20 };

struct sw_go_run {
    struct sw_go_installed it; /* set by the caller */
    int status;                /* exit status, 128 + signal; 127 or 126 where it did not start */
    int64_t duration_ns;
    struct sw_buf output; /* stdout and stderr together; owned: sw_go_matrix_done */
};

/* argv is run n times, at most jobs at once (0: as many as processors). SW_OK also when runs
 * fail: see their status. SW_CANCELLED. */
SW_NODISCARD enum sw_code sw_go_matrix(const struct sw_go_store *store, struct sw_go_run *runs,
                                       size_t n, unsigned jobs, const char *const *argv,
                                       struct sw_arena *a, struct sw_error *err);
void sw_go_matrix_done(struct sw_go_run *runs, size_t n);

#endif
