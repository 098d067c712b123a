#include "client/python/native.h"

#include <limits.h>

/* PyArg_Parse lends the UTF-8 that the str keeps: the stable ABI of 3.9 has no
 * other way to it. It refuses a NUL inside. */
int native_text(PyObject *object, const char *what, const char **ret_text)
{
        if (object != Py_None && !PyUnicode_Check(object)) {
                PyErr_Format(PyExc_TypeError, "%s: a str or None, not %R", what, object);
                return -1;
        }
        return PyArg_Parse(object, "z", ret_text) ? 0 : -1;
}

int native_integer(PyObject *object, const char *what, int64_t *ret_integer)
{
        long long number = -1;

        if (object != Py_None) {
                if (!PyLong_Check(object)) {
                        PyErr_Format(PyExc_TypeError, "%s: an int or None, not %R", what, object);
                        return -1;
                }
                number = PyLong_AsLongLong(object);
                if (number == -1 && PyErr_Occurred())
                        return -1;
        }
        *ret_integer = number;
        return 0;
}

/* Not the "I" of PyArg_Parse, which cuts off what does not fit. */
int native_unsigned(PyObject *object, const char *what, unsigned *ret_integer)
{
        unsigned long number;

        if (!PyLong_Check(object)) {
                PyErr_Format(PyExc_TypeError, "%s: an int, not %R", what, object);
                return -1;
        }
        number = PyLong_AsUnsignedLong(object);
        if (number == (unsigned long)-1 && PyErr_Occurred())
                return -1;
        if (number > UINT_MAX) {
                PyErr_Format(PyExc_OverflowError, "%s: %R does not fit 32 bits", what, object);
                return -1;
        }
        *ret_integer = (unsigned)number;
        return 0;
}

int native_tuple(PyObject *object, Py_ssize_t n, const char *what)
{
        if (PyTuple_Check(object) && PyTuple_Size(object) == n)
                return 0;
        PyErr_Format(PyExc_TypeError, "%s: a tuple of %zd, not %R", what, n, object);
        return -1;
}

int native_query(PyObject *object, kd_query *ret_query)
{
        kd_query query;

        if (native_tuple(object, 5, "a query") || native_text(PyTuple_GetItem(object, 0), "layer", &query.layer) ||
            native_text(PyTuple_GetItem(object, 1), "device", &query.device) ||
            native_integer(PyTuple_GetItem(object, 2), "capability", &query.capability) ||
            native_text(PyTuple_GetItem(object, 3), "mode", &query.mode) ||
            native_text(PyTuple_GetItem(object, 4), "arch", &query.arch))
                return -1;
        *ret_query = query;
        return 0;
}

static int used_of(PyObject *row, kd_used *used)
{
        if (native_tuple(row, 7, "a row of a report"))
                return -1;
        return PyArg_ParseTuple(row, "szzzzzs", &used->layer, &used->device, &used->mode, &used->repo, &used->commit,
                                &used->variant, &used->reason) ? 0 : -1;
}

kd_used *native_used(PyObject *rows)
{
        size_t n = (size_t)PyTuple_Size(rows);
        kd_used *used = PyMem_Calloc(n + 1, sizeof(*used));

        if (!used)
                PyErr_NoMemory();
        for (size_t i = 0; used && i < n; i++)
                if (used_of(PyTuple_GetItem(rows, (Py_ssize_t)i), &used[i])) {
                        PyMem_Free(used);
                        return NULL;
                }
        return used;
}

static int reference_of(PyObject *object, kd_reference *ret_reference)
{
        if (native_tuple(object, 6, "a reference"))
                return -1;
        return native_text(PyTuple_GetItem(object, 0), "mode", &ret_reference->mode) ||
                               native_text(PyTuple_GetItem(object, 1), "repo", &ret_reference->repo) ||
                               native_integer(PyTuple_GetItem(object, 2), "version", &ret_reference->version) ||
                               native_text(PyTuple_GetItem(object, 3), "revision", &ret_reference->revision) ||
                               native_text(PyTuple_GetItem(object, 4), "local", &ret_reference->local) ||
                               native_text(PyTuple_GetItem(object, 5), "layer", &ret_reference->layer) ?
                       -1 :
                       0;
}

static int entry_of(PyObject *object, kd_entry *entry, kd_reference *references)
{
        PyObject *rows = PyTuple_GetItem(object, 4);

        if (native_text(PyTuple_GetItem(object, 0), "layer", &entry->layer) ||
            native_text(PyTuple_GetItem(object, 1), "device", &entry->device) ||
            native_integer(PyTuple_GetItem(object, 2), "min_capability", &entry->min_capability) ||
            native_integer(PyTuple_GetItem(object, 3), "max_capability", &entry->max_capability))
                return -1;
        entry->references = references;
        entry->n_references = (size_t)PyTuple_Size(rows);
        for (size_t i = 0; i < entry->n_references; i++)
                if (reference_of(PyTuple_GetItem(rows, (Py_ssize_t)i), &references[i]))
                        return -1;
        return 0;
}

/* How many references all rows have; -1 with TypeError. */
static Py_ssize_t references_count(PyObject *rows)
{
        Py_ssize_t n = 0;

        for (Py_ssize_t i = 0; i < PyTuple_Size(rows); i++) {
                PyObject *row = PyTuple_GetItem(rows, i);

                if (native_tuple(row, 5, "an entry"))
                        return -1;
                if (!PyTuple_Check(PyTuple_GetItem(row, 4))) {
                        PyErr_SetString(PyExc_TypeError, "the references of an entry: a tuple");
                        return -1;
                }
                n += PyTuple_Size(PyTuple_GetItem(row, 4));
        }
        return n;
}

int native_entries(PyObject *object, NativeEntries *ret_entries)
{
        NativeEntries entries = { .rows = PySequence_Tuple(object) };
        Py_ssize_t n_references = entries.rows ? references_count(entries.rows) : -1;
        size_t used = 0;

        if (n_references < 0)
                goto fail;
        entries.n = (size_t)PyTuple_Size(entries.rows);
        entries.items = PyMem_Calloc(entries.n + 1, sizeof(*entries.items));
        entries.references = PyMem_Calloc((size_t)n_references + 1, sizeof(*entries.references));
        if (!entries.items || !entries.references) {
                PyErr_NoMemory();
                goto fail;
        }
        for (size_t i = 0; i < entries.n; i++) {
                if (entry_of(PyTuple_GetItem(entries.rows, (Py_ssize_t)i), &entries.items[i], &entries.references[used]))
                        goto fail;
                used += entries.items[i].n_references;
        }
        *ret_entries = entries;
        return 0;
fail:
        native_entries_deinit(&entries);
        return -1;
}

void native_entries_deinit(NativeEntries *entries)
{
        PyMem_Free(entries->items);
        PyMem_Free(entries->references);
        Py_XDECREF(entries->rows);
        *entries = NATIVE_ENTRIES_NULL;
}
