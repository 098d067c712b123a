#include "daemon/handlers.h"

/* Until fetching is there. */
static int refuse(Request *request)
{
        return fault_set(&request->fault, FAULT_OFFLINE, "kernelsd " KERNELSD_VERSION " fetches nothing from the Hub");
}

int handle_versions(Request *request)
{
        return refuse(request);
}

int handle_variants(Request *request)
{
        return refuse(request);
}

int handle_refresh(Request *request)
{
        return refuse(request);
}

int handle_prefetch(Request *request)
{
        return refuse(request);
}

int handle_environment_list(Request *request)
{
        return refuse(request);
}

int handle_cache_list(Request *request)
{
        return refuse(request);
}

int handle_cache_verify(Request *request)
{
        return refuse(request);
}
