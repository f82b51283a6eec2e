/* libpq, loaded when a registry with PostgreSQL is opened. Floor 5; private to sql_postgres.c.
 *
 * libpq brings Kerberos, LDAP and another TLS library along, which every start of the program
 * would pay for. A static build (prefer_static) links it as usual.
 */
#ifndef SW_REGISTRY_PQ_API_H
#define SW_REGISTRY_PQ_API_H

#include <libpq-fe.h>

#include "base/error.h"

#ifdef SW_PQ_LINKED

static inline enum sw_code sw_pq_load(struct sw_error *err) { return SW_OK; }
#define PQ(name) name

#else

#define SW_PQ_FUNCTIONS(X)                                                                         \
    X(PQclear)                                                                                     \
    X(PQcmdTuples)                                                                                 \
    X(PQconnectdb)                                                                                 \
    X(PQerrorMessage)                                                                              \
    X(PQexec)                                                                                      \
    X(PQexecPrepared)                                                                              \
    X(PQfinish)                                                                                    \
    X(PQfreemem)                                                                                   \
    X(PQftype)                                                                                     \
    X(PQgetisnull)                                                                                 \
    X(PQgetlength)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQnfields)                                                                                   \
    X(PQntuples)                                                                                   \
    X(PQprepare)                                                                                   \
    X(PQreset)                                                                                     \
    X(PQresultErrorField)                                                                          \
    X(PQresultErrorMessage)                                                                        \
    X(PQresultStatus)                                                                              \
    X(PQsetNoticeProcessor)                                                                        \
    X(PQstatus)                                                                                    \
    X(PQunescapeBytea)

struct sw_pq_api {
#define SW_PQ_MEMBER(name) __typeof__(&name) name;
    SW_PQ_FUNCTIONS(SW_PQ_MEMBER)
#undef SW_PQ_MEMBER
};
extern struct sw_pq_api sw_pq_api;
/* SW_UNSUPPORTED where the library is missing. Once a process. */
SW_NODISCARD enum sw_code sw_pq_load(struct sw_error *err);
#define PQ(name) (sw_pq_api.name)

#endif
#endif
