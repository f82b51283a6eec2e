/* Files of URLs, for ADD and for contexts: fetched into the store's blobs, and asked for only once.
 *
 * Floor 5. Thread-safe.
 *
 * What a URL gave is remembered with its ETag and Last-Modified, so that the next build asks the
 * server whether it has changed. With a checksum that is known, nobody is asked.
 */
#ifndef SW_BUILD_FETCH_H
#define SW_BUILD_FETCH_H

#include "base/progress.h"
#include "build/source.h"
#include "net/http_client.h"

struct sw_fetch {
    struct sw_store *store;
    struct sw_http *http;
    struct sw_progress *progress; /* may be NULL */
    unsigned step;
};

struct sw_fetched {
    struct sw_digest digest; /* of the blob, sha256 */
    struct sw_str name;      /* last part of the URL's path; "__unnamed__" where it has none */
    struct sw_str path;      /* in the source of sw_source_blobs() */
    struct sw_node node;     /* a file, 0600, of the time that the server gave (else INT64_MAX) */
};

/* http:// and https://. */
bool sw_is_http_url(struct sw_str text);
/* checksum: "sha256:..." or "sha512:...", or empty: SW_CORRUPT where the file has another one.
 * refresh: the file is fetched in any case. Strings go to arena. */
SW_NODISCARD enum sw_code sw_fetch_file(const struct sw_fetch *f, struct sw_str url,
                                        struct sw_str checksum, bool refresh,
                                        struct sw_arena *arena, struct sw_fetched *ret,
                                        struct sw_error *err);
/* Blobs of the store as files; a path is the text of a digest. Owned: sw_source_free(). */
struct sw_source *sw_source_blobs(struct sw_store *store);

#endif
