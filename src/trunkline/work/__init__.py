"""The verbs: one file for each thing that Trunkline does."""
