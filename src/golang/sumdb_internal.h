/* What sumdb.c and sumdb_proof.c share. Floor 2; private to golang. */
#ifndef SW_GOLANG_SUMDB_INTERNAL_H
#define SW_GOLANG_SUMDB_INTERNAL_H

#include "golang/sumdb.h"

struct sw_sumdb_hash sumdb_hash_node(const struct sw_sumdb_hash *left,
                                     const struct sw_sumdb_hash *right);

#endif
