"""The desk (the modules here, which know no job) and its domains (the packages below)."""
