#include "client/python/native.h"

#include <string.h>

PyObject *native_error_type;

static int set_attribute(PyObject *object, const char *name, PyObject *value)
{
        int r = value ? PyObject_SetAttrString(object, name, value) : -1;

        Py_XDECREF(value);
        return r;
}

PyObject *native_error_object(const kd_error *error)
{
        /* A message that names a path may not be UTF-8, and one that was cut may end within a character. */
        PyObject *message = PyUnicode_DecodeUTF8(error->message, (Py_ssize_t)strlen(error->message), "replace");
        PyObject *object = message ? PyObject_CallFunctionObjArgs(native_error_type, message, NULL) : NULL;

        Py_XDECREF(message);
        if (!object)
                return NULL;
        if (set_attribute(object, "code", PyLong_FromLong(error->code)) ||
            set_attribute(object, "name", PyUnicode_FromString(error->name)) ||
            set_attribute(object, "retry", PyBool_FromLong(error->retry))) {
                Py_DECREF(object);
                return NULL;
        }
        return object;
}

PyObject *native_raise(const kd_error *error)
{
        PyObject *object;

        if (PyErr_Occurred())
                return NULL;
        object = native_error_object(error);
        if (object)
                PyErr_SetObject(native_error_type, object);
        Py_XDECREF(object);
        return NULL;
}

int native_error_init(PyObject *module)
{
        native_error_type = PyErr_NewExceptionWithDoc(
                "kernelsd._native.Error",
                "What kernelsd answered, or why it could not be asked.\n\n"
                "Attributes: code, positive for an answer of the daemon, a negative errno for this process or the\n"
                "connection; name, such as \"no-variant\" or \"unreachable\"; retry, whether trying again may help.",
                NULL, NULL);
        if (!native_error_type)
                return -1;
        Py_INCREF(native_error_type);
        return PyModule_AddObject(module, "Error", native_error_type);
}
