/* Between http_server.c and http_server_tls.c: certificates that are read again when they change.
 *
 * Floor 3. Thread-safe.
 */
#ifndef SW_NET_HTTP_SERVER_INTERNAL_H
#define SW_NET_HTTP_SERVER_INTERNAL_H

#include <stdint.h>

#include "base/error.h"

struct sw_server_tls;

SW_NODISCARD enum sw_code sw_server_tls_new(const char *cert, const char *key,
                                            struct sw_server_tls **ret, struct sw_error *err);
void sw_server_tls_free(struct sw_server_tls *t);
/* Reads the files again where they have changed. What cannot be read leaves the old pair in use
 * and is logged. */
void sw_server_tls_refresh(struct sw_server_tls *t, int64_t now_s);
/* The daemon's certificate callback (gnutls_certificate_retrieve_function2), and the object that
 * it serves; one of each in a process. */
void *sw_server_tls_callback(void);

#endif
