/* Package databases of every kind, os-release, and the orders of versions: a comparison must be
 * antisymmetric, and a text equal to itself. */
#include <stdlib.h>

#include "distro/package.h"
#include "distro/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_packages p;
    struct sw_os_release os;
    struct sw_str text = sw_str_n((const char *)data, size), x, y;
    sw_arena_init(&a, 64 << 20);
    (void)!sw_dpkg_parse(&a, text, &p, &err);
    (void)!sw_apk_parse(&a, text, &p, &err);
    (void)!sw_rpm_parse(&a, text, SW_STR(""), &p, &err);
    (void)!sw_rpm_parse(&a, sw_str_sub(text, 0, size / 2), sw_str_from(text, size / 2), &p, &err);
    sw_os_release_parse(&a, text, &os);
    sw_str_cut(text, '\n', &x, &y);
    for (int s = SW_VERSION_DPKG; s <= SW_VERSION_SEMVER; s++) {
        enum sw_version_scheme scheme = (enum sw_version_scheme)s;
        if (sw_version_cmp(scheme, x, y) != -sw_version_cmp(scheme, y, x)) abort();
        if (sw_version_cmp(scheme, x, x) != 0) abort();
        (void)sw_version_valid(scheme, x);
    }
    return 0;
}
