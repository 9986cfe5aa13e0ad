"""`python -m landbridge` is the command `landbridge`."""

from landbridge.cli import run

if __name__ == "__main__":
    run()
