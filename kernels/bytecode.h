/* Python's bytecode, which Python writes beside a kernel's files when it loads
 * them: neither digest nor lock hash covers it. */
#pragma once

#include "proto/base/text.h"

/* Whether the path's name ends in .pyc (".pyc" alone too, unlike upstream), or
 * it lies under a __pycache__. */
bool bytecode_is(Text path);
