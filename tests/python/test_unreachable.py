"""Without a daemon, with one that comes, goes, starts anew, and with a Hub that does not answer."""

import os
import signal
import threading
import warnings

import pytest

import kernelsd
from kernelsd import DaemonUnreachableError, get_kernel, has_kernel, kernelize, KernelizeFallback, LayerRepository
from kernelsd import Mode, use_kernel_mapping
from models import extensible, kernelized, local_kernel, Net, own_row, value


def mapped(version=1):
    return {"Add": {"cpu": LayerRepository("org/add", layer_name="Add", version=version)}}


@pytest.fixture
def nowhere(forget, monkeypatch, tmp_path):
    monkeypatch.setenv("KERNELSD_SOCKET", str(tmp_path / "socket"))


def warned(function):
    """What a function answers, and the warnings on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = function()
    return answer, [str(one.message) for one in caught]


def test_one_warning_that_says_how_to_start_it(nowhere, tmp_path):
    with use_kernel_mapping(mapped()):
        added, texts = warned(lambda: [kernelized(use_fallback=fallback) for fallback in
                                       (True, KernelizeFallback.UNSUPPORTED, KernelizeFallback.ALL, True)])
    assert added == [0, 0, 0, 0]
    assert len(texts) == 1 and "layers keep their original forward" in texts[0]
    assert "start it" in texts[0] and str(tmp_path / "socket") in texts[0]


def test_the_warning_names_the_callers_line(nowhere):
    with use_kernel_mapping(mapped()), pytest.warns(RuntimeWarning) as caught:
        kernelize(Net(extensible()()), mode=Mode.INFERENCE)
    assert caught[0].filename == __file__


def test_an_error_where_no_fallback_covers_it(nowhere):
    net = Net(extensible()())
    for fallback in (False, KernelizeFallback.NONE, KernelizeFallback.LOAD):
        with pytest.raises(ConnectionError, match="start it") as caught:
            kernelize(net, mode=Mode.INFERENCE, use_fallback=fallback)
        assert isinstance(caught.value, DaemonUnreachableError)
    assert "forward" not in vars(net.layers[0])


def test_what_is_not_extensible_needs_no_daemon(nowhere):
    _, texts = warned(lambda: kernelize(Net(), mode=Mode.INFERENCE))
    assert texts == []


def test_calls_that_need_one(nowhere, tmp_path):
    local_kernel(tmp_path, 4)
    for function in (
        lambda: get_kernel("org/add", version=1),
        lambda: has_kernel("org/add", version=1),
        lambda: kernelsd.get_kernel_variants("org/add", version=1),
        lambda: kernelsd.get_local_kernel(tmp_path),
        lambda: LayerRepository("org/add", layer_name="Add", version=1).load(),
    ):
        with pytest.raises(ConnectionError, match="start it"):
            function()
    assert kernelsd.get_local_kernel(tmp_path / "build" / "torch-cpu").add(0) == 4, "it needs no choice"


def test_threads_warn_once(nowhere):
    def body():
        threads = [threading.Thread(target=kernelized) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(warned(body)[1]) == 1


def test_a_daemon_that_comes_and_goes(make_host, monkeypatch, tmp_path):
    host = make_host()
    assert host.stop() == 0
    with use_kernel_mapping(mapped()):
        for _ in range(3):  # it is lost: one warning; it comes: none
            added, texts = warned(lambda: [kernelized(), kernelized()])
            assert added == [0, 0] and len(texts) == 1
            host.start()
            added, texts = warned(lambda: [kernelized(), kernelized()])
            assert added == [1, 1] and texts == []
            host.kill()
            host.process = None
        with pytest.raises(ConnectionError):
            kernelized(use_fallback=False)
    host.start()


def test_a_daemon_that_starts_anew_between_two_calls(make_host):
    host = make_host()
    net = Net(extensible()())
    with use_kernel_mapping(mapped(1)):
        kernelize(net, mode=Mode.INFERENCE)
        host.restart()
        with use_kernel_mapping(mapped(2)):
            kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
            assert value(net) == 2
            host.restart()
            kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
        kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
        assert value(net) == 1
    assert own_row(host)["views"] <= 3


def test_a_model_goes_on_without_the_daemon(make_host):
    host = make_host()
    net = Net(extensible()())
    with use_kernel_mapping(mapped(3)):
        kernelize(net, mode=Mode.INFERENCE)
        assert host.stop() == 0
        assert value(net) == 3
        warned(lambda: kernelize(net, mode=Mode.INFERENCE))
    assert value(net) == 0


def interrupts(fault):
    """Sends this process a SIGINT once a request stalls."""
    def body():
        fault.wait()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=body)
    thread.start()
    return thread


@pytest.mark.parametrize("function", [
    lambda: get_kernel("org/add", version=1),
    lambda: kernelized(use_fallback=KernelizeFallback.ALL),
], ids=["get_kernel", "kernelize"])
def test_an_interrupt_while_the_hub_stalls(host, hub, function):
    fault = hub.set_fault("stall", "files")
    with use_kernel_mapping(mapped()):
        thread = interrupts(fault)
        with pytest.raises(KeyboardInterrupt):
            function()
        thread.join()
        assert own_row(host)["n_leases"] == 0
        hub.remove_faults()
        assert kernelized() == 1


def test_other_threads_run_while_one_waits(host, hub):
    fault = hub.set_fault("stall", "files")
    modules = []
    thread = threading.Thread(target=lambda: modules.append(get_kernel("org/add", version=1)))
    thread.start()
    fault.wait()
    with pytest.warns(UserWarning, match="No kernel mapping"):
        assert kernelized("Other") == 0
    hub.remove_faults()
    thread.join()
    assert modules[0].add(0) == 1
