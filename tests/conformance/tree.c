#include "tests/conformance/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/conformance/base64.h"
#include "tests/conformance/case.h"

#define BLOCK 65536

static int make_parents(int folder_fd, const char *path, bool itself)
{
        char *copy = strdup(path);
        int r = 0;

        for (char *at = copy + 1; r == 0 && *at; at++)
                if (*at == '/') {
                        *at = 0;
                        if (mkdirat(folder_fd, copy, 0755) < 0 && errno != EEXIST)
                                r = -errno;
                        *at = '/';
                }
        if (r == 0 && itself && mkdirat(folder_fd, copy, 0755) < 0 && errno != EEXIST)
                r = -errno;
        free(copy);
        return r;
}

static int write_all(int fd, const void *data, size_t size)
{
        while (size) {
                ssize_t n = write(fd, data, size);

                if (n < 0)
                        return -errno;
                data = (const char *)data + n;
                size -= (size_t)n;
        }
        return 0;
}

static int write_fill(int fd, const json_t *fill)
{
        json_int_t left = json_integer_value(json_object_get(fill, "count"));
        char block[BLOCK];
        int r = 0;

        memset(block, (int)json_integer_value(json_object_get(fill, "byte")), sizeof(block));
        for (; r == 0 && left > 0; left -= BLOCK)
                r = write_all(fd, block, left < BLOCK ? (size_t)left : BLOCK);
        return r;
}

static int write_file(int folder_fd, const char *path, const json_t *item)
{
        CLEANUP_FD int fd = openat(folder_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        const json_t *fill = json_object_get(item, "fill");
        uint8_t *data;
        size_t size = 0;
        int r;

        if (fd < 0)
                return -errno;
        if (json_is_object(fill))
                return write_fill(fd, fill);
        data = base64_decode(json_object_get(item, "content_b64"), &size);
        r = data ? write_all(fd, data, size) : -EINVAL;
        free(data);
        return r;
}

static int make_item(int folder_fd, const json_t *item)
{
        const char *path = case_text(item, "path"), *target = case_text_or_null(item, "symlink");
        int r = make_parents(folder_fd, path, json_is_true(json_object_get(item, "dir")));

        if (r < 0 || json_is_true(json_object_get(item, "dir")))
                return r;
        if (target)
                return symlinkat(target, folder_fd, path) < 0 ? -errno : 0;
        return write_file(folder_fd, path, item);
}

static int make_items(int folder_fd, const json_t *items)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < json_array_size(items); i++)
                r = make_item(folder_fd, json_array_get(items, i));
        return r;
}

int case_tree_make(const json_t *one, CaseTree *ret_tree)
{
        CLEANUP_FD int folder_fd = -1;
        int r;

        *ret_tree = (CaseTree){ .variant_fd = -1 };
        strcpy(ret_tree->folder, "/tmp/kernelsd-tree-XXXXXX");
        if (!mkdtemp(ret_tree->folder))
                return -errno;
        folder_fd = open(ret_tree->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder_fd < 0 || mkdirat(folder_fd, "variant", 0755) < 0)
                return -errno;
        ret_tree->variant_fd = openat(folder_fd, "variant", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (ret_tree->variant_fd < 0)
                return -errno;
        r = make_items(folder_fd, json_object_get(one, "outside"));
        return r ? r : make_items(ret_tree->variant_fd, json_object_get(one, "tree"));
}

void case_tree_remove(CaseTree *tree)
{
        char command[96];

        if (tree->variant_fd >= 0)
                (void)close(tree->variant_fd);
        snprintf(command, sizeof(command), "rm -rf '%s'", tree->folder);
        if (system(command) != 0)
                fprintf(stderr, "could not remove %s\n", tree->folder);
}
