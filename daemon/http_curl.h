/* libcurl, loaded when the first request is made: with the thirty libraries that it
 * needs it is a third of the memory of a daemon that has nothing to fetch. For
 * daemon/http*.c alone. */
#pragma once

#include <curl/curl.h>

#define HTTP_CURL_FUNCTIONS(F)                                                                       \
        F(global_init) F(global_cleanup) F(easy_init) F(easy_cleanup) F(easy_setopt) F(easy_getinfo) \
        F(easy_strerror) F(multi_init) F(multi_cleanup) F(multi_setopt) F(multi_add_handle)          \
        F(multi_remove_handle) F(multi_perform) F(multi_poll) F(multi_wakeup) F(multi_info_read)

typedef struct HttpCurl {
#define F(name) __typeof__(&curl_##name) name;
        HTTP_CURL_FUNCTIONS(F)
#undef F
} HttpCurl;

/* Its functions, once http_curl_load was good. */
extern HttpCurl http_curl;

/* In the file thread; once is enough. 0, or -ENOENT: the library is not there or
 * lacks a function. It stays loaded. */
int http_curl_load(void);
