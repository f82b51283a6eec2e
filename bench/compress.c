/* Speed and size of compression, one core: ours against libdeflate, zlib and zstd.
 *
 * Usage: compress [-n ROUNDS] [FILE...]    (no file: generated inputs with fixed seeds)
 *
 * Every round runs every encoder over every 1 MiB block in turn, so that they meet the same
 * machine; times are the thread's processor time. One line of JSON for each input and encoder;
 * "speedup" and "size_ratio" are relative to libdeflate level 1.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libdeflate.h>
#include <zlib.h>

#include "base/mem.h"
#include "codec/gzip.h"
#include "codec/zstd.h"
#include "codec_inputs.h"

#define BLOCK SW_GZIP_BLOCK_SIZE
#define INPUT_MAX ((size_t)64 << 20)
#define ROUNDS_MAX 101

struct encoder {
    const char *name;
    size_t (*run)(void *state, const uint8_t *in, size_t len, uint8_t *out, size_t room);
    void *state;
    double seconds[ROUNDS_MAX];
    size_t size;
};

static size_t run_ours(void *state, const uint8_t *in, size_t len, uint8_t *out, size_t room) {
    struct sw_gzip_sum sum;
    return sw_gzip_block(state, in, len, out, room, &sum);
}

static size_t run_libdeflate(void *state, const uint8_t *in, size_t len, uint8_t *out,
                             size_t room) {
    return libdeflate_gzip_compress(state, in, len, out, room);
}

static size_t run_zlib(void *state, const uint8_t *in, size_t len, uint8_t *out, size_t room) {
    z_stream *z = state;
    deflateReset(z);
    z->next_in = (uint8_t *)(uintptr_t)in;
    z->avail_in = (uInt)len;
    z->next_out = out;
    z->avail_out = (uInt)room;
    if (deflate(z, Z_FINISH) != Z_STREAM_END) abort();
    return room - z->avail_out;
}

static size_t run_zstd(void *state, const uint8_t *in, size_t len, uint8_t *out, size_t room) {
    return sw_zstd_block(state, in, len, out, room);
}

static void *new_zlib(int level) {
    z_stream *z = sw_calloc(1, sizeof(*z));
    if (deflateInit2(z, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    return z;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, const uint8_t *in, size_t len, struct encoder *encoders,
                    size_t n, int rounds) {
    size_t room = 2 * BLOCK;
    uint8_t *out = sw_malloc(room);
    for (int round = 0; round < rounds; round++)
        for (size_t e = 0; e < n; e++) {
            double start = now();
            encoders[e].size = 0;
            for (size_t pos = 0; pos < len; pos += BLOCK) {
                size_t k = len - pos < BLOCK ? len - pos : BLOCK;
                encoders[e].size += encoders[e].run(encoders[e].state, in + pos, k, out, room);
            }
            encoders[e].seconds[round] = now() - start;
        }
    free(out);
    double base_seconds = 0, base_size = 1;
    for (size_t e = 0; e < n; e++) {
        qsort(encoders[e].seconds, (size_t)rounds, sizeof(double), by_value);
        if (strcmp(encoders[e].name, "libdeflate-1") != 0) continue;
        base_seconds = encoders[e].seconds[rounds / 2];
        base_size = (double)encoders[e].size;
    }
    for (size_t e = 0; e < n; e++) {
        const struct encoder *c = &encoders[e];
        double median = c->seconds[rounds / 2], p99 = c->seconds[(rounds - 1) * 99 / 100];
        printf("{\"name\": \"compress/%s/%s\", \"n\": %d, \"median\": %.6f, \"p99\": %.6f, "
               "\"bytes_per_second\": %.0f, \"input\": %zu, \"output\": %zu, "
               "\"speedup\": %.2f, \"size_ratio\": %.4f}\n",
               name, c->name, rounds, median, p99, (double)len / median, len, c->size,
               base_seconds / median, (double)c->size / base_size);
    }
}

static size_t read_file(const char *path, uint8_t *in) {
    FILE *f = fopen(path, "rbe");
    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    size_t len = fread(in, 1, INPUT_MAX, f);
    fclose(f);
    return len;
}

int main(int argc, char **argv) {
    static const char *const kinds[] = {"zeros", "noise", "text", "records", "counter", "mixed"};
    struct encoder encoders[] = {
        {.name = "slipway-1", .run = run_ours, .state = sw_deflate_new(1)},
        {.name = "slipway-6", .run = run_ours, .state = sw_deflate_new(6)},
        {.name = "libdeflate-1", .run = run_libdeflate, .state = libdeflate_alloc_compressor(1)},
        {.name = "libdeflate-6", .run = run_libdeflate, .state = libdeflate_alloc_compressor(6)},
        {.name = "zlib-1", .run = run_zlib, .state = new_zlib(1)},
        {.name = "zlib-6", .run = run_zlib, .state = new_zlib(6)},
        {.name = "zstd-3", .run = run_zstd, .state = sw_zstd_new(3)},
    };
    size_t n = sizeof(encoders) / sizeof(*encoders);
    int rounds = 5, arg = 1;
    if (argc > 2 && strcmp(argv[1], "-n") == 0) {
        rounds = atoi(argv[2]);
        arg = 3;
    }
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "-n: 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    uint8_t *in = sw_malloc(INPUT_MAX);
    if (arg == argc)
        for (int kind = 0; kind < INPUT_KINDS; kind++) {
            input_fill((enum input_kind)kind, in, (size_t)8 << 20, 42);
            measure(kinds[kind], in, (size_t)8 << 20, encoders, n, rounds);
        }
    for (; arg < argc; arg++) {
        const char *slash = strrchr(argv[arg], '/');
        size_t len = read_file(argv[arg], in);
        if (len) measure(slash ? slash + 1 : argv[arg], in, len, encoders, n, rounds);
    }
    free(in);
    return 0;
}
