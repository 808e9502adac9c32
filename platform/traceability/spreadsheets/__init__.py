"""The registry as spreadsheets: everything out, and back in after a look at the plan."""
