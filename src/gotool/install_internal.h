/* What the files of an install share. Floor 5; private to gotool. */
#ifndef SW_GOTOOL_INSTALL_INTERNAL_H
#define SW_GOTOOL_INSTALL_INTERNAL_H

#include <pthread.h>

#include "gotool/install.h"
#include "gotool/unpack.h"

enum go_form { GO_FORM_ZIP, GO_FORM_TAR };

/* One place that an archive can come from. */
struct go_archive {
    enum go_form form;
    const char *url;                   /* NULL for a file */
    const char *path;                  /* of a local file; NULL for an address */
    const char *shown;                 /* "proxy https://..." */
    const struct sw_go_archive *index; /* the site's entry, where it was the source */
};

enum { GO_PROOFS_MAX = 4 };

/* One root that vouches for the files, or why it was not asked. */
struct go_proof {
    const char *by;     /* "sum.golang.org", "index", "user" */
    const char *hash;   /* what agreed; "" for a remark */
    const char *detail; /* "tree of 71999284 records, record 28865944" */
    bool holds;
    uint64_t tree_size, record;
};

struct install {
    const struct sw_go_install_options *o;
    struct sw_go_version version;
    const char *name; /* "go1.21.3" */
    struct sw_buf module_version;
    struct sw_arena *a;
    unsigned step;
    bool refused; /* an archive was: no other source is asked */
    bool replace; /* an installed one goes when the new one is verified */
    enum go_form form;
    struct sw_go_install_result *result;
    struct go_proof proofs[GO_PROOFS_MAX];
    unsigned n_proofs;
    const char *module_hash; /* of the unpacked files */
    const char *archive_sha256;
};

struct lookup {
    struct install *in;
    const char *off; /* why the database is not asked; NULL: it is */
    pthread_t thread;
    bool running;
    enum sw_code code;
    struct sw_error err;
    struct sw_go_sum sum;
};

/* Compares what was unpacked with every root that can be had. At least one must vouch for it,
 * unless the user has turned the database off; one that disagrees is SW_CORRUPT. */
enum sw_code go_verify(struct install *in, const struct go_archive *archive,
                       const struct sw_go_tree *tree, struct sw_go_fetch *fetch,
                       const struct lookup *lookup, struct sw_error *err);
void go_record_write(const struct install *in, const struct go_archive *archive,
                     const struct sw_go_tree *tree, struct sw_buf *to);
const char *go_proofs_text(const struct install *in);
enum sw_code go_install_form(const struct sw_go_install_options *o, const struct sw_go_version *v,
                             enum go_form form, struct sw_arena *a,
                             struct sw_go_install_result *ret, struct sw_error *err);

#endif
