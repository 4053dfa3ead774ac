class BundleError(Exception):
    """Error in the bundle or in the arguments. The message names the location and a fix."""
