/* file:///path answered as a server would, so that callers need no second path for mirrors. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "net/http_internal.h"

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The decoded path of file:///x, file://localhost/x or file:/x; false for another host. */
static bool file_path(struct sw_str url, struct sw_buf *path) {
    struct sw_str rest = sw_str_from(url, 5);
    if (sw_str_starts(rest, SW_STR("//"))) {
        rest = sw_str_from(rest, 2);
        if (sw_str_starts(rest, SW_STR("localhost/"))) rest = sw_str_from(rest, 9);
    }
    if (!sw_str_starts(rest, SW_STR("/"))) return false;
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        if (c == '?' || c == '#') break;
        if (c == '%' && i + 2 < rest.len && hex(rest.ptr[i + 1]) >= 0 &&
            hex(rest.ptr[i + 2]) >= 0) {
            c = (char)(hex(rest.ptr[i + 1]) << 4 | hex(rest.ptr[i + 2]));
            i += 2;
        }
        if (!c) return false;
        sw_buf_add_char(path, c);
    }
    return !path->overflow;
}

static enum sw_code deliver(const struct sw_http_request *q, struct sw_http_response *r, int fd,
                            uint64_t size, struct sw_error *err) {
    enum { PIECE = 256 << 10 };
    SW_FREE char *piece = sw_malloc(PIECE);
    uint64_t at = q->range_start, end = size;
    if (q->range_len && at + q->range_len < end) end = at + q->range_len;
    if (q->max_body && end - at > q->max_body)
        return sw_fail(err, SW_LIMIT, "larger than %llu bytes", (unsigned long long)q->max_body);
    while (at < end) {
        size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
        ssize_t n = pread(fd, piece, want, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sw_fail_sys(err, errno, "read");
        if (n == 0) return sw_fail(err, SW_CORRUPT, "the file became shorter");
        if (q->sink) {
            enum sw_code code = q->sink(q->sink_context, piece, (size_t)n, err);
            if (code) return code;
        } else {
            sw_buf_add_bytes(&r->body, piece, (size_t)n);
        }
        at += (uint64_t)n;
        if (q->progress) q->progress(q->progress_context, at, size);
        enum sw_code code = sw_cancel_check(err);
        if (code) return code;
    }
    r->body_size = at - q->range_start;
    return sw_buf_check(&r->body, "the file", err);
}

enum sw_code http_do_file(const struct sw_http_request *q, struct sw_http_response *r,
                          struct sw_error *err) {
    SW_BUF struct sw_buf path;
    sw_buf_init(&path, 4095);
    if (!(q->flags & SW_HTTP_ALLOW_FILE))
        return sw_fail(err, SW_DENIED, "%s: a file address is not accepted here", q->url);
    if (!http_method_is(q, "GET") && !http_method_is(q, "HEAD"))
        return sw_fail(err, SW_UNSUPPORTED, "%s %s: files are only read", q->method, q->url);
    if (!file_path(sw_str(q->url), &path))
        return sw_fail(err, SW_USAGE, "malformed file address: %s", q->url);
    r->tries = 1;
    r->url = sw_arena_str(&r->arena, sw_str(q->url));
    SW_FD int fd = open(path.ptr, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        r->status = 404;
        sw_buf_add_text(&r->body, "no such file");
        return SW_OK;
    }
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "open %s", path.ptr);
    if (!S_ISREG(st.st_mode)) {
        r->status = 404;
        sw_buf_add_text(&r->body, "not a file");
        return SW_OK;
    }
    uint64_t size = (uint64_t)st.st_size;
    r->total_size = size;
    if (q->range_start > size) {
        r->status = 416;
        return SW_OK;
    }
    r->status = q->range_start || q->range_len ? 206 : 200;
    if (http_method_is(q, "HEAD")) return SW_OK;
    enum sw_code code = deliver(q, r, fd, size, err);
    return code ? sw_context(err, "%s", q->url) : SW_OK;
}
