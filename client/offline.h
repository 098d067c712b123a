/* Whether the environment variables of Hugging Face's libraries say that
 * nothing is to be asked of the Hub. */
#pragma once

#include <stdbool.h>

/* HF_HUB_OFFLINE, or where that is not set or empty TRANSFORMERS_OFFLINE, is 1,
 * ON, YES or TRUE in upper or lower case. A program with more rights than its
 * caller has does not ask them. */
bool offline_by_environment(void);
