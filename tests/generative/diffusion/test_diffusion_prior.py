"""A prior trained on codes whose distribution is known: the map to noise is then known as well."""

import math

import pytest
import torch

from generative.diffusion.denoiser import NETWORKS, Denoiser, DenoiserConfig, _Patches
from generative.diffusion.prior import DiffusionPrior, random_time


def codes(n, seed=0):
    """Two clusters on the first axis, a narrow normal on the second."""
    draws = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
    sides = torch.randint(2, (n, 1), generator=torch.Generator().manual_seed(seed + 1)) * 2.0 - 1
    return torch.cat([2 * sides + 0.3 * draws[:, :1], 0.5 * draws[:, 1:]], 1), sides


def trained(conditions=0, steps=400):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prior = DiffusionPrior(
            (2,), conditions, DenoiserConfig(network="mlp", width=32, hidden=64, blocks=2)
        )
    rows, sides = codes(2000)
    prior.scale_to(rows)
    optimizer = torch.optim.AdamW(prior.parameters(), 4e-3)
    generator = torch.Generator().manual_seed(2)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * (1 - step / steps)
        drawn = torch.randint(len(rows), (128,), generator=generator)
        asked = torch.cat([sides[drawn], torch.ones(128, 1)], 1) * (
            torch.rand(128, 1, generator=generator) > 0.2
        )
        loss = prior.loss(
            rows[drawn],
            noise=torch.randn(128, 2, generator=generator),
            time=random_time(torch.rand(128, generator=generator)),
            condition=asked if conditions else None,
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return prior.eval()


@pytest.fixture(scope="module")
def prior():
    return trained()


@pytest.fixture(scope="module")
def conditional():
    return trained(conditions=2)


@pytest.mark.parametrize("network", NETWORKS)
def test_an_untrained_network_predicts_what_is_best_for_standard_normal_data(network):
    denoiser = Denoiser((3, 2), 0, DenoiserConfig(network=network, width=8, hidden=8, blocks=2))
    assert (denoiser(torch.randn(5, 6), torch.rand(5)) == 0).all()


def test_codes_come_out_in_their_clusters(prior):
    with torch.no_grad():
        drawn = prior.to_code(torch.randn(2000, 2, generator=torch.Generator().manual_seed(5)))
    inside = ((drawn[:, 0].abs() - 2).abs() < 1).float().mean()
    assert inside > 0.95
    assert abs(float((drawn[:, 0] > 0).float().mean()) - 0.5) < 0.06
    assert float(drawn[:, 1].std()) == pytest.approx(0.5, rel=0.15)


def test_noise_of_codes_is_standard_normal(prior):
    with torch.no_grad():
        noise = prior.to_noise(codes(2000, seed=7)[0])
    assert noise.mean(0).abs().max() < 0.15
    torch.testing.assert_close(noise.std(0), torch.ones(2), rtol=0.15, atol=0)


def test_code_to_noise_and_back_is_the_code(prior):
    rows = codes(200, seed=9)[0]
    with torch.no_grad():
        errors = [
            float((prior.to_code(prior.to_noise(rows, steps=k), steps=k) - rows).norm())
            for k in (20, 40)
        ]
    assert errors[1] < errors[0] / 2  # second order would be 4
    assert errors[1] / math.sqrt(rows.numel()) < 0.05


def test_the_map_is_differentiable_and_each_row_its_own(prior):
    noise = torch.randn(3, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(prior.to_code(noise)[1].sum(), noise)
    assert gradient[1].abs().max() > 0
    assert gradient[[0, 2]].abs().max() == 0


def test_a_condition_is_met_and_guidance_meets_it_more(conditional):
    noise = torch.randn(1000, 2, generator=torch.Generator().manual_seed(5))
    right = torch.tensor([[1.0, 1.0]]).expand(1000, -1)
    with torch.no_grad():
        shares = [
            float((conditional.to_code(noise, right, guidance=g)[:, 0] > 0).float().mean())
            for g in (0.0, 1.0, 2.0)
        ]
    assert abs(shares[0] - 0.5) < 0.1
    assert shares[1] > 0.93
    assert shares[2] >= shares[1] - 0.01


def test_no_condition_and_a_condition_of_zeros_are_the_same(conditional):
    noise = torch.randn(4, 2)
    nothing = torch.zeros(4, 2)
    with torch.no_grad():
        asked = conditional.to_code(noise, nothing)
        torch.testing.assert_close(asked, conditional.to_code(noise))


@pytest.mark.parametrize("grid", [(8, 8), (4, 4, 4), (6, 5), (7,)])
def test_patches_are_neighbours_and_joined_give_the_code_back(grid):
    patches = _Patches(grid)
    codes = torch.arange(2.0 * math.prod(grid)).view(2, -1)
    cut = patches.cut(codes)
    assert cut.shape == (patches.tokens, 2, patches.cells)
    assert torch.equal(patches.join(cut), codes)
    assert torch.equal(patches.cut(codes.T.contiguous().T), cut)  # whatever the strides
    places = torch.stack(torch.meshgrid(*[torch.arange(n) for n in grid], indexing="ij"), -1)
    for place in places.flatten(0, -2).float().T[:, None].expand(-1, 2, -1):
        inside = patches.cut(place.contiguous())
        assert (inside.amax(2) - inside.amin(2)).max() <= 1


def test_each_cell_is_told_of_every_other():
    denoiser = Denoiser((4, 4), 0, DenoiserConfig(width=8, hidden=8, blocks=2))
    for weight in denoiser.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: denoiser(x[None], torch.tensor([0.7]))[0], torch.randn(16)
    )
    assert (jacobian != 0).all()
