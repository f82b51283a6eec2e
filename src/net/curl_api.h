/* libcurl, loaded when the first session is made. Floor 3; private to the HTTP client.
 *
 * libcurl brings some 25 libraries along, which cost 4 to 5 ms of every start of the program;
 * commands without a network (`slipway go exec` stands in front of every go command) must not pay
 * for them. A static build (prefer_static) links it as usual.
 */
#ifndef SW_NET_CURL_API_H
#define SW_NET_CURL_API_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "base/error.h"

#ifdef SW_LIBRARIES_LINKED

static inline enum sw_code sw_curl_load(struct sw_error *err) {
    (void)err;
    curl_global_init(CURL_GLOBAL_ALL);
    return SW_OK;
}

#else

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt
#undef curl_share_setopt

#define SW_CURL_FUNCTIONS(X)                                                                       \
    X(curl_global_init)                                                                            \
    X(curl_getdate)                                                                                \
    X(curl_free)                                                                                   \
    X(curl_easy_init)                                                                              \
    X(curl_easy_cleanup)                                                                           \
    X(curl_easy_reset)                                                                             \
    X(curl_easy_setopt)                                                                            \
    X(curl_easy_getinfo)                                                                           \
    X(curl_easy_strerror)                                                                          \
    X(curl_multi_init)                                                                             \
    X(curl_multi_cleanup)                                                                          \
    X(curl_multi_setopt)                                                                           \
    X(curl_multi_add_handle)                                                                       \
    X(curl_multi_remove_handle)                                                                    \
    X(curl_multi_perform)                                                                          \
    X(curl_multi_poll)                                                                             \
    X(curl_multi_info_read)                                                                        \
    X(curl_share_init)                                                                             \
    X(curl_share_setopt)                                                                           \
    X(curl_share_cleanup)                                                                          \
    X(curl_slist_append)                                                                           \
    X(curl_slist_free_all)                                                                         \
    X(curl_url)                                                                                    \
    X(curl_url_cleanup)                                                                            \
    X(curl_url_set)                                                                                \
    X(curl_url_get)

struct sw_curl_api {
#define SW_CURL_MEMBER(name) __typeof__(&name) name##_p;
    SW_CURL_FUNCTIONS(SW_CURL_MEMBER)
#undef SW_CURL_MEMBER
};

/* Filled by sw_curl_load, then constant. */
extern struct sw_curl_api sw_curl_api;
SW_NODISCARD enum sw_code sw_curl_load(struct sw_error *err);

#ifndef SW_CURL_LOADER
#define curl_getdate sw_curl_api.curl_getdate_p
#define curl_free sw_curl_api.curl_free_p
#define curl_easy_init sw_curl_api.curl_easy_init_p
#define curl_easy_cleanup sw_curl_api.curl_easy_cleanup_p
#define curl_easy_reset sw_curl_api.curl_easy_reset_p
#define curl_easy_setopt sw_curl_api.curl_easy_setopt_p
#define curl_easy_getinfo sw_curl_api.curl_easy_getinfo_p
#define curl_easy_strerror sw_curl_api.curl_easy_strerror_p
#define curl_multi_init sw_curl_api.curl_multi_init_p
#define curl_multi_cleanup sw_curl_api.curl_multi_cleanup_p
#define curl_multi_setopt sw_curl_api.curl_multi_setopt_p
#define curl_multi_add_handle sw_curl_api.curl_multi_add_handle_p
#define curl_multi_remove_handle sw_curl_api.curl_multi_remove_handle_p
#define curl_multi_perform sw_curl_api.curl_multi_perform_p
#define curl_multi_poll sw_curl_api.curl_multi_poll_p
#define curl_multi_info_read sw_curl_api.curl_multi_info_read_p
#define curl_share_init sw_curl_api.curl_share_init_p
#define curl_share_setopt sw_curl_api.curl_share_setopt_p
#define curl_share_cleanup sw_curl_api.curl_share_cleanup_p
#define curl_slist_append sw_curl_api.curl_slist_append_p
#define curl_slist_free_all sw_curl_api.curl_slist_free_all_p
#define curl_url sw_curl_api.curl_url_p
#define curl_url_cleanup sw_curl_api.curl_url_cleanup_p
#define curl_url_set sw_curl_api.curl_url_set_p
#define curl_url_get sw_curl_api.curl_url_get_p
#endif

#endif
#endif
