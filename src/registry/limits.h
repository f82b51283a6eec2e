/* Every maximum of the registry, and why.
 *
 * Floor 5.
 */
#ifndef SW_REGISTRY_LIMITS_H
#define SW_REGISTRY_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* distribution-spec: a registry should take manifests of 4 MiB at least; it is also what clients
 * are ready to read. */
#define SW_REG_MANIFEST_MAX ((size_t)4 << 20)
/* Deep documents cost the reader stack; real indexes nest five levels. */
#define SW_REG_MANIFEST_DEPTH 32
/* Layers or manifests that one manifest names: thousands of times what tools make. */
#define SW_REG_REFS_MAX 4096
/* One blob, where the server is not told otherwise (--blob-max). */
#define SW_REG_BLOB_MAX ((uint64_t)64 << 30)
/* Tags of one PUT (?tag=a&tag=b), as the specification's main branch suggests at least 10. */
#define SW_REG_PUT_TAGS_MAX 32
/* Entries of one page of tags, catalog or the management interface. */
#define SW_REG_PAGE_MAX 10000
#define SW_REG_PAGE_DEFAULT 1000
/* A response of /referrers/ is itself a manifest; the rest is on the next page. */
#define SW_REG_REFERRERS_BYTES ((size_t)3 << 20)
/* The longest path and query that are looked at. */
#define SW_REG_URL_MAX 8192
/* Bodies of the management interface and of POST /token. */
#define SW_REG_FORM_MAX ((size_t)64 << 10)
/* A token, with its base64; ours have about 500 bytes. */
#define SW_REG_TOKEN_MAX 8192
/* Scopes in one token request, as docker asks for one or two. */
#define SW_REG_SCOPES_MAX 32
/* bcrypt reads no more than 72 bytes of a password: longer ones are refused, not cut. */
#define SW_REG_PASSWORD_MAX 72
#define SW_REG_PASSWORD_MIN 8
#define SW_REG_ACCOUNT_MAX 128
/* Uploads open at once in one server: each may hold a descriptor. */
#define SW_REG_UPLOADS_MAX 1024
/* Buffers of 256 KiB that bytes wait in between a connection and the store: two for each of 48
 * uploads that really move, 24 MiB in all. */
#define SW_REG_INTAKE_BUFFERS 96
/* A body that is stored by the thread that received it. */
#define SW_REG_SMALL_BODY ((uint64_t)64 << 10)
/* Pieces of an upload to an S3 store: 5 MiB at least, 10,000 of them at most. */
#define SW_REG_S3_PART ((size_t)16 << 20)
#define SW_REG_S3_PARTS_MAX 10000
/* A document of a peer: OIDC keys, an answer of the S3 store. */
#define SW_REG_PEER_DOCUMENT_MAX ((size_t)1 << 20)
/* Tries of a webhook, a day in all with doubling pauses. */
#define SW_REG_HOOK_TRIES 12

#endif
