#include "net/http_server_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/gnutls_api.h"

#define CHAIN_MAX 16              /* certificates in a chain */
#define PEM_MAX ((size_t)1 << 20) /* bytes of a certificate or key file */
#define RETIRED_KEPT_S                                                                             \
    ((int64_t)600) /* a handshake that began with an old pair has ended by then */

struct pair {
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned n_chain;
    gnutls_privkey_t key;
    struct timespec cert_time, key_time;
    struct pair *retired; /* the pair that this one replaced */
    int64_t retired_at_s;
};

struct sw_server_tls {
    char *cert_path, *key_path;
    struct pair *_Atomic current;
};

/* libmicrohttpd's certificate callback has no context argument, so the object that it serves is
 * the one thing here that a process has only once. */
static struct sw_server_tls *_Atomic serving;

static void pair_free(struct pair *p) {
    if (!p) return;
    for (unsigned i = 0; i < p->n_chain; i++) gnutls_pcert_deinit(&p->chain[i]);
    if (p->key) gnutls_privkey_deinit(p->key);
    free(p);
}

static enum sw_code read_pem(const char *path, struct sw_buf *to, struct timespec *ret_time,
                             struct sw_error *err) {
    struct stat st;
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_RDONLY, 0, &fd, err);
    if (code) return code;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "reading %s", path);
    *ret_time = st.st_mtim;
    return sw_read_fd(fd, PEM_MAX, to, err);
}

static enum sw_code pair_fill(struct pair *p, const struct sw_server_tls *t, struct sw_error *err) {
    struct sw_buf SW_BUF cert;
    struct sw_buf SW_BUF key;
    sw_buf_init(&cert, PEM_MAX);
    sw_buf_init(&key, PEM_MAX);
    enum sw_code code = read_pem(t->cert_path, &cert, &p->cert_time, err);
    if (!code) code = read_pem(t->key_path, &key, &p->key_time, err);
    if (code) return code;

    gnutls_datum_t pem = {(unsigned char *)cert.ptr, (unsigned)cert.len};
    unsigned n = CHAIN_MAX;
    int rc = gnutls_pcert_list_import_x509_raw(p->chain, &n, &pem, GNUTLS_X509_FMT_PEM, 0);
    if (rc < 0) return sw_fail(err, SW_SYNTAX, "%s: %s", t->cert_path, gnutls_strerror(rc));
    p->n_chain = n;
    if (n == 0) return sw_fail(err, SW_SYNTAX, "%s: no certificate in it", t->cert_path);
    pem = (gnutls_datum_t){(unsigned char *)key.ptr, (unsigned)key.len};
    rc = gnutls_privkey_init(&p->key);
    if (rc >= 0) rc = gnutls_privkey_import_x509_raw(p->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    explicit_bzero(key.ptr, key.len);
    if (rc < 0) return sw_fail(err, SW_SYNTAX, "%s: %s", t->key_path, gnutls_strerror(rc));

    /* A certificate renewed before its key (or the other way round) is a pair that no client would
     * accept: the old one serves until both are there. */
    gnutls_pubkey_t public;
    unsigned char a[64], b[64];
    size_t a_len = sizeof a, b_len = sizeof b;
    if (gnutls_pubkey_init(&public) < 0) return sw_fail(err, SW_IO, "making a public key");
    rc = gnutls_pubkey_import_privkey(public, p->key, 0, 0);
    if (rc >= 0) rc = gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, a, &a_len);
    if (rc >= 0)
        rc = gnutls_pubkey_get_key_id(p->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &b_len);
    gnutls_pubkey_deinit(public);
    if (rc < 0) return sw_fail(err, SW_SYNTAX, "%s: %s", t->key_path, gnutls_strerror(rc));
    if (a_len != b_len || memcmp(a, b, a_len) != 0)
        return sw_fail(err, SW_SYNTAX, "%s is not the key of %s", t->key_path, t->cert_path);
    return SW_OK;
}

static enum sw_code pair_load(const struct sw_server_tls *t, struct pair **ret,
                              struct sw_error *err) {
    struct pair *p = sw_calloc(1, sizeof *p);
    enum sw_code code = pair_fill(p, t, err);
    if (code) {
        pair_free(p);
        return code;
    }
    *ret = p;
    return SW_OK;
}

enum sw_code sw_server_tls_new(const char *cert, const char *key, struct sw_server_tls **ret,
                               struct sw_error *err) {
    struct pair *p = NULL;
    struct sw_server_tls *t = sw_calloc(1, sizeof *t);
    t->cert_path = sw_strdup(cert);
    t->key_path = sw_strdup(key);
    enum sw_code code = pair_load(t, &p, err);
    if (!code) {
        struct sw_server_tls *none = NULL;
        atomic_store(&t->current, p);
        if (!atomic_compare_exchange_strong(&serving, &none, t))
            code = sw_fail(err, SW_BUSY, "a process can run one server with TLS");
    }
    if (code) {
        pair_free(p);
        free(t->cert_path);
        free(t->key_path);
        free(t);
        return code;
    }
    *ret = t;
    return SW_OK;
}

void sw_server_tls_free(struct sw_server_tls *t) {
    struct sw_server_tls *mine = t;
    if (!t) return;
    atomic_compare_exchange_strong(&serving, &mine, NULL);
    for (struct pair *p = atomic_load(&t->current), *next; p; p = next) {
        next = p->retired;
        pair_free(p);
    }
    free(t->cert_path);
    free(t->key_path);
    free(t);
}

static bool changed(const char *path, struct timespec then) {
    struct stat st;
    if (stat(path, &st) < 0) return false; /* being replaced: looked at again later */
    return st.st_mtim.tv_sec != then.tv_sec || st.st_mtim.tv_nsec != then.tv_nsec;
}

void sw_server_tls_refresh(struct sw_server_tls *t, int64_t now_s) {
    struct pair *current = atomic_load(&t->current), *fresh = NULL;
    struct sw_error err;
    for (struct pair *p = current; p && p->retired; p = p->retired) {
        if (now_s - p->retired->retired_at_s <= RETIRED_KEPT_S) continue;
        for (struct pair *old = p->retired, *next; old; old = next) {
            next = old->retired;
            pair_free(old);
        }
        p->retired = NULL;
    }
    if (!changed(t->cert_path, current->cert_time) && !changed(t->key_path, current->key_time))
        return;
    if (pair_load(t, &fresh, &err)) {
        sw_warn("net", "the certificate changed but is not used: %s", err.text);
        return;
    }
    current->retired_at_s = now_s;
    fresh->retired = current;
    atomic_store(&t->current, fresh);
    sw_log("net", SW_LOG_INFO, "certificate %s read again", t->cert_path);
}

static int retrieve(gnutls_session_t session, const gnutls_datum_t *req_ca_dn, int nreqs,
                    const gnutls_pk_algorithm_t *pk_algos, int pk_algos_length,
                    gnutls_pcert_st **pcert, unsigned *pcert_length, gnutls_privkey_t *key) {
    struct sw_server_tls *t = atomic_load(&serving);
    if (!t) return -1;
    struct pair *p = atomic_load(&t->current);
    *pcert = p->chain;
    *pcert_length = p->n_chain;
    *key = p->key;
    return 0;
}

void *sw_server_tls_callback(void) {
    gnutls_certificate_retrieve_function2 *f = retrieve;
    void *p;
    memcpy(&p, &f, sizeof p); /* libmicrohttpd takes it through a variable argument */
    return p;
}
