"""The parts of `notebooks/run`: reading a notebook, emulating Databricks, and rendering the output."""
