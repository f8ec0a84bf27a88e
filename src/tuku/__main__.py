"""`python -m tuku`, the same as `tuku`."""

from tuku.cli import main

main()
