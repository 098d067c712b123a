#include "client/kernelsctl/bytes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_freep(Bytes *bytes)
{
        free(bytes->data);
}

int bytes_append(Bytes *bytes, const char *data, size_t size)
{
        if (bytes->capacity - bytes->size < size) {
                size_t capacity = 2 * bytes->capacity + size;
                char *grown = realloc(bytes->data, capacity);

                if (!grown)
                        return -ENOMEM;
                bytes->data = grown;
                bytes->capacity = capacity;
        }
        if (size)
                memcpy(bytes->data + bytes->size, data, size);
        bytes->size += size;
        return 0;
}

/* All of a stream: 0, or negative. */
static int bytes_read(FILE *file, size_t most, Bytes *bytes)
{
        char block[65536];
        size_t n;

        while ((n = fread(block, 1, sizeof(block), file)) > 0) {
                if (n > most - bytes->size)
                        return -EFBIG;
                if (bytes_append(bytes, block, n) < 0)
                        return -ENOMEM;
        }
        return ferror(file) ? -EIO : 0;
}

int bytes_load(const char *path, size_t most, Bytes *bytes)
{
        bool standard = strcmp(path, "-") == 0;
        FILE *file = standard ? stdin : fopen(path, "re");
        int r = file ? bytes_read(file, most, bytes) : -errno;

        if (file && !standard)
                (void)fclose(file);
        if (r < 0)
                fprintf(stderr, "kernelsctl: %s cannot be read: %s\n", path, strerror(-r));
        return r < 0 ? 1 : 0;
}
