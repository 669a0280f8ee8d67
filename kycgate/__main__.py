"""`python -m kycgate`."""

from kycgate.cli import main

main()
