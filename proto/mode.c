#include "proto/mode.h"

#include <assert.h>

#include "proto/base/cleanup.h"

#define INFERENCE MODE_INFERENCE
#define TRAINING MODE_TRAINING
#define COMPILED MODE_TORCH_COMPILE

static const struct {
        Text word;
        Mode flag;
} mode_words[] = {
        { { "fallback", 8 }, MODE_FALLBACK },
        { { "inference", 9 }, MODE_INFERENCE },
        { { "training", 8 }, MODE_TRAINING },
        { { "torch_compile", 13 }, MODE_TORCH_COMPILE },
};

static const Text mode_spellings[_MODE_MAX] = {
        [MODE_NONE] = { "none", 4 },
        [MODE_FALLBACK] = { "fallback", 8 },
        [TRAINING] = { "training", 8 },
        [INFERENCE] = { "inference", 9 },
        [COMPILED] = { "torch_compile", 13 },
        [TRAINING | COMPILED] = { "training|torch_compile", 22 },
        [INFERENCE | COMPILED] = { "inference|torch_compile", 23 },
};

static const Mode mode_requests[MODE_REQUESTS] = {
        INFERENCE, INFERENCE | COMPILED, TRAINING, TRAINING | COMPILED,
};

static const Mode chain_inference[] = {
        INFERENCE, INFERENCE | COMPILED, TRAINING, TRAINING | COMPILED, MODE_FALLBACK,
};
static const Mode chain_inference_compiled[] = { INFERENCE | COMPILED, TRAINING | COMPILED, MODE_FALLBACK };
static const Mode chain_training[] = { TRAINING, TRAINING | COMPILED, MODE_FALLBACK };
static const Mode chain_training_compiled[] = { TRAINING | COMPILED, MODE_FALLBACK };

static const struct {
        const Mode *modes;
        size_t n;
} mode_chains[MODE_REQUESTS] = {
        { chain_inference, ARRAY_SIZE(chain_inference) },
        { chain_inference_compiled, ARRAY_SIZE(chain_inference_compiled) },
        { chain_training, ARRAY_SIZE(chain_training) },
        { chain_training_compiled, ARRAY_SIZE(chain_training_compiled) },
};

static Mode mode_of_word(Text word)
{
        for (size_t i = 0; i < ARRAY_SIZE(mode_words); i++)
                if (text_equal(word, mode_words[i].word))
                        return mode_words[i].flag;
        return MODE_NONE;
}

static int mode_refuse(Text text, const char *why, Fault *fault)
{
        return fault_set(fault, FAULT_INVALID_MODE, "\"%.*s\" is not a mode: %s", (int)(text.size < LIMIT_MODE ? text.size : LIMIT_MODE),
                         text.data ? text.data : "",
                         why);
}

static int mode_parse_words(Text text, Mode *ret_mode, Fault *fault)
{
        Mode mode = MODE_NONE;
        Text left = text;

        for (;;) {
                const char *bar = left.size ? memchr(left.data, '|', left.size) : NULL;
                Text word = { left.data, bar ? (size_t)(bar - left.data) : left.size };
                Mode flag = mode_of_word(word);

                if (!flag)
                        return mode_refuse(text, "use inference or training, each alone or with |torch_compile, "
                                                 "or fallback", fault);
                if (mode & flag)
                        return mode_refuse(text, "name each flag once", fault);
                mode |= flag;
                if (!bar)
                        break;
                left = (Text){ bar + 1, left.size - word.size - 1 };
        }
        *ret_mode = mode;
        return 0;
}

int mode_parse(Text text, Mode *ret_mode, Fault *fault)
{
        Mode mode = MODE_NONE;

        for (unsigned i = 0; i < MODE_REQUESTS; i++)
                if (text_equal(text, mode_spellings[mode_requests[i]])) {
                        *ret_mode = mode_requests[i];
                        return 0;
                }
        if (text_equal(text, mode_spellings[MODE_NONE])) {
                *ret_mode = MODE_NONE;
                return 0;
        }
        if (mode_parse_words(text, &mode, fault))
                return 1;
        if ((mode & MODE_FALLBACK) && mode != MODE_FALLBACK)
                return mode_refuse(text, "fallback stands alone", fault);
        if ((mode & INFERENCE) && (mode & TRAINING))
                return mode_refuse(text, "inference and training exclude each other", fault);
        *ret_mode = mode;
        return 0;
}

int mode_parse_request(Text text, Mode *ret_mode, Fault *fault)
{
        Mode mode;

        if (mode_parse(text, &mode, fault))
                return 1;
        if (!(mode & (INFERENCE | TRAINING)))
                return fault_set(fault, FAULT_INVALID_MODE, "\"%s\" cannot be asked for: ask for inference or training, "
                                 "each alone or with |torch_compile", mode_spelling(mode));
        *ret_mode = mode;
        return 0;
}

bool mode_is_valid(Mode mode)
{
        return mode < _MODE_MAX && mode_spellings[mode].data;
}

const char *mode_spelling(Mode mode)
{
        assert(mode_is_valid(mode));
        return mode_spellings[mode].data;
}

Text mode_text(Mode mode)
{
        assert(mode_is_valid(mode));
        return mode_spellings[mode];
}

unsigned mode_request_number(Mode mode)
{
        return (mode & TRAINING ? 2u : 0u) + (mode & COMPILED ? 1u : 0u);
}

Mode mode_of_request_number(unsigned number)
{
        assert(number < MODE_REQUESTS);
        return mode_requests[number];
}

size_t mode_chain(Mode request, const Mode **ret_chain)
{
        unsigned number = mode_request_number(request);

        *ret_chain = mode_chains[number].modes;
        return mode_chains[number].n;
}

uint8_t mode_chain_pick(unsigned request_number, const uint8_t numbers[_MODE_MAX], uint8_t none)
{
        assert(request_number < MODE_REQUESTS);
        for (size_t i = 0; i < mode_chains[request_number].n; i++)
                if (numbers[mode_chains[request_number].modes[i]] != none)
                        return numbers[mode_chains[request_number].modes[i]];
        return none;
}
