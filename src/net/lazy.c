/* Libraries that most commands never call, loaded on their first use. */
#define SW_LAZY_LOADER
#ifndef SW_LIBRARIES_LINKED

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/gnutls_api.h"
#include "net/mhd_api.h"

static struct sw_gnutls_api gnutls_api;
static struct sw_mhd_api mhd_api;
static pthread_once_t gnutls_once = PTHREAD_ONCE_INIT, mhd_once = PTHREAD_ONCE_INIT;

static void *open_library(const char *name) {
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library) return library;
    fprintf(stderr, "slipway: %s is needed here and cannot be loaded: %s\n", name, dlerror());
    exit(1);
}

static void *find(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (found) return found;
    fprintf(stderr, "slipway: a library lacks %s; a newer one is needed\n", name);
    exit(1);
}

#define SW_LAZY_FIND(function)                                                                     \
    {                                                                                              \
        void *found = find(library, #function);                                                    \
        memcpy(&api->function##_p, &found, sizeof found);                                          \
    }

static void load_gnutls(void) {
    void *library = open_library("libgnutls.so.30");
    struct sw_gnutls_api *api = &gnutls_api;
    SW_GNUTLS_FUNCTIONS(SW_LAZY_FIND)
    SW_LAZY_FIND(gnutls_free) /* a variable that holds a function */
}

static void load_mhd(void) {
    void *library = open_library("libmicrohttpd.so.12");
    struct sw_mhd_api *api = &mhd_api;
    SW_MHD_FUNCTIONS(SW_LAZY_FIND)
}

const struct sw_gnutls_api *sw_gnutls(void) {
    pthread_once(&gnutls_once, load_gnutls);
    return &gnutls_api;
}

const struct sw_mhd_api *sw_mhd(void) {
    pthread_once(&mhd_once, load_mhd);
    return &mhd_api;
}

#endif
