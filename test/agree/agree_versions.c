/* Reads lines "a b" and prints -1, 0 or 1 for each. Usage: agree_versions dpkg|apk|rpm|semver */
#include <stdio.h>

#include "distro/version.h"

int main(int argc, char **argv) {
    char line[4096];
    int scheme = 0;
    for (int s = SW_VERSION_DPKG; argc == 2 && s <= SW_VERSION_SEMVER; s++)
        if (!strcmp(argv[1], sw_version_scheme_name((enum sw_version_scheme)s))) scheme = s;
    if (!scheme) return 2;
    while (fgets(line, sizeof line, stdin)) {
        struct sw_str a, b;
        sw_str_cut(sw_str_n(line, strcspn(line, "\n")), ' ', &a, &b);
        printf("%d\n", sw_version_cmp((enum sw_version_scheme)scheme, a, b));
    }
    return 0;
}
