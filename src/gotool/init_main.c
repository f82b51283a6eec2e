/* slipway-init: the small static program. */
#include "gotool/init.h"

int main(int argc, char **argv, char **envp) { return sw_go_init(argc, argv, envp, 0); }
