"""How far long work is: what is told of it, and how that is shown."""
