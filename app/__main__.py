"""`python -m app` is `avizor`."""

from app.cli import main

if __name__ == "__main__":
    main()
