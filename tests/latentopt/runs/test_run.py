"""Reading a campaign's folder: what it found, and what is wrong with a damaged one."""

import json

import numpy as np
import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError, ConfigError, JournalError
from latentopt.runs.candidates import candidate_path, write_candidate
from latentopt.runs.journal import FORMAT_VERSION, Journal
from latentopt.runs.run import Run

HEADER = {
    "kind": "campaign",
    "format_version": FORMAT_VERSION,
    "config": {
        "name": "by hand",
        "objective": "a",
        "constraints": ["b <= 2", "a - b >= -1"],
        "evaluate": ["volume_fraction"],
        "voxel_size_um": 0.5,
        "phase_names": ["pore", "grain"],
        "periodic": False,
        "seed": 7,
    },
    "space_id": "0123456789ab",
    "units": {"a": "GPa"},
    "created": "2025-01-01T00:00:00+00:00",
    "versions": {"latentopt": "0.1.0"},
}


@pytest.fixture
def write(tmp_path):
    """Write a journal whose trials have these metrics; a string is a reason, None is pending."""

    def call(*ends, **config):
        header = {**HEADER, "config": {**HEADER["config"], **config}}
        points = [{"index": i, "z": [0.1 * i, 1.0]} for i in range(len(ends))]
        with Journal(tmp_path) as journal:
            journal.append(header)
            journal.append({"kind": "ask", "strategy": "prior", "trials": points})
            for i, end in enumerate(ends):
                event = {"trial": i, "seconds": 0.5}
                if isinstance(end, str):
                    journal.append({"kind": "fail", "reason": end, **event})
                elif end is not None:
                    journal.append({"kind": "tell", "metrics": end, **event})
        return Run.read(tmp_path)

    return call


def test_trials_are_read_as_the_journal_tells_them(write):
    run = write({"a": 1.0, "b": 0.0}, "exploded", None)
    assert [t.status for t in run.trials] == ["completed", "failed", "pending"]
    assert run.trials[0].metrics == {"a": 1.0, "b": 0.0}
    assert (run.trials[1].reason, run.trials[1].metrics) == ("exploded", {})
    assert [t.seconds for t in run.trials] == [0.5, 0.5, None]
    assert run.trials[2].z.tolist() == [0.2, 1.0]
    assert run.units == {"a": "GPa"}
    assert run.provenance == {key: HEADER[key] for key in ("created", "versions")}


def test_margins_are_signed_and_by_the_text_of_the_constraint(write):
    run = write({"a": 1.0, "b": 0.5})
    assert run.margins(run.trials[0]) == {"b <= 2": 1.5, "a - b >= -1": 1.5}


def test_best_leaves_out_failed_pending_and_infeasible_trials(write):
    good, better = {"a": 1.0, "b": 0.0}, {"a": 3.0, "b": 2.0}
    run = write("failed", good, {"a": 9.0, "b": 2.1}, None, better, {"a": 0.0, "b": 1.5})
    assert [t.index for t in run.best(10)] == [4, 1]
    assert [t.index for t in run.best()] == [4]
    assert run.best(0) == []
    assert run.value(run.trials[4]) == 3.0


def test_equal_values_come_in_the_order_they_were_proposed(write):
    run = write(*[{"a": 1.0, "b": 0.0}] * 4)
    assert [t.index for t in run.best(3)] == [0, 1, 2]


def test_of_several_objectives_those_that_nothing_surpasses_come_first(write):
    points = [(1, 1), (3, 0), (2, 2), (0, 3), (0, 0), (3, 0)]
    metrics = [{"a": float(a), "b": float(b)} for a, b in points]
    run = write(*metrics, objective="a, b", constraints=[])
    front = [t.index for t in run.best(4)]
    assert front == [1, 5, 2, 3]  # the Pareto front, the first objective's best first
    assert [t.index for t in run.best(6)] == [*front, 0, 4]
    assert run.value(run.trials[3]) == 0.0


def test_the_front_is_what_nothing_surpasses_in_both_objectives(write):
    points = [(1, 1), (3, 0), (2, 2), (0, 3), (0, 0), (3, 0)]
    run = write(*({"a": float(a), "b": float(b)} for a, b in points), objective="a, b")
    # b <= 2 rules (0, 3) out, and nothing else is in its place
    assert [t.index for t in run.pareto()] == [1, 5, 2]
    assert [t.index for t in run.feasible] == [0, 1, 2, 4, 5]


def test_the_front_of_one_objective_is_its_best_and_of_nothing_is_empty(write):
    run = write({"a": 1.0, "b": 0.0}, {"a": 2.0, "b": 0.0}, {"a": 9.0, "b": 9.0})
    assert [t.index for t in run.pareto()] == [1]


def test_there_is_no_front_of_failures(write):
    assert write("exploded").pareto() == []


def test_settings_that_changed_on_the_way_are_the_last_ones(write, tmp_path):
    write({"a": 1.0, "b": 0.0})
    with Journal(tmp_path) as journal:
        journal.append({"kind": "settings", "config": {"trials": 77}})
    assert Run.read(tmp_path).config.trials == 77


def test_a_candidate_is_the_structure_with_all_that_is_known_of_it(write, tmp_path):
    run = write({"a": 1.0, "b": 0.5}, None)
    phases = np.arange(6, dtype=np.uint8).reshape(2, 3) % 2
    for trial in run.trials:
        write_candidate(tmp_path, trial.index, phases, trial.z)
    candidate = run.candidate(0)
    structure = candidate.microstructure
    np.testing.assert_array_equal(structure.phases, phases)
    assert structure.voxel_size_m == pytest.approx((5e-7, 5e-7))
    assert (structure.phase_names, structure.periodic) == (("pore", "grain"), (False, False))
    assert (candidate.trial, candidate.metrics) == (0, {"a": 1.0, "b": 0.5})
    assert candidate.margins == run.margins(run.trials[0])
    assert structure.provenance == {
        "campaign": "by hand",
        "trial": 0,
        "strategy": "prior",
        "seed": 7,
        "space_id": "0123456789ab",
        "z": [0.0, 1.0],
        "created": HEADER["created"],
        "versions": HEADER["versions"],
    }
    assert (run.candidate(1).metrics, run.candidate(1).margins) == ({}, {})


def test_each_axis_may_have_its_own_voxel_size(write, tmp_path):
    run = write(None, voxel_size_um=[1.0, 2.0], phase_names=None)
    write_candidate(tmp_path, 0, np.zeros((2, 3), dtype=np.uint8), run.trials[0].z)
    structure = run.candidate(0).microstructure
    assert structure.voxel_size_m == pytest.approx((1e-6, 2e-6))
    assert structure.phase_names == ("phase 0", "phase 1")


def test_a_trial_that_there_is_not_is_refused(write):
    run = write(None)
    for index in (1, -1):
        with pytest.raises(CampaignError, match=f"has no trial {index}; it has 1 trials"):
            run.candidate(index)


@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "text", "other"])
def test_a_candidate_file_that_cannot_be_read_is_named_with_the_remedy(write, tmp_path, damage):
    run = write({"a": 1.0, "b": 0.0})
    path = write_candidate(tmp_path, 0, np.zeros((4, 4), dtype=np.uint8), run.trials[0].z)
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        np.savez(path, something=np.zeros(3))
    else:
        whole = path.read_bytes()
        path.write_bytes({"truncated": whole[:-40], "empty": b"", "text": b"hello"}[damage])
    problem = "is missing" if damage == "missing" else "is damaged"
    with pytest.raises(CampaignError, match=f"0000.npz: {problem}.*decode z of trial 0") as caught:
        run.candidate(0)
    assert "\n" not in str(caught.value)
    assert run.best(1)[0].index == 0  # the rest still reads


def test_a_candidate_is_replaced_as_a_whole_and_leaves_no_other_file(tmp_path):
    z = np.zeros(2)
    for value in (0, 1):
        write_candidate(tmp_path, 3, np.full((2, 2), value, dtype=np.uint8), z)
    assert list((tmp_path / "candidates").iterdir()) == [candidate_path(tmp_path, 3)]
    with np.load(candidate_path(tmp_path, 3)) as file:
        assert file["phases"].min() == 1


def test_a_folder_without_a_campaign_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing", str(tmp_path)):
        with pytest.raises(CampaignError, match=f"{folder}: holds no campaign.*latentopt optimize"):
            Run.read(folder)
    (tmp_path / "file").touch()
    with pytest.raises(CampaignError, match=r"file.*Not a directory\. Choose a folder"):
        Run.read(tmp_path / "file")


def test_a_campaign_that_was_killed_before_its_first_line_has_not_started(tmp_path):
    Journal(tmp_path).close()
    with pytest.raises(CampaignError, match="has not started; run it"):
        Run.read(tmp_path)


def test_a_damaged_line_is_named(write, tmp_path):
    write({"a": 1.0, "b": 0.0}, {"a": 2.0, "b": 0.0})
    path = tmp_path / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"1.0", b"9.0", 1)
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalError, match=r"line 3 of 4 is damaged.*head -n 2") as caught:
        Run.read(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_of_a_campaign_that_this_version_does_not_know_are_named(write):
    with pytest.raises(ConfigError, match=r"campaign.tirals: unknown key; did you mean trials"):
        write(None, tirals=3)


def test_a_campaign_is_read_while_it_is_running(tiny_space, tmp_path):
    read = []

    def look(images):
        read.append(Run.read(tmp_path / "run"))
        return {"a": 1.0}

    campaign = Campaign(
        space=tiny_space,
        objective="a",
        objectives=[look],
        strategy="prior",
        engine="serial",
        dry_run=False,
        trials=3,
        batch=1,
        folder=tmp_path / "run",
    )
    campaign.run()
    assert [[t.status for t in run.trials].count("completed") for run in read] == [0, 1, 2]
    assert all(run.trials[-1].status == "pending" for run in read)


def test_the_journal_is_json_that_needs_none_of_our_classes(write, tmp_path):
    write({"a": 1.0, "b": 0.0})
    events = [json.loads(line)["e"] for line in (tmp_path / "journal.jsonl").open()]
    assert [event["kind"] for event in events] == ["campaign", "ask", "tell"]
    assert events[1]["trials"] == [{"index": 0, "z": [0.0, 1.0]}]
