"""The ways on which documents reach the software of their buyers. Each is a module with one class."""
