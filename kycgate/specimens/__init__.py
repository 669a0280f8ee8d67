"""Synthetic Egyptian ID cards and passport pages with known truth, for showing to a vendor's reading.

Every person is invented, every card says SPECIMEN. The font is DejaVu 2.37 (fonts/, beside its licence: Bitstream
Vera and DejaVu, free to use and embed).
"""

from kycgate.specimens.degrade import Degradation, degrade, degrade_jpeg, parse_degradations
from kycgate.specimens.draw import CardSet, Specimen, card_set, draw, pad_jpeg
from kycgate.specimens.folder import load_directory, save
from kycgate.specimens.person import Person, make_person
from kycgate.specimens.reading import Reading, is_picture, read

__all__ = [
    "CardSet",
    "Degradation",
    "Person",
    "Reading",
    "Specimen",
    "card_set",
    "degrade",
    "degrade_jpeg",
    "draw",
    "is_picture",
    "load_directory",
    "make_person",
    "pad_jpeg",
    "parse_degradations",
    "read",
    "save",
]
