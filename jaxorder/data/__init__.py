"""Data sets for training: named sources, checked arrays, fixed stratified subsets."""

from jaxorder.data.dataset import Dataset, Split, from_arrays
from jaxorder.data.sources import catalog, load
from jaxorder.data.subset import stratified, take_examples
from jaxorder.data.transform import Transformations, transformed

__all__ = [
    "Dataset",
    "Split",
    "Transformations",
    "catalog",
    "from_arrays",
    "load",
    "stratified",
    "take_examples",
    "transformed",
]
