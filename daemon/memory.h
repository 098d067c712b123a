/* How the heap of this process behaves: small when idle, and given back after
 * a load of a large mapping. */
#pragma once

/* Before the first thread. */
void memory_tune(void);

/* After something large was freed. */
void memory_trim(void);
