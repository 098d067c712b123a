/* The files of a digest case, laid out in a temporary folder. */
#pragma once

#include <jansson.h>

typedef struct CaseTree {
        char folder[64]; /* holds the variant folder and what lies outside of it */
        int variant_fd;  /* the variant folder, opened */
} CaseTree;

/* 0 or a negative errno; to be given to case_tree_remove either way. */
int case_tree_make(const json_t *one, CaseTree *ret_tree);
void case_tree_remove(CaseTree *tree);
