"""Sparse axis-aligned subspaces, by Ax: for a property that few latent numbers decide."""

from typing import TYPE_CHECKING, ClassVar, Literal

from jaxtyping import Float64
from pydantic import Field
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.fallback import modelled_or_drawn
from latentopt.strategies.prior import draw
from latentopt.strategies.start import first_points
from objectives.settings import Settings

if TYPE_CHECKING:
    from ax.api.client import Client


class Saas(Settings):
    """Ax's search under Gaussian processes whose prior switches most latent numbers off [1]_.

    The first points are training structures as different from one another as possible. Then each
    metric has an ensemble of Gaussian processes, one for each of several strengths of the prior,
    drawn from its own prior and fitted by their maximum posterior; Ax does the rest, as in `ax`,
    with several objectives too. The original samples the posterior by NUTS instead, which takes
    minutes a fit and packages that we do not need otherwise.

    References
    ----------
    .. [1] Eriksson, Jankowiak (2021), High-Dimensional Bayesian Optimization with Sparse
       Axis-Aligned Subspaces, section 4.
    """

    kind: Literal["saas"] = "saas"
    initial: int = Field(
        12,
        ge=2,
        description="Number of training structures that are evaluated before the first model fit.",
    )
    ensemble: int = Field(
        4,
        ge=1,
        description="Number of Gaussian processes that are averaged for each metric. Each has "
        "another strength of the sparsity prior.",
    )
    multi_objective: ClassVar[bool] = True

    def propose(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        """The next `q` points: spread over the data at first, then Ax's.

        A fit that fails numerically is logged, and answered with draws from the prior.
        """
        if history.next_index < self.initial:
            return first_points(history, q)
        if len(history.z) < 2:  # all the rest failed
            return draw(history, q)

        def sparse() -> Float64[Tensor, "q d"]:
            from latentopt.ax.client import points_of_ax

            return points_of_ax(history, q, self._configure)

        return modelled_or_drawn(history, q, self.kind, sparse)

    def _configure(self, client: "Client") -> None:
        from ax.adapter.registry import Generators
        from ax.generation_strategy.generation_node import GenerationNode
        from ax.generation_strategy.generation_strategy import GenerationStrategy
        from ax.generation_strategy.generator_spec import GeneratorSpec
        from ax.generators.torch.botorch_modular.surrogate import ModelConfig, SurrogateSpec
        from botorch.models.map_saas import EnsembleMapSaasSingleTaskGP

        model = ModelConfig(
            botorch_model_class=EnsembleMapSaasSingleTaskGP,
            model_options={"num_taus": self.ensemble},
        )
        spec = GeneratorSpec(
            generator_enum=Generators.BOTORCH_MODULAR,
            generator_kwargs={"surrogate_spec": SurrogateSpec(model_configs=[model])},
        )
        node = GenerationNode(name="saas", generator_specs=[spec], should_deduplicate=True)
        client.set_generation_strategy(GenerationStrategy(name="saas", nodes=[node]))
