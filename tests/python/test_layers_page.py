"""Upstream's page on layers runs with nothing changed but the import, here on the CPU."""

import logging
import warnings

import layers_page
import pytest


@pytest.fixture
def folder(hub, host, tmp_path):
    """The page's kernels are at the Hub; answers the local repository."""
    layers_page.serve(hub)
    return layers_page.make_local(tmp_path)


def warned(caught, category):
    return [str(each.message) for each in caught if issubclass(each.category, category)]


def test_newest(folder, hub, caplog):
    caplog.set_level(logging.INFO, "kernelsd")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        layers_page.run_newest("cpu", folder)
    assert not warned(caught, FutureWarning)  # everything has a version
    assert any("package_name" in text for text in warned(caught, DeprecationWarning))
    # "Inspecting which kernels are used".
    for name in layers_page.NAMES:
        assert f"kernels-community/{name}`" in caplog.text


def test_old(folder):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        layers_page.run_old("cpu", folder)
    said = warned(caught, FutureWarning)
    assert said and all("kernels-community/activation" in text and "versions are 1" in text for text in said)
    deprecated = " ".join(warned(caught, DeprecationWarning))
    assert all(word in deprecated for word in ("package_name", "use_kernel_func_from_hub", "FuncRepository"))


def test_both_in_one_process(folder):
    layers_page.run_pages("cpu", folder)


def test_another_package_name(folder):
    with pytest.raises(ValueError, match="calls itself `activation`"):
        layers_page.run_local("cpu", folder, layers_page.feed_forward, package_name="deactivation")
