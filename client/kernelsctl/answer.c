#include "client/kernelsctl/answer.h"

#include <stdio.h>
#include <string.h>

#include "client/kernelsctl/field.h"

static const char *kernel_text(const char *repo, int64_t version, const char *revision, const char *locked,
                               const char *path, char *buffer)
{
        if (path)
                (void)snprintf(buffer, ANSWER_TEXT, "%s", path);
        else if (!repo)
                (void)snprintf(buffer, ANSWER_TEXT, "-");
        else if (version >= 0)
                (void)snprintf(buffer, ANSWER_TEXT, "%s version %lld", repo, (long long)version);
        else if (locked)
                (void)snprintf(buffer, ANSWER_TEXT, "%s locked by %s", repo, locked);
        else
                (void)snprintf(buffer, ANSWER_TEXT, "%s at %s", repo, revision ? revision : "?");
        return buffer;
}

const char *answer_kernel(const kd_answer *answer, char buffer[ANSWER_TEXT])
{
        return kernel_text(answer->repo, answer->version, answer->revision, answer->locked, answer->path, buffer);
}

const char *answer_kernel_of_value(const kd_value *reference, char buffer[ANSWER_TEXT])
{
        return kernel_text(field_text(reference, "repo", NULL), field_number(reference, "version", -1),
                           field_text(reference, "revision", NULL), field_text(reference, "locked", NULL),
                           field_text(reference, "path", NULL), buffer);
}

const char *answer_range(int64_t min, int64_t max, char buffer[ANSWER_TEXT])
{
        if (min < 0 && max < 0)
                (void)snprintf(buffer, ANSWER_TEXT, "-");
        else if (max < 0 || max == INT64_MAX)
                (void)snprintf(buffer, ANSWER_TEXT, "%lld and up", (long long)(min < 0 ? 0 : min));
        else
                (void)snprintf(buffer, ANSWER_TEXT, "%lld to %lld", (long long)(min < 0 ? 0 : min), (long long)max);
        return buffer;
}

static kd_value *reference_to_value(const kd_answer *answer)
{
        kd_value *map = kd_value_map();

        if (!map)
                return NULL;
        if (field_set_text(map, "repo", answer->repo) < 0 || field_set_number(map, "version", answer->version) < 0 ||
            field_set_text(map, "revision", answer->revision) < 0 || field_set_text(map, "locked", answer->locked) < 0 ||
            field_set_text(map, "path", answer->path) < 0 || field_set_text(map, "layer", answer->reference_layer) < 0)
                return kd_value_free(map);
        return map;
}

kd_value *answer_to_value(const kd_answer *answer)
{
        kd_value *map = kd_value_map();

        if (!map)
                return NULL;
        if (answer->code) {
                if (field_set_text(map, "name", answer->name) < 0 || field_set_text(map, "message", answer->message) < 0)
                        return kd_value_free(map);
                return map;
        }
        if (field_set_text(map, "layer", answer->layer) < 0 || field_set_text(map, "mode", answer->mode) < 0 ||
            field_set_text(map, "source", answer->source) < 0 || field_set_number(map, "min", answer->min_capability) < 0 ||
            field_set_number(map, "max", answer->max_capability) < 0 ||
            kd_value_set(map, "reference", reference_to_value(answer)) < 0 ||
            field_set_text(map, "redirect", answer->redirect) < 0 || field_set_text(map, "commit", answer->commit) < 0 ||
            field_set_number(map, "commit_age_s", answer->commit_age_s) < 0 ||
            field_set_text(map, "variant", answer->variant) < 0 || field_set_text(map, "arch", answer->arch) < 0 ||
            field_set_text(map, "state", answer->state) < 0 || field_set_text(map, "digest", answer->digest) < 0)
                return kd_value_free(map);
        return map;
}
