#define SW_CURL_LOADER
#include "net/curl_api.h"

#ifndef SW_LIBRARIES_LINKED

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

struct sw_curl_api sw_curl_api;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *missing; /* NULL once everything was found */

static void load(void) {
    /* The same interface with one TLS library or the other; ours comes first. */
    static const char *const names[] = {"libcurl-gnutls.so.4", "libcurl.so.4"};
    void *library = NULL;
    missing = names[1];
    for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
#define SW_CURL_FIND(name)                                                                         \
    {                                                                                              \
        void *found = dlsym(library, #name);                                                       \
        if (!found) {                                                                              \
            missing = #name;                                                                       \
            return;                                                                                \
        }                                                                                          \
        memcpy(&sw_curl_api.name##_p, &found, sizeof found);                                       \
    }
    SW_CURL_FUNCTIONS(SW_CURL_FIND)
#undef SW_CURL_FIND
    sw_curl_api.curl_global_init_p(CURL_GLOBAL_ALL);
    missing = NULL;
}

enum sw_code sw_curl_load(struct sw_error *err) {
    pthread_once(&once, load);
    if (!missing) return SW_OK;
    return sw_fail(err, SW_UNSUPPORTED, "the network needs libcurl 7.85 or newer: %s was not found",
                   missing);
}

#endif
