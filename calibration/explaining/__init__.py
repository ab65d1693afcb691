"""What of the model explains which part of the brain."""
