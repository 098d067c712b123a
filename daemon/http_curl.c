#include "daemon/http_curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#include "proto/base/error.h"

#define LIBRARY "libcurl.so.4" /* the name of its interface since 7.16 */

HttpCurl http_curl;

static const struct {
        const char *symbol;
        size_t offset;
} functions[] = {
#define F(name) { "curl_" #name, offsetof(HttpCurl, name) },
        HTTP_CURL_FUNCTIONS(F)
#undef F
};

int http_curl_load(void)
{
        void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

        if (!library)
                return error_trace(-ENOENT);
        for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
                void *function = dlsym(library, functions[i].symbol);

                if (!function)
                        return error_trace(-ENOENT);
                *(void **)((char *)&http_curl + functions[i].offset) = function;
        }
        return 0;
}
