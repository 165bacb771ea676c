"""A file is written again only if it is ours, byte for byte; one that is read, never."""

import errno
import hashlib
import os
import subprocess
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generative.autoencoders.pca import PCA
from generative.data.outputs import check_outputs
from generative.errors import OutputError
from generative.files.folder import write_folder
from generative.files.own_files import MANIFEST, NOTES, is_own, place
from generative.model_files import save_model


def put(path, data=b"ours", **options):
    """Write a file as a command does."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    try:
        place(part, path, **options)
    finally:
        part.unlink(missing_ok=True)


def test_what_we_wrote_is_ours_until_anybody_changes_it(tmp_path):
    path = tmp_path / "z.npy"
    put(path)
    assert is_own(path)
    put(path, b"again")
    assert (path.read_bytes(), is_own(path)) == (b"again", True)
    path.write_bytes(b"edited")
    assert not is_own(path)
    with pytest.raises(OutputError, match=r"z\.npy: is there already.*--overwrite"):
        put(path)
    assert path.read_bytes() == b"edited"
    put(path, overwrite=True)
    assert is_own(path)


def test_a_copy_or_another_name_is_not_ours(tmp_path):
    put(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_bytes(b"ours")
    (tmp_path / "link.npy").symlink_to("a.npy")
    assert [is_own(tmp_path / name) for name in ("a.npy", "b.npy", "link.npy", "none.npy")] == [
        True, False, False, False,
    ]  # fmt: skip
    with pytest.raises(OutputError):
        put(tmp_path / "link.npy")
    assert (tmp_path / "link.npy").is_symlink()


@given(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=30))
def test_any_name_can_be_noted(tmp_path_factory, name):
    path = tmp_path_factory.mktemp("names") / f"{name}.x"
    put(path, name.encode())
    put(path.with_name("other"), b"other")
    assert is_own(path)
    assert not is_own(path.with_name("absent"))


def test_the_notes_are_read_by_sha256sum(tmp_path):
    for name in ("set.h5", "two\nlines", "back\\slash", "ünï [1].png"):
        put(tmp_path / name, name.encode())
    checked = subprocess.run(["sha256sum", "-c", NOTES], cwd=tmp_path, capture_output=True)
    assert checked.returncode == 0, checked.stderr


def test_a_file_that_appears_while_we_work_is_left_and_the_work_kept(tmp_path):
    path, part = tmp_path / "set.h5", tmp_path / ".part"
    check_outputs([path])
    part.write_bytes(b"an hour of work")
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"What was made is kept as .*set\.new1\.h5"):
        place(part, path)
    assert path.read_bytes() == b"mine"
    assert (tmp_path / "set.new1.h5").read_bytes() == b"an hour of work"
    assert not part.exists()


def test_of_many_who_write_one_new_name_one_has_it_whole_and_no_work_is_lost(tmp_path):
    path, refused = tmp_path / "set.h5", []

    def write(number):
        part = tmp_path / f".{number}.part"
        part.write_bytes(bytes([number]) * 1000)
        try:
            place(part, path)
        except OutputError:
            refused.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [file.read_bytes() for file in tmp_path.glob("set*")]
    assert all(len(set(data)) == 1 and len(data) == 1000 for data in found)
    # Those who came after another one of ours may replace it: it is ours.
    assert {bytes([number]) * 1000 for number in refused} <= set(found)


def test_a_disk_without_hard_links_is_no_reason_to_replace(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    put(tmp_path / "new.npy")
    assert is_own(tmp_path / "new.npy")
    (tmp_path / "theirs.npy").write_bytes(b"mine")
    with pytest.raises(OutputError):
        put(tmp_path / "theirs.npy")
    assert (tmp_path / "theirs.npy").read_bytes() == b"mine"


def _same(folder):
    (folder / "sub").mkdir()
    (folder / "a.png").write_bytes(b"mine")
    os.link(folder / "a.png", folder / "hard.png")
    (folder / "soft.png").symlink_to("a.png")
    (folder / "way").symlink_to("sub", target_is_directory=True)
    return ["a.png", "hard.png", "soft.png", "sub/../a.png", "./a.png", "way/../a.png"]


def test_an_input_is_known_by_any_name_and_never_written(tmp_path, monkeypatch):
    names = _same(tmp_path)
    monkeypatch.chdir(tmp_path)
    for out in [*names, str(tmp_path / "a.png")]:
        for given_as in names:
            for reading in ({"inputs": [given_as]}, {"images": [given_as]}, {"inputs": ["."]}):
                with pytest.raises(OutputError, match="read by this command and never written"):
                    check_outputs([out], overwrite=True, **reading)


def test_nothing_that_would_be_an_image_is_written_among_the_images(tmp_path):
    images, linked = tmp_path / "images", tmp_path / "linked"
    images.mkdir()
    linked.mkdir()
    (images / "steel").symlink_to(linked, target_is_directory=True)
    for out in (images / "set.h5", images / "deep" / "sheet.png", linked / "z.npy"):
        with pytest.raises(OutputError, match="read as one of its images the next time"):
            check_outputs([out], images=[images], overwrite=True)
    check_outputs([images / "z.csv", tmp_path / "set.h5"], images=[images])


def test_all_that_is_in_the_way_is_named_at_once(tmp_path):
    files = [tmp_path / f"{k}.png" for k in range(7)]
    for file in files[1:]:
        file.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"1\.png, .*5\.png and 1 more: are there already"):
        check_outputs(files)
    check_outputs(files, overwrite=True)
    with pytest.raises(IsADirectoryError):
        check_outputs([tmp_path], overwrite=True)


# -- folders of ours ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    return save_model(PCA((1, 8, 8), components=4), tmp_path / "model")


def test_a_model_is_saved_over_a_model_and_over_nothing_else(folder, tmp_path):
    save_model(PCA((1, 8, 8), components=5), folder)
    (tmp_path / "mine").mkdir()
    readme = tmp_path / "mine" / "README.md"
    readme.write_text("my project")
    with pytest.raises(OutputError, match=r"README\.md: is there already"):
        save_model(PCA((1, 8, 8), components=4), readme.parent, files={"README.md": b"card"})
    assert [path.name for path in readme.parent.iterdir()] == ["README.md"]
    save_model(
        PCA((1, 8, 8), components=4), readme.parent, files={"README.md": b"card"}, overwrite=True
    )
    assert readme.read_bytes() == b"card"


def test_a_file_of_a_model_that_its_user_changed_is_not_replaced(tmp_path):
    model, card = PCA((1, 8, 8), components=4), {"README.md": b"card"}
    folder = save_model(model, tmp_path / "model", files=card)
    (folder / "README.md").write_text("card, and my notes")
    with pytest.raises(OutputError, match=r"README\.md: is there already"):
        save_model(model, folder, files=card)
    assert (folder / "README.md").read_text() == "card, and my notes"


def test_a_list_of_sha256_that_is_not_of_our_folders_proves_nothing(tmp_path):
    data = b"mine"
    (tmp_path / "weights.safetensors").write_bytes(data)
    listed = f'{{"weights.safetensors": "{hashlib.sha256(data).hexdigest()}"}}'
    (tmp_path / MANIFEST).write_text(listed)
    assert not is_own(tmp_path / "weights.safetensors")
    with pytest.raises(OutputError, match=r"weights\.safetensors, .*manifest\.json: are there"):
        save_model(PCA((1, 8, 8), components=4), tmp_path)


def test_a_folder_killed_while_it_was_written_is_still_ours(folder, monkeypatch):
    """Some of its files are new, and the manifest that lists them waits under another name."""
    done, replace, unlink = [], os.replace, type(folder).unlink

    def die(source, target):
        if done:
            raise KeyboardInterrupt
        done.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", die)
    monkeypatch.setattr(type(folder), "unlink", lambda path, missing_ok=False: None)  # as by -9
    with pytest.raises(KeyboardInterrupt):
        write_folder(folder, {"weights.safetensors": b"new", "config.json": b'{"options": 1}'})
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(type(folder), "unlink", unlink)
    assert (folder / "weights.safetensors").read_bytes() == b"new"
    save_model(PCA((1, 8, 8), components=4), folder)
    assert is_own(folder / "weights.safetensors")
