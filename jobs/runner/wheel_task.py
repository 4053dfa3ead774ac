"""Starts a function of an installed package like Databricks starts a Python wheel task: the entry point with this name in
any group of the package's metadata, or else the function with this name in the package. The parameters are in sys.argv."""

import importlib
import sys
from importlib import metadata

package, entry_point, *parameters = sys.argv[1:]
sys.argv = [package, *parameters]
named = [candidate for candidate in metadata.distribution(package).entry_points if candidate.name == entry_point]
function = named[0].load() if named else getattr(importlib.import_module(package), entry_point)
function()
