/* Bytes of an upload on their way from its connection to the store.
 *
 * Floor 5. They are gathered in buffers of 256 KiB, because the connection's reads are small and
 * files take large pieces at half the cost; a full one is stored and hashed on a thread that may
 * wait, while the connection's thread fills the other one or serves somebody else.
 *
 *     take (connection's thread) --> buffer --> put (one thread at a time, in order)
 *
 * What a bounded number of buffers does not suffice for is put at once, by the connection's thread.
 */
#ifndef SW_REGISTRY_INTAKE_H
#define SW_REGISTRY_INTAKE_H

#include "net/http_server.h"

/* The buffers of all uploads. Thread-safe. */
struct sw_intake_pool;
struct sw_intake_pool *sw_intake_pool_new(void);
void sw_intake_pool_free(struct sw_intake_pool *p);

struct sw_intake;
/* put takes bytes in order, never two at once; it keeps its failures to itself. */
struct sw_intake *sw_intake_new(struct sw_intake_pool *p, struct sw_exchange *x,
                                void (*put)(void *context, const void *bytes, size_t len),
                                void *context);
/* As the handler's body(): holds the exchange where there is no room, and returns what was taken.
 * small: this is all of the body, and small enough to be put at once. */
size_t sw_intake_take(struct sw_intake *in, const void *bytes, size_t len, bool small);
/* Puts what is left, and ends. Waits for the other thread: not on a connection's thread. */
void sw_intake_finish(struct sw_intake *in);

#endif
