#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/session_internal.h"
#include "proto/base/alloc.h"
#include "proto/frame.h"
#include "proto/limits.h"

/* Frames handled in one turn; as many as a full read of single lookups holds.
 * Randomly picked, no tuning done. */
#define FRAMES_A_TURN 1024

/* A turn ends after so long, should its frames be costly ones: copies of large
 * views, pages of many rows. Guess: what others do not notice. */
#define TURN_NS 1000000

/* Answers gathered before they are sent in the middle of a turn, so that an
 * asker who does not read costs no more than this and one answer. */
#define FLUSH_AT 131072

/* The first memory for a frame that did not come whole. */
#define GROW_MIN 16384

void session_input_free(Session *session)
{
        if (!session->input)
                return;
        charge_clear(&session->input->charge);
        alloc_free(STEAL(session->input));
}

size_t session_input_bytes(const Session *session)
{
        return session->input ? session->input->charge.n : 0;
}

/* One line for each peer that breaks the rules: it ends here. */
static void session_break(Session *session, const char *reason)
{
        LogFields fields = LOG_FIELDS_NULL;

        fields.session = session->number;
        fields.uid = session->identity.uid;
        fields.pid = session->identity.pid;
        fields.peer = true;
        log_warning(PEER, &fields, "closing the session of process %d of uid %u: %s", session->identity.pid,
                    session->identity.uid, reason);
        session_close(session);
}

/* Makes room for `capacity` bytes, charged to the domain. What there is, is
 * kept. On failure the session closes. */
static bool input_resize(Session *session, size_t capacity)
{
        SessionInput *input = session->input;
        Charge charge = input ? input->charge : CHARGE_NULL;
        SessionInput *resized;

        if (charge_set(&charge, session->charge.account, ACCOUNT_BYTES, sizeof(*input) + capacity) != 0) {
                session_close(session);
                return false;
        }
        resized = alloc_resize(input, 1, sizeof(*input) + capacity);
        if (!resized) {
                if (input)
                        (void)charge_set(&charge, charge.account, ACCOUNT_BYTES, input->charge.n);
                else
                        charge_clear(&charge);
                session_close(session);
                return false;
        }
        if (!input)
                *resized = (SessionInput){ 0 };
        resized->charge = charge;
        resized->capacity = capacity;
        session->input = resized;
        return true;
}

/* Keeps bytes that cannot be handled yet. The session has no input. */
static void input_keep(Session *session, const uint8_t *bytes, size_t size, size_t wanted)
{
        size_t capacity = size;

        assert(!session->input);
        if (wanted > COPY_MAX)
                capacity = size < GROW_MIN / 2 ? GROW_MIN : 2 * size;
        if (wanted && capacity > wanted)
                capacity = wanted;
        if (capacity < size)
                capacity = size;
        if (!input_resize(session, capacity))
                return;
        memcpy(session->input->bytes, bytes, size);
        session->input->size = size;
        session->input->wanted = wanted;
}

/* What a turn came to. */
typedef struct Turn {
        size_t n_done;      /* bytes handled */
        size_t wanted;      /* as of SessionInput */
        const char *reason; /* the peer is to be closed for this; NULL: it is not */
        bool failed;
} Turn;

/* Handles the first frame of the bytes. Whether there is a next one to go on
 * with. */
static bool session_handle_frame(Session *session, const uint8_t *bytes, size_t size, uint64_t end_ns, Turn *turn)
{
        Sessions *set = session_set(session);
        FrameVerdict verdict;
        FrameAnswer answer;
        Frame frame;

        answer = frame_parse(bytes, size, LIMIT_MESSAGE_IN, 0, &frame, &turn->wanted);
        if (answer == FRAME_PARTIAL)
                return false;
        turn->wanted = 0;
        if (answer != FRAME_COMPLETE) {
                turn->reason = frame_explain(answer);
                return false;
        }
        session->n_requests++;
        set->n_requests++;
        verdict = set->owner.frame(set->owner.data, session, (Text){ (const char *)frame.payload, frame.size },
                                   &turn->reason);
        turn->failed = verdict == FRAME_FAILED;
        if (verdict == FRAME_FAULT || verdict == FRAME_FAILED)
                return false;
        turn->reason = NULL;
        turn->n_done += FRAME_HEADER_SIZE + frame.size;
        return verdict != FRAME_WORKED || uv_hrtime() < end_ns;
}

/* Handles whole frames, until there are no more, the turn is over, or answers
 * pile up. */
static Turn session_handle(Session *session, const uint8_t *bytes, size_t size)
{
        Sessions *set = session_set(session);
        uint64_t end_ns = uv_hrtime() + TURN_NS;
        bool more = true;
        Turn turn = { 0 };

        set->handling = session;
        for (unsigned n = 0; more && n < FRAMES_A_TURN && turn.n_done < size; n++) {
                more = session_handle_frame(session, bytes + turn.n_done, size - turn.n_done, end_ns, &turn);
                if (set->output.size >= FLUSH_AT)
                        session_flush(session);
                more = more && !session->output && !session->closing;
        }
        session_flush(session);
        set->handling = NULL;
        if (turn.reason)
                session_break(session, turn.reason);
        else if (turn.failed)
                session_close(session);
        return turn;
}

void session_resume(Session *session)
{
        SessionInput *input = session->input;
        Turn turn;

        if (!session_has_whole_frame(session) || session->output)
                return;
        turn = session_handle(session, input->bytes + input->start, input->size - input->start);
        input->start += turn.n_done;
        if (input->start == input->size) {
                session_input_free(session);
        } else if (!session->closing && turn.wanted) {
                /* A part is left: keep no more memory than it needs. */
                session->input = NULL;
                input_keep(session, input->bytes + input->start, input->size - input->start, turn.wanted);
                charge_clear(&input->charge);
                alloc_free(input);
        }
        session_settle(session);
}

/* Whether the peer has closed its end, so that no answer can reach it; one that
 * only sends no more can still read. */
static bool session_is_deserted(const Session *session)
{
        struct pollfd entry = { .fd = session->fd };

        return poll(&entry, 1, 0) > 0 && (entry.revents & POLLHUP);
}

/* 0: nothing came. The session may be closing afterwards. */
static size_t session_receive(Session *session, uint8_t *bytes, size_t size)
{
        ssize_t n = recv(session->fd, bytes, size, 0);

        if (n > 0)
                return (size_t)n;
        if (n == 0) {
                session->hup_in = true;
                session_input_free(session);
                if (session->n_in_flight && session_is_deserted(session))
                        session_close(session);
                session_settle(session);
        } else if (errno != EAGAIN && errno != EINTR) {
                session_close(session);
        }
        return 0;
}

/* Reads the rest of a long frame to where it belongs. */
static void session_read_long(Session *session)
{
        SessionInput *input = session->input;
        size_t n;

        if (input->size == input->capacity) {
                size_t capacity = input->capacity * 2;

                if (!input_resize(session, capacity < input->wanted ? capacity : input->wanted))
                        return;
                input = session->input;
        }
        n = session_receive(session, input->bytes + input->size, input->capacity - input->size);
        if (!n)
                return;
        input->size += n;
        if (input->size < input->wanted)
                return;
        input->wanted = 0;
        session_resume(session);
}

void session_read(Session *session)
{
        Sessions *set = session_set(session);
        SessionInput *input = session->input;
        size_t kept = 0, n;
        Turn turn;

        if (session->output || session_has_whole_frame(session))
                return;
        if (input && input->wanted > COPY_MAX) {
                session_read_long(session);
                return;
        }
        if (input) {
                kept = input->size - input->start;
                memcpy(set->input, input->bytes + input->start, kept);
        }
        n = session_receive(session, set->input + kept, READ_MAX);
        if (!n)
                return;
        session_input_free(session);
        n += kept;
        turn = session_handle(session, set->input, n);
        if (turn.n_done < n && !session->closing)
                input_keep(session, set->input + turn.n_done, n - turn.n_done, turn.wanted);
        session_settle(session);
}
