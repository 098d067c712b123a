/* Stands in for libFuzzer where that is not: hands every file of the folders
 * it is given to the fuzzer, once. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proto/base/cleanup.h"
#include "tests/fuzz/fuzz.h"

static bool replay_file(const char *path)
{
        FILE *file = fopen(path, "re");
        uint8_t *bytes = NULL;
        size_t size = 0;

        if (!file)
                return false;
        for (;;) {
                uint8_t part[4096];
                size_t n = fread(part, 1, sizeof(part), file);

                if (!n)
                        break;
                bytes = realloc(bytes, size + n);
                if (!bytes)
                        abort();
                memcpy(bytes + size, part, n);
                size += n;
        }
        fclose(file);
        /* Exactly as large as its contents, so that ASan sees each byte too many. */
        (void)LLVMFuzzerTestOneInput(bytes ? bytes : (const uint8_t *)"", size);
        free(bytes);
        return true;
}

static int replay_folder(const char *path, unsigned *ret_n_files)
{
        DIR *folder = opendir(path);
        struct dirent *entry;
        unsigned n_files = 0;

        if (!folder)
                return -errno;
        while ((entry = readdir(folder))) {
                char file[4096];

                if (entry->d_name[0] == '.')
                        continue;
                (void)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
                if (!replay_file(file))
                        fprintf(stderr, "%s: %s\n", file, strerror(errno));
                else
                        n_files++;
        }
        closedir(folder);
        *ret_n_files = n_files;
        return 0;
}

int main(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                unsigned n_files = 0;
                int r = replay_folder(argv[i], &n_files);

                if (r < 0 || !n_files) {
                        fprintf(stderr, "%s: %s\n", argv[i], r < 0 ? strerror(-r) : "holds no file");
                        return EXIT_FAILURE;
                }
                printf("%s: %u files\n", argv[i], n_files);
        }
        return EXIT_SUCCESS;
}
