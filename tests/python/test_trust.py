"""Which kernels this process may have: publishers whom nobody trusts, and denials; judged every time."""

import pytest

from kernelsd import get_kernel, get_loaded_kernels, kernelize, KernelizeFallback, LayerRepository, Mode
from kernelsd import use_kernel_mapping
from models import adding, extensible, kernelized, Net, own_row, value


def mapped(repo="org/add", version=1, trust=False, name="Add"):
    return {name: {"cpu": LayerRepository(repo, layer_name="Add", version=version, trust_remote_code=trust)}}


@pytest.fixture
def stranger(hub):
    hub.add_repository("stranger/add", {"v1": adding(8)}, trusted=False)
    return "stranger/add"


def test_an_untrusted_publisher(host, stranger):
    with pytest.raises(ValueError, match="stranger") as caught:
        get_kernel(stranger, version=1)
    assert (type(caught.value).__name__, caught.value.name) == ("KernelRefusedError", "untrusted")
    with use_kernel_mapping(mapped(stranger)):
        with pytest.raises(ValueError, match="stranger"):
            kernelized()
    trusting = get_kernel(stranger, version=1, trust_remote_code=True)
    with use_kernel_mapping(mapped(stranger, trust=True)):
        assert kernelized() == 8
    # It is loaded now, and still nothing for who does not trust it.
    with use_kernel_mapping(mapped(stranger)):
        with pytest.raises(ValueError, match="stranger"):
            kernelized()
        assert kernelized(use_fallback=KernelizeFallback.ALL) == 0
    with pytest.raises(ValueError, match="stranger"):
        get_kernel(stranger, version=1)
    assert get_kernel(stranger, version=1, trust_remote_code=True) is trusting


def test_one_model_with_and_without_trust(host, stranger):
    net = Net(extensible("Trusting")(), extensible("Careful")())
    with use_kernel_mapping({**mapped(stranger, trust=True, name="Trusting"), **mapped(stranger, name="Careful")}):
        kernelize(net, mode=Mode.INFERENCE, use_fallback=KernelizeFallback.ALL)
    assert [value(layer) for layer in net.layers] == [8, 0]


def test_trust_lifts_no_denial(host, stranger):
    host.configure(trust={"deny": ["stranger"]})
    with pytest.raises(ValueError, match="stranger"):
        get_kernel(stranger, version=1, trust_remote_code=True)


def test_identities_are_not_looked_at_yet(host, stranger):
    with pytest.warns(UserWarning, match="not yet implemented"):
        with pytest.raises(ValueError, match="stranger"):
            get_kernel(stranger, version=1, trust_remote_code=["somebody"])
    with pytest.warns(UserWarning, match="not yet implemented"):
        assert float(get_kernel("org/add", version=1, trust_remote_code=["somebody"]).add(0)) == 1


@pytest.mark.parametrize("trust", [False, True])
def test_what_is_denied_later_is_not_put_in_place_again(host, trust):
    net = Net(extensible()())
    with use_kernel_mapping(mapped(trust=trust)):
        assert kernelized(use_fallback=False) == 1
        host.configure(trust={"deny": ["org/add"]})
        with pytest.raises(ValueError, match="org/add") as caught:
            kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
        assert caught.value.name == "denied-by-policy"
        assert "forward" not in vars(net.layers[0])
        assert kernelized(use_fallback=KernelizeFallback.ALL) == 0
    with pytest.raises(ValueError, match="org/add"):
        get_kernel("org/add", version=1, trust_remote_code=trust)


def test_a_publisher_who_is_trusted_no_more(host, stranger):
    host.configure(trust={"allow": ["stranger"]})
    with use_kernel_mapping(mapped(stranger)):
        assert kernelized(use_fallback=False) == 8
        host.configure()
        with pytest.raises(ValueError, match="stranger"):
            kernelized(use_fallback=False)


def test_with_and_without_trust_it_is_one_module(host):
    module = get_kernel("org/add", version=1)
    assert get_kernel("org/add", version=1, trust_remote_code=True) is module
    net = Net(extensible("Trusting")(), extensible("Careful")())
    with use_kernel_mapping({**mapped(trust=True, name="Trusting"), **mapped(name="Careful")}):
        kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
    assert value(net) == 2 and len({layer.forward.__func__ for layer in net.layers}) == 1
    assert len(get_loaded_kernels()) == own_row(host)["n_leases"] == 1
