/* Answers of resolve, explain and acquire, for people and as values. */
#pragma once

#include "client/kernelsd.h"

#define ANSWER_TEXT 4608 /* a repository and the path of its lock file */

/* "kernels-community/activation version 1", "/opt/kernels/x", "-"; returns the buffer. */
const char *answer_kernel(const kd_answer *answer, char buffer[ANSWER_TEXT]);

/* "75 to 89", "90 and up", "-" for none. */
const char *answer_range(int64_t min, int64_t max, char buffer[ANSWER_TEXT]);

/* As the protocol's map; NULL without memory. */
kd_value *answer_to_value(const kd_answer *answer);

/* The same as answer_kernel from a reference map of the protocol. */
const char *answer_kernel_of_value(const kd_value *reference, char buffer[ANSWER_TEXT]);
