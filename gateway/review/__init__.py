"""What waits for a person, what a person decides, and what that makes of the resources."""
