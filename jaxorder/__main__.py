"""`python -m jaxorder` is the command `jaxorder`."""

import sys

from jaxorder.cli import main

sys.exit(main())
