"""What is kept of a run: its model, its folder, its verdict."""
