class Fault(Exception):
    """What is wrong with the bundle or with what was asked for, as a sentence that names the place and the way out."""
