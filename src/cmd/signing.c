#include "cmd/signing.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"

#define KEY_FILE_MAX 65536

static enum sw_code read_key_file(const char *path, bool secret, struct sw_buf *to,
                                  struct sw_error *err) {
    struct stat st;
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_RDONLY, 0, &fd, err);
    if (code) return code;
    if (secret && fstat(fd, &st) == 0 && (st.st_mode & (S_IROTH | S_IWOTH))) {
        sw_fail(err, SW_DENIED, "%s: everybody may read this signing key", path);
        return sw_advise(err, "; chmod 600 it");
    }
    return sw_read_fd(fd, KEY_FILE_MAX, to, err);
}

enum sw_code signing_key_read(const char *path, struct sw_key **ret, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, KEY_FILE_MAX);
    enum sw_code code = read_key_file(path, true, &text, err);
    if (code) return code;
    code = sw_key_private_from_pem(sw_buf_str(&text), ret, err);
    explicit_bzero(text.ptr, text.len);
    return code ? sw_context(err, "%s", path) : SW_OK;
}

enum sw_code signing_public_read(const char *path, struct sw_key **ret, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, KEY_FILE_MAX);
    enum sw_code code = read_key_file(path, false, &text, err);
    if (code) return code;
    code = sw_key_from_pem(sw_buf_str(&text), ret, err);
    return code ? sw_context(err, "%s", path) : SW_OK;
}

enum sw_code signing_seal(struct sw_arena *a, const char *key_path, const char *predicate_type,
                          const struct sw_statement_subject *subjects, size_t n_subjects,
                          struct sw_str predicate, struct sw_str *ret, struct sw_error *err) {
    SIGNING_KEY struct sw_key *key = NULL;
    struct sw_str statement;
    enum sw_code code = signing_key_read(key_path, &key, err);
    if (!code)
        code =
            sw_statement_write(a, predicate_type, subjects, n_subjects, predicate, &statement, err);
    return code ? code : sw_dsse_seal(a, SW_STR(SW_MT_STATEMENT), statement, key, ret, err);
}

enum sw_code signing_check(struct sw_arena *a, const char *key_path, const char *envelope_path,
                           const char *predicate_type, const struct sw_digest *digest,
                           struct sw_error *err) {
    SIGNING_KEY struct sw_key *key = NULL;
    SW_BUF struct sw_buf envelope;
    struct sw_statement s = {0};
    sw_buf_init(&envelope, 0);
    enum sw_code code = signing_public_read(key_path, &key, err);
    if (code) return code;
    code = sw_read_file_at(AT_FDCWD, envelope_path, SW_ATTEST_BYTES_MAX, &envelope, err);
    if (!code) code = sw_dsse_open(a, sw_arena_str(a, sw_buf_str(&envelope)), &key, 1, &s, err);
    if (code) return sw_context(err, "%s", envelope_path);
    if (!sw_str_is(s.predicate_type, predicate_type))
        return sw_fail(err, SW_DENIED, "%s: it signs a %.*s, not a %s", envelope_path,
                       SW_ARG(s.predicate_type), predicate_type);
    if (!sw_statement_is_about(&s, digest))
        return sw_fail(err, SW_DENIED, "%s: the signature is of other bytes", envelope_path);
    return SW_OK;
}
