/* base/progress.h: what is said of the bytes of a part. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/progress.h"
#include "unit.h"

static void amount_says_what_is_known(void **unused) {
    (void)unused;
    static const struct {
        struct sw_progress_amount amount;
        const char *text;
    } cases[] = {
        {{.done = 500, .elapsed_ns = 1000000000}, "500B 500B/s"},
        {{.done = 12300000, .total = 40000000, .elapsed_ns = 2000000000},
         "12.30MB / 40.00MB 30% 6.15MB/s"},
        {{.done = 40000000, .total = 40000000, .elapsed_ns = 4000000000},
         "40.00MB / 40.00MB 10.00MB/s"},
        {{.done = 39999999, .total = 40000000}, "40.00MB / 40.00MB 99%"},
        /* What was there already was not transferred. */
        {{.done = 30000000, .total = 40000000, .from = 20000000, .elapsed_ns = 1000000000},
         "30.00MB / 40.00MB 75% 10.00MB/s"},
        {{.done = 5, .total = 10, .from = 5, .elapsed_ns = 1000000000}, "5B / 10B 50%"},
        /* It began again from the start. */
        {{.done = 1, .total = 10, .from = 5, .elapsed_ns = 1000000000}, "1B / 10B 10%"},
        {{.done = 10, .total = 10, .elapsed_ns = 10}, "10B / 10B"},
        {{.done = 20, .total = 10}, "20B / 10B"},
        {{.done = UINT64_MAX, .total = UINT64_MAX, .elapsed_ns = INT64_MAX},
         "18446744.07TB / 18446744.07TB 2.00GB/s"},
        {{0}, "0B"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[SW_PROGRESS_AMOUNT_MAX];
        assert_string_equal(sw_progress_amount_text(&cases[i].amount, text), cases[i].text);
    }
}

/* A part that comes whole in its first report has no rate; the line says so by leaving it out. */
static void plain_names_part_and_amount(void **unused) {
    (void)unused;
    char text[512];
    int fd = memfd_create("progress", MFD_CLOEXEC);
    assert_true(fd >= 0);
    struct sw_progress *p = sw_progress_new(SW_PROGRESS_PLAIN, fd, false);
    unsigned step = sw_progress_step(p, SW_STR("push"));
    sw_progress_bytes(p, step, SW_STR("blob"), 2000, 2000);
    sw_progress_done(p, step);
    sw_progress_free(p);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    close(fd);
    assert_non_null(strstr(text, " blob 2.00kB / 2.00kB\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amount_says_what_is_known),
        cmocka_unit_test(plain_names_part_and_amount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
