/* Frames: u32 payload length, u16 number of descriptors, u16 zero, little
 * endian, then the payload. Pure: bytes in, frame out. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_SIZE 8

typedef struct Frame {
        const uint8_t *payload; /* into the bytes that were given */
        uint32_t size;
        uint16_t n_descriptors;
} Frame;

typedef enum FrameAnswer {
        FRAME_COMPLETE = 0,
        FRAME_PARTIAL,      /* more bytes are needed; *ret_wanted says how many in all, as far as known */
        FRAME_E_EMPTY,      /* a length of 0 */
        FRAME_E_TOO_LARGE,  /* a length over the limit */
        FRAME_E_DESCRIPTORS, /* announces more descriptors than this direction allows */
        FRAME_E_RESERVED,   /* the last two bytes are not zero */
} FrameAnswer;

/* Looks at the front of `size` bytes. On FRAME_COMPLETE the frame is
 * FRAME_HEADER_SIZE + ret_frame->size bytes long. A faulty header is told as
 * soon as its 8 bytes are there, before any payload. */
FrameAnswer frame_parse(const uint8_t *bytes, size_t size, uint32_t max_payload, uint16_t max_descriptors,
                        Frame *ret_frame, size_t *ret_wanted);

void frame_write_header(uint8_t header[FRAME_HEADER_SIZE], uint32_t size, uint16_t n_descriptors);

/* A sentence for the log and for a user. */
const char *frame_explain(FrameAnswer answer);
