/* Reads CVSS vectors, one a line, and prints the score of each, "-" where there is none. */
#include <stdio.h>

#include "advisory/cvss.h"

int main(void) {
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        struct sw_cvss c;
        struct sw_error err;
        if (sw_cvss_score(sw_str_n(line, strcspn(line, "\n")), &c, &err))
            printf("-\n");
        else
            printf("%u.%u\n", c.score / 10, c.score % 10);
    }
    return 0;
}
