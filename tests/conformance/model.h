/* The lookup rules once more, as plainly as they can be written, over the
 * entries of a case. Nothing here is shared with the code under test. */
#pragma once

#include <jansson.h>

/* A copy of the case in which every query expects what the rules say when a
 * failed step changes nothing. Which steps fail the case itself says. */
json_t *model_resolve(const json_t *one);
