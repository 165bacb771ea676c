"""Passwords and tokens: refused in settings, hidden in messages, never told."""

import json
import time

import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.cli.app import main
from latentopt.errors import ConfigError
from latentopt.report import write_report
from latentopt.settings.credentials import check_no_secrets, with_secrets_hidden, without_secrets
from latentopt.simulators.subprocess_command import SubprocessSimulator

SECRET = "s3cret-of-mine"
HOLDING = [
    {"kind": "import", "options": {"password": SECRET}},
    {"kind": "import", "options": {"nested": [{"api-key": SECRET}]}},
    {"kind": "import", "options": {"database": f"postgres://me:{SECRET}@host/db"}},
    {"kind": "subprocess", "command": ["solve", "--token", SECRET]},
    {"kind": "subprocess", "command": ["solve", f"--license-token={SECRET}"]},
    {"kind": "subprocess", "command": ["curl", "-H", f"Authorization: Bearer {SECRET}"]},
    {"kind": "subprocess", "command": ["sh", "-c", f"solve --password '{SECRET}' x"]},
    {"kind": "parsl", "worker_init": f"export DB_PASSWORD={SECRET}\nmodule load x"},
    {"kind": "dask", "address": f"tls://me:{SECRET}@host:8786"},
    {"kind": "python", "x_api_key": 12345},
    {"kind": "subprocess", "command": ["sh", "-c", f"PGPASSWORD={SECRET} solve"]},
    {"kind": "subprocess", "command": ["sh", "-c", f"curl -u me:{SECRET} https://host"]},
    {"kind": "subprocess", "command": ["sh", "-c", f"mysql -h db -p{SECRET} < q.sql"]},
    {"kind": "subprocess", "command": ["curl", "-u", f"me:{SECRET}", "https://host"]},
    {"kind": "subprocess", "command": ["curl", "--proxy-user", f"me:{SECRET}"]},
    {"kind": "subprocess", "command": ["solve", "--auth", f"me:{SECRET}"]},
    {"kind": "subprocess", "command": ["solve", f"--auth=me:{SECRET}"]},
    {"kind": "subprocess", "command": ["solve", "--pw", SECRET]},
    {"kind": "subprocess", "command": ["solve", f"--pwd={SECRET}"]},
    {"kind": "subprocess", "command": ["solve", "--credentials", SECRET]},
    {"kind": "subprocess", "command": ["/usr/bin/mysql", "-h", "db", f"-p{SECRET}"]},
    {"kind": "subprocess", "command": ["sshpass", "-p", SECRET, "ssh", "host"]},
    {"kind": "import", "options": {"pwd": SECRET}},
    {"kind": "import", "options": {"auth": ["me", SECRET]}},
    {"kind": "import", "options": {"basic_auth": f"me:{SECRET}"}},
    {"kind": "import", "options": {"bearer": SECRET}},
    {"kind": "import", "options": {"credentials": SECRET}},
    {"kind": "import", "options": {"clientSecret": SECRET, "dbPassword": SECRET}},
    {"kind": "import", "options": {"password": [SECRET, SECRET]}},
    {"kind": "import", "options": {"url": f"https://host/x?v=1&sig={SECRET}&se=2"}},
    {"kind": "import", "options": {"url": f"https://host/x?X-Amz-Signature={SECRET}"}},
    {"kind": "import", "options": {"url": f"http://me:{SECRET}%40host/x"}},
]
FREE = [
    {"kind": "http", "token_variable": "CLUSTER_TOKEN", "url": "https://host/jobs"},
    {"kind": "subprocess", "command": ["solve", "--token", "{task}", "--tokens", "3"]},
    {"kind": "subprocess", "command": ["sh", "-c", 'solve --token "$TOKEN" --password=$PW']},
    {"kind": "subprocess", "command": ["solve", "--token-file", "/x", "--secret", "--n", "4"]},
    {"kind": "import", "options": {"key": "k_xx", "tokens": 5, "password": "", "secret": None}},
    {"kind": "parsl", "worker_init": "export TOKEN=$OTHER", "account": "a1"},
    {"kind": "subprocess", "command": ["mpirun", "-u", "-np", "4", "solve", "-p", "4"]},
    {"kind": "subprocess", "command": ["solve", "--part", "a", "--passes", "3", "--pass", "2"]},
    {"kind": "subprocess", "command": ["solve", "-pfine", "--pw", "2.5", "--author", "me"]},
    {"kind": "subprocess", "command": ["docker", "run", "-u", "1000:1000", "-v", "a:/b"]},
    {"kind": "subprocess", "command": ["python", "-u", "solve.py", "mode:fast", "-p", "a"]},
    {"kind": "subprocess", "command": ["curl", "-u", "me:$PW", "--user", "me", "--auth", "ntlm"]},
    {"kind": "subprocess", "command": ["sh", "-c", "mysql -p < q; tar -pxf a; solve -pfine"]},
    {"kind": "subprocess", "command": ["sh", "-c", "cd $PWD; PWD=/scratch solve --pw 2.5"]},
    {"kind": "subprocess", "command": ["sh", "-c", "python -u solve.py a:b; docker -u 5:5"]},
    {"kind": "parsl", "worker_init": "export GOOGLE_APPLICATION_CREDENTIALS=/home/me/g.json"},
    {"kind": "import", "options": {"credentials": "keys.json", "auth": "basic", "pwd": "/x"}},
    {"kind": "import", "options": {"low_pass": "butter", "passes": 3, "pw": 2.5, "key": "k"}},
    {"kind": "import", "options": {"bypass": "x", "compass": "N", "author": ["a", "b"]}},
    {"kind": "import", "options": {"url": "https://host/x?v=1&design=2", "phase": "a:b"}},
]


@pytest.mark.parametrize("spec", HOLDING, ids=str)
def test_a_secret_is_found_and_hidden_and_not_told(spec):
    with pytest.raises(
        ConfigError, match=r"campaign.simulate\[0\].*environment variable"
    ) as caught:
        check_no_secrets({"simulate": [spec]}, "campaign")
    assert SECRET not in str(caught.value)
    hidden = with_secrets_hidden(spec)
    assert SECRET not in json.dumps(hidden)
    assert "12345" not in json.dumps(hidden)
    check_no_secrets(hidden, "campaign")


@pytest.mark.parametrize("spec", FREE, ids=str)
def test_what_only_names_a_secret_is_left_alone(spec):
    check_no_secrets(spec, "campaign")
    assert with_secrets_hidden(spec) == spec


def test_a_message_loses_the_values_of_variables_that_hold_secrets(monkeypatch):
    monkeypatch.setenv("CLUSTER_TOKEN", SECRET)
    monkeypatch.setenv("SHORT_TOKEN", "on")
    assert without_secrets(f"said {SECRET} on") == "said *** on"


@pytest.mark.parametrize("part", ["a.b", "mysql ", "-u ", "?a.b", "x:", "db-a_"])
def test_a_long_text_is_searched_in_the_time_of_its_length(part):
    started = time.monotonic()
    without_secrets(part * 20_000)  # 23 s for the first, where every start was tried
    assert time.monotonic() - started < 2


def test_a_message_keeps_the_working_folder(monkeypatch):
    monkeypatch.setenv("PWD", "/home/me/work")
    assert without_secrets("/home/me/work/c.yaml: is missing") == "/home/me/work/c.yaml: is missing"


def mean(images):
    return {"mean": float(images.mean())}


def campaign(tiny_space, folder, objective=mean, **settings):
    return Campaign(
        space=tiny_space,
        objective="mean",
        objectives=[objective],
        strategy="prior",
        score="decoded",
        trials=1,
        dry_run=False,
        folder=folder,
        **{"engine": "serial", **settings},
    )


def test_a_campaign_whose_settings_hold_a_secret_writes_nothing(tiny_space, tmp_path):
    engine = {"kind": "parsl", "worker_init": f"export MY_TOKEN={SECRET}"}
    with pytest.raises(ConfigError, match=r"campaign\.engine\.worker_init: holds a password"):
        campaign(tiny_space, tmp_path / "run", engine=engine)
    simulator = SubprocessSimulator(command=["ls", "--token", SECRET], units={"a": "1"})
    with pytest.raises(ConfigError, match=r"campaign\.simulate\[0\]\.command\[2\]: holds"):
        campaign(tiny_space, tmp_path / "run", simulators=[simulator])
    assert not (tmp_path / "run").exists()


def test_a_wrong_setting_is_told_without_the_secret_in_it(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(
        f"objective: a\nsimulate: [{{kind: subprocess, command: solve --token {SECRET}}}]\n"
    )
    with pytest.raises(SystemExit):
        main_with(["optimize", str(tmp_path / "c.yaml")])
    said = capsys.readouterr().err
    assert "command" in said
    assert SECRET not in said


def main_with(arguments):
    import sys

    before, sys.argv = sys.argv, ["latentopt", *arguments]
    try:
        main()
    finally:
        sys.argv = before


def test_reason_and_report_do_not_tell_a_secret(tiny_space, tmp_path, monkeypatch):
    monkeypatch.setenv("CLUSTER_TOKEN", SECRET)

    def refused(images):
        raise OSError(f"https://me:pa55word@host refused {SECRET}")

    run = campaign(tiny_space, tmp_path / "run", refused).run(progress=False)
    (trial,) = run.trials
    assert trial.reason == "refused raised OSError: https://***@host refused ***"
    page = write_report(run, space=tiny_space).read_text()
    for text in (page, (tmp_path / "run" / "journal.jsonl").read_text()):
        assert SECRET not in text
        assert "pa55word" not in text


def test_an_old_command_goes_on_without_its_secret():
    units = {"a": "1"}
    old = SubprocessSimulator(command=["ls", "--token", SECRET], units=units)
    assert SECRET not in json.dumps(old.identity())
    hidden = SubprocessSimulator(command=["ls", "--token", "***"], units=units)
    assert old.identity() == hidden.identity()
