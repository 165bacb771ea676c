"""The trials of a campaign's folder, in step with its journal: nothing is in memory alone."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

from latentopt.campaign.header import MEASURING, changed_settings, new_header
from latentopt.errors import CampaignError, JournalError
from latentopt.runs.campaign_folder import check_campaign_folder
from latentopt.runs.journal import Journal
from latentopt.runs.journal_lock import JOURNAL
from latentopt.runs.run import Run, Trial, apply_event
from latentopt.settings.campaign import CampaignConfig

_log = logging.getLogger(__name__)

_UNSAVED = "Not saved:"


class Ledger:
    """The trials of one folder, held for writing while it is open.

    Parameters
    ----------
    folder
        Where the journal is, or will be.
    config
        Of the campaign that writes; a folder of another one is refused by `open`.
    space_id
        The space of its points.
    units, boundary
        Unit and boundary condition of each metric, where they are known.

    Attributes
    ----------
    trials
        By index, as the journal tells them.
    """

    def __init__(
        self,
        folder: Path,
        config: CampaignConfig,
        space_id: str,
        units: Mapping[str, str],
        boundary: Mapping[str, str],
    ) -> None:
        self.folder, self.config, self.space_id = folder, config, space_id
        self._values = {"units": dict(units), "boundary": dict(boundary)}
        self.trials: dict[int, Trial] = {}
        self._events: list[dict[str, Any]] = []
        self._journal: Journal | None = None
        self._run: tuple[int, Run] | None = None  # after how many events, and what they tell

    def open(self) -> bool:
        """Take the folder, check that its campaign is this one, and replay it.

        Returns
        -------
        Whether its trials are others than when it was closed.

        Raises
        ------
        CampaignError
            The folder holds another campaign, is damaged or cannot be written.
        CampaignLockedError
            Another process holds it.
        OutputError
            The folder holds files of a campaign's names that are not of one.
        """
        if self._journal is not None:
            return False
        if self._events and not (self.folder / JOURNAL).exists():
            raise self._lost("is gone")  # before another one is begun in its place
        check_campaign_folder(self.folder)
        journal = Journal(self.folder)
        try:
            if journal.events[: len(self._events)] != self._events:
                raise self._lost("holds other lines")
            self._begin(journal)
        except BaseException:
            journal.close()
            raise
        changed = journal.events != self._events
        self._journal, self._events, self.trials = journal, journal.events, {}
        for event in journal.events:
            apply_event(self.trials, event)
        return changed

    def _lost(self, how: str) -> JournalError:
        return JournalError(
            f"{self.folder / JOURNAL}: {how}, where this campaign had {len(self._events)} lines "
            "when it was closed: the file was moved, deleted or replaced. Put it back, or make the "
            "campaign again from its folder."
        )

    def _begin(self, journal: Journal) -> None:
        if journal.notice:
            _log.warning("%s", journal.notice)
        if journal.repaired_bytes:
            count = journal.repaired_bytes
            _log.warning("%s: %d bytes of the journal are in journal.torn.", self.folder, count)
        if not journal.events:
            journal.append(new_header(self.config, self.space_id, **self._values))
        elif changed := changed_settings(journal.events, self.config, self.space_id, self.folder):
            values = self._values if MEASURING & changed.keys() else {}
            journal.append({"kind": "settings", "config": changed, **values})

    def check_in_place(self) -> None:
        """Refuse to write beside a journal that was moved, deleted or changed in the meantime."""
        if self._journal is not None:
            self._journal.check_in_place()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """For what is written beside the journal: if that fails, a folder that is gone is named."""
        self.check_in_place()
        try:
            yield
        except CampaignError:
            self.check_in_place()
            raise

    def close(self) -> None:
        """Release the folder."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def record(self, event: Mapping[str, Any]) -> list[Trial]:
        """Write one event, with the time in seconds of the epoch; the trials that it changed.

        Raises
        ------
        CampaignError
            The disk is full or read-only; nothing was written.
        """
        assert self._journal is not None, "open() takes the folder first"
        self._journal.append({**event, "at": round(time.time(), 3)})
        return [self.trials[index] for index in apply_event(self.trials, event)]

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """What the journal holds."""
        return self._events

    @property
    def in_order(self) -> list[Trial]:
        """All trials, by index."""
        return [trial for _, trial in sorted(self.trials.items())]

    def of_status(self, status: str) -> list[Trial]:
        """Trials of one status, by index."""
        return [trial for trial in self.in_order if trial.status == status]

    def pending(self, index: int) -> Trial:
        """A trial that can still be told; a ``ValueError`` says why it cannot."""
        if index not in self.trials:
            raise ValueError(f"there is no trial {index}; ask for points first.")
        if self.trials[index].copied:
            raise ValueError(
                f"trial {index} has the structure of trial {self.trials[index].same_as}, and takes "
                "over what is told of that."
            )
        if self.trials[index].status != "pending":
            raise ValueError(f"trial {index} is {self.trials[index].status} already.")
        return self.trials[index]

    def run(self) -> Run:
        """All that the journal tells so far; the same object until there is another event."""
        if self._run is None or self._run[0] != len(self._events):
            self._run = len(self._events), Run.of_events(self.config.path, self._events)
        return self._run[1]


def names_unsaved(name: str) -> Callable[[Callable[..., Trial]], Callable[..., Trial]]:
    """For a method ``(index, ...)``: its errors name this argument, to be told again later."""

    def decorate(method: Callable[..., Trial]) -> Callable[..., Trial]:
        @wraps(method)
        def call(*arguments: Any, **options: Any) -> Trial:
            try:
                return method(*arguments, **options)
            except CampaignError as error:
                if _UNSAVED in str(error):
                    raise
                given = signature(method).bind(*arguments, **options).arguments
                text = f"{error} {_UNSAVED} trial {given['index']}, {name} {given[name]}."
                raise type(error)(text) from None

        return call

    return decorate
