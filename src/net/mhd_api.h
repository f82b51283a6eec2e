/* libmicrohttpd, loaded by the commands that serve: it brings GnuTLS along (gnutls_api.h).
 *
 * Floor 3. Thread-safe. Included in place of the library's own headers: its functions keep their
 * names, and are looked up when the first of them is called. A function that is missing from the
 * list below works too, but links the library into every start of the program again.
 */
#ifndef SW_NET_MHD_API_H
#define SW_NET_MHD_API_H

#include <microhttpd.h>

#define SW_MHD_FUNCTIONS(X)                                                                        \
    X(MHD_add_response_header)                                                                     \
    X(MHD_create_response_from_buffer)                                                             \
    X(MHD_create_response_from_callback)                                                           \
    X(MHD_create_response_from_fd_at_offset64)                                                     \
    X(MHD_destroy_response)                                                                        \
    X(MHD_get_connection_info)                                                                     \
    X(MHD_get_connection_values)                                                                   \
    X(MHD_lookup_connection_value_n)                                                               \
    X(MHD_queue_response)                                                                          \
    X(MHD_quiesce_daemon)                                                                          \
    X(MHD_resume_connection)                                                                       \
    X(MHD_start_daemon)                                                                            \
    X(MHD_stop_daemon)                                                                             \
    X(MHD_suspend_connection)

struct sw_mhd_api {
#define SW_MHD_MEMBER(function) __typeof__(&function) function##_p;
    SW_MHD_FUNCTIONS(SW_MHD_MEMBER)
#undef SW_MHD_MEMBER
};

/* Loads the library once. Without it nothing that needs it can go on: the program ends with a
 * message. */
const struct sw_mhd_api *sw_mhd(void);

#if !defined(SW_LAZY_LOADER) && !defined(SW_LIBRARIES_LINKED)
#define MHD_add_response_header (*sw_mhd()->MHD_add_response_header_p)
#define MHD_create_response_from_buffer (*sw_mhd()->MHD_create_response_from_buffer_p)
#define MHD_create_response_from_callback (*sw_mhd()->MHD_create_response_from_callback_p)
#define MHD_create_response_from_fd_at_offset64                                                    \
    (*sw_mhd()->MHD_create_response_from_fd_at_offset64_p)
#define MHD_destroy_response (*sw_mhd()->MHD_destroy_response_p)
#define MHD_get_connection_info (*sw_mhd()->MHD_get_connection_info_p)
#define MHD_get_connection_values (*sw_mhd()->MHD_get_connection_values_p)
#define MHD_lookup_connection_value_n (*sw_mhd()->MHD_lookup_connection_value_n_p)
#define MHD_queue_response (*sw_mhd()->MHD_queue_response_p)
#define MHD_quiesce_daemon (*sw_mhd()->MHD_quiesce_daemon_p)
#define MHD_resume_connection (*sw_mhd()->MHD_resume_connection_p)
#define MHD_start_daemon (*sw_mhd()->MHD_start_daemon_p)
#define MHD_stop_daemon (*sw_mhd()->MHD_stop_daemon_p)
#define MHD_suspend_connection (*sw_mhd()->MHD_suspend_connection_p)
#endif

#endif
