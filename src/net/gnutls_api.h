/* GnuTLS, loaded by the commands that use it: it and what it needs cost 1.4 ms of every start.
 *
 * Floor 3. Thread-safe. Included in place of the library's own headers: its functions keep their
 * names, and are looked up when the first of them is called. A function that is missing from the
 * list below works too, but links the library into every start of the program again.
 */
#ifndef SW_NET_GNUTLS_API_H
#define SW_NET_GNUTLS_API_H

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define SW_GNUTLS_FUNCTIONS(X)                                                                     \
    X(gnutls_encode_rs_value)                                                                      \
    X(gnutls_pcert_deinit)                                                                         \
    X(gnutls_pcert_list_import_x509_raw)                                                           \
    X(gnutls_pk_algorithm_get_name)                                                                \
    X(gnutls_privkey_deinit)                                                                       \
    X(gnutls_privkey_import_x509)                                                                  \
    X(gnutls_privkey_import_x509_raw)                                                              \
    X(gnutls_privkey_init)                                                                         \
    X(gnutls_privkey_sign_data2)                                                                   \
    X(gnutls_pubkey_deinit)                                                                        \
    X(gnutls_pubkey_export2)                                                                       \
    X(gnutls_pubkey_export_ecc_raw)                                                                \
    X(gnutls_pubkey_get_key_id)                                                                    \
    X(gnutls_pubkey_get_pk_algorithm)                                                              \
    X(gnutls_pubkey_import)                                                                        \
    X(gnutls_pubkey_import_ecc_raw)                                                                \
    X(gnutls_pubkey_import_privkey)                                                                \
    X(gnutls_pubkey_import_rsa_raw)                                                                \
    X(gnutls_pubkey_import_x509_raw)                                                               \
    X(gnutls_pubkey_init)                                                                          \
    X(gnutls_pubkey_verify_data2)                                                                  \
    X(gnutls_strerror)                                                                             \
    X(gnutls_x509_privkey_deinit)                                                                  \
    X(gnutls_x509_privkey_import2)                                                                 \
    X(gnutls_x509_privkey_init)

struct sw_gnutls_api {
#define SW_GNUTLS_MEMBER(function) __typeof__(&function) function##_p;
    SW_GNUTLS_FUNCTIONS(SW_GNUTLS_MEMBER)
#undef SW_GNUTLS_MEMBER
    gnutls_free_function *gnutls_free_p;
};

/* Loads the library once. Without it nothing that needs it can go on: the program ends with a
 * message. */
const struct sw_gnutls_api *sw_gnutls(void);

#if !defined(SW_LAZY_LOADER) && !defined(SW_LIBRARIES_LINKED)
#define gnutls_encode_rs_value (*sw_gnutls()->gnutls_encode_rs_value_p)
#define gnutls_pcert_deinit (*sw_gnutls()->gnutls_pcert_deinit_p)
#define gnutls_pcert_list_import_x509_raw (*sw_gnutls()->gnutls_pcert_list_import_x509_raw_p)
#define gnutls_pk_algorithm_get_name (*sw_gnutls()->gnutls_pk_algorithm_get_name_p)
#define gnutls_privkey_deinit (*sw_gnutls()->gnutls_privkey_deinit_p)
#define gnutls_privkey_import_x509 (*sw_gnutls()->gnutls_privkey_import_x509_p)
#define gnutls_privkey_import_x509_raw (*sw_gnutls()->gnutls_privkey_import_x509_raw_p)
#define gnutls_privkey_init (*sw_gnutls()->gnutls_privkey_init_p)
#define gnutls_privkey_sign_data2 (*sw_gnutls()->gnutls_privkey_sign_data2_p)
#define gnutls_pubkey_deinit (*sw_gnutls()->gnutls_pubkey_deinit_p)
#define gnutls_pubkey_export2 (*sw_gnutls()->gnutls_pubkey_export2_p)
#define gnutls_pubkey_export_ecc_raw (*sw_gnutls()->gnutls_pubkey_export_ecc_raw_p)
#define gnutls_pubkey_get_key_id (*sw_gnutls()->gnutls_pubkey_get_key_id_p)
#define gnutls_pubkey_get_pk_algorithm (*sw_gnutls()->gnutls_pubkey_get_pk_algorithm_p)
#define gnutls_pubkey_import (*sw_gnutls()->gnutls_pubkey_import_p)
#define gnutls_pubkey_import_ecc_raw (*sw_gnutls()->gnutls_pubkey_import_ecc_raw_p)
#define gnutls_pubkey_import_privkey (*sw_gnutls()->gnutls_pubkey_import_privkey_p)
#define gnutls_pubkey_import_rsa_raw (*sw_gnutls()->gnutls_pubkey_import_rsa_raw_p)
#define gnutls_pubkey_import_x509_raw (*sw_gnutls()->gnutls_pubkey_import_x509_raw_p)
#define gnutls_pubkey_init (*sw_gnutls()->gnutls_pubkey_init_p)
#define gnutls_pubkey_verify_data2 (*sw_gnutls()->gnutls_pubkey_verify_data2_p)
#define gnutls_strerror (*sw_gnutls()->gnutls_strerror_p)
#define gnutls_x509_privkey_deinit (*sw_gnutls()->gnutls_x509_privkey_deinit_p)
#define gnutls_x509_privkey_import2 (*sw_gnutls()->gnutls_x509_privkey_import2_p)
#define gnutls_x509_privkey_init (*sw_gnutls()->gnutls_x509_privkey_init_p)
#define gnutls_free (*sw_gnutls()->gnutls_free_p)
#endif

#endif
