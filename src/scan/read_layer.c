/* One pass over a layer's archive: decompress, hash, take what matters, forget the rest. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "codec/compress.h"
#include "codec/tar_reader.h"
#include "scan/collect.h"
#include "scan/read.h"

enum { IN_SIZE = 256 << 10, OUT_SIZE = 256 << 10 };

/* The archive's bytes: read, decompressed and hashed. */
struct stream {
    int fd;
    uint64_t offset, left; /* of the blob */
    struct sw_decompressor *decompressor;
    struct sw_codec_io io;
    struct sw_hasher hasher;
    uint64_t bytes; /* that came out */
    uint8_t in[IN_SIZE], out[OUT_SIZE];
};

/* From a pipe: what is there, until its other end is closed. */
static enum sw_code fill_to_end(struct stream *s, struct sw_error *err) {
    ssize_t n;
    do n = read(s->fd, s->in, IN_SIZE);
    while (n < 0 && errno == EINTR);
    if (n < 0) return sw_fail_sys(err, errno, "reading the layer");
    s->io.in = s->in;
    s->io.in_len = (size_t)n;
    s->io.last = n == 0;
    return SW_OK;
}

static enum sw_code fill(struct stream *s, struct sw_error *err) {
    if (s->left == SW_SCAN_TO_END) return fill_to_end(s, err);
    size_t want = s->left < IN_SIZE ? (size_t)s->left : IN_SIZE;
    ssize_t n = sw_sys_pread(s->fd, s->in, want, (off_t)s->offset);
    if (n < 0) return sw_fail_sys(err, errno, "reading the layer");
    if (n == 0 && want) return sw_fail(err, SW_CORRUPT, "the layer is shorter than it should be");
    s->offset += (uint64_t)n;
    s->left -= (uint64_t)n;
    s->io.in = s->in;
    s->io.in_len = (size_t)n;
    s->io.last = s->left == 0;
    return SW_OK;
}

static enum sw_code next_chunk(void *context, struct sw_str *ret, struct sw_error *err) {
    struct stream *s = context;
    s->io.out = s->out;
    s->io.out_len = OUT_SIZE;
    enum sw_code code = sw_cancel_check(err);
    while (!code && s->io.out_len == OUT_SIZE && !s->io.done) {
        if (s->io.in_len == 0 && !s->io.last) code = fill(s, err);
        if (!code) code = sw_decompress(s->decompressor, &s->io, err);
    }
    if (code) return code;
    *ret = sw_str_n((const char *)s->out, OUT_SIZE - s->io.out_len);
    sw_hasher_add_str(&s->hasher, *ret);
    s->bytes += ret->len;
    return SW_OK;
}

static enum sw_code file_read(void *context, uint64_t offset, void *to, size_t len,
                              struct sw_error *err) {
    struct sw_scan_file *f = context;
    for (size_t done = 0; done < len;) {
        ssize_t n =
            sw_sys_pread(f->fd, (char *)to + done, len - done, (off_t)(f->offset + offset + done));
        if (n < 0) return sw_fail_sys(err, errno, "reading a file");
        if (n == 0) return sw_fail(err, SW_CORRUPT, "the file became shorter while it was read");
        done += (size_t)n;
    }
    return SW_OK;
}

struct sw_source sw_scan_file_source(struct sw_scan_file *file, uint64_t size) {
    return (struct sw_source){file_read, file, size};
}

/* What the entries of one archive share. */
struct pass {
    struct sw_collector *collector;
    struct sw_tar_reader *reader;
    struct sw_buf content; /* of the file at hand, while it is small enough */
    struct sw_buf scratch;
    const char *temp_dir;
    int spool; /* -1 until needed */
};

static enum sw_code open_spool(struct pass *p, struct sw_error *err) {
    if (p->spool < 0) {
        p->spool = open(p->temp_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (p->spool < 0) {
            /* File systems without O_TMPFILE: a name that is gone at once. */
            char *name = sw_asprintf("%s/scan.XXXXXX", p->temp_dir);
            p->spool = mkostemp(name, O_CLOEXEC);
            int saved = errno;
            if (p->spool >= 0) unlink(name);
            free(name);
            if (p->spool < 0) return sw_fail_sys(err, saved, "making a file in %s", p->temp_dir);
        }
    } else if (sw_sys_ftruncate(p->spool, 0) != 0) {
        return sw_fail_sys(err, errno, "emptying a file in %s", p->temp_dir);
    }
    return SW_OK;
}

static enum sw_code spool_rest(struct pass *p, uint64_t *size, struct sw_error *err) {
    struct sw_tar_piece piece;
    enum sw_code code = open_spool(p, err);
    if (!code && lseek(p->spool, 0, SEEK_SET) < 0) code = sw_fail_sys(err, errno, "seeking");
    if (!code) code = sw_write_full(p->spool, p->content.ptr, p->content.len, err);
    *size = p->content.len;
    while (!code) {
        code = sw_tar_read(p->reader, &piece, err);
        if (code || !piece.bytes.len) break;
        code = sw_write_full(p->spool, piece.bytes.ptr, piece.bytes.len, err);
        *size += piece.bytes.len;
    }
    return code;
}

/* Reads up to max bytes of the entry into p->content. */
static enum sw_code read_content(struct pass *p, size_t max, bool *ret_whole,
                                 struct sw_error *err) {
    struct sw_tar_piece piece;
    while (p->content.len <= max) {
        enum sw_code code = sw_tar_read(p->reader, &piece, err);
        if (code) return code;
        if (!piece.bytes.len) {
            *ret_whole = true;
            return SW_OK;
        }
        sw_buf_add(&p->content, piece.bytes);
    }
    *ret_whole = false;
    return sw_buf_check(&p->content, "a file of the layer", err);
}

static enum sw_code take_program(struct pass *p, struct sw_str path, struct sw_error *err) {
    bool whole = false;
    enum sw_code code = read_content(p, 16, &whole, err);
    if (code || !sw_object_sniff(p->content.ptr, p->content.len)) return code;
    if (!whole) code = read_content(p, SW_SCAN_MEMORY_FILE, &whole, err);
    if (code) return code;
    if (whole) {
        struct sw_str bytes = sw_buf_str(&p->content);
        struct sw_source source = sw_source_memory(&bytes);
        return sw_collect_program(p->collector, path, &source, err);
    }
    uint64_t size;
    code = spool_rest(p, &size, err);
    if (code) return code;
    struct sw_scan_file file = {p->spool, 0};
    struct sw_source source = sw_scan_file_source(&file, size);
    return sw_collect_program(p->collector, path, &source, err);
}

static enum sw_code take_file(struct pass *p, struct sw_str path, uint64_t size,
                              struct sw_error *err) {
    bool whole = false;
    enum sw_code code;
    sw_buf_reset(&p->content);
    switch (sw_collect_wants(path, size)) {
    case SW_COLLECT_NOTHING:
        return SW_OK;
    case SW_COLLECT_PROGRAM:
        return take_program(p, path, err);
    case SW_COLLECT_CONTENT:
        break;
    }
    if (size > SW_SCAN_DOCUMENT_MAX)
        return sw_collect_problem(p->collector, path, "larger than 256 MiB", err);
    code = read_content(p, SW_SCAN_DOCUMENT_MAX, &whole, err);
    return code ? code : sw_collect_content(p->collector, path, sw_buf_str(&p->content), err);
}

/* A whiteout: ".wh.NAME" removes NAME, ".wh..wh..opq" all that lower layers have in the directory
 * (OCI image specification, layer.md). */
static bool take_whiteout(struct pass *p, struct sw_str path) {
    size_t slash = sw_str_rfind_char(path, '/');
    struct sw_str dir = slash == SIZE_MAX ? SW_STR("") : sw_str_sub(path, 0, slash);
    struct sw_str name = slash == SIZE_MAX ? path : sw_str_from(path, slash + 1);
    if (!sw_str_starts(name, SW_STR(".wh."))) return false;
    if (sw_str_is(name, ".wh..wh..opq")) {
        sw_collect_opaque(p->collector, dir);
    } else if (!sw_str_starts(name, SW_STR(".wh..wh."))) {
        struct sw_buf whole;
        sw_buf_init(&whole, 0);
        sw_buf_add(&whole, sw_str_sub(path, 0, slash == SIZE_MAX ? 0 : slash + 1));
        sw_buf_add(&whole, sw_str_from(name, 4));
        sw_collect_whiteout(p->collector, sw_buf_str(&whole));
        sw_buf_done(&whole);
    }
    return true;
}

static enum sw_code take_entry(struct pass *p, const struct sw_tar_entry *entry,
                               struct sw_error *err) {
    struct sw_str path;
    enum sw_code code = sw_tar_clean_path(entry->path, &p->scratch, &path, err);
    if (code || path.len == 0) return code;
    if (take_whiteout(p, path)) return SW_OK;
    struct sw_buf kept; /* the scratch is used again below */
    sw_buf_init(&kept, 0);
    sw_buf_add(&kept, path);
    path = sw_buf_str(&kept);
    code = sw_collect_path(p->collector, path, entry->type == SW_TAR_DIR, err);
    if (!code && entry->type == SW_TAR_FILE) code = take_file(p, path, entry->size, err);
    if (!code && entry->type == SW_TAR_HARDLINK) {
        struct sw_str target;
        code = sw_tar_clean_path(entry->linkname, &p->scratch, &target, err);
        if (!code) code = sw_collect_link(p->collector, path, target, err);
    }
    if (code) sw_context(err, "%.*s", SW_ARG(path));
    sw_buf_done(&kept);
    return code;
}

static enum sw_code read_entries(struct pass *p, struct stream *s, struct sw_error *err) {
    const struct sw_tar_entry *entry = NULL;
    enum sw_code code;
    while (!(code = sw_tar_next(p->reader, &entry, err)) && entry)
        if ((code = take_entry(p, entry, err))) return code;
    /* What follows the archive's end belongs to the diff ID as well. */
    struct sw_str rest;
    while (!code && !(code = next_chunk(s, &rest, err)) && rest.len) continue;
    return code;
}

static enum sw_code run(struct pass *p, struct stream *s, struct sw_arena *a,
                        const struct sw_digest *diff_id, struct sw_scan_layer *ret,
                        struct sw_error *err) {
    struct sw_scan_layer layer;
    enum sw_code code = read_entries(p, s, err);
    if (!code) code = sw_collect_finish(p->collector, &layer, err);
    if (code) return code;
    layer.diff_id = sw_hasher_finish(&s->hasher);
    layer.bytes = s->bytes;
    if (sw_digest_is_set(diff_id) && !sw_digest_eq(diff_id, &layer.diff_id)) {
        char have[SW_DIGEST_TEXT_MAX];
        struct sw_str text = sw_digest_format(&layer.diff_id, have);
        return sw_fail(err, SW_CORRUPT, "the layer's content is %.*s, not what the image says",
                       SW_ARG(text));
    }
    (void)a;
    *ret = layer;
    return SW_OK;
}

enum sw_code sw_scan_read_layer(struct sw_arena *a, int fd, uint64_t offset, uint64_t size,
                                const struct sw_digest *diff_id, const char *temp_dir,
                                struct sw_scan_layer *ret, struct sw_error *err) {
    SW_FREE struct stream *s = sw_malloc(sizeof *s);
    s->fd = fd;
    s->offset = offset;
    s->left = size;
    s->io = (struct sw_codec_io){0};
    s->bytes = 0;
    s->decompressor = sw_decompressor_new(SW_SCAN_LAYER_BYTES_MAX);
    sw_hasher_init(&s->hasher,
                   sw_digest_is_set(diff_id) ? (enum sw_digest_alg)diff_id->alg : SW_SHA256);
    struct sw_tar_reader reader;
    struct sw_tar_source source = {next_chunk, s};
    sw_tar_reader_init(&reader, source, NULL);
    struct pass p = {
        .collector = sw_collector_new(a), .reader = &reader, .temp_dir = temp_dir, .spool = -1};
    sw_buf_init(&p.content, (size_t)SW_SCAN_DOCUMENT_MAX + OUT_SIZE);
    sw_buf_init(&p.scratch, 0);
    enum sw_code code = run(&p, s, a, diff_id, ret, err);
    sw_closep(&p.spool);
    sw_buf_done(&p.scratch);
    sw_buf_done(&p.content);
    sw_collector_free(p.collector);
    sw_tar_reader_done(&reader);
    sw_decompressor_free(s->decompressor);
    return code;
}
