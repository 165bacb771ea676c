"""The command: one line with the address, and an end when it is asked for."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from latentopt.cli.app import app
from latentopt.errors import ConfigError
from latentopt.serve.client import Client
from latentopt.serve.run_server import hosts_of, listening


@pytest.mark.slow
def test_the_command_prints_an_address_that_serves(tiny_space, tiny_space_folder, tmp_path):
    evaluate = tmp_path / "jobs.yaml"
    evaluate.write_text("evaluate:\n  - volume_fraction\n")
    command = [
        *(sys.executable, "-m", "latentopt", "serve", str(tiny_space_folder)),
        *("--evaluate", str(evaluate)),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        client = Client(url)
        assert [one["id"] for one in client.spaces()] == [tiny_space.id]
        client.space().encode(np.full((1, 1, 8, 8), 0.3, np.float32))  # how it is read is not told
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130)
        assert process.stdout.read() == ""
        assert "token=" in url


def test_wrong_use_is_said_in_a_line(tmp_path):
    run = CliRunner().invoke
    for arguments in (["serve"], ["serve", "--runs", str(tmp_path / "none")]):
        found = run(app, arguments)
        assert isinstance(found.exception, ConfigError)
    with listening("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        found = run(app, ["serve", "--runs", str(tmp_path), "--port", port])
        assert isinstance(found.exception, ConfigError)
        assert "--port" in str(found.exception)


def test_without_the_extra_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    found = CliRunner().invoke(app, ["serve", "--runs", str(tmp_path)])
    assert isinstance(found.exception, ConfigError)
    assert "pip install 'latentopt[serve]'" in str(found.exception)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_all_addresses_at_once_are_refused(tmp_path, host):
    found = CliRunner().invoke(app, ["serve", "--runs", str(tmp_path), "--host", host])
    assert isinstance(found.exception, ConfigError)
    assert "all addresses at once" in str(found.exception)


def test_hosts_are_those_of_the_address():
    assert hosts_of("127.0.0.1", 8000) == {"127.0.0.1:8000", "localhost:8000"}
    assert hosts_of("::1", 8000) == {"[::1]:8000"}
    assert hosts_of("lab.example", 80) == {"lab.example:80", "lab.example"}
