#include <errno.h>
#include <inttypes.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/holdings.h"
#include "daemon/state.h"
#include "kernels/mapping_file.h"
#include "proto/base/error.h"
#include "proto/name.h"

/* Bytes of one page of mapping.dump: half of what a frame takes. */
#define DUMP_BYTES ((int64_t)LIMIT_MESSAGE_OUT / 2)

static int submit(Request *request, Change *change)
{
        state_submit(request->daemon->state, change);
        return REQUEST_LATER;
}

/* --- the stored mapping --- */

static int charge_bytes(const Request *request, Charge *charge, size_t size, Fault *fault)
{
        if (charge_set(charge, request->session->charge.account, ACCOUNT_BYTES, size) == 0)
                return 0;
        return fault_set(fault, FAULT_LIMIT, "the daemon holds too many bytes for you: send less at once, or have "
                         "quota.bytes raised");
}

int handle_mapping_store(Request *request)
{
        const MsgMappingBytes *params = request->params;
        CLEANUP(state_change_freep) Change *change = NULL;
        int r = state_change_new(request, STORE_MAPPING_ADD, &change, &request->fault);

        if (r != 0)
                return r;
        if (!params->bytes.size)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "bytes: a mapping file, which is never empty");
        r = charge_bytes(request, &change->charge, params->bytes.size, &request->fault);
        if (r == 0)
                r = buffer_append(&change->bytes, params->bytes.data, params->bytes.size);
        return r != 0 ? r : submit(request, STEAL(change));
}

static int remove_range(const MsgMappingRemove *params, StoreChange *store, Fault *fault)
{
        Device device;

        if (!params->device.data) {
                if (params->min_capability.present || params->max_capability.present)
                        return fault_set(fault, FAULT_INVALID_RANGE, "bounds go with a device: name it");
                return 0;
        }
        if (device_parse(params->device, &device, fault))
                return 1;
        store->device = text_of(device_spelling(device));
        store->has_range = params->min_capability.present || params->max_capability.present;
        return device_range(device, params->min_capability.present ? &params->min_capability.value : NULL,
                            params->max_capability.present ? &params->max_capability.value : NULL, &store->range, fault);
}

int handle_mapping_remove(Request *request)
{
        const MsgMappingRemove *params = request->params;
        CLEANUP(state_change_freep) Change *change = NULL;
        int r = state_change_new(request, STORE_MAPPING_REMOVE, &change, &request->fault);

        if (r == 0)
                r = name_check_layer(params->layer, &request->fault);
        if (r == 0)
                r = remove_range(params, &change->store, &request->fault);
        if (r == 0)
                r = arena_copy(&change->arena, params->layer, &change->store.layer);
        return r != 0 ? r : submit(request, STEAL(change));
}

/* One more part; after a fault it begins anew. */
static int upload_add(const Request *request, const MsgMappingPart *part, Upload *upload, Fault *fault)
{
        size_t size;
        int r;

        if (part->part == 0)
                upload_clear(upload);
        if (part->part != upload->n_parts)
                return fault_set(fault, FAULT_BAD_REQUEST, "part: %" PRId64 " is the next, not %" PRId64 "; or begin anew "
                                 "with 0", upload->n_parts, part->part);
        size = upload->bytes.size + part->bytes.size;
        if (size > LIMIT_MAPPING_FILE)
                return fault_set(fault, FAULT_TOO_LARGE, "a mapping file has at most %u bytes", LIMIT_MAPPING_FILE);
        r = charge_bytes(request, &upload->charge, size, fault);
        if (r == 0)
                r = buffer_append(&upload->bytes, part->bytes.data, part->bytes.size);
        upload->n_parts++;
        return r;
}

int handle_mapping_load(Request *request)
{
        const MsgMappingPart *part = request->params;
        MsgChangeResult *result = request->result;
        Upload *upload = &request->holdings->upload;
        CLEANUP(state_change_freep) Change *change = NULL;
        int r = upload_add(request, part, upload, &request->fault);

        if (r == 0 && !part->last) {
                result->generation = (int64_t)request->daemon->mapping->generation;
                return REQUEST_DONE;
        }
        if (r == 0 && !upload->bytes.size)
                r = fault_set(&request->fault, FAULT_BAD_REQUEST, "bytes: a mapping file, which is never empty");
        if (r == 0)
                r = state_change_new(request, STORE_MAPPING_REPLACE, &change, &request->fault);
        if (r != 0) {
                upload_clear(upload);
                return r;
        }
        change->bytes = upload->bytes;
        change->charge = upload->charge;
        *upload = (Upload){ 0 };
        return submit(request, STEAL(change));
}

static int page_start(const MsgPage *page, int64_t most, int64_t end, int64_t *ret_start, int64_t *ret_n, Fault *fault)
{
        int64_t start = page->after.present ? page->after.value : 0, n = page->limit.present ? page->limit.value : most;

        if (n < 1)
                return fault_set(fault, FAULT_BAD_REQUEST, "limit: at least 1, not %" PRId64, n);
        if (start < 0)
                return fault_set(fault, FAULT_BAD_REQUEST, "after: give back the next of the page before");
        n = n < most ? n : most;
        *ret_start = start < end ? start : end;
        *ret_n = n < end - *ret_start ? n : end - *ret_start;
        return 0;
}

int handle_mapping_dump(Request *request)
{
        const Stored *stored = state_stored(request->daemon->state);
        MsgMappingDumpResult *result = request->result;
        int64_t start = 0, n = 0, end = (int64_t)stored->text.size;
        int r = page_start(request->params, DUMP_BYTES, end, &start, &n, &request->fault);

        if (r != 0)
                return r;
        result->generation = (int64_t)stored->number;
        result->bytes = (Text){ (const char *)stored->text.data + start, (size_t)n };
        result->next = start + n < end ? INTEGER_PRESENT(start + n) : INTEGER_ABSENT;
        return REQUEST_DONE;
}

/* --- pins --- */

/* Which branch is meant; in the arena. */
static int pin_key(Text repo, OptionalInteger version, Text revision, Arena *arena, Pin *pin, Fault *fault)
{
        char buffer[PIN_REVISION];
        int r;

        if (version.present == !!revision.data)
                return fault_set(fault, FAULT_BAD_REQUEST, "exactly one of version and revision is needed");
        if (name_check_repository(repo, fault) || (version.present && name_check_version(version.value, fault)) ||
            (revision.data && name_check_revision(revision, fault)))
                return 1;
        if (revision.data && name_is_commit(revision))
                return fault_set(fault, FAULT_INVALID_NAME, "the revision is a commit, and needs no pin: name a branch or a "
                                 "tag");
        r = arena_copy(arena, repo, &pin->repo);
        return r ? r : arena_copy(arena, revision.data ? revision : pin_revision(version.value, buffer), &pin->revision);
}

int handle_pin_set(Request *request)
{
        const MsgPinSet *params = request->params;
        CLEANUP(state_change_freep) Change *change = NULL;
        int r = state_change_new(request, STORE_PIN_SET, &change, &request->fault);

        if (r == 0)
                r = pin_key(params->repo, params->version, params->revision, &change->arena, &change->store.pin,
                            &request->fault);
        if (r == 0 && !name_is_commit(params->commit))
                r = fault_set(&request->fault, FAULT_INVALID_NAME, "commit: 40 lower-case hex digits, not \"%.*s\"",
                              TEXT_PRINT(text_cut(params->commit, LIMIT_WORD)));
        if (r == 0)
                r = arena_copy(&change->arena, params->commit, &change->store.pin.commit);
        return r != 0 ? r : submit(request, STEAL(change));
}

int handle_pin_drop(Request *request)
{
        const MsgPinDrop *params = request->params;
        CLEANUP(state_change_freep) Change *change = NULL;
        int r = state_change_new(request, STORE_PIN_DROP, &change, &request->fault);

        if (r == 0)
                r = pin_key(params->repo, params->version, params->revision, &change->arena, &change->store.pin,
                            &request->fault);
        return r != 0 ? r : submit(request, STEAL(change));
}

int handle_pin_list(Request *request)
{
        const Stored *stored = state_stored(request->daemon->state);
        const Pins *pins = stored->pins;
        MsgPinListResult *result = request->result;
        int64_t start = 0, n = 0;
        int r = page_start(request->params, LIMIT_PAGE, (int64_t)pins->n, &start, &n, &request->fault);

        if (r != 0)
                return r;
        result->pins.items = arena_zeroed(request->arena, (size_t)n + 1, sizeof(*result->pins.items));
        if (!result->pins.items)
                return error_trace(-ENOMEM);
        for (; result->pins.n < (size_t)n; result->pins.n++) {
                const Pin *pin = &pins->items[(size_t)start + result->pins.n];

                result->pins.items[result->pins.n] =
                        (MsgPin){ .repo = pin->repo, .revision = pin->revision, .commit = pin->commit };
        }
        result->generation = (int64_t)stored->number;
        result->next = start + n < (int64_t)pins->n ? INTEGER_PRESENT(start + n) : INTEGER_ABSENT;
        return REQUEST_DONE;
}
