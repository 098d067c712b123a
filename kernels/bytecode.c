#include "kernels/bytecode.h"

bool bytecode_is(Text path)
{
        Text rest = path;

        if (text_ends_with(path, TEXT(".pyc")))
                return true;
        for (;;) {
                const char *slash = rest.size ? memchr(rest.data, '/', rest.size) : NULL;
                Text component = { rest.data, slash ? (size_t)(slash - rest.data) : rest.size };

                if (text_equal(component, TEXT("__pycache__")))
                        return true;
                if (!slash)
                        return false;
                rest = (Text){ slash + 1, rest.size - component.size - 1 };
        }
}
