/* A file that is replaced as a whole: first made beside the old one and brought
 * to the disk, then put in its place. Store thread only. */
#pragma once

#include <stddef.h>

#include "proto/base/text.h"

/* Writes `name`.new in the folder and syncs it. 0; negative errno. */
int store_file_prepare(int folder_fd, const char *name, Text bytes);

/* Puts it in place and syncs the folder. 0; negative errno. */
int store_file_place(int folder_fd, const char *name);
