"""Starts a function of an installed package as Databricks starts a Python wheel task: the entry point of that name in any
group of the package's metadata, else the function of that name in the package; the parameters are sys.argv."""

import importlib
import sys
from importlib import metadata

package, entry_point, *parameters = sys.argv[1:]
sys.argv = [package, *parameters]
named = [candidate for candidate in metadata.distribution(package).entry_points if candidate.name == entry_point]
function = named[0].load() if named else getattr(importlib.import_module(package), entry_point)
function()
