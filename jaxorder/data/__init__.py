"""Data sets for training: named sources, checked arrays, fixed stratified subsets."""

from jaxorder.data.dataset import Dataset, Split, from_arrays
from jaxorder.data.options import DataOptions
from jaxorder.data.sources import beside, catalog, load
from jaxorder.data.subset import stratified, take_examples
from jaxorder.data.transform import Projection, transformed

__all__ = [
    "DataOptions",
    "Dataset",
    "Projection",
    "Split",
    "beside",
    "catalog",
    "from_arrays",
    "load",
    "stratified",
    "take_examples",
    "transformed",
]
