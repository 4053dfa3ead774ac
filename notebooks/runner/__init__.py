"""What `notebooks/run` is made of: reading a notebook, standing in for Databricks, showing what came out."""
