"""The orders service: decides which buyer has which seats."""
