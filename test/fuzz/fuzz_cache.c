/* Documents of caches that are taken along: what is accepted is written and read back the same. */
#include <stdlib.h>
#include <string.h>

#include "build/cache_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_step(const struct sw_cache_step *s) {
    if (!sw_digest_is_set(&s->key)) abort();
    if (memchr(s->compressor, 0, sizeof s->compressor) == NULL) abort();
    /* What has no layer of an image says everything itself. */
    if (!s->empty && s->layer == SW_CACHE_LAYER_NONE &&
        (s->blob.alg != SW_SHA256 || s->diff_id.alg != SW_SHA256 || !s->size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf first;
    SW_BUF struct sw_buf second;
    struct sw_cache_document d, again;
    struct sw_error err;
    sw_arena_init(&a, (size_t)64 << 20);
    sw_buf_init(&first, 0);
    sw_buf_init(&second, 0);
    if (sw_cache_document_parse(&a, sw_str_n((const char *)data, size), &d, &err)) return 0;
    for (size_t i = 0; i < d.n_steps; i++) check_step(&d.steps[i]);
    for (size_t i = 0; i < d.n_plans; i++)
        if (!d.plans[i].empty && !sw_digest_is_set(&d.plans[i].key)) abort();
    sw_cache_document_write(&first, &d);
    if (sw_cache_document_parse(&a, sw_buf_str(&first), &again, &err)) abort();
    if (again.n_steps != d.n_steps || again.n_plans != d.n_plans) abort();
    sw_cache_document_write(&second, &again);
    if (!sw_str_eq(sw_buf_str(&first), sw_buf_str(&second))) abort();
    return 0;
}
