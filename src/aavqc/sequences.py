"""Masses from sequences in FASTA files: of a capsid's proteins by VP1's, of a genome by its own."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from aavqc.errors import InputError, UsageError
from aavqc.textfiles import read_text

ATOMS = (12.0107, 1.00794, 14.0067, 15.9994, 32.065)
"""Average masses of C, H, N, O and S, Da."""

RESIDUES = {
    "G": (2, 3, 1, 1, 0), "A": (3, 5, 1, 1, 0), "S": (3, 5, 1, 2, 0), "P": (5, 7, 1, 1, 0),
    "V": (5, 9, 1, 1, 0), "T": (4, 7, 1, 2, 0), "C": (3, 5, 1, 1, 1), "L": (6, 11, 1, 1, 0),
    "I": (6, 11, 1, 1, 0), "N": (4, 6, 2, 2, 0), "D": (4, 5, 1, 3, 0), "Q": (5, 8, 2, 2, 0),
    "K": (6, 12, 2, 1, 0), "E": (5, 7, 1, 3, 0), "M": (5, 9, 1, 1, 1), "H": (6, 7, 3, 1, 0),
    "F": (9, 9, 1, 1, 0), "R": (6, 12, 4, 1, 0), "Y": (9, 9, 1, 2, 0), "W": (11, 10, 2, 1, 0),
}  # fmt: skip
"""Atoms of amino acid residues: C, H, N, O, S."""

WATER, ACETYL = (0, 2, 0, 1, 0), (2, 2, 0, 1, 0)
"""Atoms that complete a chain, and that acetylation adds."""

NUCLEOTIDES = {"A": 313.207, "C": 289.182, "G": 329.206, "T": 304.193}
"""Average masses of ssDNA residues, acid form, Da."""

MOST_RESIDUES, MOST_NUCLEOTIDES = 2000, 100_000


def read_protein(path: Path) -> dict[str, str]:
    """Read the name and the sequence of the one protein of a FASTA file.

    Raises
    ------
    InputError
        No FASTA, several sequences, a letter that is no amino acid (with its line).
    """
    return _read(path, RESIDUES, "one-letter codes of the 20 amino acids", MOST_RESIDUES)


def read_genome(path: Path) -> dict[str, Any]:
    """Read the one strand of a FASTA file: its name, length, hash, and its mass with free acids, Da.

    Raises
    ------
    InputError
        No FASTA, several sequences, a letter that is no nucleotide (with its line).
    """
    found = _read(path, NUCLEOTIDES, "A, C, G or T", MOST_NUCLEOTIDES)
    sequence = found["sequence"]
    mass = math.fsum(sequence.count(letter) * each for letter, each in NUCLEOTIDES.items()) + _mass([WATER])
    return {
        "name": found["name"],
        "sha256": _hash(sequence),
        "length": len(sequence),
        "mass_da": round(mass, 3),
    }


def _read(path: Path, alphabet: Container[str], letters: str, most: int) -> dict[str, str]:
    name: str | None = None
    parts: list[str] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        text = line.strip()
        if text.startswith(">"):
            if name is not None:
                raise _wrong(path, number, "one sequence", "a second header")
            name = (text[1:].split() or ["unnamed"])[0]
        elif text and name is None:
            raise _wrong(path, number, "a header that begins with >", repr(text[:20]))
        else:
            residues = text.upper().removesuffix("*")
            strange = next((letter for letter in residues if letter not in alphabet), None)
            if strange is not None:
                raise _wrong(path, number, letters, repr(strange))
            parts.append(residues)
    sequence = "".join(parts)
    if name is None or not 0 < len(sequence) <= most:
        raise _wrong(path, None, f"a sequence of up to {most} letters", f"{len(sequence)}")
    return {"name": name, "sequence": sequence}


def weighed(capsid: Mapping[str, Any]) -> dict[str, Any]:
    """Put the masses of VP1, VP2 and VP3 in the place of a sequence among settings ``capsid``.

    VP1 and VP3 lose their methionine and are acetylated; VP2 loses its first residue.

    Examples
    --------
    >>> weighed({"sequence": "MATMGAMSGG", "vp2_start": 3, "vp3_start": 7})["vp_masses"]
    [823.935, 609.7166, 261.2319]
    """
    settings = dict(capsid)
    sequence = settings.pop("sequence")
    starts = [1, *(_start(settings, name, len(sequence)) for name in ("vp2_start", "vp3_start"))]
    if settings.get("vp_masses") is not None:
        raise UsageError("setting capsid.vp_masses", expected="not beside capsid.fasta", found="both")
    if not starts[1] < starts[2]:
        raise UsageError(
            "setting capsid.vp3_start", expected=f"beyond vp2_start, {starts[1]}", found=f"{starts[2]}"
        )
    for protein, start in (("VP1", 1), ("VP3", starts[2])):
        if sequence[start - 1] != "M":
            raise UsageError(
                f"{protein} begins at residue {start} of {settings['name']}",
                expected="methionine there",
                found=sequence[start - 1],
                hint="capsid.vp2_start and capsid.vp3_start count residues of VP1 from 1",
            )
    # each chain without its first residue; the first and the last acetylated
    groups = [[*(RESIDUES[r] for r in sequence[start:]), WATER] for start in starts]
    settings["vp_masses"] = [
        round(_mass([*groups[0], ACETYL]), 4),
        round(_mass(groups[1]), 4),
        round(_mass([*groups[2], ACETYL]), 4),
    ]
    settings["sha256"] = _hash(sequence)
    return settings


def _mass(groups: Sequence[Sequence[int]]) -> float:
    atoms = [sum(group[i] for group in groups) for i in range(len(ATOMS))]
    return math.fsum(n * mass for n, mass in zip(atoms, ATOMS, strict=True))


def _start(settings: Mapping[str, Any], name: str, length: int) -> int:
    try:
        start = int(settings.get(name, ""))
    except (TypeError, ValueError, OverflowError):
        start = 0
    if not 1 < start <= length:
        raise UsageError(
            f"setting capsid.{name}",
            expected=f"the residue of VP1 (2 to {length}) at which {name[:3].upper()} begins",
            found=repr(settings.get(name)),
            hint="capsid.fasta holds the sequence of VP1 alone",
        )
    return start


def _hash(sequence: str) -> str:
    return hashlib.sha256(sequence.encode()).hexdigest()


def _wrong(path: Path, line: int | None, expected: str, found: str) -> InputError:
    return InputError(
        "not the FASTA that is needed", file=path.name, line=line, expected=expected, found=found
    )
