/* A stream of frames, fed in two ways that must agree: whole, and byte by
 * byte. */
#include <string.h>

#include "proto/frame.h"
#include "proto/limits.h"
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
                bytes += FRAME_HEADER_SIZE + frame.size;
                size -= FRAME_HEADER_SIZE + frame.size;
        }
}
