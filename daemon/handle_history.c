#include <inttypes.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/state.h"

/* A page ends before it has more: what a frame takes, less an event. */
#define PAGE_BYTES (LIMIT_MESSAGE_OUT / 2)

/* What an event takes beside its texts. */
#define EVENT_BYTES 160

static MsgEvent event_message(const FactEvent *event)
{
        return (MsgEvent){
                .number = event->number,
                .time_s = event->at_s,
                .uid = event->uid,
                .pid = event->pid,
                .what = event->what,
                .layer = event->layer,
                .repo = event->repo,
                .commit = event->commit,
                .variant = event->variant,
                .outcome = event->outcome,
                .reason = event->reason,
        };
}

static size_t event_size(const FactEvent *event)
{
        return event->what.size + event->layer.size + event->repo.size + event->commit.size + event->variant.size +
               event->outcome.size + event->reason.size + EVENT_BYTES;
}

/* StateEventsDone: one more was read than fits, if there is one more. */
static void history_answer(Session *session, uint32_t id, const EventRange *range, const FactEvent *events, size_t n)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgHistoryResult result = { .next = INTEGER_ABSENT };
        Fault fault;
        size_t size = 0;

        result.events.items = arena_zeroed(&arena, n + 1, sizeof(*result.events.items));
        if (!result.events.items) {
                (void)fault_set(&fault, FAULT_INTERNAL, "the daemon is short of memory");
                (void)answer_fault(session, id, &fault);
                return;
        }
        for (; result.events.n < n && result.events.n < range->limit - 1 && size < PAGE_BYTES; result.events.n++) {
                result.events.items[result.events.n] = event_message(&events[result.events.n]);
                size += event_size(&events[result.events.n]);
        }
        if (result.events.n < n)
                result.next = INTEGER_PRESENT(events[result.events.n - 1].number);
        (void)answer_result(session, id, METHOD_HISTORY, &result, -1);
}

int handle_history(Request *request)
{
        const MsgPage *page = request->params;
        const EventRange range = {
                .all = request->session->admin,
                .uid = request->session->identity.uid,
                .before = page->after.present ? page->after.value : INT64_MAX,
                .limit = (size_t)(page->limit.present && page->limit.value < LIMIT_PAGE ? page->limit.value : LIMIT_PAGE) + 1,
        };
        int r;

        if (page->limit.present && page->limit.value < 1)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "limit: at least 1, not %" PRId64, page->limit.value);
        r = state_events(request->daemon->state, request, &range, history_answer, &request->fault);
        return r == 0 ? REQUEST_LATER : r;
}
