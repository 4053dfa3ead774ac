"""Runs the jobs of the bundle on this machine: `bundle` reads the files, `references` fills in what a run knows,
`graph` decides what runs next, `run` does it."""
