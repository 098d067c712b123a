/* The extension kernelsd._native: libkernelsd for Python, nothing more. Built
 * for the stable ABI of Python 3.9; the interpreter lock is let go around every
 * call that can wait. This header is the home of Python.h. */
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <kernelsd.h>

/* The types of the one module of this process. Stable ABI 3.9 gives methods no
 * way to their module's own state. */
extern PyObject *native_error_type;
extern PyTypeObject *native_answer_type;
extern PyTypeObject *native_kernel_type;
extern PyTypeObject *native_client_type;

/* Each makes its type and adds it to the module; 0, or -1 with an exception. */
int native_error_init(PyObject *module);
int native_answer_init(PyObject *module);
int native_kernel_init(PyObject *module);
int native_client_init(PyObject *module);

/* A type for a spec, under its name in the module; NULL with an exception. */
PyTypeObject *native_type(PyObject *module, const char *name, PyType_Spec *spec);

/* Raises what a kd_ function said, unless something is raised already (by a
 * callback that it called). NULL. */
PyObject *native_raise(const kd_error *error);
/* The exception as an object; NULL with an exception. */
PyObject *native_error_object(const kd_error *error);

PyObject *native_answer(const kd_answer *answer);

/* The kernel becomes the object's, also on failure. */
PyObject *native_kernel(kd_kernel *kernel);

/* Frees a kernel; without the interpreter lock. */
void native_kernel_drop(kd_kernel *kernel);

/* None, bool, int, str, bytes, list, tuple and dict as a kd_value; NULL with
 * TypeError, OverflowError, MemoryError or RecursionError. And back. */
kd_value *native_value(PyObject *object);
PyObject *native_object(const kd_value *value);

/* Parts of tuples; texts are borrowed from the objects. 0, or -1 with an exception. */
int native_text(PyObject *object, const char *what, const char **ret_text);       /* str; None: NULL */
int native_integer(PyObject *object, const char *what, int64_t *ret_integer);     /* int; None: -1 */
int native_unsigned(PyObject *object, const char *what, unsigned *ret_integer);   /* int; OverflowError */
int native_tuple(PyObject *object, Py_ssize_t n, const char *what);               /* that it is a tuple of n */
int native_query(PyObject *object, kd_query *ret_query); /* (layer, device, capability, mode, arch) */

/* A tuple of (layer, device, mode, repo, commit, variant, reason) as rows for
 * kd_report, for PyMem_Free; NULL with an exception. */
kd_used *native_used(PyObject *rows);

/* What a view is made of: a sequence of (layer, device, min_capability,
 * max_capability, ((mode, repo, version, revision, local, layer), …)). */
typedef struct NativeEntries {
        PyObject *rows; /* owns the texts */
        kd_entry *items;
        kd_reference *references;
        size_t n;
} NativeEntries;

#define NATIVE_ENTRIES_NULL ((NativeEntries){ 0 })

int native_entries(PyObject *object, NativeEntries *ret_entries);
void native_entries_deinit(NativeEntries *entries);
