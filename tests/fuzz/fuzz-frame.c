/* A stream of frames, fed in two ways that must agree: whole, and byte by
 * byte; and the envelope in each. */
#include <string.h>

#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/payload.h"
#include "tests/fuzz/fuzz.h"

static void check_partial(const uint8_t *bytes, size_t size, FrameAnswer whole, const Frame *frame)
{
        for (size_t n = 0; n <= size && n <= 300; n++) {
                Frame part;
                size_t wanted = 0;
                FrameAnswer answer = frame_parse(bytes, n, LIMIT_MESSAGE_IN, 1, &part, &wanted);

                if (answer == FRAME_PARTIAL) {
                        fuzz_require(wanted > n);
                        continue;
                }
                fuzz_require(answer == whole);
                fuzz_require(n >= FRAME_HEADER_SIZE);
                if (answer == FRAME_COMPLETE)
                        fuzz_require(part.size == frame->size && part.payload == frame->payload);
                return;
        }
}

/* Written anew, the envelope reads as before. */
static void check_again(const Envelope *envelope)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        Envelope again;
        bool id_known;
        int r;

        if (envelope->type == 0)
                r = envelope_write_request(&buffer, envelope->id, envelope->method);
        else if (envelope->type == 1)
                r = envelope_write_answer(&buffer, envelope->id);
        else
                r = envelope_write_notification(&buffer, envelope->method);
        fuzz_require(!r && !buffer_append(&buffer, envelope->body.data ? envelope->body.data : "\xc0",
                                          envelope->body.data ? envelope->body.size : 1));
        fuzz_require(payload_check(buffer.data, buffer.size) == PAYLOAD_OK);
        fuzz_require(!envelope_parse(buffer.data, buffer.size, &again, &id_known));
        fuzz_require(again.type == envelope->type && again.id == envelope->id && id_known == (again.type != 2));
        fuzz_require(text_equal(again.method, envelope->method) && text_equal(again.body, envelope->body) && !again.error.data);
}

static void check_error(Text error)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        int r = envelope_parse_error(error, &arena, &fault);

        fuzz_require(r == 0 || r == 1);
        fuzz_require(fault.name != FAULT_NONE && text_is_utf8(text_of(fault.message)));
}

static void check_envelope(const Frame *frame)
{
        PayloadAnswer answer = payload_check(frame->payload, frame->size);
        Envelope envelope;
        bool id_known;
        int r = envelope_parse(frame->payload, frame->size, &envelope, &id_known);

        fuzz_require(r == 0 || r == 1);
        if (r || answer)
                return;
        check_again(&envelope);
        if (envelope.body.data)
                fuzz_require(!payload_check((const uint8_t *)envelope.body.data, envelope.body.size));
        if (envelope.error.data)
                check_error(envelope.error);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        for (;;) {
                uint8_t header[FRAME_HEADER_SIZE];
                size_t wanted = 0;
                Frame frame = { 0 };
                FrameAnswer answer = frame_parse(bytes, size, LIMIT_MESSAGE_IN, 1, &frame, &wanted);

                fuzz_require(frame_explain(answer));
                check_partial(bytes, size, answer, &frame);
                if (answer != FRAME_COMPLETE)
                        return 0;
                fuzz_require(frame.payload == bytes + FRAME_HEADER_SIZE && frame.size <= size - FRAME_HEADER_SIZE);
                frame_write_header(header, frame.size, frame.n_descriptors);
                fuzz_require(!memcmp(header, bytes, sizeof(header)));
                check_envelope(&frame);
                bytes += FRAME_HEADER_SIZE + frame.size;
                size -= FRAME_HEADER_SIZE + frame.size;
        }
}
