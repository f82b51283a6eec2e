#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cmd/signing.h"
#include "cmd/table.h"

static const struct sw_option no_options[] = {{NULL}};

/* Never over a file that is there: a key that is lost cannot be made again. */
static enum sw_code write_new(const char *path, mode_t mode, struct sw_str text,
                              struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, mode, &fd, err);
    if (!code) code = sw_write_full(fd, text.ptr, text.len, err);
    if (!code && fsync(fd) != 0) code = sw_fail_sys(err, errno, "writing %s", path);
    return code;
}

static enum sw_code run_generate(struct sw_invocation *inv, struct sw_error *err) {
    SIGNING_KEY struct sw_key *key = NULL;
    uint8_t seed[SW_ED25519_SEED];
    const char *path = inv->args[0];
    const char *public_path = sw_arena_printf(inv->arena, "%s.pub", path).ptr;
    struct sw_str public;
    sw_random_bytes(seed, sizeof seed);
    struct sw_str secret = sw_key_seed_pem(inv->arena, seed);
    enum sw_code code = sw_key_from_seed(sw_str_n((char *)seed, sizeof seed), &key, err);
    explicit_bzero(seed, sizeof seed);
    if (!code) code = sw_key_public_pem(key, inv->arena, &public, err);
    if (!code) code = write_new(path, 0600, secret, err);
    explicit_bzero((char *)(uintptr_t)secret.ptr, secret.len);
    if (!code) code = write_new(public_path, 0644, public, err);
    if (!code) printf("%.*s\n", SW_ARG(sw_key_id(key)));
    return code;
}

const struct sw_command sw_cmd_key_generate = {
    .name = "key generate",
    .args = "FILE",
    .summary = "Make a key that signs: FILE, and its public half FILE.pub",
    .description = "An Ed25519 pair in PEM (PKCS #8), without a password: keep FILE where your "
                   "secrets are. Prints the key's id. Files that exist are not replaced. Keys of "
                   "other tools serve as well: `openssl genpkey -algorithm ed25519`, ECDSA, RSA.",
    .examples = "slipway key generate release.key",
    .options = no_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_generate,
};

static enum sw_code run_public(struct sw_invocation *inv, struct sw_error *err) {
    SIGNING_KEY struct sw_key *key = NULL;
    struct sw_str pem;
    struct sw_error ignored;
    enum sw_code code = SW_OK;
    if (signing_public_read(inv->args[0], &key, &ignored))
        code = signing_key_read(inv->args[0], &key, err);
    if (!code) code = sw_key_public_pem(key, inv->arena, &pem, err);
    if (code) return code;
    if (inv->format && !strcmp(inv->format, "id"))
        printf("%.*s\n", SW_ARG(sw_key_id(key)));
    else
        printf("%.*s", SW_ARG(pem));
    return SW_OK;
}

const struct sw_command sw_cmd_key_public = {
    .name = "key public",
    .args = "FILE",
    .summary = "Print the public half of a key in PEM",
    .description = "FILE is a private key, a public key or a certificate. --format id prints the "
                   "key's id instead: the SHA-256 of the public key, as signatures name it.",
    .examples = "slipway key public release.key",
    .options = no_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_public,
};
