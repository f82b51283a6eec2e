/* References, platforms, digests and times: what is accepted is written and read back the same. */
#include <stdlib.h>

#include "codec/rfc3339.h"
#include "oci/image_layout.h"
#include "oci/platform.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reference(struct sw_arena *a, struct sw_str text) {
    struct sw_error err;
    struct sw_reference ref, again;
    if (!sw_reference_parse(a, text, &ref, &err)) {
        struct sw_str full = sw_reference_format(a, &ref),
                      familiar = sw_reference_familiar(a, &ref);
        if (sw_reference_parse(a, full, &again, &err) || !sw_reference_eq(&ref, &again)) abort();
        if (sw_reference_parse(a, familiar, &again, &err) || !sw_reference_eq(&ref, &again))
            abort();
        if (sw_reference_parse_exact(a, full, &again, &err) || !sw_reference_eq(&ref, &again))
            abort();
    }
    if (!sw_reference_parse_exact(a, text, &ref, &err)) {
        if (!sw_str_eq(sw_reference_format(a, &ref), text)) abort();
    }
}

static void check_platform(struct sw_arena *a, struct sw_str text) {
    struct sw_platform host = {.os = SW_STR("linux"), .architecture = SW_STR("amd64")}, p, again;
    struct sw_error err;
    if (sw_platform_parse(a, text, &host, &p, &err)) return;
    if (sw_platform_parse(a, sw_platform_format(a, &p), NULL, &again, &err)) abort();
    if (!sw_platform_eq(&p, &again)) abort();
    sw_platform_score(&host, &p);
    if (!sw_platform_score(&p, &p)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_digest d;
    char text[SW_DIGEST_TEXT_MAX], time[SW_RFC3339_MAX];
    int64_t sec, sec_again;
    uint32_t nsec, nsec_again;
    struct sw_str s = sw_str_n((const char *)data, size);
    sw_arena_init(&a, 0);
    check_reference(&a, s);
    check_platform(&a, s);
    if (!sw_digest_parse(s, &d, &err) && !sw_str_eq(sw_digest_format(&d, text), s)) abort();
    if (!sw_rfc3339_parse(s, &sec, &nsec, &err)) {
        struct sw_str written = sw_rfc3339_format(sec, nsec, time);
        if (sw_rfc3339_parse(written, &sec_again, &nsec_again, &err)) abort();
        /* An offset can lead out of the years that can be written. */
        bool inside = sec >= -62167219200 && sec <= 253402300799;
        if (inside && (sec != sec_again || nsec != nsec_again)) abort();
    }
    sw_layout_is_ref_name(s);
    return 0;
}
