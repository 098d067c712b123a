"""Mappings and scopes: what is in force where, and what the daemon holds of it."""

import asyncio
import contextlib
import contextvars
import threading

import pytest

from kernelsd import Device, LayerRepository, Mode
from kernelsd import register_kernel_mapping, use_kernel_mapping
from models import kernelized, own_row

pytestmark = pytest.mark.filterwarnings(r"ignore:\s*No kernel mapping found")

N_LAYERS = 10_000


def add(version=1):
    return LayerRepository("org/add", layer_name="Add", version=version)


def mapped(version=1, name="Add"):
    return {name: {"cpu": add(version)}}


def in_thread(function, context=None):
    """What a function answers in a new thread, in a context if one is given."""
    answers = []

    def body():
        answers.append(context.run(function) if context is not None else function())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return answers[0]


def test_scopes_nest_and_end(host):
    with use_kernel_mapping(mapped(1)):
        with use_kernel_mapping(mapped(2)):
            assert kernelized() == 2
            with use_kernel_mapping(mapped(3, "Other")):
                assert (kernelized(), kernelized("Other")) == (2, 3)
        assert (kernelized(), kernelized("Other")) == (1, 0)
    assert kernelized() == 0


def test_a_scope_is_left_by_an_error_too(host):
    with pytest.raises(LookupError):
        with use_kernel_mapping(mapped()):
            raise LookupError
    assert kernelized() == 0


def test_the_hosts_mapping_lies_below(make_host):
    make_host({"Host": [{"device": "cpu", "use": {"repo": "org/add", "version": 1, "layer": "Add"}}]})
    assert kernelized("Host") == 1
    with use_kernel_mapping(mapped(2)):
        assert (kernelized("Host"), kernelized("Add")) == (1, 2)
        with use_kernel_mapping(mapped(3, "Host")):
            assert kernelized("Host") == 3
    with use_kernel_mapping(mapped(2), inherit_mapping=False):
        assert (kernelized("Host"), kernelized("Add")) == (0, 2)
        with use_kernel_mapping(mapped(3, "Other")):  # on what is in force, which lacks the host's
            assert (kernelized("Host"), kernelized("Add"), kernelized("Other")) == (0, 2, 3)


def test_inherit_false_leaves_the_outer_scope_out(host):
    with use_kernel_mapping(mapped(1)):
        with use_kernel_mapping(mapped(2, "Other"), inherit_mapping=False):
            assert (kernelized(), kernelized("Other")) == (0, 2)
        assert kernelized() == 1


def test_register_within_a_scope_ends_with_it(host):
    with use_kernel_mapping(mapped(1)):
        register_kernel_mapping(mapped(2, "Other"))
        assert (kernelized(), kernelized("Other")) == (1, 2)
        register_kernel_mapping(mapped(3, "Other"))
        assert kernelized("Other") == 3
    assert kernelized("Other") == 0


def test_register_outside_is_for_every_thread(host):
    def registers():
        register_kernel_mapping(mapped(2))

    in_thread(registers)
    assert kernelized() == 2
    assert in_thread(kernelized) == 2
    register_kernel_mapping(mapped(3))
    assert in_thread(kernelized) == 3


def test_register_without_inheriting_takes_the_place_of_all(make_host):
    make_host({"Host": [{"device": "cpu", "use": {"repo": "org/add", "version": 1, "layer": "Add"}}]})
    register_kernel_mapping(mapped(1))
    register_kernel_mapping(mapped(2, "Other"), inherit_mapping=False)
    assert (kernelized("Host"), kernelized("Add"), kernelized("Other")) == (0, 0, 2)


def test_a_scope_changed_outside_is_changed_only_for_later_ones(host):
    register_kernel_mapping(mapped(1))
    with use_kernel_mapping(mapped(2, "Other")):
        in_thread(lambda: register_kernel_mapping(mapped(3)))
        assert (kernelized("Add"), kernelized("Other")) == (1, 2)
    assert kernelized("Add") == 3


def test_threads_take_a_copied_context_along(host):
    with use_kernel_mapping(mapped(2)):
        context = contextvars.copy_context()
        assert in_thread(kernelized) == 0  # a thread begins with what is for all
        assert in_thread(kernelized, context) == 2
    assert in_thread(kernelized, context) == 2  # the mapping outlives the with


def test_tasks_outlive_the_scope_in_which_they_were_made(host):
    async def main():
        left = asyncio.Event()

        async def task():
            await left.wait()
            return await asyncio.get_running_loop().run_in_executor(None, contextvars.copy_context().run, kernelized)

        with use_kernel_mapping(mapped(2)):
            first = asyncio.create_task(task())
            with use_kernel_mapping(mapped(3)):
                second = asyncio.create_task(task())
        left.set()
        return await first, await second, kernelized()

    assert asyncio.run(main()) == (2, 3, 0)


def test_views_of_scopes_that_ended_are_dropped(host):
    assert kernelized() == 0
    for round in range(200):  # a session may have 64
        with use_kernel_mapping(mapped(1 + round % 3)):
            assert kernelized() == 1 + round % 3
    assert own_row(host)["views"] <= 3


def test_a_scope_that_is_never_used_costs_the_daemon_nothing(host):
    assert kernelized() == 0
    before = own_row(host)
    with use_kernel_mapping(mapped(1)):
        register_kernel_mapping(mapped(2))
    after = own_row(host)
    assert (after["requests"] - 1, after["views"]) == (before["requests"], before["views"])


def requests_of(host, name="Add"):
    before = own_row(host)["requests"]
    kernelized(name)
    return own_row(host)["requests"] - before - 1


def test_ten_thousand_layers_are_sent_once(host):
    mapping = {f"Layer{i}": {"cpu": add(1 + i % 3)} for i in range(N_LAYERS)}
    with use_kernel_mapping(mapping):
        assert (kernelized("Layer0"), kernelized(f"Layer{N_LAYERS - 1}")) == (1, 1 + (N_LAYERS - 1) % 3)
        assert own_row(host)["entries"] == N_LAYERS
        with use_kernel_mapping(mapped(2)):
            # The parent's view is reused: the new view; resolve, acquire, perhaps a release, report.
            assert requests_of(host) <= 5
            assert requests_of(host, "Layer0") <= 4
            assert kernelized("Layer2") == 3


def test_nested_scopes_past_a_sessions_views(host):
    """Each level is in use; a session may have 64 views."""
    with contextlib.ExitStack() as stack:
        for level in range(100):
            stack.enter_context(use_kernel_mapping(mapped(1 + level % 3)))
            assert kernelized() == 1 + level % 3


def test_the_same_entry_again_is_replaced_whole(host):
    both = {Mode.INFERENCE: add(1), Mode.TRAINING: add(2)}
    with use_kernel_mapping({"Add": {"cpu": both}}):
        assert kernelized(mode=Mode.TRAINING) == 2
        register_kernel_mapping({"Add": {"cpu": {Mode.INFERENCE: add(3)}}})
        assert kernelized() == 3
        assert kernelized(mode=Mode.TRAINING) == 0


def test_a_mapping_is_taken_as_it_is_when_it_is_entered(host):
    modes = {Mode.INFERENCE: add(1)}
    mapping = {"Add": {"cpu": modes}}
    scope = use_kernel_mapping(mapping)
    modes[Mode.INFERENCE] = add(2)
    with scope:
        modes[Mode.INFERENCE] = add(3)
        mapping.clear()
        assert kernelized() == 2


@pytest.mark.parametrize("error, layers", [
    (ValueError, {"Bad": {"metal": add()}}),
    (ValueError, {"Bad": {Device("quantum"): add()}}),
    (TypeError, {"Bad": {"cpu": "org/add"}}),
    (TypeError, {"Bad": {"cpu": {"inference": add()}}}),
    (TypeError, {"Bad": {"cpu": None}}),
    (TypeError, {"Bad": {7: add()}}),
    (TypeError, {"Bad": add()}),
    (TypeError, {7: {"cpu": add()}}),
])
def test_a_mapping_that_is_partly_bad_registers_nothing(host, error, layers):
    with pytest.raises(error, match="."):
        register_kernel_mapping({**mapped(1), **layers})
    with pytest.raises(error, match="."):
        use_kernel_mapping({**mapped(1), **layers})
    assert kernelized() == 0


def test_metal_is_refused_with_the_hint(host):
    with pytest.raises(ValueError, match="mps"):
        register_kernel_mapping({"Add": {"metal": add()}})


@pytest.mark.parametrize("name, match", [("x" * 257, "256"), ("Add\x1b", "control"), ("Add\ud800", "control")])
def test_a_name_that_no_layer_can_have(host, name, match):
    for function in (use_kernel_mapping, register_kernel_mapping):
        with pytest.raises(ValueError, match=match):
            function({name: {"cpu": add()}})


def test_a_repository_that_cannot_be_leaves_the_others_usable(host):
    odd = LayerRepository("no name", layer_name="Add", version=1)
    with use_kernel_mapping({**mapped(1), "Odd": {"cpu": odd}}):
        assert kernelized() == 1
        with pytest.raises(ValueError, match="no name"):
            kernelized("Odd")


def test_anything_that_can_load_a_class_is_a_repository(host):
    class Mine:
        def load(self):
            from torch import nn

            class Layer(nn.Module):
                def forward(self, x):
                    return x + 9

            return Layer

    with use_kernel_mapping({"Add": {"cpu": Mine()}}):
        assert kernelized() == 9


def test_torch_compile_alone_is_found_by_nothing(host):
    with use_kernel_mapping({"Add": {"cpu": {Mode.TORCH_COMPILE: add(1)}}}):
        assert kernelized(mode=Mode.INFERENCE | Mode.TORCH_COMPILE) == 0
        with pytest.raises(ValueError):
            kernelized(use_fallback=False)


def test_a_layer_without_devices_is_known_for_none(host):
    with use_kernel_mapping({"Other": {}}, inherit_mapping=False):
        with pytest.raises(ValueError, match="device type"):
            kernelized("Other", use_fallback=False)
