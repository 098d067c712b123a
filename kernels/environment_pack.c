#include "kernels/environment_pack.h"

#include "proto/base/error.h"
#include "proto/codec.h"

int environment_pack(const MsgEnvironment *environment, Buffer *buffer)
{
        return error_trace(codec_encode(&schema_Environment, environment, true, buffer));
}

int environment_unpack(Text bytes, Arena *arena, MsgEnvironment *ret_environment, Fault *fault)
{
        return error_trace(codec_decode(&schema_Environment, (const uint8_t *)bytes.data, bytes.size, arena,
                                        ret_environment, fault));
}
