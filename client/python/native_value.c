#include "client/python/native.h"

static kd_value *value_list(PyObject *object)
{
        kd_value *list = kd_value_list();
        PyObject *rows = list ? PySequence_Tuple(object) : NULL;

        for (Py_ssize_t i = 0; rows && i < PyTuple_Size(rows); i++) {
                kd_value *item = native_value(PyTuple_GetItem(rows, i));

                if (!item || kd_value_append(list, item) < 0) {
                        Py_DECREF(rows);
                        (void)kd_value_free(list);
                        return NULL;
                }
        }
        if (!rows)
                list = kd_value_free(list);
        Py_XDECREF(rows);
        return list;
}

static int map_set(kd_value *map, PyObject *key, PyObject *value)
{
        const char *name;
        kd_value *item;

        if (!PyUnicode_Check(key)) {
                PyErr_Format(PyExc_TypeError, "a key of a map: a str, not %R", key);
                return -1;
        }
        if (native_text(key, "a key of a map", &name))
                return -1;
        item = native_value(value);
        return item && kd_value_set(map, name, item) == 0 ? 0 : -1;
}

static kd_value *value_map(PyObject *object)
{
        kd_value *map = kd_value_map();
        PyObject *key, *value;
        Py_ssize_t at = 0;

        while (map && PyDict_Next(object, &at, &key, &value)) {
                int r;

                /* They are the dictionary's, which an __iter__ of a list inside may change. */
                Py_INCREF(key);
                Py_INCREF(value);
                r = map_set(map, key, value);
                Py_DECREF(key);
                Py_DECREF(value);
                if (r)
                        return kd_value_free(map);
        }
        return map;
}

static kd_value *value_string(PyObject *object)
{
        const char *text;

        return native_text(object, "a text", &text) ? NULL : kd_value_string(text);
}

static kd_value *value_bytes(PyObject *object)
{
        char *bytes;
        Py_ssize_t size;

        return PyBytes_AsStringAndSize(object, &bytes, &size) ? NULL : kd_value_binary(bytes, (size_t)size);
}

static kd_value *value_integer(PyObject *object)
{
        long long number = PyLong_AsLongLong(object);

        return number == -1 && PyErr_Occurred() ? NULL : kd_value_integer(number);
}

static kd_value *value_of(PyObject *object)
{
        if (object == Py_None)
                return kd_value_nil();
        if (PyBool_Check(object))
                return kd_value_bool(object == Py_True);
        if (PyLong_Check(object))
                return value_integer(object);
        if (PyUnicode_Check(object))
                return value_string(object);
        if (PyBytes_Check(object))
                return value_bytes(object);
        if (PyDict_Check(object))
                return value_map(object);
        if (PyList_Check(object) || PyTuple_Check(object))
                return value_list(object);
        PyErr_Format(PyExc_TypeError, "None, bool, int, str, bytes, list, tuple or dict, not %R", object);
        return NULL;
}

kd_value *native_value(PyObject *object)
{
        kd_value *value;

        if (Py_EnterRecursiveCall(" in a value for kernelsd"))
                return NULL;
        value = value_of(object);
        Py_LeaveRecursiveCall();
        if (!value && !PyErr_Occurred())
                PyErr_NoMemory();
        return value;
}

static PyObject *object_list(const kd_value *value)
{
        size_t n = kd_value_count(value);
        PyObject *list = PyList_New((Py_ssize_t)n);

        for (size_t i = 0; list && i < n; i++) {
                PyObject *item = native_object(kd_value_at(value, i));

                if (!item || PyList_SetItem(list, (Py_ssize_t)i, item) < 0)
                        Py_CLEAR(list);
        }
        return list;
}

static PyObject *object_map(const kd_value *value)
{
        PyObject *map = PyDict_New();

        for (size_t i = 0; map && i < kd_value_count(value); i++) {
                PyObject *item = native_object(kd_value_at(value, i));

                if (!item || PyDict_SetItemString(map, kd_value_key(value, i), item) < 0)
                        Py_CLEAR(map);
                Py_XDECREF(item);
        }
        return map;
}

PyObject *native_object(const kd_value *value)
{
        const char *text;
        size_t size;

        switch (kd_value_kind(value)) {
        case KD_BOOL:
                return PyBool_FromLong(kd_value_as_bool(value));
        case KD_INTEGER:
                return PyLong_FromLongLong(kd_value_as_integer(value, 0));
        case KD_STRING:
                text = kd_value_as_string(value, &size);
                return PyUnicode_FromStringAndSize(text, (Py_ssize_t)size);
        case KD_BINARY:
                text = kd_value_as_string(value, &size);
                return PyBytes_FromStringAndSize(text, (Py_ssize_t)size);
        case KD_LIST:
                return object_list(value);
        case KD_MAP:
                return object_map(value);
        case KD_NIL:
                break;
        }
        Py_INCREF(Py_None);
        return Py_None;
}
