#define OLD_KERNEL 1
#include "test_base_fs.c"
