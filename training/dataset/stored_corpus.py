"""A corpus whose rows stay on disk: what `synoptic dataset build` made, read row by row while it is learned from."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import Code, SynopticError
from schemas.pack_loader import Pack
from training.dataset.corpus import Corpus, about_tasks, digest_of, surest, with_unlabelled
from training.dataset.lazy import joined, mapped
from training.dataset.manifest import DatasetManifest, load_manifest
from training.dataset.row_store import RowStore
from training.dataset.rows import hospital_folds
from training.dataset.stored_rows import training_row
from training.recipe import Recipe

TRAINING, VALIDATION = "train", "validation"
"""The parts that training reads; the test part stays unseen."""


@dataclass(frozen=True)
class StoredDataset:
    """A dataset's folder, and files of unlabelled text."""

    folder: Path
    unlabelled: tuple[Path, ...] = ()

    def corpus(self, pack: Pack, recipe: Recipe) -> Corpus:
        """The rows of training and validation part, nothing of them in memory.

        Raises SYN-741 where the folder holds no dataset of this pack, and SYN-703 where no row is labelled by an
        annotator or a registry.
        """
        manifest = load_manifest(self.folder)
        _check(manifest, pack)
        parts = [RowStore(self.folder, name) for name in (TRAINING, VALIDATION)]
        rows = about_tasks(mapped(joined(*parts), training_row), recipe.tasks)
        places = Counter((row.source, row.hospital) for row in rows)
        best = surest({source for source, _ in places})
        sources: Counter[str] = Counter()
        hospitals: Counter[str] = Counter()
        for (source, hospital), count in places.items():
            sources[source] += count
            hospitals[hospital] += count if source == best else 0
        corpus = Corpus(
            readings=(),
            rows=rows,
            folds=hospital_folds(list((+hospitals).elements()), recipe.folds),
            counts=sources,
            digest=digest_of([pack.digest, recipe.model_dump_json(), _content(self.folder)]),
            best=best,
            validation=frozenset(row["patient"] for row in parts[1]),
        )
        return with_unlabelled(corpus, self.unlabelled)


def _check(manifest: DatasetManifest, pack: Pack) -> None:
    """Refuse rows that were made by other rules, or that ask otherwise, than what will serve the checkpoint."""
    if (manifest.pack, manifest.pack_digest) != (pack.id, pack.digest):
        raise SynopticError(Code.BAD_DATASET, f"built with the pack {manifest.pack}, or another version of it")
    if manifest.granularity != pack.definition.granularity:
        asked = f"its rows are {manifest.granularity}, and the pack asks {pack.definition.granularity}"
        raise SynopticError(Code.BAD_DATASET, asked)


def _content(folder: Path) -> str:
    """A digest of all files."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
