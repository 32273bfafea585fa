"""What people look at: figures of results and of lots."""
