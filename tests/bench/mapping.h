/* Host mappings of any number of layers, always the same for the same number. */
#pragma once

#include <stddef.h>

#define LAYER_NAME_MAX 64

/* Writes the name of layer number n. */
void mapping_layer_name(size_t n, char name[LAYER_NAME_MAX]);

/* Fills FOLDER/config/mapping.d: for each layer two ranges of cuda, for every
 * fourth also rocm and cpu. */
void mapping_write(const char *folder, size_t n_layers);
