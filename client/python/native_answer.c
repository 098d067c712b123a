#include "client/python/native.h"

enum {
        FIELD_CODE, FIELD_NAME, FIELD_MESSAGE, FIELD_LAYER, FIELD_MODE, FIELD_SOURCE, FIELD_MIN, FIELD_MAX, FIELD_REPO,
        FIELD_VERSION, FIELD_REVISION, FIELD_LOCKED, FIELD_PATH, FIELD_REFERENCE_LAYER, FIELD_REDIRECT, FIELD_COMMIT,
        FIELD_COMMIT_AGE_S, FIELD_VARIANT, FIELD_ARCH, FIELD_STATE, FIELD_DIGEST, _FIELD_MAX,
};

static PyStructSequence_Field fields[] = {
        [FIELD_CODE] = { "code", "0, or the number of the error" },
        [FIELD_NAME] = { "name", "of the error, or None" },
        [FIELD_MESSAGE] = { "message", "of the error, or None" },
        [FIELD_LAYER] = { "layer", "as asked for; None where a repository was" },
        [FIELD_MODE] = { "mode", "the mode that matched" },
        [FIELD_SOURCE] = { "source", "file:NAME, stored or view" },
        [FIELD_MIN] = { "min_capability", "of the entry; -1: none" },
        [FIELD_MAX] = { "max_capability", "of the entry; -1: no limit" },
        [FIELD_REPO] = { "repo", "org/name on the Hub" },
        [FIELD_VERSION] = { "version", "of the reference; -1: none" },
        [FIELD_REVISION] = { "revision", "of the reference" },
        [FIELD_LOCKED] = { "locked", "the lock file that names the commit" },
        [FIELD_PATH] = { "path", "the directory that a mapping names" },
        [FIELD_REFERENCE_LAYER] = { "reference_layer", "the layer's name in the kernel" },
        [FIELD_REDIRECT] = { "redirect", "the repository that the Hub redirects to" },
        [FIELD_COMMIT] = { "commit", "40 hex digits, or None" },
        [FIELD_COMMIT_AGE_S] = { "commit_age_s", "seconds since the Hub said so; -1: fixed or not known" },
        [FIELD_VARIANT] = { "variant", "the build variant, or None" },
        [FIELD_ARCH] = { "arch", "ok or unknown" },
        [FIELD_STATE] = { "state", "ready, absent, unknown or local" },
        [FIELD_DIGEST] = { "digest", "ok or missing, of a kernel that was acquired" },
        [_FIELD_MAX] = { NULL, NULL },
};

static PyStructSequence_Desc description = {
        .name = "kernelsd._native.Answer",
        .doc = "What kernelsd answers to one query: kd_answer of kernelsd.h, absent texts as None.",
        .fields = fields,
        .n_in_sequence = _FIELD_MAX,
};

PyTypeObject *native_answer_type;

int native_answer_init(PyObject *module)
{
        native_answer_type = PyStructSequence_NewType(&description);
        if (!native_answer_type)
                return -1;
        Py_INCREF((PyObject *)native_answer_type);
        return PyModule_AddObject(module, "Answer", (PyObject *)native_answer_type);
}

static PyObject *text_object(const char *text)
{
        if (text)
                return PyUnicode_FromString(text);
        Py_INCREF(Py_None);
        return Py_None;
}

PyObject *native_answer(const kd_answer *answer)
{
        PyObject *object, *values[_FIELD_MAX] = {
                [FIELD_CODE] = PyLong_FromLong(answer->code),
                [FIELD_NAME] = text_object(answer->name),
                [FIELD_MESSAGE] = text_object(answer->message),
                [FIELD_LAYER] = text_object(answer->layer),
                [FIELD_MODE] = text_object(answer->mode),
                [FIELD_SOURCE] = text_object(answer->source),
                [FIELD_MIN] = PyLong_FromLongLong(answer->min_capability),
                [FIELD_MAX] = PyLong_FromLongLong(answer->max_capability),
                [FIELD_REPO] = text_object(answer->repo),
                [FIELD_VERSION] = PyLong_FromLongLong(answer->version),
                [FIELD_REVISION] = text_object(answer->revision),
                [FIELD_LOCKED] = text_object(answer->locked),
                [FIELD_PATH] = text_object(answer->path),
                [FIELD_REFERENCE_LAYER] = text_object(answer->reference_layer),
                [FIELD_REDIRECT] = text_object(answer->redirect),
                [FIELD_COMMIT] = text_object(answer->commit),
                [FIELD_COMMIT_AGE_S] = PyLong_FromLongLong(answer->commit_age_s),
                [FIELD_VARIANT] = text_object(answer->variant),
                [FIELD_ARCH] = text_object(answer->arch),
                [FIELD_STATE] = text_object(answer->state),
                [FIELD_DIGEST] = text_object(answer->digest),
        };
        bool whole;

        /* After the answer was read: this can collect garbage, whose end may free the kernel that has the answer. */
        object = PyStructSequence_New(native_answer_type);
        whole = object;
        for (int i = 0; i < _FIELD_MAX; i++) {
                whole = whole && values[i];
                if (object)
                        PyStructSequence_SetItem(object, i, values[i]); /* takes it, NULL too */
                else
                        Py_XDECREF(values[i]);
        }
        if (whole)
                return object;
        Py_XDECREF(object);
        return NULL;
}
