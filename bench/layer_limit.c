/* How fast this machine can make a layer's blob at best: what bench/run measures builds against.
 *
 * Usage: layer_limit DIRECTORY OUTPUT
 *
 * Every file of the directory is read, hashed (SHA-256), compressed as a layer is by default,
 * hashed again and written, in independent blocks of 1 MiB on all processors that the process may
 * use; then the output is synced. Nothing of it waits for anything else: no order, no archive, no
 * cache, no second hash of the contents. The output is removed. Prints one line of JSON; the
 * seconds of the parts are processor time summed over the threads, but for "sync", which is wall
 * time.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/vec.h"
#include "codec/compress.h"
#include "codec/digest.h"

#define FLUSH_STEP ((uint64_t)8 << 20)

enum part { READ, HASH, COMPRESS, HASH_OUTPUT, WRITE, N_PARTS };
static const char *const part_names[] = {"read", "hash", "compress", "hash_output", "write"};

struct block {
    int fd;
    off_t offset;
    size_t len;
};

struct limit {
    SW_VEC(struct block) blocks;
    struct sw_compressor compressor;
    int out;
    atomic_size_t next;
    atomic_ullong written;
};

struct worker {
    struct limit *limit;
    pthread_t thread;
    double seconds[N_PARTS];
};

static double clock_s(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* Adds the time since *mark to a part and moves the mark. */
static void account(struct worker *w, enum part part, double *mark) {
    double now = clock_s(CLOCK_THREAD_CPUTIME_ID);
    w->seconds[part] += now - *mark;
    *mark = now;
}

static void *work(void *argument) {
    struct worker *w = argument;
    struct limit *l = w->limit;
    struct sw_compress_worker *c = sw_compress_worker_new(&l->compressor);
    size_t bound = sw_compress_bound(&l->compressor, l->compressor.block_size);
    uint8_t *in = sw_malloc(l->compressor.block_size), *out = sw_malloc(bound);
    struct sw_hasher input, output;
    sw_hasher_init(&input, SW_SHA256);
    sw_hasher_init(&output, SW_SHA256);
    for (;;) {
        size_t i = atomic_fetch_add(&l->next, 1);
        if (i >= l->blocks.len) break;
        const struct block *b = &l->blocks.ptr[i];
        double mark = clock_s(CLOCK_THREAD_CPUTIME_ID);
        if (pread(b->fd, in, b->len, b->offset) != (ssize_t)b->len) die("read");
        account(w, READ, &mark);
        sw_hasher_add(&input, in, b->len);
        account(w, HASH, &mark);
        size_t n = sw_compress_block(c, in, b->len, out, bound).len;
        account(w, COMPRESS, &mark);
        sw_hasher_add(&output, out, n);
        account(w, HASH_OUTPUT, &mark);
        uint64_t at = atomic_fetch_add(&l->written, n);
        if (pwrite(l->out, out, n, (off_t)at) != (ssize_t)n) die("write");
        if (at / FLUSH_STEP != (at + n) / FLUSH_STEP && at >= FLUSH_STEP)
            sync_file_range(l->out, (off_t)(at - FLUSH_STEP), FLUSH_STEP, SYNC_FILE_RANGE_WRITE);
        account(w, WRITE, &mark);
    }
    (void)sw_hasher_finish(&input);
    (void)sw_hasher_finish(&output);
    sw_compress_worker_free(c);
    free(in);
    free(out);
    return NULL;
}

static uint64_t list_blocks(struct limit *l, const char *dir) {
    uint64_t total = 0;
    DIR *d = opendir(dir);
    if (!d) die(dir);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0) die(e->d_name);
        if (!S_ISREG(st.st_mode)) {
            close(fd);
            continue;
        }
        size_t block = l->compressor.block_size;
        for (off_t at = 0; at < st.st_size; at += (off_t)block) {
            size_t left = (size_t)(st.st_size - at);
            sw_vec_add(&l->blocks, ((struct block){fd, at, left < block ? left : block}));
        }
        total += (uint64_t)st.st_size;
    }
    closedir(d);
    return total;
}

int main(int argc, char **argv) {
    struct limit l = {0};
    struct sw_error err;
    struct rusage usage;
    if (argc != 3) {
        fprintf(stderr, "usage: layer_limit DIRECTORY OUTPUT\n");
        return 2;
    }
    if (sw_compressor_init(&l.compressor, SW_COMPRESS_GZIP, SW_COMPRESS_LEVEL_DEFAULT, &err))
        abort();
    l.out = open(argv[2], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (l.out < 0) die(argv[2]);
    unsigned n_threads = sw_cpu_count();
    struct worker *workers = sw_calloc(n_threads, sizeof *workers);
    double start = clock_s(CLOCK_MONOTONIC);
    uint64_t total = list_blocks(&l, argv[1]);
    for (unsigned i = 0; i < n_threads; i++) {
        workers[i].limit = &l;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) abort();
    }
    for (unsigned i = 0; i < n_threads; i++) pthread_join(workers[i].thread, NULL);
    double synced = clock_s(CLOCK_MONOTONIC);
    if (fdatasync(l.out) < 0) die("sync");
    double end = clock_s(CLOCK_MONOTONIC);
    unlink(argv[2]);
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"name\": \"layer_limit\", \"threads\": %u, \"bytes\": %llu, \"output\": %llu, "
           "\"wall_s\": %.4f, \"cpu_s\": %.4f, \"sync_s\": %.4f",
           n_threads, (unsigned long long)total, (unsigned long long)l.written, end - start,
           (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6,
           end - synced);
    for (int part = 0; part < N_PARTS; part++) {
        double sum = 0;
        for (unsigned i = 0; i < n_threads; i++) sum += workers[i].seconds[part];
        printf(", \"%s_s\": %.4f", part_names[part], sum);
    }
    printf("}\n");
    return 0;
}
