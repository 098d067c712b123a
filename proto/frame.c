#include "proto/frame.h"

static uint32_t read_u32(const uint8_t *p)
{
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t read_u16(const uint8_t *p)
{
        return (uint16_t)(p[0] | p[1] << 8);
}

FrameAnswer frame_parse(const uint8_t *bytes, size_t size, uint32_t max_payload, uint16_t max_descriptors,
                        Frame *ret_frame, size_t *ret_wanted)
{
        uint32_t length;
        uint16_t n_descriptors;

        if (size < FRAME_HEADER_SIZE) {
                *ret_wanted = FRAME_HEADER_SIZE;
                return FRAME_PARTIAL;
        }
        length = read_u32(bytes);
        n_descriptors = read_u16(bytes + 4);
        if (read_u16(bytes + 6) != 0)
                return FRAME_E_RESERVED;
        if (n_descriptors > max_descriptors)
                return FRAME_E_DESCRIPTORS;
        if (length == 0)
                return FRAME_E_EMPTY;
        if (length > max_payload)
                return FRAME_E_TOO_LARGE;
        if (size - FRAME_HEADER_SIZE < length) {
                *ret_wanted = (size_t)FRAME_HEADER_SIZE + length;
                return FRAME_PARTIAL;
        }
        *ret_frame = (Frame){ .payload = bytes + FRAME_HEADER_SIZE, .size = length, .n_descriptors = n_descriptors };
        return FRAME_COMPLETE;
}

void frame_write_header(uint8_t header[FRAME_HEADER_SIZE], uint32_t size, uint16_t n_descriptors)
{
        for (unsigned i = 0; i < 4; i++)
                header[i] = (uint8_t)(size >> 8 * i);
        header[4] = (uint8_t)n_descriptors;
        header[5] = (uint8_t)(n_descriptors >> 8);
        header[6] = 0;
        header[7] = 0;
}

const char *frame_explain(FrameAnswer answer)
{
        switch (answer) {
        case FRAME_COMPLETE:
                return "the frame is complete";
        case FRAME_PARTIAL:
                return "more bytes of the frame are to come";
        case FRAME_E_EMPTY:
                return "the frame is empty; send one message in each";
        case FRAME_E_TOO_LARGE:
                return "the frame is longer than the limit; send the message in parts";
        case FRAME_E_DESCRIPTORS:
                return "the frame announces more descriptors than may travel this way";
        case FRAME_E_RESERVED:
                return "the last two bytes of the frame's header are not zero; is this another protocol?";
        }
        return "the frame is faulty";
}
