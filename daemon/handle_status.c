#include <inttypes.h>
#include <unistd.h>

#include "daemon/acquire.h"
#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/holdings.h"
#include "daemon/hub.h"
#include "daemon/state.h"
#include "kernels/host_mapping.h"
#include "proto/base/error.h"
#include "proto/codec.h"

/* Leases shown of one client; n_leases says how many there are. */
#define CLIENT_LEASES 64

/* Rows shown of what a client said that it uses; n_used says how many there are. */
#define CLIENT_USED 64

/* A page of clients ends before it has more: what a frame takes, less a row. */
#define PAGE_BYTES (LIMIT_MESSAGE_OUT / 2)

/* What one of a client's leases takes beside its texts. More than its keys do,
 * so that a page has its end before it has LIMIT_ITEMS values, 11 a lease. */
#define LEASE_BYTES 96

/* The same of a row of what it uses, 15 values. */
#define USED_BYTES 144

/* --- status --- */

/* Those of the mapping files, and behind them those of the environments. */
static int status_of_faults(const Daemon *daemon, Arena *arena, MsgStatusResult *result)
{
        const HostMapping *mapping = daemon->mapping;
        size_t n_environment, n;
        const MsgMappingFault *environment = environment_loader_faults(daemon->environment_loader, &n_environment);

        n = mapping->n_faults + n_environment;
        result->mapping_ok = n == 0;
        result->mapping_faults.items = arena_zeroed(arena, n, sizeof(*result->mapping_faults.items));
        if (!result->mapping_faults.items)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < n && i < LIMIT_MAPPING_FAULTS; i++)
                result->mapping_faults.items[result->mapping_faults.n++] =
                        i < mapping->n_faults ? mapping->faults[i] : environment[i - mapping->n_faults];
        return 0;
}

static void status_of_mapping(const HostMapping *mapping, MsgStatusResult *result)
{
        result->generation = (int64_t)mapping->generation;
        result->layers = (int64_t)mapping->index.header->n_layers;
        result->index_bytes = (int64_t)mapping->block_size;
}

static void status_of_sessions(const Daemon *daemon, const Session *session, MsgStatusResult *result)
{
        SessionTotals totals;

        sessions_totals(daemon->sessions, &totals);
        result->sessions = (int64_t)totals.n_sessions;
        result->requests = (int64_t)totals.n_requests;
        result->refused = (int64_t)totals.n_refused;
        result->views = (int64_t)daemon->n_views;
        result->entries = (int64_t)accounts_total(daemon->accounts, ACCOUNT_ENTRIES);
        result->leases = (int64_t)daemon->n_leases;
        result->leases_unlocked = (int64_t)lease_locks_n_waiting(daemon->locks);
        result->acquires = (int64_t)acquires_n_waiting(daemon->acquires);
        result->queued_bytes = (int64_t)(accounts_total(daemon->accounts, ACCOUNT_BYTES) - session_input_bytes(session));
}

static void status_of_state(const State *state, MsgStatusResult *result)
{
        const StoreHealth *health = state_health(state);

        result->state_ok = health->good;
        if (health->message[0])
                result->state_message = text_of(health->message);
}

static void status_of_hub(const Hub *hub, MsgStatusResult *result)
{
        const Config *config = hub->daemon->config;
        const char *warning = hub->cache ? cache_warning(hub->cache) : hub->cache_message[0] ? hub->cache_message : NULL;

        result->hub = text_of(config->hub_endpoint);
        result->offline = config->offline;
        result->kernels = (int64_t)catalog_n_kernels(hub->catalog);
        result->fetches = (int64_t)fetches_n_running(hub->fetches);
        if (hub->message[0])
                result->hub_message = text_of(hub->message);
        if (config->cache_dir)
                result->cache = text_of(config->cache_dir);
        if (warning)
                result->cache_message = text_of(warning);
}

int handle_status(Request *request)
{
        Daemon *daemon = request->daemon;
        MsgStatusResult *result = request->result;
        int r;

        result->daemon = TEXT("kernelsd " KERNELSD_VERSION);
        result->uid = (int64_t)geteuid();
        result->system = daemon->config->system;
        result->instance = text_of(daemon->instance);
        result->uptime_s = (int64_t)((loop_now_ms(&daemon->loop) - daemon->started_ms) / 1000);
        status_of_mapping(daemon->mapping, result);
        status_of_state(daemon->state, result);
        status_of_sessions(daemon, request->session, result);
        status_of_hub(daemon->hub, result);
        result->absent.items = daemon->features.absent;
        result->absent.n = daemon->features.n_absent;
        r = status_of_faults(daemon, request->arena, result);
        return r < 0 ? r : REQUEST_DONE;
}

/* --- pages --- */

static int page_limit(const MsgPage *page, size_t *ret_limit, Fault *fault)
{
        int64_t limit = page->limit.present ? page->limit.value : LIMIT_PAGE;

        if (limit < 1)
                return fault_set(fault, FAULT_BAD_REQUEST, "limit: at least 1, not %" PRId64, limit);
        *ret_limit = (size_t)(limit < LIMIT_PAGE ? limit : LIMIT_PAGE);
        return 0;
}

/* --- clients --- */

static int client_set_leases(const Holdings *holdings, Arena *arena, MsgClient *client, size_t *ret_size)
{
        size_t n = holdings->n_leases < CLIENT_LEASES ? holdings->n_leases : CLIENT_LEASES;
        const Lease *lease = holdings->leases;

        client->leases.items = arena_zeroed(arena, n, sizeof(*client->leases.items));
        if (!client->leases.items)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < n; i++, lease = lease->next) {
                client->leases.items[i] = (MsgClientLease){
                        .lease = lease->number,
                        .layer = lease->layer,
                        .kernel = lease->kernel,
                        .commit = lease->commit,
                        .variant = lease->variant,
                };
                *ret_size += lease->layer.size + lease->kernel.size + lease->commit.size + lease->variant.size + LEASE_BYTES;
        }
        client->leases.n = n;
        client->n_leases = (int64_t)holdings->n_leases;
        return 0;
}

static int client_set_used(const Reports *reports, Arena *arena, MsgClient *client, size_t *ret_size)
{
        const Report *report = reports->newest;

        client->used.items = arena_zeroed(arena, CLIENT_USED, sizeof(*client->used.items));
        if (!client->used.items)
                return error_trace(-ENOMEM);
        for (; report && client->used.n < CLIENT_USED; report = report->older) {
                client->used.items[client->used.n++] = report->used;
                *ret_size += report->size - sizeof(*report) + USED_BYTES;
        }
        client->n_used = (int64_t)reports->table.n;
        return 0;
}

/* A row, and about how many bytes it takes. */
static int client_describe(const Daemon *daemon, const Session *session, Arena *arena, MsgClient *client,
                           size_t *ret_size)
{
        const Holdings *holdings = session->holdings;
        int r;

        *client = (MsgClient){
                .session = session->number,
                .pid = session->identity.pid,
                .uid = session->identity.uid,
                .admin = session->admin,
                .client = text_of(holdings->client),
                .age_s = (int64_t)((loop_now_ms(&daemon->loop) - session->opened_ms) / 1000),
                .requests = (int64_t)session->n_requests,
                .views = (int64_t)holdings_n_views(holdings),
                .entries = (int64_t)holdings_n_entries(holdings),
                .environment = holdings->environment->present ? &holdings->environment->message : NULL,
        };
        *ret_size = sizeof(Environment) + LIMIT_WORD + 256;
        r = client_set_leases(holdings, arena, client, ret_size);
        return r < 0 ? r : client_set_used(&holdings->reports, arena, client, ret_size);
}

int handle_clients(Request *request)
{
        const MsgPage *page = request->params;
        MsgClientsResult *result = request->result;
        int64_t after = page->after.present ? page->after.value : 0;
        size_t limit = 0, size = 0, more;
        int r;

        r = page_limit(page, &limit, &request->fault);
        if (r != 0)
                return r;
        if (after < 0 || after > UINT32_MAX)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "after: the `next` of a page before");
        result->clients.items = arena_zeroed(request->arena, limit, sizeof(*result->clients.items));
        if (!result->clients.items)
                return error_trace(-ENOMEM);
        for (Session *session = sessions_after(request->daemon->sessions, (uint32_t)after); session;
             session = session->next) {
                if (session->closing ||
                    (!request->session->admin && session->identity.uid != request->session->identity.uid))
                        continue;
                if (result->clients.n == limit || size > PAGE_BYTES) {
                        result->next = INTEGER_PRESENT(result->clients.items[result->clients.n - 1].session);
                        break;
                }
                r = client_describe(request->daemon, session, request->arena, &result->clients.items[result->clients.n++],
                                    &more);
                if (r < 0)
                        return r;
                size += more;
        }
        return REQUEST_DONE;
}

/* --- mapping.list --- */

/* 0: it fits into a frame, or cannot be answered anyhow, of which answer_result
 * tells; 1: it does not fit. */
static int page_measure(const MsgMappingListResult *result)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        const char *missing;
        int r;

        r = codec_encode_naming(&schema_MappingListResult, result, false, &buffer, &missing);
        if (missing)
                return 0;
        return r < 0 ? r : buffer.size > LIMIT_MESSAGE_OUT - 64;
}

int handle_mapping_list(Request *request)
{
        const MsgPage *page = request->params;
        MsgMappingListResult *result = request->result;
        size_t limit = 0;
        int r;

        r = page_limit(page, &limit, &request->fault);
        if (r != 0)
                return r;
        do {
                r = host_mapping_list(request->daemon->mapping, page->after, limit, request->arena, result, &request->fault);
                if (r != 0)
                        return r;
                r = page_measure(result);
                limit /= 2;
        } while (r == 1 && limit);
        return r < 0 ? r : REQUEST_DONE;
}
