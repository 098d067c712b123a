/* What people and programs see: texts in colour on a terminal, one JSON object
 * with `--json`, errors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/kernelsd.h"

/* Colours are used if stdout is a terminal and NO_COLOR is not set. */
typedef enum Colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_DIM, COLOUR_TITLE } Colour;

/* Turns control characters, and those that turn or hide a line, into '?', in place. */
void output_clean(char *text);

/* Prints text in a colour, control characters as '?'. */
void output_text(Colour colour, const char *text);

/* Prints the map as JSON, with "schema": "kernelsctl.<verb>.1" in it. The map
 * stays the caller's and gets that key. 0, or 1 (kernelsctl's exit status). */
int output_json(const char *verb, kd_value *map);

/* Prints the error on stderr, or with `json` as an object on stdout; returns
 * the exit status for it. */
int output_error(const char *verb, bool json, const kd_error *error);

/* The exit status of an error that stands in an answer, by its name. */
int output_status_of_name(const char *name);

/* Age in words: "5 s", "3 min", "2 h", "4 d". Returns buffer. */
const char *output_age(int64_t seconds, char *buffer, size_t size);
