"""What a thousand browsers that look on cost, and how late they are, against a bare event stream."""
