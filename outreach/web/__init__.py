"""HTTP: the staff console, the API of other systems, the providers' pushes, the taxpayers' pages."""
