"""Runs the jobs of the bundle on this machine: `bundle` reads the files, `references` resolves values of the run, `graph`
decides which task runs next, and `run` runs it."""
