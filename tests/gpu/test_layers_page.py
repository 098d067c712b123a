"""Upstream's page on layers runs as written, on a GPU."""

import layers_page


def test_pages(hub, host, tmp_path):
    layers_page.serve(hub)
    layers_page.run_pages("cuda", layers_page.make_local(tmp_path))
