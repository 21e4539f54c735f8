"""Where models are: each kind of upstream is a module of its own, behind the Protocol of `upstream`."""
