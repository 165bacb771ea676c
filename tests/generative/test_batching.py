"""Rows go through a few at a time, with the answer of all at once."""

import pytest
import torch

from generative.batching import VOXELS_PER_CHUNK, map_rows

VOXELS = VOXELS_PER_CHUNK // 4  # four rows a chunk


def recorder(function=lambda rows: 2 * rows):
    sizes = []

    def recorded(rows):
        sizes.append(len(rows))
        return function(rows)

    return recorded, sizes


@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 8, 11])
def test_the_answer_is_that_of_all_rows_at_once(n):
    rows = torch.arange(3.0 * n).reshape(n, 3)
    assert torch.equal(map_rows(lambda x: x.square().sum(1), rows, VOXELS), rows.square().sum(1))


def test_no_call_has_more_rows_than_a_chunk():
    function, sizes = recorder()
    map_rows(function, torch.rand(11, 2), VOXELS)
    assert sizes == [4, 4, 3]


def test_a_row_larger_than_a_chunk_goes_alone():
    function, sizes = recorder()
    map_rows(function, torch.rand(3, 2), 10 * VOXELS_PER_CHUNK)
    assert sizes == [1, 1, 1]


def test_few_rows_go_through_in_one_call():
    function, sizes = recorder()
    map_rows(function, torch.rand(4, 2), VOXELS)
    assert sizes == [4]


def test_gradients_pass_through_the_chunks():
    rows = torch.rand(11, 2, requires_grad=True)
    map_rows(lambda x: x**2, rows, VOXELS).sum().backward()
    torch.testing.assert_close(rows.grad, 2 * rows.detach())


def test_the_answer_may_have_another_type_and_shape():
    answer = map_rows(lambda x: (x > 0.5).all(1), torch.ones(9, 2), VOXELS)
    assert answer.dtype == torch.bool
    assert answer.shape == (9,)
