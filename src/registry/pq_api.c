#include "registry/pq_api.h"

#ifndef SW_PQ_LINKED

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

struct sw_pq_api sw_pq_api;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *missing; /* NULL once everything was found */

static void load(void) {
    missing = "libpq.so.5";
    void *library = dlopen(missing, RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
#define SW_PQ_FIND(name)                                                                           \
    {                                                                                              \
        void *found = dlsym(library, #name);                                                       \
        if (!found) {                                                                              \
            missing = #name;                                                                       \
            return;                                                                                \
        }                                                                                          \
        memcpy(&sw_pq_api.name, &found, sizeof found);                                             \
    }
    SW_PQ_FUNCTIONS(SW_PQ_FIND)
#undef SW_PQ_FIND
    missing = NULL;
}

enum sw_code sw_pq_load(struct sw_error *err) {
    pthread_once(&once, load);
    if (!missing) return SW_OK;
    return sw_fail(err, SW_UNSUPPORTED, "PostgreSQL needs libpq: %s was not found", missing);
}

#endif
