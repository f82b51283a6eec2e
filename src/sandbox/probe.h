/* What this host offers to sandboxes, for `slipway doctor`.
 *
 * Floor 3. Thread-safe. Works before and after sw_userns_enter().
 */
#ifndef SW_SANDBOX_PROBE_H
#define SW_SANDBOX_PROBE_H

#include "base/arena.h"
#include "base/error.h"
#include "sandbox/userns.h"

enum sw_fact_status { SW_FACT_OK, SW_FACT_WARN, SW_FACT_MISSING };

struct sw_fact {
    const char *name; /* "kernel", "overlay", "user-namespaces" ...: stable, for --format json */
    enum sw_fact_status status;
    const char *value;  /* "6.1.0", "native", "100000-165535" */
    const char *advice; /* what to do, with this distribution's command; "" where nothing */
};

/* Fills *ret_facts (in the arena) with all facts. dir: the store's directory, or -1 for the
 * temporary directory, for the overlay test. userns NULL: nothing was entered. */
void sw_probe_host(int dir, const struct sw_userns *userns, struct sw_arena *arena,
                   struct sw_fact **ret_facts, size_t *ret_n);
/* "apt-get install PACKAGE" in this distribution's words; package by its Debian name. */
struct sw_str sw_install_advice(const char *package, struct sw_arena *arena);

#endif
